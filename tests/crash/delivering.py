"""A life of the whole service: some minutes with one EVSE in virtual time, gone on with by the next life after a death.

With or without deaths the same is asked at the same times, so that in the end the same must be there.
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import func, or_, select, union_all

from app.domain.errors import AlreadyOver
from app.domain.status import Kind
from app.schedule.decisions import Limits
from app.schedule.dispatch import Dispatcher
from app.schedule.reconcile import Reconciler
from app.store.commands.ending import EndByRef
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, MINUTE, OPERATIONS, plan_by_ref, register, report, stored
from tests.crash.dying import Say, die_at
from tests.crash.notebook import Line, Notebook, shown_by, written
from tests.crash.writing import evse_id, half_done
from tests.integration.scripted_channel import SECRETS, add_partner

START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
LIMITS: Final = Limits(
    lease=timedelta(seconds=3),
    settle=timedelta(seconds=90),
    back_off_first=timedelta(milliseconds=2),
    back_off_longest=timedelta(milliseconds=10),
    retry_slowly=HOUR,
)
LAST_STEP: Final = 7  #: of a story
#: After a death the next life begins that much later: by then every lease of the dead has run out.
LATER: Final = LIMITS.lease + timedelta(seconds=1)
_POLL: Final = 0.02  #: seconds
_SOON: Final = timedelta(seconds=0.5)
_NEAR: Final = timedelta(milliseconds=200)  #: what is put off only until then is under way
_POKES: Final = 5  #: how often it is looked in vain before everybody is woken again
PARTNERS: Final = ("many", "exclusive")

_presented = metadata.tables["presented"].c
_delivery = metadata.tables["delivery"].c


class SteppedClock:
    """Lets minutes pass at once, for every clock there is, and goes on from there at the usual pace."""

    def __init__(self, at: datetime) -> None:
        self.set(at)

    def set(self, at: datetime) -> None:
        self._at, self._since = at, time.monotonic()

    def now(self) -> datetime:
        now = self._now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        return (self._now() - START).total_seconds()

    def _now(self) -> datetime:
        return self._at + timedelta(seconds=time.monotonic() - self._since)


class LeftOff(msgspec.Struct, frozen=True):
    """The last step of an EVSE's story that was answered, the last that was begun, and how many died over it."""

    answered: int = -1
    begun: int = 0
    deaths: int = 0

    @property
    def is_over(self) -> bool:
        return self.answered == LAST_STEP

    def after(self, said: Iterable[Mapping[str, int]]) -> "LeftOff":
        """Return where it stands after the next of those that died over it."""
        steps = [*said]
        return LeftOff(
            max([self.answered, *(one["answered"] for one in steps if "answered" in one)]),
            max([self.begun, *(one["begun"] for one in steps if "begun" in one)]),
            self.deaths + 1,
        )


class Since(Enum):
    """From when the steps are counted after which a life dies."""

    BIRTH = auto()
    OWN = auto()  #: it begins with its own EVSE
    WRITTEN = auto()  #: a partner has applied something


class Death(msgspec.Struct, frozen=True):
    """So many steps after the `nth` time that this happens."""

    step: int
    since: Since
    nth: int = 1


class Work(msgspec.Struct, frozen=True):
    """What a life is to do: the EVSEs that earlier lives left off, then one of its own."""

    number: int
    left_off: dict[int, LeftOff] = {}
    death: Death | None = None
    is_last: bool = False  #: see to it that nothing is left to be confirmed


def began(number: int) -> datetime:
    """When the story of an EVSE begins: long after that of the one before has ended."""
    return START + number * HOUR


def _resumed(number: int, left: LeftOff) -> datetime:
    return began(number) + left.begun * MINUTE + left.deaths * LATER


async def introduce(url: str, _say: Say) -> None:
    """Add the partners, once."""
    database = Database(url)
    for name in PARTNERS:
        await add_partner(database, SteppedClock(START), name, channel=name)
    await database.close()


async def life(url: str, file: Path, work: Work, say: Say) -> None:
    happened: Counter[Since] = Counter()

    def happens(what: Since) -> None:
        happened[what] += 1
        if work.death is not None and (work.death.since, work.death.nth) == (what, happened[what]):
            die_at(work.death.step)

    happens(Since.BIRTH)
    left_off = sorted(work.left_off.items())
    clock = SteppedClock(min([_resumed(*one) for one in left_off], default=began(work.number)))
    database = Database(url)
    notebooks = [Notebook(file, exclusive=one, wrote=lambda: happens(Since.WRITTEN)) for one in (True, False)]
    channels = {one.name: one for one in notebooks}
    dispatcher = Dispatcher(database, clock, SECRETS, channels, limits=LIMITS, timeout=1)
    reconciler = Reconciler(database, clock, promised=dispatcher.promised)
    writer = Writer(database, clock, committed=reconciler.look)
    service = _Alive(database, clock, writer, reconciler, dispatcher, file)
    for part in (dispatcher, reconciler, writer):
        await part.start()
    for number, left in left_off:
        clock.set(_resumed(number, left))
        await service.tell(number, left.answered + 1, say)
    happens(Since.OWN)
    clock.set(began(work.number))
    await service.tell(work.number, 0, say)
    if work.is_last:
        await service.settle()
    for part in (writer, reconciler, dispatcher):
        await part.stop()
    await database.close()


