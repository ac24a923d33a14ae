"""`evse-status keys`, as somebody types it."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.clock import SystemClock
from app.domain.api_key import digest_of, key_id_of
from app.domain.principal import Principal, Role
from app.store.database import Database
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, end, plan, stored
from tests.e2e.test_command_line import FLEET, Run, run
from tests.integration.writing import together

__all__ = ["run"]  # the fixture

SITE = "XPO-LARKENAU"
Made = dict[str, Any]


def make(run: Run, *words: str) -> Made:
    made: Made = json.loads(run("keys", "create", "--name", "x", *words, "-o", "json").stdout)
    return made


@pytest.fixture
def key(run: Run) -> Made:
    """Bookings anywhere."""
    return make(run, "--preset", "booking", "--everywhere")


def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'here.db'}")


def test_a_key_is_shown_once_and_alone_on_standard_output(run: Run):
    result = run("keys", "create", "--name", "bays", "--preset", "sensor", "--everywhere")
    key = result.stdout.strip()
    key_id = key_id_of(key)
    assert key_id is not None
    assert "Keep it now" in result.stderr
    assert "BLOCKED" in result.stderr
    for words in (("list",), ("list", "-o", "json"), ("show", key_id), ("show", key_id, "-o", "json")):
        shown = run("keys", *words)
        assert key_id in shown.output.replace("\n", "")
        assert key not in shown.output
        assert digest_of(key) not in shown.output


@pytest.mark.parametrize("preset", ["sensor", "booking", "technician", "compatible"])
def test_a_key_that_writes_needs_a_scope_or_is_said_to_be_for_everywhere(run: Run, preset: str):
    words = ("keys", "create", "--name", "x", "--preset", preset)
    assert "--everywhere" in run(*words, code=2).stderr
    run(*words, "--everywhere")
    run(*words, "--operator", "DE*ABC")
    assert "--everywhere" in run(*words, "--everywhere", "--operator", "DE*ABC", code=2).stderr
    assert len(json.loads(run("keys", "list", "-o", "json").output)) == 2


def test_a_reader_operations_and_an_admin_need_none_and_an_admin_does_not_expire(run: Run):
    made = {role: make(run, "--role", role) for role in ("reader", "operations", "admin")}
    assert all(one["rights"]["scope"]["everywhere"] for one in made.values())
    assert [one["expiresAt"] is None for one in made.values()] == [False, False, True]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "--preset or with --role"),
        (["--preset", "sensor", "--role", "admin"], "not with both"),
        (["--role", "root"], "admin"),
        (["--preset", "phone"], "booking"),
        (["--role", "reader", "--expires", "soon"], "2h, 90m"),
        (["--role", "reader", "--expires", "soon"], "or never"),
        (["--role", "reader", "--network", "any", "--network", "192.0.2.0/24"], "--network any, or the networks"),
        (["--role", "reader", "--expires", "2027-01-01T00:00:00"], "offset"),
        (["--role", "client", "--everywhere", "--most-active", "0"], "0"),
        (["--role", "client", "--everywhere", "--kind", "BROKEN"], "reserved"),
    ],
)
def test_wrong_usage_says_what_would_be_right(run: Run, words: list[str], says: str):
    assert says in run("keys", "create", "--name", "x", *words, code=2).stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--operator", "DE*ABC*E1"], "no operator id"),
        (["--evse", "DE*ABC*E404"], "no EVSE DE*ABC*E404 is registered"),
        (["--evse", "nonsense"], "not an EVSE ID"),
        (["--site", "LOC404"], "no location LOC404 is known"),
        (["--site", "DE/XPO/LOC404"], "no location DE/XPO/LOC404 is known"),
        (["--everywhere", "--network", "10.0.0.1/8"], "host bits"),
        (["--everywhere", "--expires", "2020-01-01T00:00:00Z"], "in the future"),
        (["--everywhere", "--kind", "RESERVED"], "only BLOCKED"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(run: Run, words: list[str], says: str):
    run("evses", "import", str(FLEET))
    assert says in run("keys", "create", "--name", "x", "--preset", "sensor", *words, code=1).stderr
    assert "no keys" in run("keys", "list").output


def test_a_reader_says_nothing(run: Run):
    said = run("keys", "create", "--name", "x", "--role", "reader", "--kind", "BLOCKED", code=1).stderr
    assert "a key with the role reader never says BLOCKED, nor anything else" in said


def test_an_operator_of_whom_nothing_is_registered_is_noted_as_it_may_be_mistyped(run: Run):
    run("evses", "import", str(FLEET))
    words = ("keys", "create", "--name", "x", "--preset", "booking")
    assert "no EVSE of DE*ABC is registered yet" in run(*words, "--operator", "DE*ABC").stderr
    assert "registered" not in run(*words, "--operator", "DE*XPO").stderr


def test_operators_sites_and_evses_are_named_as_people_do(run: Run):
    run("evses", "import", str(FLEET))
    evse, other = "DE*XPO*E1001*1", "de*xpo*e1001*2"
    words = ("--operator", "DE*ABC", "--operator", "+49*810", "--site", SITE, "--evse", evse, "--evse", other)
    made = make(run, "--preset", "sensor", *words)
    assert made["rights"]["scope"] == {
        "everywhere": False,
        "operators": ["DE*ABC", "+49*810"],
        "sites": [{"countryCode": "DE", "partyId": "XPO", "locationId": SITE}],
        "evses": [evse, other.upper()],
    }
    shown = run("keys", "show", made["id"]).output
    for part in ("operator DE*ABC", f"site DE/XPO/{SITE}", evse, "at most 12h", "never with an open end"):
        assert part in shown


def test_a_location_id_of_two_parties_must_be_written_out(run: Run, tmp_path: Path):
    for party in ("ABC", "XYZ"):
        place: dict[str, Any] = {"id": "LOC1", "country_code": "DE", "party_id": party, "publish": True, "evses": []}
        place["evses"] = [{"uid": "1", "evse_id": f"DE*{party}*E1", "status": "AVAILABLE", "connectors": []}]
        (tmp_path / "fleet.json").write_text(json.dumps([place]))
        run("evses", "import", "fleet.json")
    words = ("keys", "create", "--name", "x", "--preset", "sensor", "--site")
    assert "DE/ABC/LOC1 or DE/XYZ/LOC1" in run(*words, "LOC1", code=1).stderr
    run(*words, "DE/XYZ/LOC1")


def test_limits_are_said_and_lifted(run: Run, key: Made):
    run("keys", "change", key["id"], "--longest", "3h", "--most-active", "5", "--network", "192.0.2.0/24")
    changed = json.loads(run("keys", "show", key["id"], "-o", "json").output)
    assert changed["rights"] == key["rights"] | {"longest": "PT3H", "mostActive": 5, "networks": ["192.0.2.0/24"]}
    lifted = ("--longest", "none", "--most-active", "none", "--network", "any", "--rate", "none", "--open-ended")
    assert "good until" in run("keys", "change", key["id"], "--expires", "90d").output
    run("keys", "change", key["id"], *lifted, "--expires", "never", "--name", "new")
    changed = json.loads(run("keys", "show", key["id"], "-o", "json").output)
    none: dict[str, Any] = {"longest": None, "mostActive": None, "networks": [], "rate": None, "openEnded": True}
    assert changed["rights"] == key["rights"] | none
    assert (changed["name"], changed["expiresAt"]) == ("new", None)
    assert "what is to be different" in run("keys", "change", key["id"], code=2).stderr
    run("keys", "change", key["id"], "--operator", "DE*ABC", "--no-open-ended")
    shown = run("keys", "show", key["id"]).output
    assert "operator DE*ABC" in shown
    assert "never with an open end" in shown
    run("keys", "change", key["id"], "--open-ended", "--longest", "1d12h")
    assert "at most 1d12h, never with an open end" in run("keys", "show", key["id"]).output


@pytest.mark.parametrize("command", ["show", "change", "rotate", "revoke", "panic"])
def test_a_key_that_is_not_there_is_said_so(run: Run, command: str):
    more = ["--name", "x"] if command == "change" else []
    assert "no key nobody" in run("keys", command, "nobody", *more, code=1).stderr


@pytest.mark.parametrize("command", ["show", "change", "rotate", "revoke", "panic"])
def test_who_gives_a_key_for_its_id_is_told_the_id_and_the_key_is_not_repeated(run: Run, command: str, key: Made):
    more = ["--name", "x"] if command == "change" else []
    result = run("keys", command, key["key"], *more, code=1)
    assert f"its id is wanted: {key['id']}" in result.stderr
    assert key["key"] not in result.output
    assert "its id is wanted\n" in run("keys", command, "evst_cut-off", *more, code=1).stderr


def test_a_key_is_rotated_revoked_and_neither_rotated_nor_changed_any_more(run: Run, key: Made):
    rotated = json.loads(run("keys", "rotate", key["id"], "-o", "json").output)
    assert key_id_of(rotated["key"]) == key["id"]
    assert rotated["key"] != key["key"]
    assert "not used since" in run("keys", "show", key["id"]).output
    assert rotated["previousUntil"] is not None
    at_once = json.loads(run("keys", "rotate", key["id"], "--at-once", "-o", "json").output)
    assert at_once["previousUntil"] is None
    assert "--overlap or --at-once" in run("keys", "rotate", key["id"], "--overlap", "2h", "--at-once", code=2).stderr
    assert "at most 90 days" in run("keys", "rotate", key["id"], "--overlap", "91d", code=1).stderr
    for _ in range(2):
        assert "is revoked" in run("keys", "revoke", key["id"]).output
    assert "revoked" in run("keys", "list").output
    assert "make a new one" in run("keys", "rotate", key["id"], code=1).stderr
    assert "make a new one" in run("keys", "change", key["id"], "--expires", "never", code=1).stderr


def test_the_list_fits_eighty_columns_and_says_whether_an_old_secret_is_still_in_use(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.cli.tables.terminal_width", lambda: 80)
    name = "parking sensors of the northern car park, level two"
    for _ in range(2):
        made = json.loads(
            run("keys", "create", "--name", name, "--preset", "technician", "--everywhere", "-o", "json").output
        )
        run("keys", "rotate", made["id"])
    used = {"last_used_at": SystemClock().now(), "last_used_from": "2001:db8:1234:5678:9abc:def0:1234:5678"}
    used["previous_used_at"] = used["last_used_at"]

    async def use() -> None:
        here = database(tmp_path)
        table = metadata.tables["api_key"]
        async with here.write() as connection:
            await connection.execute(update(table).where(table.c.id == made["id"]).values(used))
        await here.close()

    asyncio.run(use())
    lines = run("keys", "list").output.splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    assert made["id"] in words
    assert "never" in words
    shown = run("keys", "show", made["id"]).output
    assert "still in use" in shown
    assert "2001:db8:1234:5678:9abc:def0:1234:5678" in shown


def test_panic_revokes_ends_all_and_says_what_to_look_at(run: Run, tmp_path: Path):
    run("evses", "import", str(FLEET))
    made = make(run, "--role", "operations")

    async def work() -> int:
        here = database(tmp_path)
        writer = Writer(here, SystemClock())
        await writer.start()
        by = Principal(made["id"], Role.OPERATIONS, holds_key=True)
        theirs = await plan(writer, "DE*XPO*E1001*1", by=ADMIN)
        await end(writer, theirs, by=by)
        await together(*(plan(writer, "DE*XPO*E1001*2", by=by) for _ in range(600)))
        await writer.stop()
        await here.close()
        return theirs.id

    theirs = asyncio.run(work())
    said = run("keys", "panic", made["id"]).stdout
    assert f"{made['id']} is revoked, and 600 temporary statuses ended" in said
    assert f"temporary status {theirs}" in said
    assert "Look at it" in said
    again = json.loads(run("keys", "panic", made["id"], "-o", "json").stdout)
    assert (again["ended"], [one["subject"] for one in again["touched"]]) == (0, [f"temporary status {theirs}"])

    async def left() -> set[str]:
        here = database(tmp_path)
        rows = await stored(here, "temporary_status")
        await here.close()
        return {row["end_reason"] for row in rows}

    assert asyncio.run(left()) == {"panic", "deleted"}


def test_expiry_is_said_as_a_duration_a_time_or_never(run: Run):
    now = SystemClock().now()
    day = make(run, "--role", "reader", "--expires", "1d")["expiresAt"]
    assert (now + timedelta(days=1)).strftime("%Y-%m-%dT") == day[:11]
    at = make(run, "--role", "reader", "--expires", "2099-01-01T01:00:00+01:00")["expiresAt"]
    assert at == "2099-01-01T00:00:00.000Z"
    assert make(run, "--role", "reader", "--expires", "never")["expiresAt"] is None
