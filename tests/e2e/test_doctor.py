"""`evse-status doctor`: what it finds on either engine, and that it neither changes nor calls anything."""

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import text

from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.wire import EVSE_ID
from app.cli import group
from app.clock import SystemClock
from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.errors import BlastRadius
from app.domain.location import PublishedLocation
from app.domain.partner import Partner
from app.domain.principal import Role
from app.domain.status import DeploymentState
from app.schedule.reconcile import Reconciler
from app.store import deliveries, diagnosis, full_loads, keys, migrating, partners
from app.store.commands.importing import Import, ImportLocation
from app.store.database import Database, EmbeddedLock
from app.store.secrets import Secrets
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, HOUR, MINUTE, imported, plan, register
from tests.integration.scripted_channel import add_partner

KEY = Fernet.generate_key().decode("ascii")
Examined: TypeAlias = "Callable[[], Awaitable[dict[str, Any]]]"


@pytest.fixture(autouse=True)
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Generator[EmbeddedLock | None]:
    """Give the lock of an embedded database, held as by a service."""
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", database_url)
    monkeypatch.setenv("EVSE_STATUS_SECRET_KEY", KEY)
    if not database_url.startswith("sqlite"):
        yield None
        return
    lock = EmbeddedLock(Path(database_url.partition(":///")[2]))
    lock.take()
    yield lock
    lock.release()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()  # the command goes by the real one


async def run(*words: str, code: int = 0) -> str:
    # In a thread: a command has an event loop of its own.
    result = await asyncio.to_thread(CliRunner().invoke, group, ["doctor", *words])
    assert result.exit_code == code, result.output
    return result.output


async def findings() -> list[tuple[str, str, str]]:
    """What it found that needs doing: about what, what, and what to do."""
    result = await asyncio.to_thread(CliRunner().invoke, group, ["doctor", "-o", "json"])
    answer = json.loads(result.output)
    wrong = [(one["about"], one["says"], one["todo"]) for one in answer["findings"] if not one["note"]]
    assert (result.exit_code, answer["ok"]) == (1 if wrong else 0, not wrong)
    return wrong


async def partner(
    database: Database, clock: SystemClock, name: str = "hubject", channel: str = "oicp", **different: Any
) -> Partner:
    """A partner whose secrets are encrypted with the key of the environment, and how it stands."""
    accepted = OicpChannel().accept({"baseUrl": f"https://{name}.example", "operatorId": "DE*ABC"})
    new = accepted.as_partner(name, channel, "test", clock.now())
    async with database.write() as connection:
        added = await partners.add(connection, Secrets(KEY), new, "test")
        if different:
            table = metadata.tables["partner"]
            await connection.execute(table.update().where(table.c.id == added.id).values(different))
    return added


async def computed(database: Database, clock: SystemClock) -> None:
    await Reconciler(database, clock).pass_once()


async def set_deliveries(database: Database, evses: list[int], **values: Any) -> None:
    async with database.write() as connection:
        table = metadata.tables["delivery"]
        await connection.execute(table.update().where(table.c.evse.in_(evses)).values(values))


async def test_a_service_without_a_fault_needs_nothing(database: Database, writer: Writer, clock: SystemClock) -> None:
    await register(writer)
    await partner(database, clock)
    await computed(database, clock)
    said = await run()
    assert said.splitlines()[-1] == "nothing needs doing"
    assert f"at revision {migrating.newest()}" in said
    assert ("this machine's clock is" in said) is not database.embedded


