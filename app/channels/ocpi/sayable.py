"""What of an import can never be told to partners, and what is mended or left out when it is: said when it comes in."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.fields import ObjectRules, faults
from app.channels.ocpi.locations import Quirk, Read
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.status import Status
from app.domain.instant import rfc3339

_SOME_DAY: Final = datetime(2020, 1, 1, tzinfo=UTC)  #: what it is dated by is not what is looked at
_NUMBER: Final = re.compile(r"\[\d+\]")
_NAMED: Final = 3  #: faults of one object that are named


def remarks(read: Read) -> list[Quirk]:
    """List what partners of the import's own version would not get as it is; what many have in common once."""
    found: dict[tuple[str, str], list[str]] = {}
    for where, kind, what in _found(read):
        found.setdefault((kind, what), []).append(where)
    return [
        Quirk(wheres[0] if len(wheres) == 1 else f"{len(wheres)} {kind}, such as {wheres[0]}", what)
        for (kind, what), wheres in found.items()
    ]


def _found(read: Read) -> Iterator[tuple[str, str, str]]:
    for location in read.locations:
        release, where = RELEASES[location.ocpi_version], f"location {location.id}"
        said = {**location.ocpi_object, "last_updated": rfc3339(_SOME_DAY)}
        wrong = _wrong(release.objects.location, said)
        if location_object(release, location, last_updated=_SOME_DAY) is None:
            yield where, "locations", f"no partner can be told of it, nor of its EVSEs as a whole: {_briefly(wrong)}"
        elif wrong:
            yield where, "locations", f"told to partners mended or without it: {_briefly(wrong)}"
    for evse in read.evses:
        release, where = RELEASES[evse.ocpi_version], f"location {evse.location}, EVSE {evse.uid}"
        written = evse_object(release, evse, status=Status.UNKNOWN, schedule=(), last_updated=_SOME_DAY)
        ours = {"status": Status.UNKNOWN.value, "last_updated": rfc3339(_SOME_DAY), "uid": evse.uid}
        wrong = _wrong(release.objects.evse, {**evse.ocpi_object, **ours})
        if written is None:
            what = "partners hear of its status only, and find it nowhere when they pull"
            yield where, "EVSEs", f"{what}: {_briefly(wrong)}"
        elif wrong:
            yield where, "EVSEs", f"told to partners mended or without it: {_briefly(wrong)}"


def _wrong(rules: ObjectRules, value: dict[str, Any]) -> list[str]:
    every = dict.fromkeys(_NUMBER.sub("[]", one) for one in faults(rules, value, unknown_tolerated=True))
    # Another field of ours, which the backend's connectors may well leave out.
    return [one for one in every if "last_updated" not in one]


def _briefly(wrong: list[str]) -> str:
    more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return "; ".join(wrong[:_NAMED]) + more
