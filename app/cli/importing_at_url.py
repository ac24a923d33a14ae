"""Taking in an export over the API: what is there is listed once, and what is missing is said in calls for many."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import msgspec

from app.api.batch_shapes import MOST_ITEMS
from app.api.batches import LARGEST_BATCH
from app.api.evses import MOST_REPORTS
from app.api.paging import LARGEST
from app.cli.calling import Calling, Refused
from app.cli.exporting import evse_told
from app.cli.moving_file import EvseLine, Record, TemporaryStatusLine
from app.domain.evse_id import parse_evse_id
from app.domain.instant import parse_instant
from app.domain.status import DeploymentState
from app.store.commands.evses import same
from app.store.commands.restoring import Restored

_AT_ONCE: Final = 16  #: calls that register one EVSE each
_ROOM: Final = LARGEST_BATCH * 9 // 10  #: bytes of a call for many
_BEGUN: Final = "begun"

_TABLES: Final = """
CREATE TABLE evse (country TEXT, party TEXT, uid TEXT, line BLOB, PRIMARY KEY (country, party, uid)) WITHOUT ROWID;
CREATE TABLE live (said BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID;
"""


class AtUrl:
    """A service that is called. What it has is kept in a file without a name: there may be a million of it."""

    def __init__(self, api: Calling, at: datetime, *, dry_run: bool) -> None:
        self._api = api
        self._dry_run = dry_run
        self._there = sqlite3.connect("", isolation_level=None)
        self._there.executescript(_TABLES)
        self._at = at
        self._refused: tuple[str, str, str] | None = None
        self._left_out: tuple[str, str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._there.close()

    async def look_around(self) -> None:
        """List what there is."""
        async for page in self._api.pages("/v2/evses", {"limit": LARGEST}):
            for one in page:
                line = evse_told(one)
                self._there.execute("INSERT OR REPLACE INTO evse VALUES (?, ?, ?, ?)", (*line.key, _encoded(line)))
                for each in one["temporaryStatuses"]:
                    self._count(self._said(line.key, each))

    async def restore(self, lines: Sequence[Record]) -> list[Restored | str]:
        became: list[Restored | str] = [Restored.LEFT_OUT] * len(lines)
        await self._register(lines, became)
        await self._plan(lines, became)
        return became

    async def _register(self, lines: Sequence[Record], became: list[Restored | str]) -> None:
        new: list[tuple[int, EvseLine]] = []
        for place, line in enumerate(lines):
            if not isinstance(line, EvseLine) or not _can_be_said(line):
                continue
            found = self._there.execute(
                "SELECT line FROM evse WHERE (country, party, uid) = (?, ?, ?)", line.key
            ).fetchone()
            if found is None:
                became[place] = Restored.CREATED
                new.append((place, line))
            else:
                became[place] = _compared(line, msgspec.json.decode(found[0], type=EvseLine))
        if self._dry_run:
            return
        brake = asyncio.Semaphore(_AT_ONCE)

        async def put(place: int, line: EvseLine) -> None:
            async with brake:
                try:
                    await self._api.send("PUT", f"/v2/evses/{quote(line.evse_id or '', safe='*+')}", _fields(line))
                except Refused as error:
                    _unless_all(error)
                    became[place] = str(error)

        await asyncio.gather(*(put(place, line) for place, line in new))
        created = [line for place, line in new if became[place] is Restored.CREATED and line.reported is not None]
        for begin in range(0, len(created), MOST_REPORTS):
            reports = [_report(line) for line in created[begin : begin + MOST_REPORTS]]
            await self._api.send("POST", "/v2/actual-statuses", reports)

    async def _plan(self, lines: Sequence[Record], became: list[Restored | str]) -> None:
        new: list[tuple[int, dict[str, Any]]] = []
        for place, line in enumerate(lines):
            if isinstance(line, EvseLine):
                self._left_out = None if _can_be_said(line) else line.key
                self._refused = line.key if not isinstance(became[place], Restored) else None
            elif isinstance(line, TemporaryStatusLine):
                became[place] = self._missing(line)
                if became[place] is Restored.CREATED:
                    new.append((place, _wanted(line)))
        if self._dry_run:
            return
        for group in _bundles(new):
            asked = {"items": [item for _, item in group]}
            done = await self._api.send("POST", "/v2/temporary-evse-statuses/batch", asked)
            for (place, _), result in zip(group, done["items"], strict=True):
                if result["status"] >= 400:  # noqa: PLR2004 - an HTTP status
                    became[place] = result["detail"]

    def _missing(self, line: TemporaryStatusLine) -> Restored | str:
        """Say what is to become of a temporary status: `CREATED` where it is missing."""
        if line.evse == self._left_out:
            return Restored.LEFT_OUT
        if line.evse == self._refused:
            return "its EVSE could not be registered"
        if line.valid_to is not None and parse_instant(line.valid_to) <= self._at:
            return Restored.OVER
        return Restored.KNOWN if self._take(self._said(line.evse, _wanted(line))) else Restored.CREATED

    def _said(self, evse: tuple[str, str, str], one: Mapping[str, Any]) -> bytes:
        """What tells one from another. Not when it began: over the API nothing begins in the past.

        Whether it has begun goes by one instant for both sides: while a long list is read, more begin.
        """
        begin = parse_instant(one["validFrom"])
        begun = _BEGUN if begin <= self._at else begin
        said = (evse, one["temporaryStatus"], begun, _instant(one["validTo"]), one["appliesWhen"], one["reason"])
        return hashlib.sha256(msgspec.json.encode(said)).digest()

    def _count(self, said: bytes) -> None:
        self._there.execute(
            "INSERT INTO live VALUES (?, 1) ON CONFLICT (said) DO UPDATE SET count = count + 1", (said,)
        )

    def _take(self, said: bytes) -> bool:
        """Tell whether one like this is there that no line before stood for."""
        row = self._there.execute("UPDATE live SET count = count - 1 WHERE said = ? AND count > 0", (said,))
        return row.rowcount > 0


def _can_be_said(line: EvseLine) -> bool:
    """An EVSE that is deprecated may share its EVSE ID with the one that came after it."""
    return line.evse_id is not None and line.deployment_state is not DeploymentState.DEPRECATED


def _compared(line: EvseLine, there: EvseLine) -> Restored | str:
    if line.evse_id is None or there.evse_id is None or not same(there.evse_id, parse_evse_id(line.evse_id)):
        return f"uid {line.uid} is registered as {there.evse_id or 'one without EVSE ID'}"
    fields = ("location_id", "deployment_state", "actual_status", "reported", "observed_at")
    alike = all(getattr(line, field) == getattr(there, field) for field in fields)
    return Restored.KNOWN if alike else Restored.DIFFERS


def _fields(line: EvseLine) -> dict[str, Any]:
    return {
        "deploymentState": line.deployment_state.value,
        "locationId": line.location_id,
        "countryCode": line.country_code,
        "partyId": line.party_id,
        "uid": line.uid,
    }


def _report(line: EvseLine) -> dict[str, Any]:
    seen = {} if line.observed_at is None else {"observedAt": line.observed_at}
    return {"evseId": line.evse_id, "status": line.reported, **seen}


def _wanted(line: TemporaryStatusLine) -> dict[str, Any]:
    return {
        "evseId": line.evse_id,
        "temporaryStatus": line.temporary_status.value,
        "validFrom": line.valid_from,
        "validTo": line.valid_to,
        "appliesWhen": line.applies_when.value,
        "reason": line.reason,
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _encoded(line: EvseLine) -> bytes:
    return msgspec.json.encode(line)


def _bundles(items: Iterable[tuple[int, dict[str, Any]]]) -> Iterable[list[tuple[int, dict[str, Any]]]]:
    """As many together as one call takes."""
    bundle: list[tuple[int, dict[str, Any]]] = []
    size = 0
    for one in items:
        # As the client writes it, which may take six bytes for a character.
        length = len(ascii(one[1])) + 16 + 5 * len(one[1]["reason"] or "")
        if bundle and (len(bundle) == MOST_ITEMS or size + length > _ROOM):
            yield bundle
            bundle, size = [], 0
        bundle.append(one)
        size += length
    if bundle:
        yield bundle


def _unless_all(error: Refused) -> None:
    """Give up where what was refused is not this one EVSE."""
    if error.status in {401, 403, 429} or error.status >= 500:  # noqa: PLR2004 - HTTP statuses
        raise error
