"""The one writer: takes the commands that are waiting, decides them together, commits once, then answers."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import structlog
from structlog.contextvars import get_contextvars

from app.clock import Clock
from app.domain.brake import Brake
from app.domain.errors import DomainError
from app.domain.instant import rfc3339
from app.observing.measures import UNMEASURED, Measures
from app.store.batch import USUAL_BRAKE, Batch
from app.store.database import Database
from app.store.failures import DatabaseUnavailable
from app.store.line import GROUP, WAITING, Full, Line
from app.store.needs import Needs

#: Seconds that a command waits at most for those it might be committed with.
_PATIENCE: Final = 0.02

log = structlog.get_logger(__name__)
Result = TypeVar("Result", covariant=True)
Answer = TypeVar("Answer")


class WriterBusy(Exception):
    """Too many commands are waiting, or the writer is shutting down: nothing was written."""


class OutcomeUnknown(DatabaseUnavailable):
    """It broke in the commit, and nobody could be asked whether it had been done: it must not be done again."""


class _Rehearsed(Exception):
    """What a rehearsal ends its transaction with, so that nothing of it stays."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


class Command(Protocol[Result]):
    """One change that somebody asks for."""

    def needs(self) -> Needs:
        """Say what has to be loaded to decide it."""
        ...

    def decide(self, batch: Batch) -> Result:
        """Refuse by raising a `DomainError`, or put the changes into `batch` and return the answer."""
        ...


class Asked(NamedTuple, Generic[Answer]):
    """A command in line, where its answer goes, and the id of the request that it came with, if it came with one."""

    command: Command[Answer]
    answer: "asyncio.Future[Answer]"
    request: str | None


