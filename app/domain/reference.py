"""What was last said under a caller's own reference: nothing late undoes what is newer, or revives what was cancelled.

A version is the source's own: a number that grows, such as iCalendar's SEQUENCE, or the time it was changed there. With
none there is only the order in which calls arrive, and a cancel is then final for a day.
"""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from app.domain.errors import StaleVersion
from app.domain.instant import rfc3339

SourceVersion: TypeAlias = int | datetime
FINAL_FOR: Final = timedelta(days=1)  #: a cancel that says no version; later than that no event is still on its way


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The newest that was said under a reference at `at`, and since when it is cancelled, if it is.

    `blind`: the cancel said no version, so nobody can tell which events it outdoes.
    """

    at: datetime
    version: SourceVersion | None = None
    cancelled_at: datetime | None = None
    blind: bool = False

    def is_final(self, at: datetime) -> bool:
        """Tell whether it was cancelled blindly not long ago; what lies far ahead was written by a wrong clock."""
        return self.blind and self.cancelled_at is not None and abs(at - self.cancelled_at) < FINAL_FOR


def planned(
    known: Reference | None, version: SourceVersion | None, at: datetime, *, final_cancel: bool
) -> Reference | None:
    """Return what is known once something was planned with `version`; `None` where nothing has to be remembered.

    `final_cancel`: a cancel without version is also final against a plan without, as no honest caller reuses these
    references within a day.

    Raises:
        StaleVersion: something newer is known, or it was cancelled.
    """
    if known is None:
        return None if version is None else Reference(at=at, version=version)
    if known.is_final(at) and (version is not None or (final_cancel and known.version is None)):
        raise StaleVersion("this reference was cancelled less than a day ago")
    if version is None:
        if known.version is not None:
            raise StaleVersion(f"this reference takes a {_name(known.version)}: it was said with {_said(known)}")
        return known
    if known.version is None:
        return Reference(at=at, version=version)
    if _is_older(version, known):
        raise StaleVersion(f"{_said(known)} is known already", field=_name(version))
    if version != known.version:
        return Reference(at=at, version=version)
    if known.cancelled_at is not None:
        raise StaleVersion(f"it was cancelled with {_said(known)}: only a newer one revives it", field=_name(version))
    return known


def cancelled(known: Reference | None, version: SourceVersion | None, at: datetime) -> Reference:
    """Return what is known once it was cancelled with `version`.

    Raises:
        StaleVersion: something newer is known.
    """
    if version is None:
        return Reference(at=at, version=None if known is None else known.version, cancelled_at=at, blind=True)
    if known is None:
        return Reference(at=at, version=version, cancelled_at=at)
    if known.version is not None and _is_older(version, known):
        raise StaleVersion(f"{_said(known)} is known already", field=_name(version))
    if known.is_final(at):  # it outdoes this one too, for the rest of its day
        return msgspec.structs.replace(known, at=at, version=version)
    if known.version == version and known.cancelled_at is not None:
        return known
    return Reference(at=at, version=version, cancelled_at=at)


def _is_older(version: SourceVersion, known: Reference) -> bool:
    """Tell whether `version` is older than the known one.

    Raises:
        StaleVersion: the two are of different sorts, so that nobody can tell.
    """
    if isinstance(version, int) and isinstance(known.version, int):
        return version < known.version
    if isinstance(version, datetime) and isinstance(known.version, datetime):
        return version < known.version
    raise StaleVersion(f"this reference goes by {_said(known)}, which is no {_name(version)}", field=_name(version))


def _name(version: SourceVersion) -> str:
    return "sourceVersion" if isinstance(version, int) else "sourceUpdatedAt"


def _said(known: Reference) -> str:
    version = known.version
    return f"sourceUpdatedAt {rfc3339(version)}" if isinstance(version, datetime) else f"sourceVersion {version}"
