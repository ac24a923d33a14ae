"""The floor of the API: the same server and framework, with handlers that only decode what comes in and answer.

No key is checked, nothing is stored, no middleware stands before it. What is answered is as large as the real thing.
"""

import asyncio
import sys
from typing import Annotated, Any, Final

import uvloop
from litestar import Litestar, get, post, put
from litestar.params import JSONBody, PathParameter

from app.api.evse_shapes import (
    ActualStatusOfOne,
    ActualStatusReport,
    ActualStatusResult,
    ActualStatusView,
    EvseView,
)
from app.api.explaining import MAY_SHARE, ChannelShown, ChannelShows
from app.api.temporary_status_shapes import NewTemporaryStatus, TemporaryStatusView, WrittenTemporaryStatus
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import State
from app.serving import serving

EvseId = Annotated[str, PathParameter(name="evseId")]
_THEN: Final = "2026-11-21T21:00:00.000Z"
_CHANNELS: Final = ("driverApp", "oicp", "ocpi211", "ocpi221", "ocpi230")
_STATUS: Final[dict[str, Any]] = {
    "id": 1,
    "evse_id": "DE*B01*E0000001",
    "temporary_status": Kind.MAINTENANCE,
    "valid_from": _THEN,
    "valid_to": _THEN,
    "applies_when": AppliesWhen.ALWAYS,
    "reason": "work order 17",
    "ref": None,
    "state": State.PLANNED,
    "created_by": "abcdefgh",
    "created_at": _THEN,
    "updated_at": _THEN,
    "revision": 1,
    "ended_at": None,
    "ended_by": None,
    "end_reason": None,
    "batch_id": None,
}


@get("/ready", sync_to_thread=False)
def ready() -> None:
    """Nothing has to be opened here."""


@post("/v2/temporary-evse-statuses")
async def plan(data: JSONBody[NewTemporaryStatus]) -> WrittenTemporaryStatus:
    shown = {name: ChannelShown(status="AVAILABLE", because="the charger says so") for name in _CHANNELS}
    return WrittenTemporaryStatus(**_STATUS | {"reason": data.reason}, overlaps=[], shown=shown)


@get("/v2/evses/{evseId:str}")
async def look_at(evse_id: EvseId) -> EvseView:
    shows = ChannelShows(status="OUTOFORDER", why="it is under maintenance", temporary_status_id=1, until=_THEN)
    return EvseView(
        evse_id=evse_id,
        deployment_state=DeploymentState.PRODUCTION,
        location_id="L1",
        country_code="DE",
        party_id="B01",
        uid="DEB01E0000001",
        actual_status=ActualStatus.AVAILABLE,
        reported="Available",
        observed_at=_THEN,
        presented=dict.fromkeys(_CHANNELS, shows),
        temporary_statuses=[TemporaryStatusView(**_STATUS)],
        may_share=MAY_SHARE[DeploymentState.PRODUCTION],
    )


@put("/v2/evses/{evseId:str}/actual-status")
async def report(evse_id: EvseId, data: JSONBody[ActualStatusReport]) -> ActualStatusView:
    return ActualStatusView(
        evse_id=evse_id,
        actual_status=ActualStatus.AVAILABLE,
        reported=data.status,
        observed_at=data.observed_at,
        applied=True,
    )


@post("/v2/actual-statuses")
async def report_many(data: JSONBody[list[ActualStatusOfOne]]) -> list[ActualStatusResult]:
    return [ActualStatusResult(evse_id=one.evse_id, status=200, applied=True) for one in data]


async def _serve(port: int) -> None:
    app = Litestar([ready, plan, look_at, report, report_many], openapi_config=None, logging_config=None)
    async with serving(app, "127.0.0.1", port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
