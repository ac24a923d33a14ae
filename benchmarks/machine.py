"""The machine that measured, what ran on it, and what it can do at best: without that no figure says anything."""

import asyncio
import os
import platform
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg
import msgspec

from benchmarks.bench import Bench
from benchmarks.measuring import part

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = (
    "litestar",
    "msgspec",
    "sqlalchemy",
    "sqlmodel",
    "aiosqlite",
    "asyncpg",
    "uvicorn",
    "uvloop",
    "httptools",
    "httpx",
    "apscheduler",
)
_PAGE: Final = b"\0" * 4096


class Floor(msgspec.Struct, frozen=True):
    """How often a second the machine itself can do something, and how long once takes, in seconds."""

    rate: float
    median: float
    p99: float


class Machine(msgspec.Struct, frozen=True):
    """What a reader must know to compare figures with their own."""

    processor: str
    cores: int
    memory: int  #: bytes
    kernel: str
    python: str
    sqlite: str
    postgresql: str
    packages: dict[str, str]
    commit: str  #: of the tree that is measured; empty where there is none, as in an archive
    dirty: bool  #: files under version control differ from that commit
    floors: dict[str, Floor]

    @property
    def tree(self) -> str:
        """What was measured, in words."""
        return (self.commit or "no commit") + (" with changes" if self.dirty else "")


async def look(bench: Bench) -> Machine:
    """Name this machine, and measure what it can do at best."""
    seconds = bench.much(1.5, 0.1)
    bench.tell("fsync of the disk")
    floors = {"fsync of 4 KiB": await asyncio.to_thread(_fsync, bench.directory / "fsync", seconds)}
    bench.tell("durable commits, SQLite")
    path = bench.directory / "floor.db"
    floors["commit of a row, SQLite, synchronous=FULL"] = await asyncio.to_thread(_sqlite, path, seconds)
    bench.tell("durable commits, PostgreSQL")
    async with bench.databases.fresh("postgresql") as url:
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
        try:
            floors["commit of a row, PostgreSQL, one connection"] = await _postgresql(connection, seconds)
            postgresql = await connection.fetchval("SHOW server_version")
        finally:
            await connection.close()
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgresql=postgresql,
        packages={name: version(name) for name in PACKAGES},
        commit=_git("rev-parse", "--short=12", "HEAD"),
        # What an earlier run has written changes nothing of what is measured.
        dirty=bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")),
        floors=floors,
    )


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _fsync(path: Path, seconds: float) -> Floor:
    with path.open("wb", buffering=0) as file:

        def once() -> None:
            file.seek(0)
            file.write(_PAGE)
            os.fsync(file.fileno())

        return _again_and_again(once, seconds)


def _sqlite(path: Path, seconds: float) -> Floor:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, text TEXT)")
        return _again_and_again(lambda: connection.execute("INSERT INTO one (text) VALUES ('work order 17')"), seconds)


async def _postgresql(connection: Any, seconds: float) -> Floor:
    await connection.execute("CREATE TABLE one (id bigserial PRIMARY KEY, text text)")
    insert = await connection.prepare("INSERT INTO one (text) VALUES ('work order 17')")
    took: list[float] = []
    until = perf_counter() + seconds
    while (began := perf_counter()) < until:
        await insert.fetch()
        took.append(perf_counter() - began)
    return _floor(took)


def _again_and_again(do: Callable[[], object], seconds: float) -> Floor:
    took: list[float] = []
    until = perf_counter() + seconds
    while (began := perf_counter()) < until:
        do()
        took.append(perf_counter() - began)
    return _floor(took)


def _floor(took: list[float]) -> Floor:
    return Floor(len(took) / sum(took), part(took, 0.5), part(took, 0.99))
