"""`export`, `import` and `backup`, as somebody types them."""

import asyncio
import importlib
import json
import os
import signal
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner, Result

from app.cli import group, whole_files
from app.domain.principal import Role
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import backing_up
from app.store.database import EmbeddedLock
from tests.builders import EVSE
from tests.integration.api.calls import issue

FLEET = Path(__file__).parents[2] / "app" / "demo" / "fleet.json"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", "sqlite:///here.db")

    def run(*words: str, code: int = 0, on: str = "here.db", given: bytes | None = None) -> Result:
        monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", f"sqlite:///{on}")
        result = CliRunner().invoke(group, words, input=given)
        assert result.exit_code == code, result.output
        return result

    return run


def test_a_fleet_moves_from_one_database_to_another_through_a_pipe(run: Run):
    run("evses", "import", str(FLEET))
    run("set", "DE*XPO*E1001*1", "MAINTENANCE", "--reason", "new cable")
    whole = run("export").stdout_bytes
    assert "a dry run" in run("import", "-", "--dry-run", on="there.db", given=whole).output
    done = json.loads(run("import", "-", "-o", "json", on="there.db", given=whole).stdout)
    assert [done[one]["created"] for one in ("locations", "evses", "temporaryStatuses")] == [4, 40, 1]
    for told in (run("export", on="there.db").stdout, run("export").stdout):
        assert told.count('"ocpiObject"') == 44
    assert "known already" in run("import", "-", on="there.db", given=whole).output


def test_an_export_is_for_its_owner_and_replaces_nothing_unless_told(run: Run, tmp_path: Path):
    run("export", "out.jsonl")
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600
    assert "out.jsonl exists" in run("export", "out.jsonl", code=1).stderr
    run("export", "out.jsonl", "--force")
    assert "is a folder" in run("export", str(tmp_path), code=1).stderr
    assert sorted(one.name for one in tmp_path.iterdir() if "out" in one.name) == ["out.jsonl"]


