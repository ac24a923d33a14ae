"""The service of the demo: a process of its own, so that it can be killed for real."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from app.channels.transport import Answer, Transport
from app.demo.listening import free_port

#: Shorter than in earnest, so that what takes minutes there can be watched.
_HURRIED: Final = {
    "EVSE_STATUS_REQUEST_TIMEOUT": "PT2S",
    "EVSE_STATUS_LEASE": "PT6.5S",
    "EVSE_STATUS_SETTLE": "PT7S",
    "EVSE_STATUS_BACK_OFF_LONGEST": "PT2S",
    "EVSE_STATUS_LOG_LEVEL": "WARNING",
}


class DemoService:
    """`evse-status serve` on an embedded database in a temporary folder, and a client of its API."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="evse-status-demo-")
        self.folder = Path(self._folder.name)
        self.log = self.folder / "serve.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = ""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EVSE_STATUS_")}
        database = {"EVSE_STATUS_DATABASE_URL": f"sqlite:///{self.folder / 'demo.db'}"}
        self._environment = {**inherited, **_HURRIED, **database}
        self._process: subprocess.Popen[bytes] | None = None
        self._client = Transport(in_flight=4, timeout=10)

    async def command(self, *words: str) -> str:
        """Run `evse-status` with these words beside the service, and return what it prints.

        Raises:
            RuntimeError: it failed; the message is what it said.
        """
        process = await asyncio.create_subprocess_exec(
            *_evse_status(*words),
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complained = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"evse-status {' '.join(words)}: {complained.decode()}")
        return printed.decode()

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            RuntimeError: it did not get ready.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - it only begins here, with words of our own
                _evse_status("serve", "--port", str(self.port)), env=self._environment, stdout=log, stderr=log
            )
        for _ in range(200):
            await asyncio.sleep(0.05)
            if self._process.poll() is not None:
                break
            answer = await self._client.send("GET", f"{self.url}/health/ready", headers={}, body=b"")
            if isinstance(answer, Answer) and answer.status == 200:  # noqa: PLR2004
                return
        raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """`kill -9`: no warning, no clean-up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def close(self) -> None:
        """Stop it properly and throw its folder away."""
        if self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait)
        await self._client.close()
        self._folder.cleanup()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API.

        Raises:
            RuntimeError: it refused, or did not answer.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await self._client.send(method, self.url + path, headers=headers, body=content)
        if not isinstance(answer, Answer):
            raise RuntimeError(f"{method} {path}: {answer.reason}")  # noqa: TRY004 - an outcome, not a type error
        if answer.status >= 400:  # noqa: PLR2004
            raise RuntimeError(f"{method} {path}: {answer.excerpt}")
        return msgspec.json.decode(answer.body) if answer.body else None


def _evse_status(*words: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *words]
