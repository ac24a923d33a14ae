"""Everything the service says and stores in one short story, printed: it must not depend on the machine's time zone.

Run in a process of its own, as the zone of a process is set before it begins: `python -m tests.e2e.time_zone_story
FOLDER SQLITE_URL [POSTGRESQL_URL]`. A line each: the zone, what the commands printed, what SQLite has on its disk, and
what the story came to on each database.
"""

import asyncio
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from app.cli import group
from app.demo.listening import listening
from app.domain.api_key import PREFIX, ApiKey, _check, digest_of
from app.domain.principal import Role
from app.logs import configure
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import keys
from tests.builders import stored
from tests.clock import FrozenClock

SECRET: Final = "whsec_ZGVtby1zZWNyZXQtb2YtdGhlLWRyaXZlci1hcHA="
SECRET_KEY: Final = "emVyb3plcm96ZXJvemVyb3plcm96ZXJvemVyb3plcm8="
_BODY: Final = f"{PREFIX}{'K' * 10}_{'s' * 32}"
KEY: Final = _BODY + _check(_BODY)
START: Final = datetime(2026, 3, 1, 8, tzinfo=UTC)
STATUSES: Final = "/v2/temporary-evse-statuses"
#: In local time, over the transitions of the zones that the story is told in and of one that it is not.
WINDOWS: Final = [
    ("DE*ABC*E1", "2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"),
    ("DE*ABC*E2", "2026-03-29T02:30:00+01:00", "2026-03-29T03:45:00+02:00"),
    ("DE*ABC*E1", "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"),
    ("DE*ABC*E2", "2026-10-25T02:30:00.5+02:00", "2026-10-25T02:30:00.5+01:00"),
    ("DE*ABC*E1", "2026-12-31T23:00:00+14:00", "2027-01-01T01:00:00+14:00"),
]
LOOKS: Final = [
    datetime(2026, 3, 8, 6, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 45, tzinfo=UTC),
    datetime(2026, 12, 31, 10, 0, tzinfo=UTC),
    datetime(2028, 2, 29, 12, 0, tzinfo=UTC),
]
TABLES: Final = ("evse", "temporary_status", "presented", "presented_change", "audit")
COMMANDS: Final = [
    ("DE*XPO*E1001*1", "MAINTENANCE", "--from", "2090-03-26T01:30:00+01:00", "--for", "1d12h"),
    ("DE*XPO*E1001*1", "BLOCKED", "--from", "2090-10-29T02:30:00+02:00", "--for", "PT1H"),
    ("DE*XPO*E1001*2", "RESERVED", "--from", "2090-10-01T01:45:00+10:30", "--until", "2090-10-01T02:45:00+11:00"),
]


