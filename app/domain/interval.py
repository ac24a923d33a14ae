"""The one rule about begin and end that everything shares."""

from datetime import datetime

import msgspec

from app.domain.errors import EmptyInterval


class Interval(msgspec.Struct, frozen=True, gc=False):
    """The instants from `begin` up to, but not including, `end`.

    An `end` of `None` means "not known yet", never "for ever".

    Raises:
        EmptyInterval: `end` is not after `begin`.
    """

    begin: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.begin:
            raise EmptyInterval("validTo must be after validFrom", field="validTo")

    def __contains__(self, at: datetime) -> bool:
        return self.begin <= at and before(at, self.end)

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether some instant lies in both; back-to-back intervals share none."""
        return before(self.begin, other.end) and before(other.begin, self.end)


def before(at: datetime, end: datetime | None) -> bool:
    """Tell whether `at` comes before `end`, where `None` is an end that nobody knows yet."""
    return end is None or at < end
