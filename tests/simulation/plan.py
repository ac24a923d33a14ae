"""A seed's plan: what it is played with, what happens when, and how bad the network is.

Each seed leaves out about half of the kinds of trouble, and has a few bad moments around which the rest gathers: what
goes wrong, goes wrong where things meet.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final

import msgspec

from tests.simulation.ambushes import AMBUSHES, LONGEST_AMBUSH, Ambush
from tests.simulation.trouble import (
    Changed,
    Event,
    Fate,
    Forgotten,
    Frozen,
    Happening,
    Killed,
    Moved,
    Outage,
    Paused,
    Restored,
    Retranslated,
    Stepped,
)

LONG: Final = 240.0  #: seconds of trouble, at most
SHORT: Final = 90.0
MOST_EVSES: Final = 4

_HOUR: Final = timedelta(hours=1)
_DECADE: Final = timedelta(days=3652)
_TROUBLE: Final = [fate for fate in Fate if fate is not Fate.FINE]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a history that is not a throw of the dice under way."""

    seed: int
    longest: float  #: the seconds of trouble it was drawn for
    exclusive: bool  #: one request at a time for the whole partner
    embedded: bool  #: one process alone has the database, so a restart knows that no owner lives
    replicas: int
    evses: int
    in_flight: int
    lasts: float  #: seconds of trouble; then there is peace
    odds: dict[Fate, float]
    events: Sequence[Event]

    def without(self, kind: type[Happening]) -> "Plan":
        return msgspec.structs.replace(self, events=[one for one in self.events if not isinstance(one, kind)])

    def lines(self) -> list[str]:
        """Say it, for people."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        del fields["odds"], fields["events"]
        odds = ", ".join(f"{fate.name} {chance:.0%}" for fate, chance in self.odds.items())
        return [
            ", ".join(f"{name}={value}" for name, value in fields.items()),
            f"requests: {odds or 'all fine'}",
            *(f"{one.at:10.3f}  {one.said()}" for one in self.events),
        ]


def plan_of(seed: int, longest: float = LONG) -> Plan:
    """Draw the plan of `seed`."""
    dice = Random(f"plan {seed}")
    if dice.random() < 0.15:
        return ambush_of(seed, dice.choice(AMBUSHES), longest)
    exclusive = dice.random() < 0.5
    embedded = dice.random() < 0.2
    lasts = dice.uniform(longest / 4, longest)
    evses, replicas = dice.randint(1, MOST_EVSES), 1 if embedded else dice.choice([1, 2, 2, 3])
    return Plan(
        seed=seed,
        longest=longest,
        exclusive=exclusive,
        embedded=embedded,
        replicas=replicas,
        evses=evses,
        in_flight=1 if exclusive else dice.choice([1, 2, 4]),
        lasts=lasts,
        odds={fate: dice.uniform(0.01, 0.2) for fate in _TROUBLE if dice.random() < 0.35},
        events=_in_order(_Draft(dice, lasts, evses, replicas).events(), lasts),
    )


def ambush_of(seed: int, ambush: Ambush, longest: float = LONG) -> Plan:
    """Draw a plan of nothing but `ambush`: whatever happened beside it would put right what it did."""
    dice = Random(f"ambush {seed}")
    at = dice.uniform(0, max(longest - LONGEST_AMBUSH, 10))
    exclusive = dice.random() < 0.5
    return Plan(
        seed=seed,
        longest=longest,
        exclusive=exclusive,
        embedded=False,
        replicas=2,
        evses=1,
        in_flight=1 if exclusive else 2,
        lasts=longest,
        odds={},
        events=_in_order(ambush(dice, at), longest),
    )


def _in_order(events: Iterator[Event], until: float) -> list[Event]:
    return sorted((one for one in events if one.at <= until), key=lambda one: one.at)


class _Draft:
    """Draws events of every kind."""

    def __init__(self, dice: Random, lasts: float, evses: int, replicas: int) -> None:
        self._dice = dice
        self._lasts = lasts
        self._evses = evses
        self._replicas = replicas
        self._moments = [dice.uniform(0, lasts) for _ in range(dice.randint(1, 3))]

    def events(self) -> Iterator[Event]:
        yield from self._changes()
        for kind in (self._reconfigured, self._forgotten, self._stepped, self._killed, self._frozen, self._outages):
            if self._dice.random() < 0.45:
                yield from kind()

    def _when(self) -> float:
        if self._dice.random() < 0.6:
            moment = self._dice.choice(self._moments)
            return min(
                max(moment + self._dice.choice([0.03, 0.3, 3.0, 30.0]) * self._dice.uniform(-1, 1), 0), self._lasts
            )
        return self._dice.uniform(0, self._lasts)

    def _soon_after(self, at: float) -> float:
        return min(at + self._dice.choice([0.02, 0.5, 10.0, 60.0]) * self._dice.random(), self._lasts)

    def _changes(self) -> Iterator[Event]:
        statuses = self._dice.choice([["FREE", "BUSY"], ["FREE", "BUSY", "BROKEN"]])
        # After the last of them a long wait may follow, for the wrong one to turn up.
        last = self._dice.uniform(self._lasts / 4, self._lasts)
        for _ in range(self._dice.randint(1, 6) * self._dice.randint(1, 6)):
            at, evse = min(self._when(), last), self._dice.randint(1, self._evses)
            yield Changed(at=at, evse=evse, status=self._dice.choice(statuses))
            if self._dice.random() < 0.2:
                # And back: often what the partner has already.
                yield Changed(at=self._soon_after(at), evse=evse, status=self._dice.choice(statuses))

    def _reconfigured(self) -> Iterator[Event]:
        for _ in range(self._dice.randint(1, 3)):
            kind = self._dice.choice([Moved, Retranslated, Restored, None])
            yield Paused(at=self._when(), lasts=self._dice.uniform(0, 60)) if kind is None else kind(at=self._when())

    def _forgotten(self) -> Iterator[Event]:
        for _ in range(self._dice.randint(1, 3)):
            at, evse = self._when(), self._dice.randint(1, self._evses)
            yield Forgotten(at=at, evse=evse)
            if self._dice.random() < 0.5:
                yield Forgotten(at=self._soon_after(at), evse=evse)

    def _stepped(self) -> Iterator[Event]:
        for by in self._dice.sample([_HOUR, -_HOUR, _DECADE], self._dice.randint(1, 2)):
            at = self._when()
            yield Stepped(at=at, by=by)
            if self._dice.random() < 0.7:
                yield Stepped(at=self._soon_after(at), by=-by)

    def _killed(self) -> Iterator[Event]:
        for _ in range(self._dice.randint(1, 4)):
            yield Killed(**self._aimed(), down=self._dice.choice([0.5, 10.0, 60.0]))

    def _frozen(self) -> Iterator[Event]:
        for _ in range(self._dice.randint(1, 3)):
            yield Frozen(**self._aimed(), lasts=self._dice.uniform(1, self._dice.choice([30, 90, 200])))

    def _outages(self) -> Iterator[Event]:
        for _ in range(self._dice.randint(1, 2)):
            lasts = self._dice.uniform(2, self._lasts / 3)
            yield Outage(at=self._when(), lasts=lasts, fate=self._dice.choice(_TROUBLE))

    def _aimed(self) -> dict[str, Any]:
        upon = self._dice.choice(["", "claims", "sends", "hears", "settles", "owes"])
        waits = self._dice.randint(1, 2 if upon else 12)
        return {"at": self._when(), "replica": self._dice.randrange(self._replicas), "waits": waits, "upon": upon}
