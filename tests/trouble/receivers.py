"""A hub, an app and an eMSP in trouble. Each keeps what was written last; app and eMSP also what is newest.

Real ones do either. One that compares versions drops what is older than what it has and says nothing of it.
"""

import asyncio
import random
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

import msgspec
from litestar.types import ASGIApp, Scope

from app.channels.driver_app.settings import fresh_secret
from app.channels.driver_app.simulator import AppReceiver
from app.channels.ocpi.emsp_body import Change
from app.channels.ocpi.simulator import Behaviour, Emsp
from app.channels.oicp.simulator import Hub
from app.clock import Clock, SystemClock
from tests.trouble.doorway import Doorway
from tests.trouble.in_flight import InFlight
from tests.trouble.middleware import Troubled
from tests.trouble.plans import Plans
from tests.trouble.pulse import Pulse

OPERATOR: Final = "DE*XPO"
SITE: Final = "SITE1"
_TOKEN: Final = "token-of-the-emsp"
NAMES: Final = ("app", "hub", "emsp")


class Told(msgspec.Struct, frozen=True):
    """What a partner was told of an EVSE, with whichever of the two mark its version."""

    evse_id: str
    status: str
    version: int | None
    last_updated: str


class TwofoldApp(AppReceiver):
    """`shown` is what is newest, `written` what was written last; `told` all that came in, late or not."""

    def __init__(self, clock: Clock, secret: str) -> None:
        super().__init__(clock, secret)
        self.written: dict[str, str] = {}
        self.told: list[Told] = []

    def _take(self, data: Any, at: Any) -> None:
        self.written[data.evse_id] = data.status
        self.told.append(Told(data.evse_id, data.status, data.version, data.last_updated))
        objections = len(self.wrong)
        super()._take(data, at)
        del self.wrong[objections:]  # what is late is dropped, and nobody's fault


class TwofoldEmsp(Emsp):
    """The same; it answers that it has taken what it drops for being older."""

    def __init__(self, clock: Clock, token: str) -> None:
        super().__init__(clock, token, behaviour=Behaviour(checks_order=True))
        self.written: dict[str, str] = {}
        self.told: list[Told] = []

    def _out_of_order(self, change: Change) -> str | None:
        for key, evse in change.evses():
            if "status" in evse:
                self.written[key] = evse["status"]
                self.told.append(Told(key, evse["status"], None, evse["last_updated"]))
        objection = super()._out_of_order(change)
        return None if objection is not None and "went back" in objection else objection


class Receivers:
    """The three of them, each behind a doorway of its own."""

    def __init__(self, seed: int, evse_ids: Mapping[str, str], pulse: Pulse) -> None:
        """`evse_ids` gives the EVSE ID for each uid."""
        self.in_flight = InFlight()
        self._evse_ids = evse_ids
        self._dice = random.Random(seed)
        self._secret = fresh_secret()
        clock = SystemClock()
        self.app = TwofoldApp(clock, self._secret)
        self.hub = Hub(clock, strict_update=True)
        self.emsp = TwofoldEmsp(clock, _TOKEN)
        behind: tuple[tuple[str, ASGIApp, Callable[[Scope, bytes], Hashable]], ...] = (
            ("app", self.app.app, _evse_of_webhook),
            ("hub", self.hub.app, _one_lane),
            ("emsp", self.emsp.app, _evse_of_patch),
        )
        self._troubled = {
            name: Troubled(app, lane_of, plans=Plans(seed + number), in_flight=self.in_flight, pulse=pulse)
            for number, (name, app, lane_of) in enumerate(behind)
        }
        self.doorways = {name: Doorway(app) for name, app in self._troubled.items()}

    async def open(self) -> None:
        for doorway in self.doorways.values():
            await doorway.open()

    async def close(self) -> None:
        for doorway in self.doorways.values():
            await doorway.close()

    def trouble(self, part: float, *, only_late: bool = False) -> None:
        """Have this part of all requests not simply go well; 0 is peace."""
        for one in self._troubled.values():
            one.plans.trouble, one.plans.only_late = part, only_late

    async def come_and_go(self) -> None:
        """Now and then one of them is not there at all for a while."""
        while True:
            await asyncio.sleep(self._dice.uniform(0.5, 2.0))
            doorway = self.doorways[self._dice.choice(NAMES)]
            await doorway.shut()
            await asyncio.sleep(self._dice.uniform(0.1, 1.5))
            await doorway.open()

    def bodies(self) -> list[dict[str, Any]]:
        """How each is added to the service: the bodies of `POST /v2/partners`."""
        base = {name: doorway.url for name, doorway in self.doorways.items()}
        party = self.emsp.party
        configurations = {
            "app": {"url": f"{base['app']}/webhook", "secret": self._secret},
            "hub": {"baseUrl": base["hub"], "operatorId": OPERATOR},
            "emsp": {
                "url": self.emsp.url(base["emsp"]),
                "token": _TOKEN,
                "countryCode": party.country,
                "partyId": party.party,
                "initialPush": True,
            },
        }
        channels = {"app": "driver_app", "hub": "oicp", "emsp": "ocpi"}
        return [{"name": name, "channel": channels[name], "configuration": configurations[name]} for name in NAMES]

    def views(self) -> dict[str, dict[str, str]]:
        """What each would show a driver, by EVSE ID: the first word of a view's name is the partner's."""
        return {
            "app, newest": dict(self.app.shown),
            "app, written last": dict(self.app.written),
            "hub, written last": dict(self.hub.shown),
            "emsp, newest": self._by_evse_id(self.emsp.shown),
            "emsp, written last": self._by_evse_id(self.emsp.written),
        }

    def told(self) -> list[Told]:
        """All that was told with a version, however late it came."""
        of_emsp = [msgspec.structs.replace(one, evse_id=self._evse_id(one.evse_id)) for one in self.emsp.told]
        return [*self.app.told, *of_emsp]

    def objections(self) -> dict[str, list[str]]:
        """What each had to object to: wrong by the specification or by the signature."""
        return {"app": self.app.wrong, "hub": self.hub.wrong, "emsp": self.emsp.wrong}

    def _evse_id(self, key: str) -> str:
        return self._evse_ids[key.partition("/")[2]]

    def _by_evse_id(self, shown: Mapping[str, str]) -> dict[str, str]:
        return {self._evse_id(key): status for key, status in shown.items()}


def _one_lane(_scope: Scope, _body: bytes) -> Hashable:
    return "hub"


def _evse_of_webhook(_scope: Scope, body: bytes) -> Hashable:
    event: Any = msgspec.json.decode(body)
    return "app", event["subject"]


def _evse_of_patch(scope: Scope, _body: bytes) -> Hashable:
    return "emsp", scope["raw_path"]
