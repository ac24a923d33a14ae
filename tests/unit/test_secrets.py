import os
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from app.store.secrets import Secrets, SecretsUnreadable, key_beside

SECRETS = {"secret": "whsec_c2VjcmV0", "nested": {"token": "ä"}}


def key() -> str:
    return Fernet.generate_key().decode("ascii")


def test_what_was_sealed_opens_with_the_same_key() -> None:
    same = key()
    assert Secrets(same).open(Secrets(same).seal(SECRETS)) == SECRETS


def test_nothing_of_a_secret_can_be_read_in_what_is_stored() -> None:
    secrets = Secrets(key())
    sealed = secrets.seal(SECRETS)
    assert sealed.isascii()
    assert "c2VjcmV0" not in sealed
    assert secrets.seal(SECRETS) != sealed  # nor whether two partners have the same one


def test_another_key_opens_nothing_and_the_operator_is_told_what_to_do() -> None:
    with pytest.raises(SecretsUnreadable, match="EVSE_STATUS_SECRET_KEY"):
        Secrets(key()).open(Secrets(key()).seal(SECRETS))


def test_what_was_changed_in_the_store_does_not_open() -> None:
    secrets = Secrets(key())
    sealed = secrets.seal(SECRETS)
    flipped = "A" if sealed[20] != "A" else "B"
    for changed in (sealed[:20] + flipped + sealed[21:], sealed[:-8], ""):
        with pytest.raises(SecretsUnreadable):
            secrets.open(changed)


@pytest.mark.parametrize("wrong", ["", "too short", "A" * 43, "ä" * 44])
def test_a_key_of_another_form_is_refused_by_the_name_of_its_setting(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"EVSE_STATUS_SECRET_KEY must be 32 bytes"):
        Secrets(wrong)


def test_the_key_beside_a_database_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    database = tmp_path / "evse.db"
    first = key_beside(database)
    Secrets(first)
    assert key_beside(database) == first
    assert [one.name for one in tmp_path.iterdir()] == ["evse.db.key"]
    assert (tmp_path / "evse.db.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_an_operator_put_there_is_kept(tmp_path: Path) -> None:
    own = key()
    (tmp_path / "evse.db.key").write_text(own + "\n", "ascii")
    assert key_beside(tmp_path / "evse.db") == own


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "evse.db"
    # Threads for processes: what tells them apart is the process id in the draft's name.
    monkeypatch.setattr(os, "getpid", threading.get_ident)
    together, keys = threading.Barrier(8), list[str]()

    def start() -> None:
        together.wait()
        keys.append(key_beside(database))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["evse.db.key"]
