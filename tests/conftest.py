"""What every test may ask for: a clock that stands still, and a database of its own on either engine."""

import contextlib
import os
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from app.store.database import Database
from app.store.writer import Writer
from tests.clock import FrozenClock
from tests.databases import KINDS, PostgresqlServer, make_sqlite_template, postgresql_server
from tests.pooling_proxy import PoolingProxy

# A machine that is busy with other tests may well stand still for a second.
os.environ["EVSE_STATUS_STALL"] = "PT30S"
# Plain tracebacks: the pretty ones, with all local variables, keep the event loop busy for seconds.
_plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _plain])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pooled", action="store_true", help="reach PostgreSQL through a proxy that pools transactions")


@pytest.fixture(scope="session")
def postgresql() -> Generator[PostgresqlServer]:
    """A PostgreSQL server. In CI it must start; elsewhere its tests are skipped where it cannot."""
    with contextlib.ExitStack() as running:
        try:
            server = running.enter_context(postgresql_server())
        except Exception as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"NOT TESTED ON POSTGRESQL, which could not be started: {error!r}")
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sqlite_template(tmp_path_factory.mktemp("template") / "evse-status.db")


@pytest.fixture(params=KINDS)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    """The URL of a migrated database without rows, which only this test uses; one run on each engine."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield f"sqlite:///{shutil.copyfile(template, tmp_path / 'evse-status.db')}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    async with server.fresh() as url, _perhaps_pooled(request, url) as reached:
        yield reached


@pytest.fixture
def embedded_url(tmp_path: Path, sqlite_template: Path) -> str:
    file = tmp_path / "evse-status.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
async def postgresql_url(request: pytest.FixtureRequest, postgresql: PostgresqlServer) -> AsyncGenerator[str]:
    """The same on PostgreSQL alone, for what several replicas do to each other."""
    async with postgresql.fresh() as url, _perhaps_pooled(request, url) as reached:
        yield reached


@pytest.fixture(params=KINDS)
async def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str]:
    """The URL of a database that nothing has been done to; one run on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'evse-status.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    async with server.fresh(migrated=False) as url, _perhaps_pooled(request, url) as reached:
        yield reached


@asynccontextmanager
async def _perhaps_pooled(request: pytest.FixtureRequest, url: str) -> AsyncGenerator[str]:
    if not request.config.getoption("--pooled"):
        yield url
        return
    with pytest.MonkeyPatch.context() as patched:
        defaults = {**(Database.__init__.__kwdefaults__ or {}), "transaction_pooling": True}
        patched.setattr(Database.__init__, "__kwdefaults__", defaults)
        patched.setenv("EVSE_STATUS_TRANSACTION_POOLING", "true")
        async with PoolingProxy(url).running() as proxy:
            yield proxy.url
            assert await proxy.residues() == set()


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def writer(database: Database, clock: FrozenClock) -> AsyncGenerator[Writer]:
    """A writer that has been started, over this test's database and clock."""
    started = Writer(database, clock)
    await started.start()
    yield started
    await started.stop()
