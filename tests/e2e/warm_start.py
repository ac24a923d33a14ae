"""Starts `evse-status` again and again without the second or two that Python takes to import it.

A process that has imported everything, and has begun nothing, forks the processes that are asked for: they are as real
as any others, with an event loop, connections and a death of their own.
"""

import asyncio
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

_IMPORTED_LATER: Final = (
    "app.main",
    "asyncpg",
    "httptools",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvicorn.protocols.http.httptools_impl",
)
_LOOK: Final = 0.005  #: seconds


class Forked:
    """A process that is nobody's child here; the kernel lets go of it as soon as it is dead."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        """`None` while it lives; nobody knows how it ended."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def send_signal(self, one: int) -> None:
        os.kill(self.pid, one)

    async def wait(self) -> int:
        while self.returncode is None:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(_LOOK)
        return 0


class WarmStart:
    """The process that forks. When it goes, those that it forked go with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()

    async def start(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
        """Run `evse-status` with these words."""
        order = {"words": words, "environment": dict(environment), "log": str(log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._one_at_a_time:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return Forked(int(await self._process.stdout.readline()))


@asynccontextmanager
async def warm_start() -> AsyncGenerator[WarmStart]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=pipe, stdout=pipe)
    try:
        yield WarmStart(process)
    finally:
        process.stdin.close()  # type: ignore[union-attr]  # it was asked for above
        await process.wait()


def import_everything() -> None:
    """Import what a process of ours will need, and begin nothing."""
    for name in _IMPORTED_LATER:
        importlib.import_module(name)
    importlib.import_module("app.cli")
    assert threading.active_count() == 1  # a fork would have none of the others


def _main() -> None:
    import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    forked = []
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        forked.append(pid)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
    for pid in forked:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _become(order: Mapping[str, Any]) -> None:
    from app.cli import group

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(order["environment"])
    code = 1
    try:
        group.main(order["words"], standalone_mode=False)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    _main()
