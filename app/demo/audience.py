"""Those who are told: a hub, an OCPI partner and an app, on sockets of their own, each judging what it receives."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final

import msgspec

from app.channels.driver_app.simulator import AppReceiver
from app.channels.ocpi.emsp_view import compare
from app.channels.ocpi.pulling import PullFailed
from app.channels.ocpi.simulator import Emsp
from app.channels.oicp.simulator import Behaviour, Hub
from app.clock import Clock
from app.demo.certificates import Authority
from app.demo.listening import free_port, listening
from app.serving_tls import ServerTls

TOKEN: Final = "demo-token-of-the-emsp"  # noqa: S105 - a simulated partner's
PULL_TOKEN: Final = "demo-token-for-the-emsp"  # noqa: S105 - likewise
SECRET: Final = "whsec_ZGVtby1zZWNyZXQtb2YtdGhlLWRyaXZlci1hcHA="  # noqa: S105 - a simulated partner's
OPERATOR: Final = "DE*XPO"


class Heard(msgspec.Struct, frozen=True):
    """Something a partner received: when (UTC), by EVSE ID, in its own word."""

    at: datetime
    partner: str
    evse_id: str
    status: str


class Audience:
    """The three partners, called `app`, `hub` and `emsp` here."""

    def __init__(self, clock: Clock, evse_ids: Mapping[str, str]) -> None:
        """`evse_ids` gives the EVSE ID for OCPI's `{location}/{uid}`."""
        self._evse_ids = evse_ids
        self._app = AppReceiver(clock, SECRET)
        self._hub = Hub(clock, operators={OPERATOR: ()}, behaviour=Behaviour(plain_http=False))
        self._authority = Authority(clock.now())
        own = self._authority.server()
        # Who has no certificate is let in, to be turned away with a page and words, as by the real one.
        self._tls = ServerTls(
            certificate=own.certificate,
            key=own.key,
            client_authority=self._authority.certificate,
            client_may_have_none=True,
        )
        self._certificate = self._authority.client(OPERATOR)
        self._emsp = Emsp(clock, TOKEN)
        self._ports = {name: free_port() for name in ("app", "hub", "emsp")}
        self._sockets: dict[str, AsyncExitStack] = {}

    async def arrive(self, name: str) -> None:
        """Begin to listen."""
        asgi: Any = {"app": self._app.app, "hub": self._hub.app, "emsp": self._emsp.app}[name]
        stack = AsyncExitStack()
        tls = self._tls if name == "hub" else None
        await stack.enter_async_context(listening(asgi, self._ports[name], tls=tls))
        self._sockets[name] = stack

    async def leave(self, name: str) -> None:
        """Stop listening: connections are refused."""
        await self._sockets.pop(name).aclose()

    async def close(self) -> None:
        for name in list(self._sockets):
            await self.leave(name)

    def partners(self) -> list[dict[str, Any]]:
        """How each is added to the service: the bodies of `POST /v2/partners`."""
        base = {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        return [
            {
                "name": "app",
                "channel": "driver_app",
                "configuration": {"url": f"{base['app']}/webhook", "secret": SECRET},
            },
            {
                "name": "hub",
                "channel": "oicp",
                "configuration": {
                    "baseUrl": f"https://127.0.0.1:{self._ports['hub']}",
                    "operatorId": OPERATOR,
                    "clientCertificate": self._certificate.certificate,
                    "clientKey": self._certificate.key,
                    "caBundle": self._authority.certificate,
                },
            },
            {
                "name": "emsp",
                "channel": "ocpi",
                "configuration": {
                    "url": self._emsp.url(base["emsp"]),
                    "token": TOKEN,
                    "countryCode": self._emsp.party.country,
                    "partyId": self._emsp.party.party,
                    "initialPush": True,
                    "schedule": True,
                    "pullToken": PULL_TOKEN,
                },
            },
        ]

    def heard(self) -> list[Heard]:
        """Everything received so far, in the order of the partners."""
        app = [Heard(at, "app", evse_id, status) for at, evse_id, status, _ in self._app.received]
        hub = [
            Heard(one.at, "hub", one.evse_id, "(deleted)" if one.action == "delete" else one.status)
            for one in self._hub.received
        ]
        emsp = [Heard(one.at, "emsp", self._evse_ids[one.key], one.status) for one in self._emsp.received]
        return [*app, *hub, *emsp]

    def shown(self) -> dict[str, dict[str, str]]:
        """What each would show a driver now, by EVSE ID."""
        return {
            "app": dict(self._app.shown),
            "hub": dict(self._hub.shown),
            "emsp": {self._evse_ids[key]: status for key, status in self._emsp.shown.items()},
        }

    def objections(self) -> dict[str, list[str]]:
        """What each had to object to: wrong by the specification, by the signature or by the order."""
        return {"app": self._app.wrong, "hub": self._hub.wrong, "emsp": self._emsp.wrong}

    async def pull(self, base_url: str) -> list[str]:
        """Have the OCPI partner read all Locations, and say in what they are not as it was pushed them."""
        try:
            pulled = await self._emsp.pull(f"{base_url}/ocpi/versions", PULL_TOKEN)
        except PullFailed as failed:
            return [f"it cannot pull: {failed}"]
        return compare(self._emsp.view(), pulled)

    def told_to(self, name: str) -> Iterable[str]:
        """The EVSEs that a partner was ever told of."""
        return {one.evse_id for one in self.heard() if one.partner == name}
