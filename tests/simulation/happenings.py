"""Plays the events of a plan: what they do to EVSEs, partner, clock and replicas."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from app.domain.partner import Partner
from tests.simulation.memory import PARTNER
from tests.simulation.trouble import (
    Changed,
    Event,
    Forgotten,
    Frozen,
    Killed,
    Moved,
    Outage,
    Paused,
    Restored,
    Retranslated,
    Stepped,
)

if TYPE_CHECKING:
    from tests.simulation.history import History


async def happens(event: Event, world: "History") -> None:
    match event:
        case Changed(evse=evse, status=status):
            world.evses.change(evse, status)
            world.touched()
        case Stepped(by=by):
            world.clock.step(by)
            world.look_at_everything()
        case Killed(replica=number, down=down):
            _strike(world, event, lambda: _kill(world, number, down))
        case Frozen(replica=number, lasts=lasts):
            _strike(world, event, lambda: _freeze(world, number, lasts))
        case Outage(lasts=lasts, fate=fate):
            world.network.outage = fate
            world.time.start(_over(world), after=lasts)
        case _:
            await _at_the_partner(event, world)


async def _at_the_partner(event: Moved | Retranslated | Restored | Paused | Forgotten, world: "History") -> None:
    match event:
        case Moved():
            await _reconfigure(world, address=1)
        case Retranslated():
            await _reconfigure(world, table=1)
        case Restored():
            world.receivers.forget(world.evses.truth)
            await _reconfigure(world)
        case Paused(lasts=lasts):
            await _pause(world, paused=True)
            world.time.start(_pause(world, paused=False), after=lasts)
        case Forgotten(evse=evse):
            world.receivers.forget([evse])
            await _ask_again(world, evse)
        case _:
            assert_never(event)


async def somebody_looks(world: "History") -> None:
    """What the partner said no to is asked for anew, by somebody who has mended it there."""
    for row in await world.store.rows(world.evses.truth):
        if row.next_at is None and row.rejected_version == world.evses.shown[row.evse].version:
            world.tells("!", "somebody asks for it", evse=row.evse)
            await _ask_again(world, row.evse)


async def _reconfigure(world: "History", **risen: int) -> None:
    def decide(old: Partner) -> Partner:
        configuration: dict[str, Any] = {name: value + risen.get(name, 0) for name, value in old.configuration.items()}
        return msgspec.structs.replace(old, configuration=configuration, generation=old.generation + 1)

    await _change(world, decide)
    world.evses.unintroduced = True
    world.touched()


async def _pause(world: "History", *, paused: bool) -> None:
    await _change(world, lambda old: msgspec.structs.replace(old, paused=paused))


async def _change(world: "History", decide: Callable[[Partner], Partner]) -> None:
    store = world.store
    async with store.transactions.write() as connection:
        await store.partners.change(connection, store.secrets, PARTNER.name, decide, world.clock.now(), "test")
    world.partner_changed()


async def _ask_again(world: "History", evse: int) -> None:
    store = world.store
    async with store.transactions.write() as connection:
        partner = await store.the_partner(connection)
        await store.partners.resend(connection, partner, evse, world.clock.now())
    world.promised()


def _strike(world: "History", event: Killed | Frozen, blow: Callable[[], None]) -> None:
    if (replica := world.replicas.get(event.replica)) is not None:
        replica.life.strike(blow, event.waits, event.upon)


def _kill(world: "History", number: int, down: float) -> None:
    replica = world.replicas.pop(number)
    world.tells(replica.name, "dies")
    world.time.end(replica.life)
    world.judge.dies(replica.life)
    world.time.start(_born(world, number), after=down)
    _after_its_leases(world)


def _freeze(world: "History", number: int, lasts: float) -> None:
    life = world.replicas[number].life
    life.frozen_until = min([world.time.now + lasts, *life.to_write])
    world.tells(world.replicas[number].name, "freezes", until=life.frozen_until)
    _after_its_leases(world)


def _after_its_leases(world: "History") -> None:
    world.time.start(_look(world), after=world.rules.limits.lease.total_seconds())


async def _look(world: "History") -> None:
    world.look_at_everything()


async def _born(world: "History", number: int) -> None:
    world.born(number)


async def _over(world: "History") -> None:
    world.network.outage = None
