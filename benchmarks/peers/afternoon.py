"""The afternoon version: Litestar, SQLModel and APScheduler put together as their introductions do.

A session a request, a date job for each boundary of a window, everything else left as it comes. No key is asked for, no
rule is checked, no partner is told: it does less than the product does.
"""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from litestar import Litestar, get, post
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, PathParameter, QueryParameter
from sqlalchemy import Engine, MetaData
from sqlmodel import Field, Session, SQLModel, create_engine, select

from app.serving import serving

scheduler = AsyncIOScheduler()


class AfternoonWindow(SQLModel, table=True):
    """A window and how far it has got: planned, active, over."""

    metadata = MetaData()  # not among the product's tables, where this module is imported beside them
    id: int | None = Field(default=None, primary_key=True)
    evse_id: str = Field(index=True)
    temporary_status: str
    valid_from: datetime
    valid_to: datetime
    reason: str | None = None
    state: str = "planned"


class NewWindow(msgspec.Struct, rename="camel"):
    """What is posted, as to the product."""

    evse_id: str
    temporary_status: str
    valid_from: datetime
    valid_to: datetime
    reason: str | None = None


class _Opened:
    """The database: jobs are stored, and what is stored cannot hold an engine."""

    engine: Engine


@get("/ready", sync_to_thread=False)
def ready() -> None:
    """Nothing more has to be opened."""


@post("/v2/temporary-evse-statuses")
async def plan(data: JSONBody[NewWindow]) -> AfternoonWindow:
    window = AfternoonWindow(**msgspec.structs.asdict(data))
    with Session(_Opened.engine) as session:
        session.add(window)
        session.commit()
        session.refresh(window)
    scheduler.add_job(turn, "date", run_date=window.valid_from, args=[window.id, "active"])
    scheduler.add_job(turn, "date", run_date=window.valid_to, args=[window.id, "over"])
    return window


@get("/v2/temporary-evse-statuses/{window_id:int}")
async def look_at(window_id: Annotated[int, PathParameter()]) -> AfternoonWindow:
    with Session(_Opened.engine) as session:
        window = session.get(AfternoonWindow, window_id)
    if window is None:
        raise NotFoundException
    return window


@get("/v2/evse-status")
async def shown(evse_id: Annotated[str, QueryParameter(name="evseId")]) -> dict[str, str]:
    query = select(AfternoonWindow).where(AfternoonWindow.evse_id == evse_id, AfternoonWindow.state == "active")
    with Session(_Opened.engine) as session:
        window = session.exec(query).first()
    if window is None:
        raise NotFoundException
    return {"evseId": evse_id, "shown": window.temporary_status}


def turn(window_id: int, state: str) -> None:
    """What happens at a boundary; here partners would be told."""
    with Session(_Opened.engine) as session:
        window = session.get_one(AfternoonWindow, window_id)
        window.state = state
        session.add(window)
        session.commit()


async def _serve(port: int, directory: Path) -> None:
    _Opened.engine = create_engine(f"sqlite:///{directory / 'windows.db'}")
    AfternoonWindow.metadata.create_all(_Opened.engine)
    scheduler.add_jobstore(SQLAlchemyJobStore(f"sqlite:///{directory / 'jobs.db'}"))
    scheduler.start()
    app = Litestar([ready, plan, look_at, shown], openapi_config=None, logging_config=None)
    async with serving(app, "127.0.0.1", port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
