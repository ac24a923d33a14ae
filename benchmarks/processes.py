"""Servers as processes of their own, and what they use of the machine."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final

from cryptography.fernet import Fernet

from benchmarks.load import call, once
from tests.ports import steady_port

_PATIENCE: Final = 300.0  #: seconds for a start; of a million windows it may take long
TICKS: Final = os.sysconf("SC_CLK_TCK")
#: One for all processes that share a database.
SECRET_KEY: Final = Fernet.generate_key().decode("ascii")


class Running:
    """A server that runs. `url` is where it listens."""

    def __init__(self, url: str, process: asyncio.subprocess.Process, log: Path, took: float) -> None:
        self.url = url
        self.process = process
        self.log = log
        self.took = took  #: seconds from its start until it was ready

    @property
    def cpu(self) -> float:
        """Seconds of processor time it has used since it began, in all its threads, those that ended included."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    async def kill(self) -> None:
        """`kill -9`: no warning, no clean-up."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(how)
            await self.process.wait()


async def start(
    command: Sequence[str], log: Path, url: str, *, ready: str, environment: Mapping[str, str] | None = None
) -> Running:
    """Start a server and wait until it answers a GET of the path `ready` with success.

    Raises:
        RuntimeError: it ended instead; with what it said.
    """
    began = perf_counter()
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | (environment or {}), stdout=out, stderr=out
        )
    while perf_counter() - began < _PATIENCE:
        if process.returncode is not None:
            raise RuntimeError(f"{command[0]} ended: {_said(log)}")
        with contextlib.suppress(OSError, StopIteration, IndexError):
            status, _ = await once(url, call("GET", ready))
            if 200 <= status < 300:
                return Running(url, process, log, perf_counter() - began)
        await asyncio.sleep(0.005)
    process.kill()
    await process.wait()
    raise RuntimeError(f"{command[0]} was not ready after {_PATIENCE:.0f} s")


def _said(log: Path) -> str:
    return log.read_text()[-2000:]


@asynccontextmanager
async def service(database_url: str, log: Path, **settings: str) -> AsyncGenerator[Running]:
    """`evse-status serve` on its own port, stopped in the end; `settings` without their prefix, in capitals."""
    port = steady_port()
    chosen = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY, **settings}
    running = await start(
        [sys.executable, "-m", "app.cli", "serve", "--port", str(port)],
        log,
        f"http://127.0.0.1:{port}",
        ready="/health/ready",
        environment={f"EVSE_STATUS_{name}": value for name, value in chosen.items()},
    )
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def module(name: str, log: Path, *words: str, ready: str = "/ready") -> AsyncGenerator[Running]:
    """A server of ours that is no part of the product: `python -m <name> <port> …`."""
    port = steady_port()
    running = await start([sys.executable, "-m", name, str(port), *words], log, f"http://127.0.0.1:{port}", ready=ready)
    try:
        yield running
    finally:
        await running.stop()
