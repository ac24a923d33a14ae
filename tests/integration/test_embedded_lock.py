"""One process per embedded database, and no lock that outlives its process."""

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.store.database import DatabaseInUse, EmbeddedLock

HOLDER = """
import sys, time
from pathlib import Path
from app.store.database import EmbeddedLock
lock = EmbeddedLock(Path(sys.argv[1]))
lock.take()
print("taken", flush=True)
time.sleep(60)
"""


@contextmanager
def another_process_holding(database: Path) -> Generator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(database)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_process_is_told_who_is_in_the_way_and_what_to_do(tmp_path: Path) -> None:
    database = tmp_path / "evse-status.db"
    with another_process_holding(database), pytest.raises(DatabaseInUse) as refused:
        EmbeddedLock(database).take()
    assert str(database) in str(refused.value)
    assert "Stop that one" in str(refused.value)
    assert "EVSE_STATUS_DATABASE_URL" in str(refused.value)


def test_a_process_killed_with_kill_9_holds_nothing(tmp_path: Path) -> None:
    database = tmp_path / "evse-status.db"
    with another_process_holding(database) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        lock = EmbeddedLock(database)
        lock.take()
        lock.release()


def test_a_second_service_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    first, second = EmbeddedLock(tmp_path / "evse-status.db"), EmbeddedLock(tmp_path / "evse-status.db")
    first.take()
    with pytest.raises(DatabaseInUse):
        second.take()
    first.release()
    second.take()
    second.release()


def test_databases_side_by_side_have_locks_of_their_own(tmp_path: Path) -> None:
    one, other = EmbeddedLock(tmp_path / "one.db"), EmbeddedLock(tmp_path / "other.db")
    one.take()
    other.take()
    one.release()
    other.release()


def test_releasing_what_was_never_taken_is_harmless(tmp_path: Path) -> None:
    lock = EmbeddedLock(tmp_path / "evse-status.db")
    lock.release()
    lock.take()
    lock.release()
    lock.release()
