"""`evse-status explain`."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import click

from app.cli.calling import at_url, calling
from app.cli.opening import as_json, print_json, print_table, runs
from app.cli.tables import colours
from app.cli.times import Moment, at_moment, clock_time, how_long
from app.domain.explanation import Tense
from app.domain.instant import parse_instant, rfc3339
from app.domain.knowing import Knows
from app.domain.total import total

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_VERB: Final = total(Tense, {Tense.PAST: "was", Tense.NOW: "is", Tense.FUTURE: "would be"})
_KNOWS: Final = total(
    Knows,
    {
        Knows.LATEST: "has it",
        Knows.OWED: "does not have it yet",
        Knows.PARKED: "refused it",
        Knows.NOT_TOLD: "not told",
        Knows.FILTERED_OUT: "does not get it",
        Knows.NEVER_SHARED: "never told",
    },
)


@click.command(
    epilog="""\b
Examples:
  evse-status explain 'DE*XPO*E1001*1'                  now
  evse-status explain 'DE*XPO*E1001*1' --at -2h         two hours ago
  evse-status explain 'DE*XPO*E1001*1' --at 2099-01-01T08:00:00+01:00
"""
)
@click.argument("evse")
@click.option(
    "--at", "moment", type=Moment(), metavar="TIME", help="-2h, +30m or 2026-11-21T22:00:00+01:00.  [default: now]"
)
@as_json
@at_url
@runs
async def explain(
    evse: str, moment: datetime | timedelta | None, output: str, url: str | None, key: str | None
) -> None:
    """Say why EVSE is shown as it is, was or will be, since when and until when, and who was told what. Times are UTC.

    What is shown now is derived from what is known now, what was shown is what was recorded, and what would be shown
    assumes that the charger goes on as it is.
    """
    async with calling(url, key) as api:
        at = None if moment is None else rfc3339(at_moment(moment, await api.now()))
        found = await api.get(f"/v2/evses/{quote(evse, safe='*+')}/explanation", {"at": at})
    if output == "json":
        print_json(found)
        return
    now = parse_instant(found["answeredAt"])
    click.echo(click.style(headline(found), bold=True) if colours() else headline(found))
    for line in _reasons(found, now):
        click.echo(f"  {line}")
    _show_others(found, now)
    _show_partners(found, now)


def headline(found: Mapping[str, Any]) -> str:
    """The answer in one line."""
    now = parse_instant(found["answeredAt"])
    when = "" if found["tense"] == Tense.NOW else f" at {clock_time(found['at'], now)}"
    if not found["known"]:
        return f"{found['evseId']}{when}: {found['because']['words']}"
    shows = [one["status"] or "nothing" for one in found["presented"].values()]
    status = "shown to nobody" if not any(one["status"] for one in found["presented"].values()) else "shown as"
    what = "" if status == "shown to nobody" else f" {' / '.join(shows)}"
    until = next(iter(found["presented"].values()))["until"]
    ends = f" until {clock_time(until, now)}" if until else ""
    return f"{found['evseId']} {_VERB[Tense(found['tense'])]} {status}{what}{when}{ends}: {_because(found)}"


def _because(found: Mapping[str, Any]) -> str:
    shown = next((one for one in found["temporaryStatuses"] if one["verdict"] == "shown"), None)
    if shown is None:
        return str(found["because"]["words"])
    reason = f" ({' '.join(shown['reason'].split())})" if shown["reason"] else ""
    return f"{shown['temporaryStatus']} {shown['id']} by {_who(shown, 'createdBy')}{reason}"


def _reasons(found: Mapping[str, Any], now: datetime) -> list[str]:
    lines = []
    channels = " / ".join(found["presented"])
    since = next(iter(found["presented"].values()))["since"]
    begun = (
        f"{'from' if parse_instant(since) > now else 'since'} {clock_time(since, now)}{_ago(since, now)}, "
        if since
        else ""
    )
    lines.append(f"shown     {begun}on {channels}" if found["known"] else f"channels  {channels}")
    charger = found["charger"]
    if charger["actualStatus"]:
        word = charger["reported"] or charger["actualStatus"]
        seen = (
            f", seen {clock_time(charger['observedAt'], now)}{_ago(charger['observedAt'], now)}"
            if charger["observedAt"]
            else ""
        )
        stale = "; too old to be believed" if charger["stale"] else ""
        lines.append(f"charger   {word}{seen}{stale}")
    if (following := found["nextChange"]) is not None:
        shows = " / ".join(one or "nothing" for one in following["presented"].values())
        when = f"{clock_time(following['at'], now)}{_ago(following['at'], now)}"
        lines.append(f"then      {shows} from {when}: {_readable(following['because']['words'], now)}")
    lines += [f"note      {_readable(one, now)}" for one in found["notes"]]
    return lines


def _show_others(found: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (
            one["id"],
            one["temporaryStatus"],
            _who(one, "createdBy"),
            _readable(one["words"], now) + ("*" if one["changedSince"] else ""),
        )
        for one in found["temporaryStatuses"]
    ]
    if rows:
        click.echo()
        print_table(["id", "temporary status", "by", "why, or why not"], rows, nothing="", spare=["by"])
    if any(one["changedSince"] for one in found["temporaryStatuses"]):
        click.echo("* changed since then, and told as it is today")
    if found["leftOut"]:
        click.echo(f"and {found['leftOut']} more: `evse-status list '{found['evseId']}' --all`")


def _show_partners(found: Mapping[str, Any], now: datetime) -> None:
    if found["partners"] is None:
        return
    past = found["tense"] == Tense.PAST
    rows = []
    for one in found["partners"]:
        told, tried = one["told"], one["lastAttempt"]
        said = "nothing that is known" if told is None else f"{told['said']} at {clock_time(told['at'], now)}"
        answer = "" if tried is None else f"{tried['said']} at {clock_time(tried['at'], now)}: {tried['outcome']}"
        why = one["whyNot"] or (answer if past else "")
        if one["nextTryAt"]:
            why += f"; next try {clock_time(one['nextTryAt'], now)}"
        how = (
            []
            if past
            else [
                _KNOWS[Knows(one["knows"])]
                + (f" since {clock_time(one['owedSince'], now)}" if one["owedSince"] else "")
            ]
        )
        rows.append([one["name"], one["channel"], said, *how, why])
    click.echo()
    columns = ["partner", "channel", "was told" if past else "was last told", *([] if past else ["now"]), "why not"]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_table(columns, rows, nothing="no partners: nobody is told", spare=["channel"])


def _who(one: Mapping[str, Any], field: str) -> str:
    who = one[f"{field}Name"] or one[field]
    return "the command line" if who == "cli" else str(who)


def _ago(time: str | None, now: datetime) -> str:
    if time is None:
        return ""
    apart = parse_instant(time) - now
    return f" (in {how_long(apart)})" if apart > timedelta() else f" ({how_long(apart)} ago)"


def _readable(words: str, now: datetime) -> str:
    """Times as everywhere else here, on one line: a reason may have several, and would look like words of ours."""
    return _TIME.sub(lambda found: clock_time(found[0], now), " ".join(words.split()))
