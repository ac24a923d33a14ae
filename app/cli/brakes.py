"""`evse-status brakes`."""

from datetime import datetime, timedelta
from typing import Final

import click

from app.cli.durations import Duration
from app.cli.key_words import minute
from app.cli.opening import as_json, opened, print_json, print_table, runs, settings_from_environment
from app.domain.brake import Braked, Group
from app.domain.errors import DomainError
from app.domain.evse_id import operator_key
from app.domain.instant import rfc3339
from app.domain.principal import COMMAND_LINE
from app.store import brakes as store

_PARTS: Final = 3


@click.group()
def brakes() -> None:
    """See which brakes hold, and lift them.

    A brake takes hold where keys below operations would override too much of a site or an operator within minutes.
    """


@brakes.command("list")
@as_json
@runs
async def list_(output: str) -> None:
    """List the brakes that hold, and those that are lifted. Times are UTC."""
    async with opened(settings_from_environment()) as beside, beside.database.read() as connection:
        at = beside.clock.now()
        found = await store.at_work(connection, COMMAND_LINE, at)
    if output == "json":
        print_json([_plain(one, at) for one in found])
        return
    rows = [(one.group.name, _state(one, at), _why(one)) for one in found]
    print_table(["brake of", "state", "why"], rows, nothing="no brake holds, and none is lifted")


@brakes.command()
@click.option("--operator", help="Whose brake, with those of all its sites, such as DE*ABC.")
@click.option("--site", help="Or which site's: country, party and location id, such as DE/ABC/LOC1.")
@click.option("--for", "duration", type=Duration(), default="1h", show_default=True, help="How long; at most 1d.")
@as_json
@runs
async def lift(operator: str | None, site: str | None, duration: timedelta, output: str) -> None:
    """Let everything through at a site or an operator for a while."""
    if duration > timedelta(days=1):
        raise click.UsageError("at most one day: whoever forgets it leaves the fleet without a brake")
    group = _group(operator, site)
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        at = beside.clock.now()
        lifted = await store.lift(connection, COMMAND_LINE, group, at, at + duration)
    if output == "json":
        print_json(_plain(lifted, at))
    else:
        click.echo(f"the brake of {group.name} is lifted until {_time(lifted.lifted_until)}")


@brakes.command()
@click.option("--operator", help="Whose brake, such as DE*ABC.")
@click.option("--site", help="Or which site's, such as DE/ABC/LOC1.")
@runs
async def reset(operator: str | None, site: str | None) -> None:
    """Have a brake count anew: one that holds lets go, one that was lifted is back."""
    group = _group(operator, site)
    async with opened(settings_from_environment()) as beside, beside.database.write() as connection:
        at = beside.clock.now()
        await store.lift(connection, COMMAND_LINE, group, at, at)
    click.echo(f"the brake of {group.name} counts anew")


def _group(operator: str | None, site: str | None) -> Group:
    if (operator is None) is (site is None):
        raise click.UsageError("name an --operator or a --site")
    if site is None:
        try:
            return Group(operator=operator_key(operator or ""))
        except DomainError as error:
            raise click.UsageError(str(error)) from None
    parts = site.split("/", 2)
    if len(parts) != _PARTS or not all(parts):
        raise click.UsageError("a site is country, party and location id, such as DE/ABC/LOC1")
    country, party, location = parts
    return Group(site=(country.upper(), party.upper(), location))


def _state(one: Braked, at: datetime) -> str:
    if (until := one.holds_until(at)) is not None:
        return f"holds back {', '.join(sorted(one.holding(at)))} until {minute(until)}"
    return f"lifted until {minute(one.lifted_until)}" if one.lifted_until else ""


def _why(one: Braked) -> str:
    if one.tripped_at is None:
        return ""
    said = f"{one.evses} of {one.of} EVSEs by key {one.tripped_by} at {minute(one.tripped_at)}"
    return f"{said}; calls refused: {one.refused}"


def _time(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def _plain(one: Braked, at: datetime) -> dict[str, object]:
    return {
        "of": one.group.name,
        "holds": bool(one.holding(at)),
        "held": sorted(one.holding(at)),
        "trippedAt": _time(one.tripped_at),
        "trippedBy": one.tripped_by,
        "evses": one.evses,
        "outOf": one.of,
        "refused": one.refused,
        "heldUntil": _time(one.holds_until(at)),
        "liftedUntil": _time(one.lifted_until),
        "liftedBy": one.lifted_by,
    }
