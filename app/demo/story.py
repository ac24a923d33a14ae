"""The story of the demo: what a CPO's week holds, in half a minute."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Final

import msgspec

from app.channels.ocpi.locations import read_locations
from app.clock import SystemClock
from app.demo.audience import Audience
from app.demo.narrator import Narrator
from app.demo.service import DemoService
from app.demo.verdict import Edge, as_table, differences, judge
from app.domain.instant import rfc3339

_BACK: Final = 13  #: the second in which the OCPI partner comes back
_PATIENCE: Final = 15.0  #: seconds that partners get to agree at the end
_AVAILABLE: Final = {"app": "AVAILABLE", "hub": "Available", "emsp": "AVAILABLE"}
_CHARGING: Final = {"app": "CHARGING", "hub": "Occupied", "emsp": "CHARGING"}
_MAINTENANCE: Final = {"app": "OUT_OF_SERVICE", "hub": "OutOfService", "emsp": "INOPERATIVE"}
_COMMISSIONING: Final = {"app": "OUT_OF_SERVICE", "hub": "OutOfService"}
_RESERVED: Final = {"app": "OCCUPIED", "hub": "Reserved", "emsp": "RESERVED"}
_BLOCKED: Final = {"app": "OCCUPIED", "hub": "Occupied", "emsp": "BLOCKED"}
_REMOVED: Final = {"app": "REMOVED", "hub": "(deleted)", "emsp": "REMOVED"}


async def tell(*, keep_running: bool) -> int:
    """Tell the story, and return the exit code: 0 only if nobody was shown anything wrong."""
    clock = SystemClock()
    document = resources.files("app.demo").joinpath("fleet.json").read_bytes()
    published = read_locations(document).evses
    evse_ids = {f"{one.location}/{one.uid}": one.evse_id or "" for one in published}
    audience = Audience(clock, evse_ids)
    narrator = Narrator(clock, audience)
    service = DemoService()
    try:
        for name in ("app", "hub", "emsp"):
            await audience.arrive(name)
        story = Story(clock, audience, narrator, service)
        await story.set_the_scene(document, len(published))
        listening = asyncio.create_task(narrator.listen())
        try:
            await story.play()
            code = await story.conclude()
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
        if keep_running:
            await _keep_running(narrator, service, audience)
    except RuntimeError as error:
        narrator.say(f"The demo broke off: {error}")
        return 1
    finally:
        await service.close()
        await audience.close()
    return code


class Story:
    """The scenes, on a timetable in seconds from the beginning."""

    def __init__(self, clock: SystemClock, audience: Audience, narrator: Narrator, service: DemoService) -> None:
        self._clock = clock
        self._audience = audience
        self._narrator = narrator
        self._service = service
        self._edges: list[Edge] = []
        self._began = clock.now()

    async def set_the_scene(self, document: bytes, evses: int) -> None:
        """Import the fleet, make a key, start the service and add the partners."""
        service, say = self._service, self._narrator.say
        locations = service.folder / "fleet.json"
        locations.write_bytes(document)
        say((await service.command("evses", "import", str(locations))).strip() + " from an OCPI Locations document.")
        made = await service.command("keys", "create", "--name", "demo", "--role", "admin", "-o", "json")
        service.key = json.loads(made)["key"]
        await service.start()
        for partner in self._audience.partners():
            await service.call("POST", "/v2/partners", partner)
        say("A driver app, a hub (Hubject) and an OCPI partner listen, and judge.")
        for _ in range(200):
            if len(set(self._audience.told_to("app"))) == len(set(self._audience.told_to("emsp"))) == evses:
                break
            await asyncio.sleep(0.05)
        say(f"App and OCPI partner were told all {evses} EVSEs once; Hubject hears of changes only.\n")

    async def play(self) -> None:
        """Go through the scenes."""
        self._narrator.begin()
        self._began = self._clock.now()
        await self._everyday()
        await self._a_partner_goes_away()
        await self._the_service_is_killed()
        await self._afterwards()

    async def _everyday(self) -> None:
        say = self._narrator.say
        say("A technician: DE*XPO*E1001*1 under maintenance for ten seconds.")
        begun = await self._plan("DE*XPO*E1001*1", "MAINTENANCE", end=10, reason="new cable")
        self._edge(begun, "DE*XPO*E1001*1", _MAINTENANCE)
        self._edge(self._at(10), "DE*XPO*E1001*1", _AVAILABLE, emsp_from=_BACK)
        say("A booking system: DE*XPO*E2001*1 reserved from second 4 to 12.")
        await self._plan("DE*XPO*E2001*1", "RESERVED", begin=4, end=12, ref="booking-4711")
        self._edge(self._at(4), "DE*XPO*E2001*1", _RESERVED)
        self._edge(self._at(12), "DE*XPO*E2001*1", _AVAILABLE, emsp_from=_BACK)
        await self._until(2)
        say("A parking sensor: cars at DE*XPO*E1002*1 and …E1003*2, which charges.")
        begun = await self._plan("DE*XPO*E1002*1", "BLOCKED", ref="bay-1002-1", idle=True)
        self._edge(begun, "DE*XPO*E1002*1", _BLOCKED)
        await self._plan("DE*XPO*E1003*2", "BLOCKED", ref="bay-1003-2", idle=True)
        await self._until(6.5)
        say("Both cars leave: an early DELETE. (The charging one was never hidden.)")
        ended = self._clock.now()
        for ref in ("bay-1002-1", "bay-1003-2"):
            await self._service.call("DELETE", f"/v2/temporary-evse-statuses/by-ref/{ref}")
        self._edge(ended, "DE*XPO*E1002*1", _AVAILABLE)

    async def _a_partner_goes_away(self) -> None:
        say = self._narrator.say
        await self._until(8)
        say("The OCPI partner goes away. One status comes and goes, one stays.")
        await self._audience.leave("emsp")
        begun = await self._plan("DE*XPO*E3001*1", "COMMISSIONING", end=10.5)
        self._edge(begun, "DE*XPO*E3001*1", _COMMISSIONING)
        self._edge(self._at(10.5), "DE*XPO*E3001*1", {"app": "AVAILABLE", "hub": "Available"})
        begun = await self._plan("DE*XPO*E3002*1", "MAINTENANCE", end=27)
        self._edge(begun, "DE*XPO*E3002*1", _MAINTENANCE, emsp_from=_BACK)
        await self._until(_BACK)
        say("It is back, and gets what is true now: one request an EVSE, no history.")
        await self._audience.arrive("emsp")

    async def _the_service_is_killed(self) -> None:
        say = self._narrator.say
        await self._until(15.5)
        say("One window active, one about to end, one to begin. Then: kill -9.")
        begun = await self._plan("DE*XPO*E4001*2", "MAINTENANCE", end=24)
        self._edge(begun, "DE*XPO*E4001*2", _MAINTENANCE)
        begun = await self._plan("DE*XPO*E1004*1", "MAINTENANCE", end=18)
        self._edge(begun, "DE*XPO*E1004*1", _MAINTENANCE)
        await self._plan("DE*XPO*E4002*1", "RESERVED", begin=18.5, end=27)
        await self._until(17)
        self._service.kill()
        await self._until(19.5)
        say("The service is started again, in the middle of it all.")
        restarted = self._clock.now()
        await self._service.start()
        self._edge(self._at(18), "DE*XPO*E1004*1", _AVAILABLE, from_=restarted)
        self._edge(self._at(18.5), "DE*XPO*E4002*1", _RESERVED, from_=restarted)
        self._edge(self._at(27), "DE*XPO*E4002*1", _AVAILABLE)

    async def _afterwards(self) -> None:
        say = self._narrator.say
        await self._until(22)
        say("DE*XPO*E4001*2 begins to charge; it is shown under maintenance still.")
        await self._service.call("PUT", "/v2/evses/DE*XPO*E4001*2/actual-status", {"status": "Charging"})
        self._edge(self._at(24), "DE*XPO*E4001*2", _CHARGING)
        await self._until(24.3)
        say("Its window is over: shown is what it does now, not what it did before.")
        await self._until(25)
        say("DE*XPO*E2003*1 is taken down for good: deployment state DEPRECATED.")
        gone = self._clock.now()
        await self._service.call("PUT", "/v2/evses/DE*XPO*E2003*1", {"deploymentState": "DEPRECATED"})
        self._edge(gone, "DE*XPO*E2003*1", _REMOVED)
        self._edge(self._at(27), "DE*XPO*E3002*1", _AVAILABLE)
        await self._until(28)

    async def conclude(self) -> int:
        """Wait until everybody agrees, or no longer; print what became of it; return the exit code."""
        deadline = self._clock.monotonic() + _PATIENCE
        fleet = await self._fleet()
        while differences(self._audience, fleet) and self._clock.monotonic() < deadline:
            await asyncio.sleep(0.2)
            fleet = await self._fleet()
        await asyncio.sleep(0.3)
        pulled = await self._audience.pull(self._service.url)
        verdict = judge(self._audience, self._edges, fleet, pulled)
        self._narrator.print("")
        self._narrator.rule("What each partner saw")
        self._narrator.print(as_table(self._audience, verdict))
        for one in verdict.wrong:
            self._narrator.print(f"[red]wrong:[/] {one}")
        self._narrator.print(
            "[dim]edges: changes it had to be told of; lag: from the edge to its socket;\n"
            "caught up: after it, or the service, had been away[/]\n"
        )
        if verdict.wrong:
            self._narrator.print(f"[bold red]{len(verdict.wrong)} wrong[/]")
        else:
            self._narrator.print("The OCPI partner pulls all of it as well: the same, and announced alike.")
            self._narrator.print("[bold green]0 wrong[/]: in the end everybody shows just what is true")
        return 1 if verdict.wrong else 0

    async def _plan(
        self,
        evse_id: str,
        status: str,
        *,
        begin: float | None = None,
        end: float | None = None,
        ref: str | None = None,
        reason: str | None = None,
        idle: bool = False,
    ) -> datetime:
        """Plan a temporary status between two seconds of the story; return when it begins."""
        body: dict[str, Any] = {"evseId": evse_id, "temporaryStatus": status}
        if begin is not None:
            body["validFrom"] = rfc3339(self._at(begin))
        if end is not None:
            body["validTo"] = rfc3339(self._at(end))
        if reason is not None:
            body["reason"] = reason
        if idle:
            body["appliesWhen"] = "idle"
        path = "/v2/temporary-evse-statuses"
        made = await self._service.call("PUT" if ref else "POST", f"{path}/by-ref/{ref}" if ref else path, body)
        return datetime.fromisoformat(made["validFrom"])

    def _edge(
        self,
        at: datetime,
        evse_id: str,
        hears: Mapping[str, str],
        *,
        from_: datetime | None = None,
        emsp_from: float | None = None,
    ) -> None:
        """Expect everybody to hear this; the OCPI partner not before a second of the story, where it is away."""
        if emsp_from is not None:
            self._edges.append(Edge(at, evse_id, {"emsp": hears["emsp"]}, self._at(emsp_from)))
            hears = {name: status for name, status in hears.items() if name != "emsp"}
        self._edges.append(Edge(at, evse_id, hears, from_))

    def _at(self, seconds: float) -> datetime:
        return self._began + timedelta(seconds=seconds)

    async def _until(self, seconds: float) -> None:
        await asyncio.sleep(max((self._at(seconds) - self._clock.now()).total_seconds(), 0))

    async def _fleet(self) -> list[dict[str, Any]]:
        return msgspec.convert(await self._service.call("GET", "/v2/evses?limit=500"), list[dict[str, Any]])


async def _keep_running(narrator: Narrator, service: DemoService, audience: Audience) -> None:
    narrator.rule("Still running; Ctrl-C ends it")
    narrator.print(f"API      {service.url}\nKey      {service.key}\nDocument {service.url}/openapi/openapi.json")
    for partner in audience.partners():
        where = partner["configuration"].get("url") or partner["configuration"]["baseUrl"]
        narrator.print(f"{partner['name']:<8} {where}")
    narrator.print(
        f"\ncurl -s {service.url}/v2/temporary-evse-statuses -H 'Authorization: Bearer {service.key}' \\\n"
        "  -H 'Content-Type: application/json' "
        """-d '{"evseId": "DE*XPO*E1001*1", "temporaryStatus": "BLOCKED"}'"""
    )
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
