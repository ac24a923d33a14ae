"""The file that `export` writes and `import` reads: a JSON value per line.

The first line says what it is, the last one that it is whole.
"""

from collections.abc import Iterator
from typing import IO, Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from app.api.pointers import pointer_to
from app.api.shapes import instant_in, text_in
from app.cli.tables import printable
from app.domain.errors import DomainError
from app.domain.evse_id import parse_evse_id
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind, understood

FORMAT: Final = "evse-status-export"
VERSION: Final = 1
LONGEST_LINE: Final = 16 * 1024 * 1024  #: bytes

_Text = Annotated[str, Meta(min_length=1, max_length=255)]
_Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Line(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, tag_field="type"):
    """Base of all lines. What is left out is its default, almost always null."""


class Header(msgspec.Struct, rename="camel"):
    """The first line. `source` is `database`, with all that is known of an EVSE, or `api`, with what that tells."""

    format: str
    version: int
    exported_at: str = ""
    program: str = ""
    source: Literal["database", "api"] = "database"


class LocationLine(_Line, tag="location", kw_only=True):
    """A location as it was imported from OCPI, without its EVSEs. Before any EVSE that stands there."""

    country_code: _Text
    party_id: _Text
    location_id: _Text
    ocpi_version: _Text
    ocpi_object: dict[str, Any]


class EvseLine(_Line, tag="evse", kw_only=True):
    """An EVSE. `countryCode`, `partyId` and `uid` name it; what created it and when is for people."""

    country_code: _Text
    party_id: _Text
    uid: _Text
    evse_id: str | None
    location_id: _Text | None = None
    deployment_state: DeploymentState
    actual_status: ActualStatus
    reported: _Text | None = None
    observed_at: str | None = None
    ocpi_version: _Text | None = None
    ocpi_object: dict[str, Any] | None = None
    created_by: str | None = None
    created_at: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.country_code, self.party_id, self.uid)


class TemporaryStatusLine(_Line, tag="temporaryStatus", kw_only=True):
    """A temporary status that is not over, after its EVSE.

    Its id, who made it and when, and its reference there say which one it is, so that it is imported once.
    """

    country_code: _Text
    party_id: _Text
    uid: _Text
    evse_id: str | None
    id: _Number
    temporary_status: Kind
    valid_from: str
    valid_to: str | None = None
    applies_when: AppliesWhen = AppliesWhen.ALWAYS
    reason: Annotated[str, Meta(max_length=500)] | None = None
    ref: _Text | None = None
    created_by: _Text
    created_at: str

    @property
    def evse(self) -> tuple[str, str, str]:
        return (self.country_code, self.party_id, self.uid)


class Counts(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """How many lines there are of each sort."""

    locations: int = 0
    evses: int = 0
    temporary_statuses: int = 0

    def count(self, line: "Record") -> None:
        match line:
            case LocationLine():
                self.locations += 1
            case EvseLine():
                self.evses += 1
            case TemporaryStatusLine():
                self.temporary_statuses += 1

    @property
    def all(self) -> int:
        return self.locations + self.evses + self.temporary_statuses


class Trailer(_Line, tag="end", kw_only=True):
    """The last line: a file without it was cut off."""

    counts: Counts


Record: TypeAlias = LocationLine | EvseLine | TemporaryStatusLine

_decoder: Final = msgspec.json.Decoder(LocationLine | EvseLine | TemporaryStatusLine | Trailer)
_encoder: Final = msgspec.json.Encoder()


class FileUnreadable(Exception):
    """The file is not one, is cut off, or says something that cannot be; the message names the line and the field."""


def written(line: Header | Record | Trailer) -> bytes:
    return _encoder.encode(line) + b"\n"


def read_header(file: IO[bytes]) -> Header:
    """Read the first line.

    Raises:
        FileUnreadable: it is not the first line of an export, or of one that this version cannot read.
    """
    try:
        header = msgspec.json.decode(file.readline(LONGEST_LINE), type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        header = None
    if header is None or header.format != FORMAT:
        raise FileUnreadable(f'line 1: not an export: it begins with {{"format": "{FORMAT}", …}}')
    if not 1 <= header.version <= VERSION:
        raise FileUnreadable(
            f"line 1, /version: {header.version}, and this version of the program reads {VERSION}: use the program "
            "that wrote it, or a newer one"
        )
    return header


def records(file: IO[bytes]) -> Iterator[tuple[int, Record]]:
    """Every line after the first with its number, checked as far as can be without a database.

    Raises:
        FileUnreadable: one is wrong, or the end is missing.
    """
    counts = Counts()
    evse: tuple[str, str, str] | None = None
    number = 1
    while text := file.readline(LONGEST_LINE):
        number += 1
        line = _read(number, text)
        if isinstance(line, Trailer):
            if line.counts != counts:
                raise FileUnreadable(f"line {number}, /counts: not what is in the file: lines are missing, or too many")
            if file.read(1):
                raise FileUnreadable(f"line {number + 1}: something follows the end")
            return
        if isinstance(line, EvseLine):
            evse = line.key
        elif isinstance(line, TemporaryStatusLine) and line.evse != evse:
            raise FileUnreadable(f"line {number}, /uid: not the EVSE before it, which a temporary status belongs to")
        counts.count(line)
        yield number, line
    raise FileUnreadable(f"line {number}: the end is missing, so the file was cut off")


def _read(number: int, text: bytes) -> Record | Trailer:
    try:
        line: Record | Trailer = _decoder.decode(text)
        if not isinstance(line, Trailer):
            _check(line)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        where = pointer_to(path.rstrip("`"), message)
        raise FileUnreadable(printable(f"line {number}{', ' + where if where else ''}: {message}")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"line {number}: not a JSON value, or cut off: {error}") from None
    except RecursionError:
        raise FileUnreadable(f"line {number}: nested too deeply") from None
    except DomainError as error:
        where = f", {pointer_to(error.field)}" if error.field else ""
        raise FileUnreadable(f"line {number}{where}: {error}") from None
    return line


def _check(line: Record) -> None:
    """Check what the types do not say.

    Raises:
        DomainError: with the field at fault.
    """
    for field in ("country_code", "party_id", "uid", "location_id", "ocpi_version", "reason", "ref", "created_by"):
        text_in(getattr(line, field, None), _camel(field))
    match line:
        case LocationLine():
            return
        case EvseLine():
            _check_evse(line)
        case TemporaryStatusLine():
            _check_evse_id(line.evse_id)
            begin = instant_in(line.valid_from, "validFrom")
            instant_in(line.created_at, "createdAt")
            if line.valid_to is not None and instant_in(line.valid_to, "validTo") <= begin:
                raise DomainError("validTo must be after validFrom", field="validTo")


def _check_evse_id(evse_id: str | None) -> None:
    if evse_id is not None:
        try:
            parse_evse_id(evse_id)
        except DomainError as error:
            raise DomainError(str(error), field="evseId") from None


def _check_evse(line: EvseLine) -> None:
    _check_evse_id(line.evse_id)
    if line.observed_at is not None:
        instant_in(line.observed_at, "observedAt")
    if line.reported is not None:
        try:
            understood(line.reported)
        except DomainError as error:
            raise DomainError(str(error), field="reported") from None
    if (line.ocpi_object is None) != (line.ocpi_version is None):
        raise DomainError("ocpiObject and ocpiVersion go together", field="ocpiVersion")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
