"""Keys: their form, when they are good and from where, and what a rotation leaves."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.domain.api_key import ApiKey, KeyState, digest_of, key_id_of, new_key
from app.domain.principal import Role
from app.domain.rights import Rights

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)


def made(**different: object) -> tuple[ApiKey, str]:
    key_id, key = new_key()
    usual = {"id": key_id, "name": "x", "role": Role.CLIENT, "digest": digest_of(key), "created_by": "cli"}
    return ApiKey(**usual | {"created_at": AT} | different), key  # type: ignore[arg-type]


def test_a_rotated_key_keeps_its_public_id_and_nothing_else():
    stored, old = made()
    again_id, new = new_key(stored.id)
    assert again_id == stored.id == key_id_of(new) == key_id_of(old)
    assert new != old


def test_only_what_could_be_an_id_of_ours_is_looked_up_whatever_the_checksum_says():
    for key_id in ("\x00" * 10, "' OR 1=1--", "abc def gh", "short"):
        assert key_id_of(new_key(key_id)[1]) is None


def test_the_scanners_pattern_in_the_security_policy_finds_keys_and_nothing_shorter():
    text = (Path(__file__).parents[2] / "SECURITY.md").read_text()
    (pattern,) = re.findall(r"^    (evst_\S+)$", text, re.MULTILINE)
    for _ in range(20):
        _, key = new_key()
        assert re.fullmatch(pattern, key)
        assert re.search(pattern, f'token = "{key}"')
        assert not re.search(pattern, key[:-1])


def test_the_old_secret_is_good_until_the_overlap_ends_and_not_at_its_end():
    stored, old = made()
    _, new = new_key(stored.id)
    rotated = stored.rotated(digest_of(new), AT, HOUR)
    assert rotated.opens(old, AT)
    assert rotated.opens(old, AT + HOUR - INSTANT)
    assert not rotated.opens(old, AT + HOUR)
    assert rotated.opens(new, AT)
    assert rotated.opens(new, AT + HOUR)


def test_without_an_overlap_the_old_secret_ends_at_once():
    stored, old = made()
    _, new = new_key(stored.id)
    rotated = stored.rotated(digest_of(new), AT, timedelta())
    assert not rotated.opens(old, AT)
    assert rotated.opens(new, AT)


def test_of_two_rotations_the_oldest_secret_ends_with_the_second():
    stored, oldest = made()
    (_, old), (_, new) = new_key(stored.id), new_key(stored.id)
    twice = stored.rotated(digest_of(old), AT, HOUR).rotated(digest_of(new), AT, HOUR)
    assert [twice.opens(one, AT) for one in (oldest, old, new)] == [False, True, True]


def test_neither_secret_outlives_the_key():
    stored, old = made(expires_at=AT + HOUR)
    _, new = new_key(stored.id)
    rotated = stored.rotated(digest_of(new), AT, 2 * HOUR)
    assert rotated.opens(old, AT + HOUR - INSTANT)
    assert rotated.overlaps(AT + HOUR - INSTANT)
    for one in (old, new):
        assert not rotated.opens(one, AT + HOUR)
    assert not rotated.overlaps(AT + HOUR)


def test_a_key_expires_at_an_instant_and_revoked_is_revoked():
    stored, key = made(expires_at=AT)
    assert stored.state(AT - INSTANT) is KeyState.GOOD
    assert stored.state(AT) is KeyState.EXPIRED
    revoked, key = made(expires_at=AT, revoked_at=AT)
    assert revoked.state(AT) is KeyState.REVOKED
    assert not revoked.opens(key, AT - HOUR)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("192.0.2.0", True),
        ("192.0.2.255", True),
        ("192.0.3.0", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
        (None, False),
        ("", False),
        ("testclient", False),
    ],
)
def test_a_key_with_networks_is_good_from_there_only(address: str | None, good: bool):
    stored, key = made(rights=Rights(networks=("192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32")))
    assert stored.opens(key, AT, address) is good


def test_a_key_without_networks_is_good_from_anywhere():
    stored, key = made()
    for address in ("192.0.2.1", "2001:db8::1", None):
        assert stored.opens(key, AT, address)
