"""A location as the CPO's backend publishes it: where EVSEs stand. Its EVSEs are kept on their own."""

from datetime import datetime
from typing import Any

import msgspec


class PublishedLocation(msgspec.Struct, frozen=True, kw_only=True):
    """One location of an OCPI document.

    `country` and `party` are those of the CPO, `id` is the location's own within them. `ocpi_object` is the location
    as published, unknown fields included and without its `evses`; `ocpi_version` the version of OCPI that it is in.
    """

    country: str
    party: str
    id: str
    ocpi_object: dict[str, Any]
    ocpi_version: str

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.country, self.party, self.id)


class Location(PublishedLocation, frozen=True, kw_only=True):
    """A location as it is stored under the key `number`.

    `changed_at` (UTC) is when what is published last differed; `last_updated` (UTC) when that or anything of the EVSEs
    that stand there last changed, `None` where nobody asked.
    """

    number: int
    changed_at: datetime
    created_by: str
    created_at: datetime
    last_updated: datetime | None = None
