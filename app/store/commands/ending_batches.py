"""Ending what one call planned together."""

import msgspec

from app.domain.errors import BatchNotFound
from app.domain.evse import Evse
from app.domain.permission import Action, Allowed, On, may
from app.domain.principal import Principal
from app.domain.temporary_status import State, TemporaryStatus
from app.store.batch import Batch
from app.store.commands.ending import ended
from app.store.needs import Needs


class Undone(msgspec.Struct, frozen=True):
    """A temporary status of a batch once that was ended, its EVSE, and where it stood before."""

    one: TemporaryStatus
    evse: Evse
    was: State


class EndBatch(msgspec.Struct, frozen=True):
    """End now what a batch planned and is not over, as far as it is the caller's to end.

    What it may not end looks as if it were not there.
    """

    by: Principal
    batch: str

    def needs(self) -> Needs:
        return Needs(by=self.by, batch=self.batch)

    def decide(self, batch: Batch) -> list[Undone]:
        by = batch.principal(self.by)
        theirs = [
            (one, evse)
            for one in batch.together(self.batch)
            if isinstance(may(by, Action.END, On(evse := batch.evse_of(one), one)), Allowed)
        ]
        if not theirs:
            raise BatchNotFound(f"no batch {self.batch}")
        # Where each stood, before any of them is ended.
        return [Undone(ended(batch, by, one), evse, one.state(batch.at)) for one, evse in theirs]