class Writer:
    """Runs commands in groups. An answer is given only after the commit that holds it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        committed: Callable[[], None] = lambda: None,
        brake: Brake = USUAL_BRAKE,
        measures: Measures = UNMEASURED,
    ) -> None:
        """`committed` is called after a commit that may have changed what is shown."""
        self._database = database
        self._brake = brake
        self._clock = clock
        self._committed = committed
        self._measures = measures
        self._line: Line[Asked[Any]] = Line()
        self._began: float | None = None  #: on the monotonic clock, when the group under way was taken
        self._task: asyncio.Task[None] | None = None
        self._rehearsing = asyncio.Lock()
        self._open = False

    async def start(self) -> None:
        self._open = True
        self._task = asyncio.create_task(self._run(), name="writer")

    async def stop(self) -> None:
        """Take nothing more, finish what is waiting, then stop."""
        self._open = False
        if self._task is None:
            return
        await self._line.empty()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def run(self, command: Command[Answer]) -> Answer:
        """Have `command` decided and committed; a caller that gives up waiting does not undo it.

        Raises:
            DomainError: it was refused; nothing was written.
            WriterBusy: it was not even looked at.
        """
        return await self.submit(command)

    async def rehearse(self, command: Command[Answer]) -> Answer:
        """Have `command` decided as if it were written, and write nothing, in a transaction beside the others.

        Raises:
            DomainError: it would be refused.
            WriterBusy: it was not even looked at.
        """
        # One at a time, so that what is written, and what falls due, never waits for more than one of them.
        async with self._rehearsing:
            return await self._rehearse(command)

    async def _rehearse(self, command: Command[Answer]) -> Answer:
        if not self._open:
            raise WriterBusy("the service is shutting down")
        batch = Batch(self._clock.now(), self._brake)
        try:
            async with self._database.write() as connection:
                await batch.load(connection, [command.needs()])
                batch.at = self._clock.now()
                raise _Rehearsed(_decided(command, batch))  # noqa: TRY301 - so that nothing of it stays
        except _Rehearsed as rehearsed:
            answer: Answer | DomainError = rehearsed.answer
        if isinstance(answer, DomainError):
            raise answer
        return answer

    def submit(self, command: Command[Answer]) -> "asyncio.Future[Answer]":
        """Put `command` in line and give its answer later, so that many can be committed together.

        Raises:
            WriterBusy: it was not even looked at.
        """
        if not self._open:
            raise WriterBusy("the service is shutting down")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            self._line.put(Asked(command, future, get_contextvars().get("request_id")), _weight(command))
        except Full:
            raise WriterBusy(f"{WAITING} changes are waiting to be written") from None
        return future

    @property
    def waiting(self) -> int:
        """How many commands are in line, those under way left out."""
        return len(self._line)

    @property
    def busy(self) -> float:
        """For how many seconds the group under way has been so; 0.0 where there is none."""
        return 0.0 if self._began is None else self._clock.monotonic() - self._began

    async def _run(self) -> None:
        together, took = 0, 0.0
        while True:
            # Whoever was just answered calls again, and the first of them must not have a commit for itself alone; but
            # nobody waits for them longer than the last commit took.
            group = await self._line.take(min(together, GROUP), min(took, _PATIENCE))
            began = self._began = self._clock.monotonic()
            try:
                await self._write(group)
            finally:
                self._began = None
                self._line.finished(len(group))
                together, took = len(group), self._clock.monotonic() - began

    async def _write(self, group: Sequence[Asked[Any]]) -> None:
        failure = await self._try(group)
        if isinstance(failure, DatabaseUnavailable) or (failure is not None and len(group) == 1):
            # Once more: a connection was lost that others replace, or another replica just took the same reference.
            failure = failure if isinstance(failure, OutcomeUnknown) else await self._try(group)
        if failure is None:
            return
        if isinstance(failure, DatabaseUnavailable):
            # What holds for one of them holds for all: nobody waits until it has been tried for each.
            log.warning("a change could not be written", size=len(group), error=str(failure), requests=_requests(group))
        elif len(group) == 1:
            name = type(group[0].command).__name__
            log.error("a change could not be written", command=name, requests=_requests(group), exc_info=failure)
        else:
            log.warning("a group of changes failed, each is tried alone", size=len(group), error=repr(failure))
            for one in group:
                await self._write([one])
            return
        for one in group:
            _answer(one.answer, failure)

    async def _try(self, group: Sequence[Asked[Any]]) -> Exception | None:
        """Commit and answer, or return why not."""
        try:
            answers, touched = await self._commit([one.command for one in group])
        except Exception as error:  # noqa: BLE001 - the caller decides what becomes of it
            return error
        for one, answer in zip(group, answers, strict=True):
            _answer(one.answer, answer)
        if touched:
            self._tell()
        return None

    def _tell(self) -> None:
        try:
            self._committed()
        except Exception:
            log.exception("nobody could be told of a commit; the sweep will find it")

    async def _commit(self, commands: Sequence[Command[Any]]) -> tuple[list[Any], bool]:
        began = self._clock.monotonic()
        batch = Batch(self._clock.now(), self._brake)
        answers: list[Any] | None = None
        touched = False
        try:
            async with self._database.write() as connection:
                needs = [_asked(command) for command in commands]
                await batch.load(connection, [one for one in needs if isinstance(one, Needs)])
                # Once more: a wait for locks must not make `now` a thing of the past.
                batch.at = self._clock.now()
                decided = [
                    _decided(command, batch) if isinstance(need, Needs) else need
                    for command, need in zip(commands, needs, strict=True)
                ]
                touched = await batch.write(connection)
                answers = decided
        except Exception as failure:
            # If it broke in the commit itself, the answer may be all that was lost: done again, it would be done twice.
            if answers is None or not await self._landed(batch, failure):
                raise
        self._measure(batch, len(commands), self._clock.monotonic() - began)
        for alarm in batch.brakes.alarms():
            log.error(
                "the brake took hold: too much would be overridden at once",
                of=alarm.group.name,
                key=alarm.tripped_by,
                evses=f"{alarm.evses} of {alarm.of}",
                until=[rfc3339(hold.until) for hold in alarm.held.values()],
            )
        return answers, touched

    def _measure(self, batch: Batch, commands: int, took: float) -> None:
        self._measures.committed(commands, took)
        for one, new in batch.temporary_statuses_put:
            if new:
                self._measures.planned(one.kind)
            elif one.ended_at == batch.at:
                self._measures.ended(one.kind)
        for _ in batch.brakes.alarms():
            self._measures.braked()

    async def _landed(self, batch: Batch, failure: Exception) -> bool:
        try:
            async with self._database.write() as connection:
                return await batch.is_stored(connection)
        except DatabaseUnavailable:
            raise OutcomeUnknown("the database is away, and may have done it") from failure


def _weight(command: Command[Any]) -> int:
    need = _asked(command)
    return need.weight if isinstance(need, Needs) else 1


def _requests(group: Sequence[Asked[Any]]) -> list[str]:
    return sorted({one.request for one in group if one.request is not None})


def _asked(command: Command[Any]) -> Needs | DomainError:
    try:
        return command.needs()
    except DomainError as refusal:
        return refusal


def _decided(command: Command[Any], batch: Batch) -> Any:
    try:
        return command.decide(batch)
    except DomainError as refusal:
        return refusal


def _answer(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
