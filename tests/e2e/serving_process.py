"""`evse-status serve` in a process of its own, which can be killed, frozen, stopped and started again."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
from cryptography.fernet import Fernet

from app.clock import SystemClock
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.principal import Role
from app.store import keys
from app.store.database import Database
from tests.e2e.warm_start import Forked, WarmStart
from tests.ports import steady_port

REQUEST_TIMEOUT: Final = timedelta(seconds=0.4)
LEASE: Final = timedelta(seconds=1.3)
SETTLE: Final = timedelta(seconds=1.4)
#: As by default, but in a hurry.
HURRIED: Final = {"REQUEST_TIMEOUT": REQUEST_TIMEOUT, "LEASE": LEASE, "SETTLE": SETTLE} | {
    "BACK_OFF_FIRST": timedelta(seconds=0.1)
}
#: One for all processes that share a database.
_SECRET_KEY: Final = Fernet.generate_key().decode("ascii")
_PATIENCE: Final = 60.0  #: seconds; a start takes one, but the machine may be busy


class ServingProcess:
    """One `serve` on its own port. `durations` are settings without their prefix, beside or instead of `HURRIED`.

    With a `warm` start it is there in a fraction of the time; without, it is started as anybody would.
    """

    def __init__(
        self,
        database_url: str,
        log: Path,
        durations: Mapping[str, timedelta] | None = None,
        *,
        warm: WarmStart | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{steady_port()}"
        self.log = log
        settings = {name: f"PT{value.total_seconds()}S" for name, value in {**HURRIED, **(durations or {})}.items()}
        settings |= {"DATABASE_URL": database_url, "SECRET_KEY": _SECRET_KEY}
        self._environment = os.environ | {f"EVSE_STATUS_{name}": value for name, value in settings.items()}
        self._warm = warm
        self._process: asyncio.subprocess.Process | Forked | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self._process = await self._started("serve", "--port", self.url.rpartition(":")[2])
        # Without TLS there is nothing to verify, and reading all those certificates keeps the event loop for long.
        async with (
            httpx.AsyncClient(base_url=self.url, verify=False, trust_env=False) as client,
            asyncio.timeout(_PATIENCE),
        ):
            while True:
                assert self._process.returncode is None, self.log.read_text()
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get("/health/ready")).is_success:
                        return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """`kill -9`, frozen or not: no warning, no clean-up."""
        if self._lives():
            self._signal(signal.SIGKILL)
            await self._gone()

    async def stop(self) -> int:
        """SIGTERM: ask it to stop, and return its exit code."""
        self._signal(signal.SIGTERM)
        return await self._gone()

    def freeze(self) -> None:
        """SIGSTOP: from here on it does nothing, and does not know it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def _started(self, *words: str) -> asyncio.subprocess.Process | Forked:
        if self._warm is not None:
            return await self._warm.start(words, self._environment, self.log)
        python = [sys.executable, "-m", "app.cli"]
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(*python, *words, env=self._environment, stdout=log, stderr=log)

    def _lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def _signal(self, one: signal.Signals) -> None:
        assert self._process is not None
        assert self._process.returncode is None, self.log.read_text()
        self._process.send_signal(one)

    async def _gone(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(_PATIENCE):
            return await self._process.wait()


async def admin_key(database_url: str) -> str:
    """Make an admin's API key."""
    key_id, key = new_key()
    at = SystemClock().now()
    made = ApiKey(id=key_id, name="test", role=Role.ADMIN, digest=digest_of(key), created_by="test", created_at=at)
    database = Database(database_url)
    async with database.write() as connection:
        await keys.add(connection, made)
    await database.close()
    return key


@asynccontextmanager
async def calling(url: str, key: str, *, patience: float = 10.0) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the API at `url`. `patience` is in seconds, for one request."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, verify=False, trust_env=False, timeout=patience
    ) as client:
        yield client
