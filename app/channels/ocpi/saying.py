"""What there is to say of one EVSE to one partner: which status, which schedule, and whether it takes the whole EVSE.

A status goes out in a PATCH of its own, and so does a schedule: many a server chokes on schedules, and is to have the
status all the same. What a PATCH cannot say goes out with the whole EVSE.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.channels.ocpi.converting import evse_object, location_object
from app.channels.ocpi.periods import Period, periods
from app.channels.ocpi.release import Release
from app.channels.ocpi.settings import OcpiSettings
from app.channels.ocpi.status import Status
from app.domain.delivery import LEFT, Aspect, Notice
from app.domain.instant import rfc3339

#: How an empty schedule is remembered: an empty text would mean that nothing is known.
NO_SCHEDULE: Final = "none"
_SAID: Final = 200  #: characters of a schedule that are kept for people to read


class Saying(msgspec.Struct, frozen=True):
    """What is to be said. `whole`: by a `PUT` of the EVSE, if it can be said whole.

    `said` is for people; `digest` tells it from what the partner acknowledged before. `status` and `schedule` are what
    the whole EVSE carries.
    """

    notice: Notice
    status: Status
    schedule: tuple[Period, ...]
    said: str
    digest: str
    whole: bool

    @property
    def removal(self) -> bool:
        return self.status is Status.REMOVED

    @property
    def moved_from(self) -> str | None:
        """The address at which the partner has the EVSE, if that is not its own."""
        told_at = self.notice.known.told_at
        return told_at if told_at and told_at != self.notice.evse.address else None

    def patch(self, release: Release, *, with_uid: bool) -> bytes:
        """Write the body of a PATCH: one aspect and no more."""
        uid, last_updated = self.notice.evse.uid if with_uid else None, self.notice.last_updated
        if self.notice.aspect is Aspect.STATUS:
            return release.status_patch(uid, self.status, last_updated)
        return release.schedule_patch(uid, [one.written() for one in self.schedule], last_updated)

    def evse(self, release: Release) -> bytes | None:
        """Write the whole EVSE, both aspects in it; `None` where too little was imported of it."""
        written = evse_object(
            release,
            self.notice.evse,
            status=self.status,
            schedule=self.schedule,
            last_updated=self.notice.last_updated,
        )
        return None if written is None else msgspec.json.encode(written)

    def location(self, release: Release) -> bytes | None:
        """Write where the EVSE stands, without any EVSE; `None` where that was not imported."""
        location = self.notice.location
        if location is None:
            return None
        updated = max(self.notice.last_updated, location.changed_at, location.last_updated or location.changed_at)
        written = location_object(release, location, last_updated=updated)
        return None if written is None else msgspec.json.encode(written)


def saying(release: Release, settings: OcpiSettings, notice: Notice) -> Saying:
    """Find the words for what is shown, or for what is announced. Pure and total."""
    status = release.status(notice.presentation.what)
    announced = periods(release, notice.announced) if settings.schedule else ()
    # The partner lacks it at its new address, or has it there as removed from an earlier time.
    moved = notice.known.told_at == LEFT
    if notice.aspect is Aspect.SCHEDULE:
        text = "; ".join(str(one) for one in announced)
        return Saying(
            notice=notice,
            status=status,
            schedule=announced,
            said=(text or "no schedule")[:_SAID],
            digest=text or NO_SCHEDULE,
            # A PATCH is not suitable for removing anything. Spec: OCPI 2.2.1 mod_locations, PATCH method.
            whole=not announced or moved,
        )
    known = notice.known.status
    digest = _with_object(status, notice) if settings.whole_evse else status.value
    return Saying(
        notice=notice,
        status=status,
        # What it took before it would lose, if the EVSE came without. What it never took may be why it objects.
        schedule=announced if notice.known.schedule not in {None, NO_SCHEDULE} else (),
        said=status.value,
        digest=digest,
        whole=status is not Status.REMOVED
        and (moved or _returns(known) or (settings.whole_evse and not _same(known, digest))),
    )


def _with_object(status: Status, notice: Notice) -> str:
    """The status, and which edition of the imported EVSE it is about."""
    evse = notice.evse
    return f"{status} {rfc3339(evse.object_changed_at or evse.created_at)}" if evse.ocpi_object else status.value


def _returns(known: str | None) -> bool:
    return known is not None and _words(known)[:1] == [Status.REMOVED.value]


def _same(known: str | None, digest: str) -> bool:
    """Tell whether the partner has this edition of the EVSE, whatever its status."""
    return known is not None and _words(known)[1:] == _words(digest)[1:]


def _words(digest: str) -> Sequence[str]:
    return digest.split(" ")
