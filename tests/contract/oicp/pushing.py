"""Pushes to the simulated Hubject that no honest client would send."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from app.channels.oicp.wire import Verdict
from app.channels.transport import Answer, Sent, Transport
from tests.contract.oicp.samples import EVSE_ID, PATH

SECOND: Final = "DE*ABC*E2"
OTHER_PATH: Final = PATH.replace("DE%2AABC", "DE%2AXYZ")


def body(
    action: str = "update", status: str = "Available", ids: tuple[str, ...] = (EVSE_ID,), **more: Any
) -> dict[str, Any]:
    records = [{"EvseID": one, "EvseStatus": status} for one in ids]
    return {"ActionType": action, "OperatorEvseStatus": {"OperatorID": "DE*ABC", "EvseStatusRecord": records, **more}}


class Client:
    """A client that sends whatever it is told to."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.transport = Transport(in_flight=4, timeout=30)

    async def send(self, content: Any, **more: Any) -> Answer:
        sent = await self.try_sending(content, **more)
        assert isinstance(sent, Answer), sent
        return sent

    async def try_sending(
        self,
        content: Any,
        *,
        path: str = PATH,
        method: str = "POST",
        kind: str = "application/json",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Sent:
        return await self.transport.send(
            method,
            self.base_url + path,
            headers={"Content-Type": kind, **headers},
            body=content if isinstance(content, bytes) else json.dumps(content).encode(),
        )

    async def code(self, content: Any, **more: Any) -> str:
        """Send it, and return the code of the acknowledgement or the fault."""
        verdict = msgspec.json.decode((await self.send(content, **more)).body, type=Verdict)
        assert verdict.status_code is not None
        return verdict.status_code.code
