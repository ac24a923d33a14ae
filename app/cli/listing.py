"""`evse-status list`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

import click

from app.cli.calling import Query, at_url, calling
from app.cli.opening import as_json, print_json, print_table, runs
from app.cli.times import Moment, at_moment, in_column
from app.domain.instant import rfc3339
from app.domain.status import Kind
from app.domain.temporary_status import State


def _one_of(members: type[Enum]) -> click.Choice[str]:
    return click.Choice([one.value for one in members], case_sensitive=False)


PATH: Final = "/v2/temporary-evse-statuses"
_PAGE: Final = 500
_NAMED: Final = 3  #: batches

#: Option → parameter of the API. To offer another filter, add a line: the value is handed over as it was typed.
FILTERS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("--state", "state", {"type": _one_of(State), "help": "Only those planned, active or ended."}),
    ("--kind", "temporaryStatus", {"type": _one_of(Kind), "multiple": True, "help": "Only of this kind; repeatable."}),
    ("--location", "locationId", {"metavar": "LOC1", "help": "Only at this location."}),
    ("--operator", "operator", {"metavar": "DE*ABC", "help": "Only of this operator."}),
    ("--at", "activeAt", {"type": Moment(), "help": "In effect at that instant: RFC 3339, -2h, +30m."}),
    ("--from", "from", {"type": Moment(), "help": "In effect at some instant from this one on."}),
    ("--to", "to", {"type": Moment(), "help": "In effect at some instant before this one."}),
    ("--ending-within", "endingWithin", {"metavar": "2h", "help": "In effect, and over within that time."}),
    ("--updated-since", "updatedSince", {"type": Moment(), "help": "Planned, changed or ended since then."}),
    ("--by", "createdBy", {"metavar": "KEY-ID", "help": "Planned with this key; `me`: with the one that asks."}),
    ("--ref", "ref", {"help": "Planned under this reference."}),
    ("--batch", "batchId", {"help": "Planned by this call for many."}),
)
PARAMETERS: Final = {f"only_{parameter}": parameter for _, parameter, _ in FILTERS}


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each filter."""
    for option, parameter, more in reversed(FILTERS):
        command = click.option(option, f"only_{parameter}", **more)(command)
    return command


@click.command(
    "list",
    epilog="""\b
Examples:
  evse-status list                                what is in effect now
  evse-status list 'DE*XPO*E1001*1' --all         everything that was ever said about one
  evse-status list --state planned --kind MAINTENANCE -o json
""",
)
@click.argument("evses", nargs=-1, metavar="[EVSE]...")
@filters
@click.option("--all", "everything", is_flag=True, help="Also what is planned and what is over.")
@click.option("--limit", type=click.IntRange(1), help="How many at most, the oldest first.  [default: all]")
@as_json
@at_url
@runs
async def list_(
    evses: tuple[str, ...],
    limit: int | None,
    output: str,
    url: str | None,
    key: str | None,
    *,
    everything: bool,
    **filtered: Any,
) -> None:
    """List temporary statuses: those in effect now, unless --state or --all asks for others. Times are UTC."""
    asked = {PARAMETERS[name]: value for name, value in filtered.items() if value not in {None, ()}}
    if everything and "state" in asked:
        raise click.UsageError("give --state or --all, not both")
    async with calling(url, key) as api:
        now = await api.now()
        asked = {name: _as_told(value, now) for name, value in asked.items()}
        query: Query = {"evseId": evses, **asked, "activeOnly": "false" if everything else None}
        found = await everything_of(api, query, limit)
    if output == "json":
        print_json(found)
        return
    nothing = "nothing is in effect now; --all lists what is planned or over as well"
    if everything and not evses and not asked:
        nothing = "nothing was ever planned; `evse-status set` does"
    elif everything or asked:
        nothing = "nothing like that"
    show(found, now, nothing=nothing)
    if batches := dict.fromkeys(one["batchId"] for one in found if one["batchId"] is not None):
        click.echo(f"planned together: {', '.join(list(batches)[:_NAMED])}{', …' if len(batches) > _NAMED else ''}")


def _as_told(value: Any, now: datetime) -> Any:
    """A value as the API takes it: instants that were said from now on are told as they are."""
    return rfc3339(at_moment(value, now)) if isinstance(value, datetime | timedelta) else value


async def everything_of(api: Any, query: Query, limit: int | None = None) -> list[dict[str, Any]]:
    """All pages of a list of temporary statuses, up to `limit`."""
    found: list[dict[str, Any]] = []
    size = _PAGE if limit is None else min(limit, _PAGE)
    async for page in api.pages(PATH, {**dict(query), "limit": size}):
        found += page
        if limit is not None and len(found) >= limit:
            break
    return found[:limit]


def show(found: list[dict[str, Any]], now: datetime, *, nothing: str) -> None:
    """Print temporary statuses as a table; what is the same for all of them is left out."""
    columns = ["id", "EVSE", "status", "state", "from (UTC)", "until (UTC)", "by", "reason"]
    rows = [
        [
            one["id"],
            one["evseId"],
            one["temporaryStatus"] + (" (idle)" if one["appliesWhen"] == "idle" else ""),
            one["state"],
            in_column(one["validFrom"], now),
            in_column(min(filter(None, (one["endedAt"], one["validTo"])), default=None), now) or "it is ended",
            one["createdBy"],
            one["reason"],
        ]
        for one in found
    ]
    dull = {name for name, place in (("state", 3), ("reason", 7)) if len({row[place] for row in rows}) == 1}
    kept = [place for place, name in enumerate(columns) if name not in dull or rows[0][place] not in {"active", None}]
    print_table(
        [columns[place] for place in kept],
        [[row[place] for place in kept] for row in rows],
        nothing=nothing,
        spare=[name for name in ("by", "state") if columns.index(name) in kept],
    )
