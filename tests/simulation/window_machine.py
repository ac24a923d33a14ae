"""Windows made, moved, ended and outlived, through the real writer and the real reconcile, beside the model.

After each step what is stored, what is derived on reading and what was computed must be what the model says now.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, TypeAlias

import uvloop
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from app.api.problems import SORTS
from app.domain.errors import DomainError
from app.schedule.reconcile import Reconciler
from app.store.commands.evses import Registered, Reported
from app.store.commands.temporary_statuses import Written
from app.store.database import Database
from app.store.writer import Writer
from tests.clock import FrozenClock
from tests.integration.scripted_channel import add_partner
from tests.simulation import window_checks as checks
from tests.simulation.window_commands import (
    EVSES,
    Command,
    Deploy,
    anything,
    deploys,
    ends,
    leases,
    patches,
    plans,
    reports,
)
from tests.simulation.window_model import MINUTE, Model, Refusal, Window

#: Gives the URL of a migrated database that nobody has used, for as long as it is wanted.
Fresh: TypeAlias = Callable[[], AbstractAsyncContextManager[str]]
_MOST_EDGES: Final = 12  #: of what is still to come at the end of a history, this much is lived through


class WindowMachine(RuleBasedStateMachine):
    """One service on one database; a second one may take its place at any time."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self._fresh = fresh
        self._own = AsyncExitStack()
        self._loop = uvloop.new_event_loop()
        self._clock = FrozenClock()
        self._database: Database | None = None
        self._awake = True
        self._sound = False  #: whether the last step went well

    # What happens

    @initialize(max_age=st.sampled_from([None, 3, 60]), state=st.sampled_from(["PRODUCTION", "PRODUCTION", "STOCK"]))
    def opens(self, max_age: int | None, state: str) -> None:
        self._model = Model(None if max_age is None else max_age * MINUTE)
        self._keys: dict[str, int] = {}
        self._shared: set[str] = set()
        self._promised: dict[int, Written] = {}
        self._before: checks.Tables = {}
        self._turn = 0
        self._step(self._begin([Deploy(EVSES[0], "PRODUCTION"), Deploy(EVSES[1], state)]))

    @rule(commands=plans)
    def windows_are_planned(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @rule(commands=leases)
    def leases_are_renewed(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @precondition(lambda self: self._model.windows)
    @rule(commands=patches)
    def windows_are_patched(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @precondition(lambda self: self._model.windows)
    @rule(commands=ends)
    def windows_are_ended(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @rule(commands=reports)
    def chargers_report(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @rule(commands=deploys)
    def evses_are_deployed(self, commands: list[Command]) -> None:
        self._step(self._issue(commands))

    @rule(nth=st.sampled_from([0, 0, 1, 2]), aside=st.sampled_from([0, 0, -1, 1]), commands=anything)
    def a_boundary_comes(self, nth: int, aside: int, commands: list[Command]) -> None:
        """And whatever is asked for at that instant is asked before reconcile has looked."""
        edges = self._edges()
        to = edges[min(nth, len(edges) - 1)] + aside if edges else self._model.now + MINUTE
        self._live(to - self._model.now)
        self._step(self._issue(commands))

    @rule(minutes=st.sampled_from([1, 2, 7, 59, 6 * 60, 7 * 60, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self._live(minutes * MINUTE)
        self._step()

    @precondition(lambda self: self._awake)
    @rule()
    def reconcile_falls_behind(self) -> None:
        self._awake = False

    @precondition(lambda self: not self._awake)
    @rule()
    def reconcile_comes_round(self) -> None:
        self._awake = True
        self._step()

    @rule()
    def the_service_is_restarted(self) -> None:
        self._awake = True
        self._step(self._reopen())

    def teardown(self) -> None:
        """Live through what is still planned, then close whatever is open."""
        try:
            if self._sound:
                self._awake = True
                self._step()
                for edge in self._edges()[:_MOST_EDGES]:
                    for to in (edge - 1, edge):
                        self._live(max(to - self._model.now, 0))
                        self._step()
                self._loop.run_until_complete(checks.recorded(self._opened))
        finally:
            self._loop.run_until_complete(self._close())
            self._loop.run_until_complete(self._own.aclose())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    # How it happens

    def _step(self, work: Coroutine[Any, Any, None] | None = None) -> None:
        self._sound = False
        if work is not None:
            self._loop.run_until_complete(work)
        self._loop.run_until_complete(self._look())
        self._sound = True

    async def _begin(self, commands: Sequence[Command]) -> None:
        """Serve a fresh database, with one partner, which is owed everything and told nothing."""
        self._url = await self._own.enter_async_context(self._fresh())
        await self._open()
        await add_partner(self._opened, self._clock, "app", paused=True)
        await self._issue(commands)

    async def _reopen(self) -> None:
        await self._close()
        await self._open()

    async def _open(self) -> None:
        max_age = None if self._model.max_age is None else timedelta(milliseconds=self._model.max_age)
        self._database = Database(self._url)
        self._writer = Writer(self._database, self._clock)
        self._reconciler = Reconciler(self._database, self._clock, max_age=max_age)
        await self._writer.start()

    async def _close(self) -> None:
        if self._database is not None:
            await self._writer.stop()
            await self._database.close()
            self._database = None

    def _live(self, milliseconds: int) -> None:
        self._clock.advance(timedelta(milliseconds=milliseconds))
        self._model.now += milliseconds

    def _edges(self) -> list[int]:
        return sorted({edge for evse in self._model.chargers for edge in self._model.edges(evse)})

    async def _issue(self, commands: Sequence[Command]) -> None:
        """Give them to the service at once, and to the model in turn; they must come to the same."""
        asked, expected = [], []
        for command in commands:
            asked.append(command.asked_of(self._model))
            expected.append(self._expected(command))
        waiting = [self._writer.submit(one) for one in asked]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        for command, must, answer in zip(commands, expected, answers, strict=True):
            self._agree(command, must, answer)
        if commands and self._before and all(isinstance(must, Refusal) for must in expected):
            assert await checks.tables(self._opened) == self._before, "what was refused changed something"

    def _expected(self, command: Command) -> Any:
        """What the model makes of it, as it is at this moment: the next command may change it further."""
        try:
            done = command.done_by(self._model)
        except Refusal as refusal:
            return refusal
        if isinstance(done, Window):
            return (done, replace(done), self._model.living(done.evse))
        if isinstance(done, list):
            return [(window, replace(window)) for window in done]
        return done

    def _agree(self, command: Command, must: Any, answer: Any) -> None:
        match must, answer:
            case (Refusal(), DomainError()):
                assert SORTS[type(answer)].status == must.status, command
            case ((Window() as window, Window() as then, list(living)), Written()):
                window.number = window.number or self._new_number(answer)
                then.number = window.number
                assert checks.answered(answer.one) == checks.expected(then), command
                assert [other.id for other in answer.live] == [other.number for other in living], command
                self._promises(answer)
            case (list(ended), list(answers)):
                for window, then in ended:
                    then.number = window.number
                told = [checks.answered(written.one) for written in answers]
                assert told == [checks.expected(then) for _, then in ended], command
                self._promised |= {written.one.id: written for written in answers}
            case (bool(), Registered(evse=evse, created=created)):
                assert created is must, command
                self._keys[evse.evse_id or ""] = evse.id
            case (bool(), Reported(applied=applied)):
                assert applied is must, command
            case _:
                assert must is answer is None, f"{command} came to {answer!r}, and not to {must!r}"

    def _new_number(self, answer: Written) -> int:
        assert answer.one.id > max(window.number for window in self._model.windows)
        return answer.one.id

    def _promises(self, answer: Written) -> None:
        """Note what was answered; what was there under the same reference gives way to it."""
        one = answer.one
        for number, was in list(self._promised.items()):
            if (
                answer.created
                and one.ref is not None
                and (was.one.created_by, was.one.ref) == (one.created_by, one.ref)
            ):
                del self._promised[number]
        self._promised[one.id] = answer

    # What must hold

    async def _look(self) -> None:
        if self._awake:
            await self._reconciler.pass_once()
            self._shared |= {one for one, charger in self._model.chargers.items() if charger.deployment == "PRODUCTION"}
        tables = await checks.tables(self._opened)
        checks.stored(tables, self._model, self._keys)
        checks.rising(self._before.get("presented", []), tables["presented"])
        checks.promises_kept(self._promised, self._model)
        if self._awake:
            checks.presented(tables, self._model, self._keys)
            checks.owed(tables, {self._keys[evse] for evse in self._shared})
        await checks.read(self._opened, self._model, self._turn)
        self._before = tables
        self._turn += 1

    @property
    def _opened(self) -> Database:
        assert self._database is not None
        return self._database
