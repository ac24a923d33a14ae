"""A command that may come again: done once, answered the same each time."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from app.domain.errors import IdempotencyMismatch
from app.domain.principal import Principal
from app.store.batch import Batch
from app.store.batched_answers import Kept
from app.store.needs import Needs
from app.store.writer import Command

Result = TypeVar("Result")


class Answered(msgspec.Struct, frozen=True):
    """The answer as it was given first."""

    status: int
    text: str
    replayed: bool


class Idempotent(msgspec.Struct, Generic[Result], frozen=True, kw_only=True):
    """Decides `command` unless it was decided under the same Idempotency-Key before.

    `digest` stands for all that was asked. What is refused is not kept: the same key may try it again. `render` makes
    the answer, a status and a text, which is committed together with what was done. `keeps` says whether there was
    anything done at all.
    """

    by: Principal
    command: Command[Result]
    key: str
    digest: str
    render: Callable[[Result], tuple[int, str]]
    keeps: Callable[[Result], bool] = lambda _: True

    def needs(self) -> Needs:
        return msgspec.structs.replace(self.command.needs(), by=self.by, answers=((self.by.id, self.key),))

    def decide(self, batch: Batch) -> Answered:
        owner = batch.principal(self.by).id
        kept = batch.answers.find(owner, self.key)
        if kept is None:
            result = self.command.decide(batch)
            status, text = self.render(result)
            if self.keeps(result):
                batch.answers.put(owner, self.key, Kept(self.digest, status, text))
            return Answered(status, text, replayed=False)
        if kept.digest != self.digest:
            raise IdempotencyMismatch("this Idempotency-Key came with another body before", field="Idempotency-Key")
        return Answered(kept.status, kept.answer, replayed=True)