class _Alive:
    """The service while it lives."""

    def __init__(
        self,
        database: Database,
        clock: SteppedClock,
        writer: Writer,
        reconciler: Reconciler,
        dispatcher: Dispatcher,
        file: Path,
    ) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer
        self._reconciler = reconciler
        self._dispatcher = dispatcher
        self._file = file

    async def tell(self, number: int, first: int, say: Say) -> None:
        """The story of one EVSE from a step on, one a minute; what is answered is said before anything comes of it."""
        await self._quiet()
        for step, happens in enumerate(self._story(number)):
            if step >= first:
                say({"evse": number, "begun": step})
                self._clock.set(max(began(number) + step * MINUTE, self._clock.now()))
                await happens()
                say({"evse": number, "answered": step})
                await self._quiet()
                for wrong in await self._untold():
                    say({"evse": number, "wrong": wrong})

    async def settle(self) -> None:
        """Let time pass until nothing is owed any more: what has to be confirmed waits for a while, each time."""
        owed = select(func.count()).where(_delivery.next_at.is_not(None))
        while True:
            async with self._database.read() as connection:
                if not (await connection.execute(owed)).scalar_one():
                    return
            self._clock.set(self._clock.now() + LIMITS.settle)
            await self._quiet()

    def _story(self, number: int) -> Sequence[Callable[[], Awaitable[Any]]]:
        """Each step may be asked for twice, as by a client that was not answered."""
        writer, site, begin = self._writer, evse_id(number), began(number)
        sensor = msgspec.structs.replace(OPERATIONS, id=f"sensor-{number}")
        works: dict[str, Any] = {"by": sensor, "kind": Kind.MAINTENANCE, "valid_to": begin + 2.5 * MINUTE}
        bay: dict[str, Any] = {"by": sensor, "kind": Kind.BLOCKED, "valid_to": begin + 2 * HOUR}
        flicker: dict[str, Any] = {"by": sensor, "kind": Kind.BLOCKED, "valid_to": begin + 6 * MINUTE + _SOON}
        return (
            lambda: register(writer, site),
            lambda: plan_by_ref(writer, "works", site, **works),
            lambda: report(writer, "Charging", site),  # behind the works, until they are over half a minute later
            _nothing,
            lambda: plan_by_ref(writer, "bay", site, **bay),
            lambda: writer.run(EndByRef(sensor, "bay")),
            # Over before anybody can come back from a death: what was acknowledged before is true again.
            lambda: _unless_over(plan_by_ref(writer, "flicker", site, **flicker)),
            _nothing,
        )

    async def _quiet(self) -> None:
        """Wait until nothing is left to do by now."""
        for number in itertools.count():
            if number % _POKES == 0:  # they do not know that the time was set ahead
                self._reconciler.look()
                self._dispatcher.promised()
            await asyncio.sleep(_POLL)
            if not await self._is_due():
                return

    async def _untold(self) -> list[str]:
        """When nothing is due, every partner shows what is shown."""
        told = shown_by(written(self._file))
        async with self._database.read() as connection:
            rows = (await connection.execute(select(_presented.evse, _presented.what))).all()
        wrong = [
            f"{partner} shows {told.get((partner, evse))}, and must show {what}"
            for evse, what in rows
            for partner in PARTNERS
            if told.get((partner, evse)) != what
        ]
        return [] if await self._is_due() else wrong

    async def _is_due(self) -> bool:
        at = self._clock.now() + _NEAR
        boundary = select(_presented.evse).where(_presented.recheck_at <= at)
        delivery = select(_delivery.evse).where(or_(_delivery.next_at <= at, _delivery.in_flight))
        async with self._database.read() as connection:
            return (await connection.execute(union_all(boundary, delivery))).first() is not None


async def _nothing() -> None: ...


async def _unless_over(asked: Awaitable[Any]) -> None:
    with contextlib.suppress(AlreadyOver):
        await asked


class Outcome(msgspec.Struct, frozen=True):
    """Where the story of one EVSE has led: what is shown, and what each partner shows."""

    what: str
    partners: dict[str, str | None]


async def outcomes(url: str, file: Path) -> dict[int, Outcome]:
    """By the number of the EVSE."""
    database = Database(url)
    try:
        keys = {row["id"]: row["evse_id"] for row in await stored(database, "evse")}
        numbers = {key: int(site.removeprefix(evse_id(0)[:-1])) for key, site in keys.items()}
        told = shown_by(written(file))
        rows = await stored(database, "presented")
        return {
            numbers[row["evse"]]: Outcome(row["what"], {one: told.get((one, row["evse"])) for one in PARTNERS})
            for row in rows
        }
    finally:
        await database.close()


async def left_over(url: str, file: Path, numbers: Iterable[int]) -> list[str]:
    """What should not be left after the last story: anything owed or suspect, half done, or told and never true."""
    database = Database(url)
    try:
        found = [
            f"left over: {row}"
            for row in await stored(database, "delivery")
            if row["next_at"] is not None or row["in_flight"] or row["suspect"] or row["token"] is not None
        ]
        found += await half_done(database, began(max(numbers)) + HOUR)
        record = {(row["evse"], row["version"]): row["to_what"] for row in await stored(database, "presented_change")}
        found += [f"never true: {one}" for one in written(file) if not _was_true(one, record)]
        return found
    finally:
        await database.close()


def _was_true(line: Line, record: dict[tuple[int, int], str]) -> bool:
    return record.get((line.evse, line.version)) == line.what