async def test_a_partner_that_is_owed_something_and_does_not_take_it_is_told_with_its_last_error(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    for number in range(3):
        await register(writer, f"DE*ABC*E{number}")
    standing: dict[str, dict[str, Any]] = {
        "paused": {"paused": True},
        "failing": {"failures": 2, "last_error": "no answer"},
        "refusing": {"failures": 2, "refused": True, "last_error": "Hubject says 017"},
        "good": {},
    }
    for name, values in standing.items():
        await partner(database, clock, name, **values)
    await computed(database, clock)

    found = {name: (says, todo) for name, says, todo in await findings()}
    assert set(found) == {"partner paused", "partner failing", "partner refusing"}
    says, todo = found["partner refusing"]
    assert says.startswith("is refusing, and 3 of 3 EVSEs are owed, the oldest since 20")
    assert says.endswith(": Hubject says 017")
    assert "mend what it refuses us for, then `evse-status partners resume refusing`" in todo
    assert found["partner failing"][0].endswith("no answer")
    assert "evse-status partners resume paused" in found["partner paused"][1]

    await set_deliveries(database, [1, 2, 3], next_at=None)
    assert await findings() == [], "whoever is owed nothing need not be told anything"


async def test_parked_evses_are_counted_with_the_commonest_reason_and_what_may_turn_up_is_only_noted(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    keys = [(await register(writer, f"DE*ABC*E{number}")).id for number in range(7)]
    await partner(database, clock)
    await computed(database, clock)
    for number, key in enumerate(keys[:5]):
        reason = f'Hubject says 022; "no {key}"; mend it; Process-ID {key}' if number else "Hubject says 018"
        await set_deliveries(database, [key], last_error=reason, rejected_version=1, next_at=None)
    await set_deliveries(database, keys[5:], last_error="says 603", rejected_version=1)

    [(about, says, todo)] = await findings()
    assert about == "partner hubject"
    assert says.startswith(f'refuses 5 EVSEs until their status changes, most for: Hubject says 022; "no {keys[1]}"')
    assert "evse-status partners resend hubject" in todo
    assert "note: partner hubject: does not take 2 EVSEs yet" in await run(code=1)

    await set_deliveries(database, keys[:5], rejected_version=None)
    assert "nothing needs doing" in await run(), "a note is no fault"


async def test_evses_that_hubject_is_not_told_are_counted_by_operator(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    for evse_id in ("DE*XYZ*E1", "DE*XYZ*E2", "DE*XYZ*E3", "DE*XYZ*E4", "+49*810*1", "DE*ABC*E1"):
        await register(writer, evse_id)
    await register(writer, "DE*XYZ*E9", deployment=DeploymentState.STOCK)
    await writer.run(Import(by=ADMIN, imported=imported(None, uid="3256", party="XYZ")))
    await computed(database, clock)
    assert await findings() == [], "without any Hubject partner it is nobody's business"

    await partner(database, clock)
    await computed(database, clock)
    found = await findings()
    assert [(about, says) for about, says, _ in found] == [
        (
            "operator DEXYZ",
            "4 EVSEs (DE*XYZ*E1, DE*XYZ*E2, DE*XYZ*E3, …) in production, and Hubject is not told",
        ),
        ("operator 49*810", "1 EVSE (+49*810*1) in production, and Hubject is not told"),
        (
            "fleet",
            "1 EVSE (DE XYZ 3256) in production without an EVSE ID, which is all that Hubject knows EVSEs by",
        ),
    ]
    assert all(todo for _, _, todo in found)


async def test_an_evse_id_that_oicp_cannot_express_is_found_however_it_came_in(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    fine = ["DE*ABC*E1*2", "deabce3", "+49*810*000*438", "DE*ABC*E" + "1" * 30]
    keys = [(await register(writer, one)).id for one in [*fine, "DE*ABC*E5"]]
    await partner(database, clock)
    await computed(database, clock)
    assert [about for about, _, _ in await findings()] == ["operator 49*810"]
    async with database.write() as connection:
        table = metadata.tables["evse"]
        await connection.execute(table.update().where(table.c.id == keys[-1]).values(evse_id="DE*ABC*E5\u00fc"))
    async with database.read() as connection:
        assert (await diagnosis.unlike(connection, EVSE_ID.pattern)).examples == ["DE*ABC*E5\u00fc"]
    assert any("that Hubject cannot take" in says for _, says, _ in await findings())


async def test_evses_that_no_ocpi_partner_can_pull_are_noted(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    await register(writer, "DE*ABC*E1", location="LOC1")
    await writer.run(Import(by=ADMIN, imported=imported("DE*ABC*E2", uid="2")))
    await writer.run(Import(by=ADMIN, imported=imported("DE*ABC*E3", uid="3", location="LOC2")))
    place = PublishedLocation(country="DE", party="ABC", id="LOC1", ocpi_object={"id": "LOC1"}, ocpi_version="2.2.1")
    await writer.run(ImportLocation(by=ADMIN, imported=place))
    await computed(database, clock)
    assert "never imported" not in await run(), "without any OCPI partner it is nobody's business"
    await add_partner(database, clock, "emsp", channel="ocpi")
    await computed(database, clock)
    said = await run(code=1)  # whose secrets are of another key here
    assert "2 EVSEs (DE*ABC*E1, DE*ABC*E3) in production, never imported" in said


async def test_many_operators_are_told_with_the_largest_and_a_count(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    for number in range(12):
        await register(writer, f"DE*X{number:02}*E1")
    await partner(database, clock)
    await computed(database, clock)
    *ten, (about, says, _) = await findings()
    assert len(ten) == 10
    assert (about, says) == ("operators", "2 EVSEs in production of 2 more operators, likewise")


async def test_that_nobody_computes_what_is_due_is_noticed_after_a_minute(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    evse = await register(writer)
    assert await findings() == [], "it was registered just now"
    table = metadata.tables["evse"]
    async with database.write() as connection:
        await connection.execute(table.update().values(updated_at=clock.now() - 2 * MINUTE))
    [(about, says, todo)] = await findings()
    assert (about, says[:6]) == ("service", "1 EVSE")
    assert "evse-status serve" in todo

    await plan(writer, evse.evse_id or "", valid_from=clock.now() + HOUR)
    await computed(database, clock)
    assert await findings() == []
    table = metadata.tables["presented"]
    for late, told in ((timedelta(seconds=30), 0), (2 * MINUTE, 1)):
        async with database.write() as connection:
            await connection.execute(table.update().values(recheck_at=clock.now() - late))
        assert len(await findings()) == told


async def test_secrets_that_cannot_be_read_are_told_with_the_partners_that_have_them(
    database: Database, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await partner(database, clock)
    await add_partner(database, clock, "other", channel="driver_app")  # encrypted with a key of the tests
    await computed(database, clock)
    [(about, says, _)] = await findings()
    assert (about, says[:15]) == ("secrets", "those of other ")
    monkeypatch.setenv("EVSE_STATUS_SECRET_KEY", "short")
    assert "32 bytes" in (await findings())[0][1]
    monkeypatch.delenv("EVSE_STATUS_SECRET_KEY")
    [(about, says, _)] = await findings()
    assert about == "secrets"
    assert ("the secrets of 2 partners" if database.embedded else "SECRET_KEY") in says


async def test_what_a_channel_is_concerned_about_is_told(
    database: Database, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await partner(database, clock)
    await add_partner(database, clock, "strange", channel="of another version")
    await computed(database, clock)
    monkeypatch.setattr(OicpChannel, "concerns", lambda _self, one, _at: [f"The certificate of {one.name} runs out."])
    found = await findings()
    assert ("partner hubject", "The certificate of hubject runs out.", "") in found
    assert any("there is no channel of another version" in says for _, says, _ in found)
    listed = await asyncio.to_thread(CliRunner().invoke, group, ["partners", "list"])
    assert "hubject: The certificate of hubject runs out." in listed.output


async def test_a_database_of_another_revision_is_to_be_migrated_and_is_not_read_further(
    database: Database,
) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    [(about, says, todo)] = await findings()
    assert (about, says) == ("database", f"is at revision 0000, this version needs {migrating.newest()}")
    assert "evse-status migrate" in todo


async def test_looking_makes_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", f"sqlite:///{tmp_path / 'nothing.db'}")
    [(about, says, _)] = await findings()
    assert (about, says) == ("database", f"{tmp_path / 'nothing.db'} does not exist")
    assert not (tmp_path / "nothing.db").exists()


async def test_a_database_that_is_away_is_the_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVSE_STATUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    [(about, says, _)] = await findings()
    assert (about, says[:14]) == ("database", "cannot be used")


async def test_a_clock_that_is_not_the_databases_is_told(
    database: Database, clock: SystemClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead(SystemClock):
        def machine_now(self):
            return super().machine_now() + HOUR

    monkeypatch.setattr(importlib.import_module("app.cli.doctor"), "SystemClock", Ahead)
    found = await findings()
    assert [about for about, _, _ in found] == ([] if database.embedded else ["clock"])


async def test_what_is_owed_is_not_touched_by_looking(database: Database, writer: Writer, clock: SystemClock) -> None:
    await register(writer)
    added = await partner(database, clock)
    await computed(database, clock)
    await run()
    async with database.read() as connection:
        assert await deliveries.is_owed(connection, added.id)


async def test_that_no_service_runs_is_told(
    database: Database, clock: SystemClock, environment: EmbeddedLock | None
) -> None:
    if environment is not None:
        assert await findings() == []
        environment.release()
        [(about, says, todo)] = await findings()
        assert (about, todo) == ("service", "start it")
        assert "no `evse-status serve` runs" in says
        return
    chore = metadata.tables["chore"]
    for ago, told in ((MINUTE, 0), (11 * MINUTE, 1)):
        async with database.write() as connection:
            await connection.execute(chore.delete())
            await connection.execute(chore.insert().values(name="reassertion", last_run_at=clock.now() - ago))
        assert [about for about, _, _ in await findings()] == ["service"] * told


async def test_a_full_load_that_was_not_made_is_told(database: Database, clock: SystemClock) -> None:
    added = await partner(database, clock)
    async with database.write() as connection:
        await full_loads.change(connection, added.id, clock.now(), lambda load: load.given_up("too small", clock.now()))
    [(about, says, _)] = await findings()
    assert (about, says) == ("partner hubject", "its last full load was not made: too small")


async def test_what_was_never_told_anything_and_what_two_partners_stand_for_is_noted(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    await register(writer)
    await computed(database, clock)
    await partner(database, clock, exclusive="one")
    await partner(database, clock, "another", exclusive="two")
    await computed(database, clock)
    said = await run()
    assert said.count("was never told anything") == 2
    assert "note: operator DEABC: is told to Hubject by hubject and another" in said


async def test_keys_that_soon_expire_need_doing_and_those_that_never_do_are_noted(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    await register(writer)
    await computed(database, clock)
    at = clock.now()

    day = timedelta(days=1)

    async def issue(name: str, role: Role, expires_at: datetime | None, revoked_at: datetime | None = None) -> str:
        key_id, key = new_key()
        made = at - 335 * day
        more = {"created_by": "cli", "created_at": made, "expires_at": expires_at, "revoked_at": revoked_at}
        async with database.write() as connection:
            await keys.add(connection, ApiKey(id=key_id, name=name, role=role, digest=digest_of(key), **more))  # type: ignore[arg-type]
        return key_id

    soon = await issue("bays", Role.INGEST, at + 30 * day)
    await issue("later", Role.INGEST, at + 31 * day)
    await issue("gone", Role.INGEST, at - day)
    await issue("revoked", Role.INGEST, at + day, at)
    await issue("revoked for ever", Role.CLIENT, None, at)
    await issue("backend", Role.ADMIN, None)
    never = await issue("old", Role.CLIENT, None)
    [(about, says, todo)] = await findings()
    assert (about, says.partition(":")[0]) == (f"key {soon}", "bays")
    assert f"keys change {soon} --expires" in todo
    assert f"note: keys: without expiry, below admin: {never} (old);" in await run(code=1)


async def test_a_brake_names_the_key_to_stop_and_no_longer_once_it_is_stopped(
    database: Database, writer: Writer, clock: SystemClock
) -> None:
    at = clock.now()
    key_id, key = new_key()
    async with database.write() as connection:
        one = ApiKey(id=key_id, name="app", role=Role.CLIENT, digest=digest_of(key), created_by="cli", created_at=at)
        await keys.add(connection, one)
    evses = [f"DE*ABC*E{number}" for number in range(6)]
    for evse in evses:
        await register(writer, evse)
    for evse in evses[:5]:
        await plan(writer, evse, by=one.principal)
    with pytest.raises(BlastRadius):
        await plan(writer, evses[5], by=one.principal)
    (todo,) = [todo for about, _, todo in await findings() if about == "brake of operator DE*ABC"]
    assert "`evse-status brakes lift --operator 'DE*ABC'` if that is meant" in todo
    assert f"`evse-status keys panic {key_id}` if not" in todo
    async with database.write() as connection:
        table = metadata.tables["api_key"]
        await connection.execute(table.update().values(revoked_at=clock.now()))
    assert [about for about, _, _ in await findings() if about == "brake of operator DE*ABC"] == []
    assert "its key is revoked" in await run()