class Partners:
    """Whoever is told: writes down what it is sent, and is content with it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for done in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{done}.complete"})
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        # To the minute: within one it depends on how busy this machine is. (So nothing is looked at as one ends.)
        minute = int(headers["webhook-timestamp"]) // 60 if "webhook-timestamp" in headers else None
        said = (body + message["body"]).decode()
        self.told.append(f"{scope['method']} {scope['path']} {headers.get('webhook-id')} {minute} {said}")
        answer = {
            "status_code": 1000,
            "timestamp": "2026-03-01T08:00:00Z",
            "Result": True,
            "StatusCode": {"Code": "000"},
        }
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


async def tell(url: str) -> dict[str, Any]:
    """What the service answered, told and stored."""
    clock, heard, answers = FrozenClock(START), Partners(), list[Any]()
    settings = Settings(
        database_url=url,
        secret_key=SecretStr(SECRET_KEY),
        actual_status_max_age=timedelta(days=400),
        reassert_every=timedelta(),  # it looks by the machine's timers, and so at another moment each time
        reassert_active_every=timedelta(),
    )
    service = Service(settings, clock=clock)
    if not service.database.embedded:
        await _set_zone_of(service)
    async with listening(heard) as base, service.running():
        stored_key = ApiKey(
            id="K" * 10, name="x", role=Role.ADMIN, digest=digest_of(KEY), created_by="cli", created_at=START
        )
        async with service.database.write() as connection:
            await keys.add(connection, stored_key)
        transport = httpx.ASGITransport(cast("Any", create_app(service, opens=False)))
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://here.test", headers=headers) as client:

            async def call(method: str, path: str, **body: Any) -> None:
                answer = await client.request(method, path, json=body or None)
                assert answer.is_success, answer.text
                answers.append(answer.text)
                await _settled(service, clock)

            for number in (1, 2):
                path = f"/v2/evses/DE*ABC*E{number}"
                await call("PUT", path, deploymentState="PRODUCTION", locationId="LOC1")
                seen = "2026-03-01T09:00:00.1239+01:00"
                await call("PUT", f"{path}/actual-status", status="Available", observedAt=seen)
            for name, channel, configuration in _partners(base):
                body = {"name": name, "channel": channel, "configuration": configuration}
                assert (await client.post("/v2/partners", json=body)).is_success
                await _settled(service, clock)
            for evse_id, begin, end in WINDOWS:
                body = {"evseId": evse_id, "temporaryStatus": "BLOCKED", "validFrom": begin, "validTo": end}
                await call("POST", STATUSES, **body)
            for at in LOOKS:
                clock.advance(at - clock.now())
                await _settled(service, clock)
                for path in ("/v2/evses", STATUSES, f"{STATUSES}?state=ended"):
                    answers.append((await client.get(path)).text)
            rows = {table: [_plain(row) for row in await stored(service.database, table)] for table in TABLES}
    return {"answers": answers, "told": sorted(heard.told), "rows": rows}


def _partners(base: str) -> list[tuple[str, str, dict[str, Any]]]:
    ocpi = {"url": f"{base}/ocpi/locations", "token": "theirs", "countryCode": "DE", "partyId": "EMS"}
    return [
        ("app", "driver_app", {"url": f"{base}/webhook", "secret": SECRET}),
        ("hub", "oicp", {"baseUrl": base, "operatorId": "DE*ABC"}),
        ("emsp", "ocpi", {**ocpi, "initialPush": True}),
    ]


async def _set_zone_of(service: Service) -> None:
    """Have the database's sessions in this zone too."""
    zone = os.environ["TZ"].replace("'", "")
    async with service.database.read() as connection:
        name = (await connection.execute(text("SELECT current_database()"))).scalar_one()
        await connection.execute(text(f"ALTER DATABASE {name} SET timezone TO '{zone}'"))
    await service.database.close()  # new sessions have it
    async with service.database.read() as connection:
        assert (await connection.execute(text("SHOW timezone"))).scalar_one() == zone


async def _settled(service: Service, clock: FrozenClock) -> None:
    """Wait until all is computed, and then until all is told, so that the story has one course."""

    async def computed() -> bool:
        service.reconciler.look()
        due = await service.reconciler.next_at()
        new = [row for row in await stored(service.database, "partner") if row["introduced"] < row["generation"]]
        return not new and (due is None or due > clock.now())

    async def calm() -> bool:
        return not any(row["in_flight"] for row in await stored(service.database, "delivery"))

    async def told() -> bool:
        service.dispatcher.promised()
        return not any(row["next_at"] or row["in_flight"] for row in await stored(service.database, "delivery"))

    for _ in range(2):
        await _until(computed)
        await _until(calm)
        clock.advance(timedelta(seconds=1))  # a lane that came before reconcile comes back a moment later
    await _until(told)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.03)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def on_disk(path: Path) -> dict[str, Any]:
    """The rows as SQLite itself has them."""
    with sqlite3.connect(path) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


def commands(folder: Path) -> list[str]:
    """What the commands print, on a database of their own."""
    os.environ["EVSE_STATUS_DATABASE_URL"] = f"sqlite:///{folder / 'commands.db'}"
    fleet = Path(__file__).parents[2] / "app" / "demo" / "fleet.json"
    printed = []
    for words in (("evses", "import", str(fleet)), *(("set", *words, "-o", "json") for words in COMMANDS)):
        done = CliRunner().invoke(group, words)
        assert done.exit_code == 0, done.output
        # When it was made is told by the machine's own clock.
        printed.append(re.sub(r'("(?:created|updated)At"): "[^"]*"', r'\1: ""', done.output))
    return printed


def main() -> None:
    configure("WARNING")
    folder, *urls = sys.argv[1:]
    stories = [asyncio.run(tell(url)) for url in urls]
    file = Path(urls[0].removeprefix("sqlite:///"))
    print(time.tzname, time.strftime("%z", time.localtime(0)))  # noqa: T201
    for part in (commands(Path(folder)), on_disk(file), *stories):
        print(json.dumps(part))  # noqa: T201


if __name__ == "__main__":
    main()
