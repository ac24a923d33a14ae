"""One history: replicas on one database, clients, partners and chaos; then peace, in which everything must agree."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import text

from app.clock import SystemClock
from app.domain.instant import rfc3339
from app.store.database import Database
from tests.e2e.serving_process import HURRIED, ServingProcess, admin_key, calling
from tests.e2e.warm_start import WarmStart
from tests.trouble.chaos import Chaos
from tests.trouble.clients import Client, short_ones_are_over
from tests.trouble.ledger import Ledger, View
from tests.trouble.overdue import Watch
from tests.trouble.pulse import Pulse
from tests.trouble.receivers import NAMES, OPERATOR, SITE, Receivers
from tests.trouble.truth import must_show

EVSES: Final = 18
CLIENTS: Final = 6
PART_IN_TROUBLE: Final = 0.35
PART_AT_LAST: Final = 0.3
_PATIENCE: Final = 60.0  #: seconds for all to settle down
_CHANNELS: Final = dict(zip(NAMES, ("driverApp", "oicp", "ocpi"), strict=True))
_OPEN: Final = {
    "owed": "SELECT count(*) FROM delivery WHERE next_at IS NOT NULL",
    "in flight": "SELECT count(*) FROM delivery WHERE in_flight",
    "suspect": "SELECT count(*) FROM delivery WHERE suspect",
    "parked": "SELECT count(*) FROM delivery WHERE rejected_version = want",
    "due soon": "SELECT count(*) FROM presented WHERE recheck_at < clock_timestamp() + interval '1 minute'",
}
_RECORD: Final = text(
    "SELECT evse_id, version, at, to_what FROM presented_change JOIN evse ON evse.id = presented_change.evse"
)


class Tally(msgspec.Struct):
    """What there was of everything, for people."""

    kills: int = 0
    stops: int = 0
    requests: int = 0
    doubts: int = 0
    windows: int = 0
    changes: int = 0
    told: int = 0
    overlaps: int = 0
    wrong: int = 0
    worst_overdue: float = 0.0


class History:
    """Two or more replicas and all that surrounds them. Decided by its seed as far as anything on a machine is."""

    def __init__(self, database_url: str, folder: Path, warm: WarmStart, *, replicas: int, seed: int) -> None:
        self.seed = seed
        self.wrong: list[str] = []
        self._url = database_url
        self._database = Database(database_url)
        # As by default, and not as patient as in other tests: what is frozen in a transaction must hold nobody up.
        durations = {"BACK_OFF_LONGEST": 8 * HURRIED["BACK_OFF_FIRST"], "STALL": timedelta(seconds=1)}
        self._replicas = [
            ServingProcess(database_url, folder / f"replica-{number}.log", durations, warm=warm)
            for number in range(replicas)
        ]
        dice = random.Random(seed)
        self._evse_ids = [f"{OPERATOR}*E{number}*1" for number in range(EVSES)]
        self._pulse = Pulse()
        self.chaos = Chaos(self._replicas, random.Random(seed + 1))
        self._receivers = Receivers(seed + 2, {_uid(one): one for one in self._evse_ids}, self._pulse)
        self._ledger = Ledger()
        self._clients = [
            Client(f"client-{number}", dice, self._ledger, own=self._evse_ids[number::CLIENTS], sites=self._evse_ids)
            for number in range(CLIENTS)
        ]
        self._watch = Watch(self._database, self.chaos, self._pulse)
        self._key = ""

    @asynccontextmanager
    async def prepared(self) -> AsyncGenerator[None]:
        """Start the replicas, introduce partners and EVSEs, and see that all agree before anything goes wrong."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._database.close)
            await stack.enter_async_context(self._pulse.beating())
            self._receivers.trouble(0)
            await self._receivers.open()
            stack.push_async_callback(self._receivers.close)
            self._key = await admin_key(self._url)
            stack.push_async_callback(self.chaos.kill_all)
            await self.chaos.start_all()
            await self._introduce()
            await self.peace()
            await stack.enter_async_context(self._watch.watching())
            yield

    async def trouble(self, *, kills: int, freezes: int) -> None:
        """Kill and freeze replicas that often, while clients and partners do what they do."""
        self._receivers.trouble(PART_IN_TROUBLE)
        urls = [one.url for one in self._replicas]
        going = [asyncio.create_task(one.run(urls, self._key)) for one in self._clients]
        away = asyncio.create_task(self._receivers.come_and_go())
        try:
            await self.chaos.run(kills=kills, freezes=freezes)
        finally:
            away.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await away
            # Once more when everybody is back: what is said last is told late, and nothing follows that puts it right.
            await self._receivers.open()
            self._receivers.trouble(0)
            await asyncio.sleep(1)
            self._receivers.trouble(PART_AT_LAST, only_late=True)
            for client in self._clients:
                client.stop()
            await asyncio.gather(*going)
            await asyncio.sleep(1)

    async def peace(self) -> None:
        """No more trouble: once all has settled down, everything is compared with everything."""
        self._receivers.trouble(0)
        await self._receivers.open()
        await self._settled()
        await self._compare()

    async def tally(self) -> Tally:
        async with self._database.read() as connection:
            changes = (await connection.execute(text("SELECT count(*) FROM presented_change"))).scalar_one()
        return Tally(
            kills=self.chaos.kills,
            stops=self.chaos.freezes,
            requests=sum(one.requests for one in self._clients),
            doubts=self._ledger.doubts,
            windows=len(self._ledger.windows),
            changes=changes,
            told=self._receivers.in_flight.requests,
            overlaps=len(self._receivers.in_flight.overlaps),
            wrong=len(self.wrong),
            worst_overdue=round(self._watch.worst[0], 2),
        )

    async def _introduce(self) -> None:
        async with calling(self._replicas[0].url, self._key, patience=30) as api:
            for body in self._receivers.bodies():
                (await api.post("/v2/partners", json=body)).raise_for_status()
            for evse_id in self._evse_ids:
                fields = {"deploymentState": "PRODUCTION", "locationId": SITE, "uid": _uid(evse_id)}
                (await api.put(f"/v2/evses/{evse_id}", json=fields)).raise_for_status()
                self._ledger.deployed(evse_id, "PRODUCTION", doubts=0)
                status = {"status": "AVAILABLE"}
                (await api.put(f"/v2/evses/{evse_id}/actual-status", json=status)).raise_for_status()
                self._ledger.actual[evse_id] = "AVAILABLE"

    async def _settled(self) -> None:
        """Wait until nothing is owed, under way or suspect, and no boundary is near."""
        patience = _PATIENCE + short_ones_are_over().total_seconds()
        give_up = time.monotonic() + patience
        while True:
            left = await self._left_to_do()
            if not any(left.values()):
                return
            if time.monotonic() > give_up:
                self.wrong.append(f"not settled after {patience} s: {left}")
                return
            await asyncio.sleep(0.05)

    async def _left_to_do(self) -> dict[str, int]:
        async with self._database.read() as connection:
            return {what: (await connection.execute(text(query))).scalar_one() for what, query in _OPEN.items()}

    async def _compare(self) -> None:
        """Compare what is stored, what each replica says and what each partner shows with what was accepted."""
        at = SystemClock().now()
        windows: list[dict[str, Any]] = []
        for number, replica in enumerate(self._replicas):
            fleet = await self._all(replica, "/v2/evses?limit=500")
            if number == 0:
                windows = await self._all(replica, "/v2/temporary-evse-statuses?activeOnly=false&limit=500")
                self.wrong += self._ledger.wrong_windows(windows)
            self.wrong += self._ledger.wrong_evses(fleet)
            for evse in fleet:
                of_it = [one for one in windows if one["evseId"] == evse["evseId"]]
                must = must_show(evse["deploymentState"], evse["actualStatus"], of_it, at)
                self._compare_one(evse, dict(zip(NAMES, must, strict=True)))
        for name, objections in self._receivers.objections().items():
            self.wrong += [f"{name} objects: {one}" for one in objections]
        self.wrong += await self._never_true()
        self.wrong += [f"at once: {one}" for one in self._receivers.in_flight.wrong(self._held_up)]
        self.wrong += [f"overdue: {one}" for one in self._watch.too_late[:3]]
        assert not self.wrong, "\n".join([f"seed {self.seed}:", *self.wrong[:20], *await self._clues()])

    def _compare_one(self, evse: View, must: dict[str, str | None]) -> None:
        evse_id = evse["evseId"]
        if evse["deploymentState"] == "PRODUCTION":
            says = {name: evse["presented"][channel]["status"] for name, channel in _CHANNELS.items()}
            if says != must:
                self.wrong.append(f"{evse_id} is presented as {says}, and must be as {must}")
        for view, shown in self._receivers.views().items():
            expected = must[view.partition(",")[0]]
            if shown.get(evse_id) != expected:
                self.wrong.append(f"{view}: {evse_id} is shown as {shown.get(evse_id)}, and must be as {expected}")

    async def _never_true(self) -> list[str]:
        """What partners were told under a version that was not shown at that version."""
        async with self._database.read() as connection:
            record = (await connection.execute(_RECORD)).all()
        by_version = {(evse_id, version): what for evse_id, version, _, what in record}
        by_time: dict[str, list[tuple[str, str]]] = {}
        for evse_id, _, at, what in record:
            by_time.setdefault(evse_id, []).append((rfc3339(at), what))
        wrong = []
        for one in self._receivers.told():
            of_app = one.version is not None
            if of_app:
                what = by_version.get((one.evse_id, one.version))
            else:
                # Not only then: `last_updated` moves with what is announced as well.
                before = [change for change in by_time.get(one.evse_id, []) if change[0] <= (one.last_updated or "")]
                what = max(before)[1] if before else None
            if what is None or one.status != _in_words(what, of_app=of_app):
                wrong.append(f"told {one}, when {what} was shown")
        return wrong

    def _held_up(self, begin: float, end: float) -> bool:
        return self.chaos.froze(begin, end) or self._pulse.longest_pause(begin) > 0.2

    async def _all(self, replica: ServingProcess, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with calling(replica.url, self._key, patience=30) as api:
            while path:
                page = await api.get(path)
                page.raise_for_status()
                found += page.json()
                path = page.links.get("next", {}).get("url", "")
        return found

    async def _clues(self) -> Sequence[str]:
        """What the replicas had to say last."""
        tails = [f"{one.log.name}:\n{one.log.read_text()[-1500:]}" for one in self._replicas]
        return [str(await self._left_to_do()), str(await self.tally()), *tails]


def _uid(evse_id: str) -> str:
    return evse_id.replace("*", "-")


def _in_words(what: str, *, of_app: bool) -> str | None:
    """What app or eMSP must be told when `what`, as the store writes it, is shown."""
    source, _, word = what.partition(":")
    deployment = "DEPRECATED" if source == "gate" else "PRODUCTION"
    active = [{"temporaryStatus": word, "validFrom": "2000-01-01T00:00:00Z", "appliesWhen": "always"}]
    windows = [{**one, "validTo": None, "endedAt": None} for one in active] if source == "kind" else []
    must = must_show(deployment, word if source == "actual" else "UNKNOWN", windows, SystemClock().now())
    return must[0] if of_app else must[2]