def test_a_file_that_was_cut_off_is_refused_whole(run: Run, tmp_path: Path):
    run("evses", "import", str(FLEET))
    run("export", "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
    said = run("import", "cut.jsonl", on="there.db", code=1).stderr
    assert "line 45: the end is missing, so the file was cut off; nothing was done" in said
    assert not (tmp_path / "there.db").exists()


def test_no_secret_leaves_the_database(run: Run, tmp_path: Path):
    run("partners", "add", "--name", "app", "--channel", "driver_app", "--set", "url=https://app.example.com/hook")
    key = run("keys", "create", "--name", "backend", "--role", "admin").stdout.strip()
    told = run("export").stdout
    assert json.loads(told.splitlines()[-1]) == {
        "type": "end",
        "counts": {"locations": 0, "evses": 0, "temporaryStatuses": 0},
    }
    assert len(told.splitlines()) == 2
    assert key not in told


def test_a_backup_is_for_its_owner_and_replaces_nothing_unless_told(run: Run, tmp_path: Path):
    run("evses", "import", str(FLEET))
    run("partners", "add", "--name", "app", "--channel", "driver_app", "--set", "url=https://app.example.com/hook")
    done = json.loads(run("backup", "safe.db", "-o", "json").stdout)
    assert (done["rows"]["evse"], done["key"]) == (40, "safe.db.key")
    assert {one.name: one.stat().st_mode & 0o777 for one in tmp_path.glob("safe*")} == {
        "safe.db": 0o600,
        "safe.db.key": 0o600,
    }
    assert "exists" in run("backup", "safe.db", code=1).stderr
    run("backup", "safe.db", "--force")
    assert "are lost" in run("backup", "other.db", "--without-key").stderr
    assert not (tmp_path / "other.db.key").exists()
    assert list(tmp_path.glob(".*")) == []


def test_a_backup_never_takes_the_place_of_a_database_in_use(run: Run, tmp_path: Path):
    run("evses", "import", str(FLEET))
    assert "the database itself" in run("backup", "here.db", "--force", code=1).stderr
    run("backup", "other.db")
    lock = EmbeddedLock(tmp_path / "other.db")
    lock.take()
    try:
        assert "in use" in run("backup", "other.db", "--force", code=1).stderr
    finally:
        lock.release()


def test_where_there_is_nothing_to_back_up_there_is_no_backup(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert "there is no new backup" in run("backup", "safe.db", code=1).stderr
    (tmp_path / "here.db").write_bytes(b"not a database at all" * 100)
    assert "there is no new backup" in run("backup", "safe.db", code=1).stderr
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", "postgresql://nobody@nowhere/nothing")
    said = CliRunner().invoke(group, ["backup", "safe.db"])
    assert said.exit_code == 1
    assert "pg_dump" in said.stderr
    assert "EVSE_STATUS_SECRET_KEY" in said.stderr
    assert list(tmp_path.glob("*safe*")) == []


def test_a_damaged_database_makes_no_backup(run: Run, tmp_path: Path):
    run("evses", "import", str(FLEET))
    with closing(sqlite3.connect(tmp_path / "here.db")) as database:
        database.execute("PRAGMA foreign_keys=OFF")
        database.execute("DELETE FROM evse WHERE id = 7")
        database.commit()
    assert "rows in the copy refer to rows that are not there" in run("backup", "safe.db", code=1).stderr
    assert list(tmp_path.glob("*safe*")) == []


async def test_a_service_goes_on_from_a_backup_that_was_made_while_another_one_wrote(run: Run, tmp_path: Path):
    asked = {"evseId": EVSE, "temporaryStatus": "MAINTENANCE", "validTo": "2099-01-01T00:00:00Z"}
    hook = {"name": "app", "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/hook"}}
    service = Service(Settings(database_url=f"sqlite:///{tmp_path / 'here.db'}"))
    async with service.running(), _calling(service, await issue(service, Role.ADMIN)) as client:
        await client.put(f"/v2/evses/{EVSE}", json={"deploymentState": "PRODUCTION"})
        await client.post("/v2/temporary-evse-statuses", json=asked)
        assert (await client.post("/v2/partners", json=hook)).status_code == 201
        headers = client.headers
        backing_up = asyncio.create_task(asyncio.to_thread(run, "backup", "safe.db"))
        written = 0
        while not backing_up.done():
            assert (await client.post("/v2/temporary-evse-statuses", json=asked)).status_code == 201
            written += 1
        await backing_up
        assert written

    restored = Service(Settings(database_url=f"sqlite:///{tmp_path / 'safe.db'}"))
    async with restored.running(), _calling(restored, headers["Authorization"].removeprefix("Bearer ")) as client:
        told = (await client.get(f"/v2/evses/{EVSE}")).json()
        assert told["presented"]["driverApp"]["status"] == "OUT_OF_SERVICE"
        assert 1 <= len(told["temporaryStatuses"]) <= written + 1
        assert (await client.get("/v2/partners/app")).status_code == 200
        with closing(sqlite3.connect(tmp_path / "safe.db")) as database:
            (sealed,) = database.execute("SELECT secrets FROM partner").fetchone()
        assert restored.secrets.open(sealed)


def _calling(service: Service, key: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(cast("Any", create_app(service, opens=False)))
    return httpx.AsyncClient(
        transport=transport, base_url="http://evse-status.test", headers={"Authorization": f"Bearer {key}"}
    )


def test_what_is_written_while_it_is_copied_is_not_in_it_and_holds_nothing_up(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run("evses", "import", str(FLEET))
    (tmp_path / "safe.db").touch()
    monkeypatch.setattr(backing_up, "_PAGES", 10)
    copied_so_far: list[int] = []

    with closing(sqlite3.connect(tmp_path / "here.db", timeout=0)) as other:

        def write(pages: int, _of: int) -> None:
            copied_so_far.append(pages)
            other.execute("INSERT INTO chore (name, last_run_at) VALUES (?, '2026-01-01')", (f"c{len(copied_so_far)}",))
            other.commit()

        done = backing_up.copy(tmp_path / "here.db", tmp_path / "safe.db", write)
    assert done.rows["chore"] == 0
    assert len(copied_so_far) > 3
    assert copied_so_far == sorted(set(copied_so_far))


def die(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def after(calls: int, does: Callable[..., Any]) -> Callable[..., Any]:
    """Do it so many times, and die instead of the next one."""
    left = iter(range(calls))
    return lambda *args: does(*args) if next(left, None) is not None else die()


def copied() -> None:
    command: Any = importlib.import_module("app.cli.backup")
    backing_up._PAGES = 1  # type: ignore[misc]
    command.copy = lambda source, target, told: backing_up.copy(source, target, after(20, told))


def checked() -> None:
    backing_up._rows = after(1, backing_up._rows)


def on_disk() -> None:
    whole_files._to_disk = after(1, whole_files._to_disk)


def named() -> None:
    Path.hardlink_to = after(1, Path.hardlink_to)  # type: ignore[method-assign]


@pytest.mark.parametrize("dies", [copied, checked, on_disk, named])
def test_a_backup_that_is_killed_leaves_no_half_one(run: Run, tmp_path: Path, dies: Callable[[], None]):
    run("evses", "import", str(FLEET))
    (tmp_path / "here.db.key").write_text("a key")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about threads, which the child does without
        child = os.fork()
    if child == 0:
        signal.alarm(30)
        dies()
        run("backup", "safe.db")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "safe.db").exists()
    # Only drafts, which nobody takes for a backup; at most the key is there already.
    assert any(one.name.startswith(".safe.db.") for one in tmp_path.iterdir())
    for left in tmp_path.glob("safe.db.key"):
        assert left.read_text() == "a key"
