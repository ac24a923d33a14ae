"""Asking the one decision in the name of a command, and turning its No into a refusal."""

from collections.abc import Callable, Mapping
from typing import Final

from app.domain import errors
from app.domain.evse import Evse
from app.domain.permission import Action, Allowed, Denied, On, Target, Why, may
from app.domain.principal import Principal
from app.domain.temporary_status import TemporaryStatus
from app.domain.total import total

#: What each No is called, and the field at fault. What may not be seen is called what it would be if it were not there.
REFUSALS: Final[Mapping[Why, tuple[type[errors.DomainError] | None, str | None]]] = total(
    Why,
    {
        Why.ROLE: (errors.MayNot, None),
        Why.UNSEEN: (None, None),
        Why.KIND: (errors.KindNotAllowed, "temporaryStatus"),
        Why.OPEN_ENDED: (errors.OpenEndNotAllowed, "validTo"),
        Why.TOO_LONG: (errors.TooLong, "validTo"),
        Why.TOO_FAR: (errors.TooFarAhead, "validFrom"),
        Why.TOO_MANY: (errors.TooManyActive, None),
    },
)


def demand(by: Principal, action: Action, target: Target, unseen: errors.DomainError) -> None:
    """Refuse unless `by` may do that.

    Raises:
        DomainError: why not; `unseen` where the target must look like what does not exist.
    """
    match may(by, action, target):
        case Allowed():
            return
        case Denied(why, detail):
            kind, field = REFUSALS[why]
            raise unseen if kind is None else kind(detail, field=field)


def sees_on(by: Principal, evse: Evse) -> Callable[[TemporaryStatus], bool]:
    """Which temporary statuses on an EVSE there are for `by`."""
    return lambda one: isinstance(may(by, Action.SEE, On(evse, one)), Allowed)


def sees(by: Principal, action: Action) -> Callable[[Evse], bool]:
    """Which EVSEs there are for `by`: others are no candidates for what an EVSE ID may mean."""
    return lambda evse: isinstance(may(by, action, On(evse)), Allowed)
