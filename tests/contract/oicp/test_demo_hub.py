"""The demo's hub is reached by what the demo adds as a partner, and by nothing else."""

import ssl
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.clock import SystemClock
from app.demo.audience import OPERATOR, Audience

PATH = "/api/oicp/evsepush/v21/operators/DE%2AXPO/status-records"
PUSH = {
    "ActionType": "update",
    "OperatorEvseStatus": {
        "OperatorID": OPERATOR,
        "EvseStatusRecord": [{"EvseID": "DE*XPO*E1", "EvseStatus": "Available"}],
    },
}


@asynccontextmanager
async def calling(configuration: dict[str, Any], *, with_certificate: bool) -> AsyncGenerator[httpx.AsyncClient]:
    context = ssl.create_default_context(cadata=configuration["caBundle"])
    if with_certificate:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(configuration["clientKey"] + configuration["clientCertificate"])
            file.flush()
            context.load_cert_chain(file.name)
    async with httpx.AsyncClient(base_url=configuration["baseUrl"], verify=context, trust_env=False) as client:
        yield client


async def test_the_demos_hub_takes_its_partner_and_nobody_else():
    audience = Audience(SystemClock(), {})
    [configuration] = [one["configuration"] for one in audience.partners() if one["name"] == "hub"]
    await audience.arrive("hub")
    try:
        async with calling(configuration, with_certificate=True) as client:
            assert (await client.post(PATH, json=PUSH, timeout=30)).json()["Result"] is True
        assert audience.objections()["hub"] == []
        assert audience.shown()["hub"] == {"DE*XPO*E1": "Available"}

        async with calling(configuration, with_certificate=False) as client:
            assert (await client.post(PATH, json=PUSH, timeout=30)).status_code == 400
        assert audience.objections()["hub"] == ["a call without a client certificate"]
    finally:
        await audience.close()
