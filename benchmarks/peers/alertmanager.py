"""Prometheus Alertmanager, whose silences are windows as well: it answers from memory, and writes to disk by and by."""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.load import call
from benchmarks.processes import Running, start
from tests.ports import steady_port

PROGRAM: Final = "prometheus-alertmanager"  #: as Debian calls it
MISSING: Final = "not measured: install prometheus-alertmanager"
SILENCES: Final = "/api/v2/silences"
SILENCE: Final = "/api/v2/silence"  #: and its id
_CONFIGURATION: Final = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


@asynccontextmanager
async def alertmanager(directory: Path, log: Path) -> AsyncGenerator[Running]:
    """Run it as it comes, for this machine alone, with its files in `directory`."""
    configuration = directory / "alertmanager.yml"
    configuration.write_text(_CONFIGURATION)
    address = f"127.0.0.1:{steady_port()}"
    command = [
        PROGRAM,
        f"--config.file={configuration}",
        f"--storage.path={directory / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",  # alone: it would speak to others by itself
        "--log.level=error",
    ]
    running = await start(command, log, f"http://{address}", ready="/-/ready")
    try:
        yield running
    finally:
        await running.stop()


def silencing(evse_id: str, begin: datetime, end: datetime, comment: str) -> bytes:
    """A call that plans a silence for one EVSE."""
    body: dict[str, Any] = {
        "matchers": [{"name": "evseId", "value": evse_id, "isRegex": False, "isEqual": True}],
        "startsAt": begin.isoformat(),
        "endsAt": end.isoformat(),
        "createdBy": "benchmark",
        "comment": comment,
    }
    return call("POST", SILENCES, body=body)


def silences_of(evse_id: str) -> bytes:
    """A call that lists the silences of one EVSE."""
    wanted = urlencode({"filter": f'evseId="{evse_id}"'})
    return call("GET", f"{SILENCES}?{wanted}")
