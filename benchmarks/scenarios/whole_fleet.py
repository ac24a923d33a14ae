"""5: what is presented for a whole fleet, and what changed since, beside the time that it takes just to encode it."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any, Final

import msgspec

from app.api.event_shapes import PresentedEvent
from app.api.evse_shapes import EvseView
from benchmarks import fleet
from benchmarks.bench import Bench, Scenario
from benchmarks.databases import SPELT
from benchmarks.load import Caller, call
from benchmarks.measuring import Goal, Line, interleaved
from benchmarks.processes import Running, service

FLEET: Final = 100_000
CHANGED: Final = 10_000  #: since the cursor that the delta begins at
CALL: Final = 5_000  #: EVSEs in one call
PAGES: Final = 20  #: of 500 EVSEs, of which the whole fleet is told from
EVENTS: Final = "/v2/events?closeAfter=PT0S"
_PRESENTED: Final = b"event: presented\n"


class Taken(msgspec.Struct):
    """How long it took to get something, to encode the same, and how much that was. Times are in seconds."""

    took: float
    encoding: float
    cpu: float
    evses: int
    size: int

    @property
    def ratio(self) -> float:
        return self.took / self.encoding

    @property
    def ours(self) -> str:
        each = self.took / self.evses * 1e6
        return f"{self.took * 1000:,.0f} ms, {each:,.1f} µs for each EVSE, {self.cpu * 1000:,.0f} ms CPU"

    @property
    def beside(self) -> str:
        return f"encoding: {self.encoding * 1000:,.1f} ms, {self.size / 1e6:,.1f} MB"


class Reader:
    """Somebody who keeps a copy of the fleet."""

    def __init__(self, ours: Running, caller: Caller, key: str) -> None:
        self._ours = ours
        self._caller = caller
        self._key = key
        self.cursor = ""

    async def everything(self) -> Taken:
        """The state of the whole fleet, as a stream that ends with it."""
        return await self._events(f"{EVENTS}&snapshot=true")

    async def delta(self) -> Taken:
        """What changed since the cursor."""
        return await self._events(EVENTS, **{"last-event-id": self.cursor})

    async def pages(self, count: int) -> Taken:
        """The beginning of the list of EVSEs with all that is known of them."""
        before, began = self._ours.cpu, perf_counter()
        answers, after = [], ""
        for _ in range(count):
            answers.append(await self._answer(f"/v2/evses?limit=500{after}"))
            after = f"&cursor={_cursor(500 * len(answers))}"
        took, cpu = perf_counter() - began, self._ours.cpu - before
        views = [view for one in answers for view in msgspec.json.decode(one, type=list[EvseView])]
        return _taken(took, cpu, views)

    async def _events(self, path: str, **headers: str) -> Taken:
        before, began = self._ours.cpu, perf_counter()
        answer = await self._answer(path, **headers)
        took, cpu = perf_counter() - began, self._ours.cpu - before
        frames = _unchunked(answer).split(b"\n\n")
        if not self.cursor:
            self.cursor = next(one for frame in frames for one in frame.decode().splitlines() if one[:4] == "id: ")[4:]
        told = [frame.rpartition(b"data: ")[2] for frame in frames if frame.startswith(_PRESENTED)]
        return _taken(took, cpu, [msgspec.json.decode(one, type=PresentedEvent) for one in told])

    async def _answer(self, path: str, **headers: str) -> bytes:
        load = await self._caller.flat_out([call("GET", path, self._key, **headers)], keep=True)
        answers = load.demand_success().answers
        assert answers is not None
        return answers[0]


def _taken(took: float, cpu: float, told: Sequence[Any]) -> Taken:
    """Beside it, encode the very same with nothing around it: five times, as that is over soon."""
    encoder, times, size = msgspec.json.Encoder(), list[float](), 0
    for _ in range(5):
        began = perf_counter()
        size = len(encoder.encode(told))
        times.append(perf_counter() - began)
    # A stream may tell the same twice.
    return Taken(took, median(times), cpu, len({one.uid for one in told}), size)


def _unchunked(body: bytes) -> bytes:
    parts, at = list[bytes](), 0
    while True:
        line = body.index(b"\r\n", at)
        if not (size := int(body[at:line], 16)):
            return b"".join(parts)
        parts.append(body[line + 2 : line + 2 + size])
        at = line + 4 + size


def _cursor(after: int) -> str:
    return urlsafe_b64encode(str(after).encode()).decode()


async def run(bench: Bench) -> list[Line]:
    return [line for kind in bench.kinds for line in await _on(bench, kind)]


async def _on(bench: Bench, kind: str) -> list[Line]:
    size, changed = bench.much(FLEET, 5_000), bench.much(CHANGED, 1_000)
    bench.tell(f"{SPELT[kind]}: a fleet of {size:,}")
    async with bench.databases.fresh(kind) as url:
        await fleet.stock(url, size, fleet.now())
        key = await fleet.key(url)
        async with service(url, bench.log(f"whole-fleet-{kind}")) as ours, Caller(ours.url, 1) as caller:
            reader = Reader(ours, caller, key)
            await reader.everything()  # for a cursor, and to warm up
            bench.tell(f"{SPELT[kind]}: {changed:,} EVSEs are blocked")
            await _blocked(caller, key, changed)
            while (await reader.delta()).evses < changed:  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.2)
            sides: dict[str, Callable[[], Awaitable[Taken]]] = {
                "the whole fleet": reader.everything,
                "what changed": reader.delta,
                "pages of EVSEs": lambda: reader.pages(bench.much(PAGES, 2)),
            }
            rounds = await interleaved(bench.rounds, sides, lambda what: bench.tell(f"{SPELT[kind]}: {what}"))
    for one in rounds:
        if (told := (one["the whole fleet"].evses, one["what changed"].evses)) != (size, changed):
            raise ValueError(f"{told} EVSEs were told of, not {(size, changed)}")
    what = {
        "the whole fleet": f"what is presented for {size:,} EVSEs: `GET /v2/events?snapshot=true&closeAfter=PT0S`",
        "what changed": f"the {changed:,} of them that changed since a cursor: the same with `Last-Event-ID`",
        "pages of EVSEs": "all that is known of EVSEs, 500 on a page: `GET /v2/evses?limit=500`",
    }
    goal = Goal(at_most=5) if kind == "sqlite" else None
    return [
        Line(
            scenario=5,
            what=f"{what[side]}, {SPELT[kind]}",
            figures=tuple(one[side].ratio for one in rounds),
            unit="times encoding",
            ours=rounds[-1][side].ours,
            beside=rounds[-1][side].beside,
            goal=None if side == "pages of EVSEs" else goal,
        )
        for side in what
    ]


async def _blocked(caller: Caller, key: str, count: int) -> None:
    """Have something else presented for so many EVSEs, from now on and for as long as this lasts."""
    until = (fleet.now() + timedelta(days=1)).isoformat()
    for first in range(1, count + 1, CALL):
        body = {
            "evseIds": [fleet.evse_id(number) for number in range(first, min(first + CALL, count + 1))],
            "temporaryStatus": "BLOCKED",
            "validTo": until,
            "reason": "a parked car",
        }
        load = await caller.flat_out([call("POST", "/v2/temporary-evse-statuses/batch", key, body)])
        load.demand_success()


SCENARIO: Final = Scenario(5, "The whole fleet", run)
