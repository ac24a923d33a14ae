"""A partner: one receiver of presented statuses, and which EVSEs it gets."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import msgspec

from app.domain.evse import EvseCore
from app.domain.evse_id import operator_key

#: How a partner may be called: it stands in URLs. `$` alone would forgive a line break at the end.
NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)"


class Audience(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which EVSEs a partner gets: those of these operators, at these locations; an empty list asks nothing.

    Operators are written as in EVSE IDs: `DE*ABC`, `DEABC` or DIN's `+49*810`.
    """

    operators: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()

    def includes(self, evse: EvseCore) -> bool:
        if self.operators and evse.operator not in _keys_of(self.operators):
            return False
        return not self.locations or evse.location in self.locations


@lru_cache(maxsize=1024)  # asked for each EVSE, and there are as many answers as partners
def _keys_of(operators: tuple[str, ...]) -> frozenset[str]:
    return frozenset(operator_key(one) for one in operators)


class Standing(StrEnum):
    """How a partner and we get on."""

    GOOD = "good"
    FAILING = "failing"  #: it cannot be reached, or its answers are lost: tried again, ever more rarely
    REFUSING = "refusing"  #: it wants nothing of ours, as a key, a certificate or a contract is wrong: to be mended
    PAUSED = "paused"  #: by somebody here


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """One receiver. `configuration` and `secrets` are its channel's own; `revision` counts every change.

    `generation` rises when everything must be told again; `introduced` is the one that every EVSE was looked at for.
    `failures` in a row hold the partner back until `hold_until` (UTC); `failed_at` is when the last of them was
    counted, `refused` tells that it was the partner who wants nothing of ours.
    """

    id: int
    name: str
    channel: str
    configuration: dict[str, Any]
    secrets: dict[str, Any] = {}
    audience: Audience = Audience()
    tells_fleet: bool = False  #: whether a new partner is told of EVSEs that were there before it
    gets_schedule: bool = False  #: whether it is told of planned temporary statuses in advance
    exclusive: str | None = None  #: what only one partner may serve, such as an operator at one Hubject
    caller: str | None = None  #: the digest of the token with which it may ask us
    generation: int = 1
    introduced: int = 0
    revision: int = 1
    paused: bool = False
    failures: int = 0
    refused: bool = False
    failed_at: datetime | None = None
    hold_until: datetime | None = None
    last_error: str | None = None
    last_success_at: datetime | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def standing(self) -> Standing:
        if self.paused:
            return Standing.PAUSED
        if not self.failures:
            return Standing.GOOD
        return Standing.REFUSING if self.refused else Standing.FAILING

    def tried_now(self) -> "Partner":
        """Return it with its failures forgiven: somebody has mended something."""
        return msgspec.structs.replace(self, failures=0, refused=False, failed_at=None, hold_until=None)

    def told_anew(self) -> "Partner":
        """Return it as one that is owed everything again, whatever it acknowledged."""
        return msgspec.structs.replace(self, generation=self.generation + 1)

    def __repr__(self) -> str:
        return f"Partner({self.name!r}, {self.channel!r})"  # never its secrets: this ends up in logs

    def with_secrets(self) -> "Partner":
        """Return it with the secrets in their places in the configuration, as a channel wants it to connect."""
        return msgspec.structs.replace(self, configuration={**self.configuration, **self.secrets})
