"""Delivery while Hypothesis does the worst it can find. Every rule is one event, and may come late."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from tests.simulation.delivery_world import Flaw, World

WORKERS: Final = 3
NO: Final = Rejected("no")
_any: Final = st.integers(0, 3)
Item = TypeVar("Item")


class DeliveryMachine(RuleBasedStateMachine):
    """After whatever happened: if there were peace from now on, both partners would come to show the truth."""

    def __init__(self, flaw: Flaw | None = None) -> None:
        super().__init__()
        self._world = World(flaw)

    @invariant()
    def in_the_end_the_truth_is_shown(self) -> None:
        after = self._world.in_the_end()
        row = after.row
        if row.next_at is None and row.rejected_version == row.want:
            return  # parked, and said to be
        assert (after.blind, after.aware) == (after.truth, after.truth), row
        assert (row.suspect, row.next_at) == (False, None), row

    # What others do; twice before anybody looks is once

    @precondition(lambda self: self._world.is_news_taken or self._world.row.next_at is None)
    @rule()
    def what_is_shown_changes(self) -> None:
        self._world.status = "BUSY" if self._world.status == "FREE" else "FREE"
        self._world.owe(want=self._world.row.want + 1)

    @precondition(lambda self: self._world.is_news_taken or self._world.row.next_at is None)
    @rule(other_words=st.booleans())
    def it_is_owed_anew(self, other_words: bool) -> None:
        """As the partner has a table of its own now, or as somebody asked for it (`resend`)."""
        world = self._world
        if other_words:
            world.generation += 1
            world.owe(generation=world.generation, acked_digest=None)
        else:
            anew = {"next_at": world.now, "acked_digest": None, "rejected_version": None}
            world.row = msgspec.structs.replace(world.row, **anew)
            world.is_news_taken = False

    @precondition(lambda self: self._world.workers or self._world.under_way or self._world.row.next_at is not None)
    @rule(seconds=st.sampled_from([1, 9, 11, 36, 61, 91]))
    def time_passes(self, seconds: int) -> None:
        self._world.time_passes(timedelta(seconds=seconds))

    # What workers do; one that freezes goes on later, if ever

    @precondition(lambda self: self._world.is_claimable and len(self._world.workers) < WORKERS)
    @rule(freezes=st.booleans())
    def a_worker_claims_and_sends(self, freezes: bool) -> None:
        worker = self._world.claim()
        if not freezes:
            self._world.send(worker)

    @precondition(lambda self: self._world.is_claimable and len(self._world.workers) < WORKERS)
    @rule()
    def for_once_all_goes_well(self) -> None:
        self._world.deliver()

    @precondition(lambda self: self._world.with_claim)
    @rule(nth=_any)
    def a_frozen_worker_sends(self, nth: int) -> None:
        self._world.send(_nth(self._world.with_claim, nth))

    @precondition(lambda self: self._world.with_answer)
    @rule(nth=_any)
    def a_frozen_worker_stores_its_answer(self, nth: int) -> None:
        self._world.store(_nth(self._world.with_answer, nth))

    @precondition(lambda self: self._world.out_of_patience)
    @rule(nth=_any, freezes=st.booleans())
    def a_worker_gives_up_waiting(self, nth: int, freezes: bool) -> None:
        _nth(self._world.out_of_patience, nth).answer = Unknown("no answer in time")
        self._goes_on(freezes)

    @precondition(lambda self: self._world.workers)
    @rule(nth=_any, embedded=st.booleans())
    def a_worker_is_killed(self, nth: int, embedded: bool) -> None:
        """And, `embedded`, started again, knowing that no other lives."""
        self._world.workers.remove(_nth(self._world.workers, nth))
        if embedded:
            self._world.restart()

    # What the network and the partner do

    @precondition(lambda self: self._world.under_way)
    @rule(nth=_any, answered=st.booleans(), freezes=st.booleans())
    def the_partner_applies(self, nth: int, answered: bool, freezes: bool) -> None:
        self._world.apply(_nth(self._world.under_way, nth), Delivered() if answered else None)
        self._goes_on(freezes)

    @precondition(lambda self: self._world.under_way)
    @rule(nth=_any, outcome=st.sampled_from([None, NotSent("away"), Refused("no key"), NO, NO]), freezes=st.booleans())
    def the_partner_does_not_apply(self, nth: int, outcome: Outcome | None, freezes: bool) -> None:
        request = _nth(self._world.under_way, nth)
        self._world.under_way.remove(request)
        self._world.answer(request, outcome)
        self._goes_on(freezes)

    @precondition(lambda self: self._world.under_way)
    @rule(nth=_any, freezes=st.booleans())
    def the_connection_breaks(self, nth: int, freezes: bool) -> None:
        self._world.answer(_nth(self._world.under_way, nth), Unknown("the connection broke"))
        self._goes_on(freezes)

    def _goes_on(self, freezes: bool) -> None:
        """Whoever has an answer stores it, unless it freezes just then."""
        if not freezes and self._world.with_answer:
            self._world.store(self._world.with_answer[-1])


def _nth(items: Sequence[Item], nth: int) -> Item:
    return items[nth % len(items)]
