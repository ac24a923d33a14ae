"""What goes over the wire: camelCase, times in UTC with `Z`, unknown fields refused on the way in."""

import re
from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar.params import PathParameter
from msgspec import Meta

from app.domain.errors import MalformedInstant, MalformedValue
from app.domain.evse_id import PATTERN
from app.domain.instant import parse_instant, rfc3339

_TEXT: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]*")
REF_PATTERN: Final = r"^[A-Za-z0-9._~:@-]{1,128}$(?!\n)"
_REF: Final = re.compile(REF_PATTERN, re.ASCII)

#: A time as it comes in: RFC 3339 with any offset.
AskedTime = Annotated[
    str,
    Meta(
        description="RFC 3339 with an offset; milliseconds count, what is finer is cut off",
        examples=["2026-11-21T22:00:00+01:00"],
        extra_json_schema={"format": "date-time"},
    ),
]
#: A time as it goes out.
ToldTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-11-21T21:00:00.000Z"])]
Reason = Annotated[str, Meta(max_length=500, description="for people; never sent to partners")]
EvseIdText = Annotated[
    str,
    Meta(
        max_length=48,
        description="ISO 15118 / eMI3 or DIN form; found without regard to case",
        examples=["DE*ABC*E1234*1"],
    ),
]
EvseIdInPath = Annotated[
    str,
    PathParameter(
        name="evseId",
        description="the EVSE ID, found without regard to case; `*` need not be escaped",
        schema_extra={"pattern": PATTERN, "examples": ["DE*ABC*E1234*1"]},
    ),
]


#: For a parameter of the URL that is a time: its own reading says what is wrong with it.
DATE_TIME: Final = {"format": "date-time"}


class Asked(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Base of what comes in."""


class Told(msgspec.Struct, rename="camel"):
    """Base of what goes out."""


def instant_in(text: str, field: str) -> datetime:
    """Read a time that came in as `field`.

    Raises:
        MalformedInstant: it is not one, with the field at fault.
    """
    try:
        return parse_instant(text)
    except MalformedInstant as error:
        raise MalformedInstant(str(error), field=field) from None


def told(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def text_in(text: str | None, field: str) -> str | None:
    """Check a text for people: neither control characters nor marks that turn its direction round.

    Raises:
        MalformedValue: it has some.
    """
    if text is not None and not _TEXT.fullmatch(text):
        raise MalformedValue("control characters and direction marks are not allowed here", field=field)
    return text


def ref_in(ref: str) -> str:
    """Check a caller's own reference.

    Raises:
        MalformedValue: it is too long or has other characters than those of a URL path.
    """
    if not _REF.fullmatch(ref):
        raise MalformedValue("a reference has 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -", field="ref")
    return ref
