"""Taking in an export beside the database: in groups, each in a transaction."""

import asyncio
from collections.abc import Sequence
from typing import Final

from app.cli.moving_file import EvseLine, LocationLine, Record, TemporaryStatusLine
from app.clock import Clock
from app.domain.errors import DomainError
from app.domain.instant import parse_instant
from app.domain.interval import Interval
from app.domain.location import PublishedLocation
from app.domain.principal import COMMAND_LINE
from app.store.commands.restoring import (
    Origin,
    Restored,
    RestoreEvse,
    RestoreLocation,
    RestoreTemporaryStatus,
    rehearsed,
)
from app.store.database import Database
from app.store.line import GROUP
from app.store.writer import Command, Writer

_REHEARSED: Final = GROUP  #: lines that are compared together


class Beside:
    """A database, beside a service that may be running on it."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, *, dry_run: bool) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._dry_run = dry_run
        self._evse: EvseLine | None = None

    async def restore(self, lines: Sequence[Record]) -> list[Restored | str]:
        if self._dry_run:
            groups = [lines[begin : begin + _REHEARSED] for begin in range(0, len(lines), _REHEARSED)]
            return [became for group in groups for became in await self._rehearse(group)]
        answers = await asyncio.gather(*(self._writer.run(command_for(one)) for one in lines), return_exceptions=True)
        return [_became(one) for one in answers]

    async def _rehearse(self, lines: Sequence[Record]) -> list[Restored | str]:
        """Nothing of the group before is there, so the EVSE that this one goes on with is looked at once more."""
        again = [] if self._evse is None else [self._evse]
        commands = [command_for(one) for one in (*again, *lines)]
        answers = await rehearsed(self._database, self._clock.now(), commands)
        self._evse = next((one for one in reversed(lines) if isinstance(one, EvseLine)), self._evse)
        return [_became(one) for one in answers[len(again) :]]


def command_for(line: Record) -> Command[Restored]:
    """What restores a line."""
    match line:
        case LocationLine():
            location = PublishedLocation(
                country=line.country_code,
                party=line.party_id,
                id=line.location_id,
                ocpi_object=line.ocpi_object,
                ocpi_version=line.ocpi_version,
            )
            return RestoreLocation(by=COMMAND_LINE, location=location)
        case EvseLine():
            return RestoreEvse(
                by=COMMAND_LINE,
                evse_id=line.evse_id,
                country=line.country_code,
                party=line.party_id,
                uid=line.uid,
                location=line.location_id,
                deployment=line.deployment_state,
                actual_status=line.actual_status,
                reported=line.reported,
                observed_at=None if line.observed_at is None else parse_instant(line.observed_at),
                ocpi_object=line.ocpi_object,
                ocpi_version=line.ocpi_version,
            )
        case TemporaryStatusLine():
            end = None if line.valid_to is None else parse_instant(line.valid_to)
            return RestoreTemporaryStatus(
                by=COMMAND_LINE,
                evse=line.evse,
                evse_id=line.evse_id,
                kind=line.temporary_status,
                interval=Interval(parse_instant(line.valid_from), end),
                applies_when=line.applies_when,
                reason=line.reason,
                origin=Origin(
                    id=line.id,
                    ref=line.ref,
                    created_by=line.created_by,
                    created_at=parse_instant(line.created_at),
                ),
            )


def _became(answer: Restored | BaseException) -> Restored | str:
    if isinstance(answer, DomainError):
        return str(answer)
    if isinstance(answer, BaseException):
        raise answer
    return answer
