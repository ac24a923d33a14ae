"""The floor of delivery: the same requests to the same partners, from bare httpx clients that do nothing else.

`python -m benchmarks.bare_pushes <receivers> <partners> <requests> <in flight>` prints the seconds it took, on the
clock and of processor time. As httpx is fastest: a client for each partner, few requests in flight, one loop.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from time import perf_counter, process_time
from typing import Final

import httpx
import msgspec
import uvloop

from app.channels.driver_app.wire import CONTENT_TYPE, CloudEvent, Presented
from app.channels.ocpi.release import Party
from app.channels.ocpi.status import Status
from app.channels.ocpi.v2_2_1 import wire
from benchmarks import fleet

_KEEP_ALIVE: Final = 90.0


class Request(msgspec.Struct, frozen=True):
    """One request, written down before anything is measured."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Took(msgspec.Struct):
    """Seconds."""

    wall: float
    cpu: float


def to_app(place: str, name: str, evse: int) -> Request:
    """A webhook as the service sends it."""
    at = "2026-11-21T21:00:00.000Z"
    evse_id = fleet.evse_id(evse)
    event_id = "0c2b59ac-6a4e-5b27-a6c8-3b2b1f5c2f64"
    presented = Presented(
        evse_id=evse_id, status="AVAILABLE", temporary_status=None, until=None, version=1, last_updated=at
    )
    body = msgspec.json.encode(CloudEvent(id=event_id, subject=evse_id, time=at, data=presented))
    headers = {
        "content-type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": "1795294800",
        "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    }
    return Request("POST", f"http://{place}/app/{name}", headers, body)


def to_emsp(place: str, name: str, evse: int) -> Request:
    """A PATCH as the service sends it."""
    party = f"B{evse % fleet.OPERATORS:02}"
    uid = fleet.evse_id(evse).replace("*", "")
    url = f"http://{place}/ocpi/{name}/DE/{party}/L{evse // fleet.SITE}/{uid}"
    headers = wire.headers("Token dG9rZW4tb2YtdGhlLWJlbmNobWFya3M=", Party("DE", party), Party("NL", "TNM"))
    return Request("PATCH", url, headers, wire.status_patch(None, Status.AVAILABLE, fleet.now()))


async def _push(client: httpx.AsyncClient, requests: list[Request]) -> None:
    for one in requests:
        answer = await client.request(one.method, one.url, headers=one.headers, content=one.body)
        if not answer.is_success:
            raise ValueError(f"the receiver answered {answer.status_code}")


async def measured(place: str, partners: int, count: int, in_flight: int) -> Took:
    """Push `count` requests to each partner, half of which are apps and half eMSPs."""
    requests = [
        [(to_app if partner % 2 else to_emsp)(place, str(partner), evse + 1) for evse in range(count)]
        for partner in range(partners)
    ]
    limits = httpx.Limits(max_connections=in_flight, keepalive_expiry=_KEEP_ALIVE)
    context = httpx.create_ssl_context()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    verify=context, limits=limits, headers={"accept-encoding": "identity"}, trust_env=False
                )
            )
            for _ in range(partners)
        ]
        began, worked = perf_counter(), process_time()
        async with asyncio.TaskGroup() as group:
            for client, theirs in zip(clients, requests, strict=True):
                for number in range(in_flight):
                    group.create_task(_push(client, theirs[number::in_flight]))
        return Took(perf_counter() - began, process_time() - worked)


if __name__ == "__main__":
    took = uvloop.run(measured(sys.argv[1], *map(int, sys.argv[2:5])))
    print(msgspec.json.encode(took).decode())
