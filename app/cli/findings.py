"""What `evse-status doctor` finds out about partners and the fleet. Everything is in the database: nobody is called."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.channels.channel import Channel
from app.channels.configuring import concerns_of
from app.channels.ocpi.channel import OcpiChannel
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.wire import EVSE_ID
from app.cli.key_words import minute
from app.domain.evse_id import operator_key
from app.domain.instant import rfc3339
from app.domain.partner import Partner, Standing
from app.domain.principal import COMMAND_LINE
from app.store import brakes as store_of_brakes
from app.store import diagnosis, full_loads, keys, partner_reports
from app.store.diagnosis import Some

LATE: Final = timedelta(minutes=1)  #: after a boundary; a running service is late by seconds
SILENT: Final = timedelta(minutes=10)  #: without a chore; a running service does one every minute
_OPERATORS: Final = 10  #: operators that are named before the rest is only counted


class Finding(msgspec.Struct, frozen=True):
    """One thing found: what it is about, what is the matter, and what to do. A `note` needs nothing done now."""

    about: str
    says: str
    todo: str
    note: bool = False


async def clockwork(connection: AsyncConnection, at: datetime, *, served: bool | None) -> list[Finding]:
    """Say whether anybody computes what is due. `served`: whether a service runs, `None` where nobody can know."""
    count, since = await diagnosis.overdue(connection, at - LATE)
    if since is not None:
        says = f"{_evses(count)} should have been looked at since {rfc3339(since)}: nobody computes what is due"
        return [Finding("service", says, "start `evse-status serve`, or read its log for why it does not get on")]
    if served is False:
        says = "no `evse-status serve` runs on this database: nothing begins, ends or is told to anybody"
        return [Finding("service", says, "start it")]
    worked = await diagnosis.last_at_work(connection)
    if served is None and worked is not None and worked < at - SILENT:
        says = f"no `evse-status serve` has been at work since {rfc3339(worked)}"
        return [Finding("service", says, "start one, or read its log for why it does not get on")]
    return []


async def about(
    connection: AsyncConnection, partner: Partner, channels: Mapping[str, Channel], at: datetime
) -> list[Finding]:
    """Say what is the matter with one partner."""
    name = f"partner {partner.name}"
    if partner.channel not in channels:
        return [Finding(name, f"there is no channel {partner.channel}", "remove it, or run the version that has it")]
    found = [Finding(name, one, "") for one in concerns_of(channels, partner, at)]
    owing = await partner_reports.owing(connection, partner.id)
    if owing.owed and partner.standing is not Standing.GOOD:
        says = f"is {partner.standing}, and {owing.owed} of {_evses(owing.shared)} are owed"
        since = owing.waiting_since or partner.last_success_at
        says += f", the oldest since {rfc3339(since)}" if since else ""
        says += f": {partner.last_error}" if partner.last_error else ""
        found.append(Finding(name, says, _todo(partner)))
    silent = owing.shared and not owing.owed and partner.last_success_at is None
    if silent and partner.standing is Standing.GOOD and not _only_pulls(partner):
        says = f"gets {_evses(owing.shared)} and was never told anything, so nobody knows whether it can be"
        todo = f"tell it everything once: `evse-status partners resend {partner.name}`"
        found.append(Finding(name, says, todo, note=True))
    for for_good in (True, False):
        count, reasons = await diagnosis.refused(connection, partner.id, for_good=for_good)
        if count:
            found.append(_refusal(partner, count, commonest(reasons), for_good=for_good))
    return found


def _only_pulls(partner: Partner) -> bool:
    return partner.channel == OcpiChannel.name and partner.configuration.get("url") is None


async def full_load(connection: AsyncConnection, partner: Partner) -> list[Finding]:
    """Say that the last full load was not made, or is not accepted."""
    load = await full_loads.find(connection, partner.id)
    if load is None or load.last_error is None:
        return []
    return [
        Finding(
            f"partner {partner.name}",
            f"its last full load was not made: {load.last_error}",
            f"mend the cause, then `evse-status partners full-load {partner.name}`",
        )
    ]


async def brakes(connection: AsyncConnection, at: datetime) -> list[Finding]:
    """Say which brakes hold, and which are lifted."""
    found = []
    at_work = await store_of_brakes.at_work(connection, COMMAND_LINE, at)
    culprits = await keys.find_many(connection, {one.tripped_by for one in at_work if one.tripped_by is not None})
    for one in at_work:
        if (until := one.holds_until(at)) is not None:
            says = f"took hold as key {one.tripped_by} would have overridden {one.evses} of {one.of} EVSEs; holds back "
            says += f"{', '.join(sorted(one.holding(at)))} until {minute(until)} UTC, calls refused: {one.refused}"
            what = f"--{'operator' if one.group.site is None else 'site'} {shlex.quote(one.group.id)}"
            culprit = culprits.get(one.tripped_by or "")
            if culprit is None or culprit.is_good(at):
                todo = f"`evse-status brakes lift {what}` if that is meant, "
                todo += f"`evse-status keys panic {one.tripped_by}` if not"
                found.append(Finding(f"brake of {one.group.name}", says, todo))
            else:
                says += f"; its key is {culprit.state(at).value}"
                found.append(Finding(f"brake of {one.group.name}", says, "", note=True))
        elif one.lifted_until is not None:
            says = f"is lifted until {minute(one.lifted_until)} UTC"
            found.append(Finding(f"brake of {one.group.name}", says, "", note=True))
    return found


async def for_hubject(connection: AsyncConnection, partners: Sequence[Partner]) -> list[Finding]:
    """Say which EVSEs in production no Hubject operator of ours stands for, if there is any at all."""
    hubject = [one for one in partners if one.channel == OicpChannel.name]
    if not hubject:
        return []
    operators = {operator_key(one) for partner in hubject for one in partner.audience.operators}
    found = _shared_operators(hubject)
    others = await diagnosis.of_other_operators(connection, operators)
    todo = "add a partner with this operatorId, or name it in the subOperators of one"
    for operator, some in list(others.items())[:_OPERATORS]:
        found.append(Finding(f"operator {operator}", f"{_named(some)} in production, and Hubject is not told", todo))
    if rest := list(others.values())[_OPERATORS:]:
        says = f"{_evses(sum(one.count for one in rest))} in production of {len(rest)} more operators, likewise"
        found.append(Finding("operators", says, todo))
    if (some := await diagnosis.without_evse_id(connection)).count:
        says = f"{_named(some)} in production without an EVSE ID, which is all that Hubject knows EVSEs by"
        found.append(Finding("fleet", says, "have the backend publish `evse_id`, and import again"))
    if (some := await diagnosis.unlike(connection, EVSE_ID.pattern)).count:
        says = f"{_named(some)} in production with an EVSE ID that Hubject cannot take"
        found.append(Finding("fleet", says, "correct it; DE*ABC*E1234*1 is one that it can"))
    return found


async def for_ocpi(connection: AsyncConnection, partners: Sequence[Partner]) -> list[Finding]:
    """Say which EVSEs in production OCPI partners cannot read, as all that is known of them is their status."""
    if not any(one.channel == OcpiChannel.name for one in partners):
        return []
    some = await diagnosis.not_imported(connection)
    if not some.count:
        return []
    says = (
        f"{_named(some)} in production, never imported: OCPI partners hear of the status only, and cannot pull anything"
    )
    return [Finding("fleet", says, "import the backend's Locations: `evse-status evses import FILE`", note=True)]


def _shared_operators(hubject: Sequence[Partner]) -> list[Finding]:
    """Operators that more than one partner stands for: perhaps at different Hubjects, but hardly at one."""
    by_operator: dict[str, list[str]] = {}
    for partner in hubject:
        for operator in sorted({operator_key(one) for one in partner.audience.operators}):
            by_operator.setdefault(operator, []).append(partner.name)
    return [
        Finding(
            f"operator {operator}",
            f"is told to Hubject by {' and '.join(names)}: at one Hubject each overwrites what the other pushed",
            "leave it to one of them, unless they are of different environments",
            note=True,
        )
        for operator, names in by_operator.items()
        if len(names) > 1
    ]


def commonest(reasons: Sequence[str]) -> str:
    """The commonest of these reasons; what differs from one request to the next does not make another one."""
    kinds = Counter(_without_what_differs(one) for one in reasons)
    if not kinds:
        return "no reason is known"
    most, _ = kinds.most_common(1)[0]
    return next(one for one in reasons if _without_what_differs(one) == most)


def _without_what_differs(reason: str) -> str:
    said, _, _ = reason.partition("; Process-ID ")
    return "".join(said.split('"')[::2])  # without the partner's own words, which name the EVSE


def _refusal(partner: Partner, count: int, reason: str, *, for_good: bool) -> Finding:
    name = f"partner {partner.name}"
    if not for_good:
        says = f"does not take {_evses(count)} yet, which are tried again every few hours, most for: {reason}"
        return Finding(name, says, "", note=True)
    todo = f"mend the cause, then `evse-status partners resend {partner.name} --evse …`, or without --evse for all"
    return Finding(name, f"refuses {_evses(count)} until their status changes, most for: {reason}", todo)


def _todo(partner: Partner) -> str:
    resume = f"`evse-status partners resume {partner.name}`"
    match partner.standing:
        case Standing.PAUSED:
            return f"{resume}, when it is to be told again"
        case Standing.REFUSING:
            return f"mend what it refuses us for, then {resume}"
        case _:
            return f"it is tried again by itself; see that it can be reached from here, then {resume} for at once"


def _evses(count: int) -> str:
    return f"{count} EVSE" if count == 1 else f"{count} EVSEs"


def _named(some: Some) -> str:
    more = ", …" if some.count > len(some.examples) else ""
    return f"{_evses(some.count)} ({', '.join(some.examples)}{more})"
