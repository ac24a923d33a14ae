"""What Hubject is shown: total tables, and a partner's own deviations from them."""

from collections.abc import Mapping
from typing import Final

import msgspec

from app.channels.oicp.wire import PUSHABLE, EvseStatus
from app.domain.errors import InvalidPartner
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from app.domain.total import total

# Kind and ActualStatus share words: `Kind.BLOCKED == ActualStatus.BLOCKED`, so one table for both would lose rows.
KIND: Final = total(
    Kind,
    {
        # Inside production but not open yet: OICP has no "planned", and drivers must not be sent there.
        Kind.COMMISSIONING: EvseStatus.OUT_OF_SERVICE,
        Kind.MAINTENANCE: EvseStatus.OUT_OF_SERVICE,
        # A car stands in the bay. OutOfService would reach EMPs as "broken".
        Kind.BLOCKED: EvseStatus.OCCUPIED,
        Kind.RESERVED: EvseStatus.RESERVED,
    },
)

# Hubject's printed OCPP table has the titles of its OCPI and OICP columns swapped; these are the right way round.
ACTUAL: Final = total(
    ActualStatus,
    {
        ActualStatus.AVAILABLE: EvseStatus.AVAILABLE,
        ActualStatus.CHARGING: EvseStatus.OCCUPIED,
        ActualStatus.BLOCKED: EvseStatus.OCCUPIED,
        ActualStatus.RESERVED: EvseStatus.RESERVED,
        # OICP cannot tell "not in use for now" from "broken".
        ActualStatus.INOPERATIVE: EvseStatus.OUT_OF_SERVICE,
        ActualStatus.OUTOFORDER: EvseStatus.OUT_OF_SERVICE,
        # Hubject's own table has no word for it; one that is in its EvseData must not look usable.
        ActualStatus.PLANNED: EvseStatus.OUT_OF_SERVICE,
        ActualStatus.UNKNOWN: EvseStatus.UNKNOWN,
    },
)


class Table(msgspec.Struct, frozen=True):
    """The two tables as they hold for one partner."""

    kind: Mapping[Kind, EvseStatus]
    actual: Mapping[ActualStatus, EvseStatus]

    def word(self, what: What) -> EvseStatus | None:
        """Say `what` in Hubject's word; `None` for what the gate withholds, which has none."""
        match what:
            case Kind():
                return self.kind[what]
            case ActualStatus():
                return self.actual[what]
            case Gate():
                return None


DEFAULT: Final = Table(KIND, ACTUAL)

#: How a partner's configuration names the rows: a temporary status by its word, an actual status behind `actual.`.
_KIND_KEYS: Final = {kind.value: kind for kind in Kind}
_ACTUAL_KEYS: Final = {f"actual.{status.value}": status for status in ActualStatus}


def table(overrides: Mapping[str, str]) -> Table:
    """Return the default tables with `overrides` laid over them, such as `{"BLOCKED": "OutOfService"}`.

    Raises:
        InvalidPartner: a key names no row, or its status is none that a CPO may push.
    """
    kind, actual = dict(KIND), dict(ACTUAL)
    for key, word in overrides.items():
        status = _pushable(key, word)
        if key in _KIND_KEYS:
            kind[_KIND_KEYS[key]] = status
        elif key in _ACTUAL_KEYS:
            actual[_ACTUAL_KEYS[key]] = status
        else:
            raise InvalidPartner(
                f"{key!r} is no status to be mapped; one of {', '.join([*_KIND_KEYS, *_ACTUAL_KEYS])}",
                field="configuration.mapping",
            )
    return Table(kind, actual)


def _pushable(key: str, word: str) -> EvseStatus:
    for status in PUSHABLE:
        if status == word:
            return status
    raise InvalidPartner(
        f"{word!r} cannot be shown at Hubject; one of {', '.join(PUSHABLE)}", field=f"configuration.mapping.{key}"
    )


def markdown() -> str:
    """Render both default tables for the README, with the key under which a partner can be given another status."""
    rows = [f"| temporary {key} | `{key}` | {KIND[kind]} |" for key, kind in _KIND_KEYS.items()]
    rows += [f"| actual {status} | `{key}` | {ACTUAL[status]} |" for key, status in _ACTUAL_KEYS.items()]
    return "\n".join(["| presented status | key in `mapping` | EvseStatus |", "|---|---|---|", *rows])
