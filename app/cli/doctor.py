"""`evse-status doctor`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import click
import msgspec
from sqlalchemy.exc import SQLAlchemyError

from app.channels import REGISTER
from app.cli import doctor_from_afar, findings
from app.cli.calling import at_url, calling
from app.cli.findings import Finding
from app.cli.key_findings import of_keys
from app.cli.opening import as_json, print_json, runs, settings_from_environment
from app.clock import SystemClock
from app.domain.partner import Partner
from app.service import secrets_for
from app.settings import PREFIX, Settings
from app.store import migrating
from app.store import partners as store
from app.store.database import Database, EmbeddedLock
from app.store.secrets import Secrets, SecretsUnreadable

_SKEWED: Final = timedelta(seconds=1)  #: of the machine's clock against the database's


@click.command()
@as_json
@at_url
@runs
async def doctor(output: str, url: str | None, key: str | None) -> None:
    """Say what is wrong here, and what to do about it: database, secrets, clockwork, partners, fleet, keys.

    Changes nothing, and calls no partner. With --url: what the service there tells of itself, its partners and brakes.
    A line begins with what it is about; `note` needs nothing done. Exits with 0 when nothing needs doing, with 1 when
    something does.
    """
    examined: dict[str, Any]
    if url is None:
        examined, found = await _examined_here(key)
        place = f"database: {_said(examined)}"
    else:
        async with calling(url, key) as api:
            examined, found = await doctor_from_afar.examine(api)
        place = f"{url}: {examined['status']}, {examined['partners']} partners"
    wrong = [one for one in found if not one.note]
    if output == "json":
        name = "database" if url is None else "service"
        print_json({"ok": not wrong, name: examined, "findings": msgspec.to_builtins(found)})
    else:
        click.echo(place)
        for one in found:
            todo = f"; {one.todo}" if one.todo else ""
            click.echo(f"{'note: ' if one.note else ''}{one.about}: {one.says}{todo}")
        click.echo(f"needs doing: {len(wrong)}" if wrong else "nothing needs doing")
    if wrong:
        raise SystemExit(1)


async def _examined_here(key: str | None) -> tuple[dict[str, Any], list[Finding]]:
    if key is not None:
        raise click.UsageError("--key is for --url: beside the database no key is needed")
    settings = settings_from_environment()
    database = Database(settings.database_url, transaction_pooling=settings.transaction_pooling, stall=settings.stall)
    examined: dict[str, Any] = {"kind": database.kind}
    try:
        return examined, await _examine(settings, database, examined)
    finally:
        await database.close()


def _said(examined: Mapping[str, Any]) -> str:
    parts = [examined["kind"]]
    if "revision" in examined:
        parts.append(f"at revision {examined['revision']}")
    if "machineAheadMs" in examined:
        parts.append(f"this machine's clock is {examined['machineAheadMs']} ms ahead of it")
    return ", ".join(parts)


async def _examine(settings: Settings, database: Database, examined: dict[str, Any]) -> list[Finding]:
    # Looking must not make one: the next look would find an empty database, and nothing wrong with it.
    if database.path is not None and not database.path.exists():
        todo = f"start `evse-status serve`, which makes it, or set {PREFIX}DATABASE_URL to the one that is meant"
        return [Finding("database", f"{database.path} does not exist", todo)]
    try:
        return await _examine_database(settings, database, examined)
    except (SQLAlchemyError, OSError) as error:
        says = f"cannot be used: {error}".split("\n", 1)[0]
        return [Finding("database", says, f"see that it runs, and that {PREFIX}DATABASE_URL is right")]


async def _examine_database(settings: Settings, database: Database, examined: dict[str, Any]) -> list[Finding]:
    clock = SystemClock()
    asked = clock.monotonic()
    now = await database.now()
    found = []
    if now is not None:
        clock.follow(now, clock.monotonic() - asked)
        ahead = clock.machine_ahead
        examined["machineAheadMs"] = round(ahead / timedelta(milliseconds=1))
        if abs(ahead) > _SKEWED:
            says = f"this machine's clock is {ahead.total_seconds():.1f} s ahead of the database's, which counts"
            found.append(Finding("clock", says, "have both set by NTP; times in logs do not agree until then"))
    current, newest = await migrating.current(database), migrating.newest()
    examined["revision"] = current
    if current != newest:
        says = f"is at revision {current}, this version needs {newest}"
        return [*found, Finding("database", says, "run `evse-status migrate`")]

    at = clock.now()
    async with database.read() as connection:
        partners = await store.all_partners(connection)
        found += await _secrets(settings, database, partners)
        served = None if database.path is None else EmbeddedLock(database.path).is_held
        found += await findings.clockwork(connection, at, served=served)
        found += await findings.brakes(connection, at)
        for one in partners:
            found += await findings.about(connection, one, REGISTER, at)
            found += await findings.full_load(connection, one)
        found += await findings.for_hubject(connection, partners)
        found += await findings.for_ocpi(connection, partners)
        found += await of_keys(connection, at)
    return found


async def _secrets(settings: Settings, database: Database, partners: list[Partner]) -> list[Finding]:
    key_file = None if database.path is None else database.path.with_name(database.path.name + ".key")
    if settings.secret_key is None and key_file is not None and not key_file.exists():
        if not partners:
            return []
        todo = f"put it back from a backup, or set {PREFIX}SECRET_KEY; without it add the partners anew"
        return [Finding("secrets", f"{key_file} is gone, and with it the secrets of {len(partners)} partners", todo)]
    try:
        secrets = secrets_for(settings)
    except ValueError as error:
        return [Finding("secrets", str(error), "`serve` does not start without")]
    unreadable = [one.name for one in partners if not await _readable(database, secrets, one)]
    if not unreadable:
        return []
    says = f"those of {', '.join(unreadable)} cannot be read: they were encrypted with another key"
    return [Finding("secrets", says, f"set {PREFIX}SECRET_KEY to the one that was in use when the partners were added")]


async def _readable(database: Database, secrets: Secrets, partner: Partner) -> bool:
    async with database.read() as connection:
        try:
            await store.with_secrets(connection, secrets, partner.id)
        except SecretsUnreadable:
            return False
    return True
