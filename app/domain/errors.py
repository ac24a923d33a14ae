"""Every refusal, in words that could be shown to an operator. No HTTP here: `api/problems.py` gives each its status."""

from collections.abc import Sequence


class DomainError(Exception):
    """Base of every refusal.

    `field` is the request field at fault in the API's spelling (`validTo`), or `None` where no single field is.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class MalformedInstant(DomainError):
    """The time cannot be read: no offset, no such time of day, or outside the years 2000 to 2099."""


class MalformedEvseId(DomainError):
    """The text is not an EVSE ID in the ISO 15118 / eMI3 or the DIN form."""


class MalformedValue(DomainError):
    """A value is not one of those that the field can take."""


class EmptyInterval(DomainError):
    """The window contains no time: it ends before or as it begins."""


class AlreadyOver(DomainError):
    """The window ends in the past, so it could never be shown."""


class EvseNotFound(DomainError):
    """No such EVSE is registered."""


class AmbiguousEvse(DomainError):
    """Without its separators the EVSE ID fits several registered EVSEs."""


class EvseConflict(DomainError):
    """Another EVSE already has this EVSE ID or this uid."""


class TemporaryStatusNotFound(DomainError):
    """No such temporary status, or none that this key may see."""


class HasBegun(DomainError):
    """The temporary status has begun: what has been shown cannot be rewritten."""


class HasEnded(DomainError):
    """The temporary status is over and stays as it was."""


class PartnerNotFound(DomainError):
    """No such partner."""


class PartnerConflict(DomainError):
    """Another partner already has this name."""


class InvalidPartner(DomainError):
    """The partner's configuration does not fit its channel."""


class NotOursToReplace(DomainError):
    """Others tell the partner as well, so what we have must not replace everything that it has."""


class KeyNotFound(DomainError):
    """No such API key."""


class KeyNotGood(DomainError):
    """The API key was revoked, or expired, since the call began."""


class KeyIsOver(DomainError):
    """The API key that was to be changed or rotated is revoked or has expired, and stays so."""


class MayNot(DomainError):
    """The key's role may not do that."""


class KindNotAllowed(DomainError):
    """The key may not say this kind of temporary status."""


class OpenEndNotAllowed(DomainError):
    """The key may not leave the end open."""


class TooLong(DomainError):
    """The temporary status would last for longer than the key may say anything."""


class TooFarAhead(DomainError):
    """The temporary status would begin further ahead than the key may plan."""


class TooManyActive(DomainError):
    """The key would have more in effect at once than it may."""


class BlastRadius(DomainError):
    """Too much of a site or an operator would be overridden within minutes, or the brake holds the key back for that.

    `seconds` is after how many the same may be let through.
    """

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class BrakeNotFound(DomainError):
    """No such site or operator for this key."""


class NoEvsesThere(DomainError):
    """The operator or the location has no EVSE, or none that this key may see."""


class AmbiguousLocation(DomainError):
    """Locations of several parties have this id."""


class TooManyEvses(DomainError):
    """The operator or the location has more EVSEs than one call is for."""


class BatchNotFound(DomainError):
    """No call planned anything under this batch id, or nothing that this key may end."""


class BatchRefused(DomainError):
    """Of a call that is to be done whole or not at all something was refused, so nothing was done.

    `judged` is what would have become of each thing in it, in their order.
    """

    def __init__(self, message: str, judged: Sequence[object]) -> None:
        super().__init__(message)
        self.judged = judged


class StaleVersion(DomainError):
    """Something newer is known under this reference already, or it was cancelled."""


class IdempotencyMismatch(DomainError):
    """The Idempotency-Key was used before, with another body."""


class PreconditionFailed(DomainError):
    """What the call relied on (`If-Match`, `If-None-Match`) is no longer so."""
