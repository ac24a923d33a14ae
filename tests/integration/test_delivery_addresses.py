"""Delivery when an EVSE changes its address, or when its EVSE ID goes to another one."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.channels.outcomes import Delivered, NotSent, Outcome, Rejected
from app.domain.status import DeploymentState
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.secrets import Secrets
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, imported, plan, register, stored
from tests.clock import FrozenClock
from tests.integration.scripted_channel import Rig, Said, ScriptedChannel
from tests.integration.test_delivery import channel, fleet, is_owed_nothing, rig, working

__all__ = ["channel", "rig"]


async def heir(rig: Rig) -> int:
    """Give the EVSE ID of a deprecated EVSE to a new one; return its key."""
    return (await rig.writer.run(Import(by=ADMIN, imported=imported(EVSE, uid="the-heir")))).evse.id


@pytest.mark.parametrize("by_evse_id", [True, False], ids=["known by EVSE ID", "known by uid"])
async def test_the_removal_of_an_evse_never_hides_the_one_that_has_its_evse_id_now(
    rig: Rig, channel: ScriptedChannel, clock: FrozenClock, by_evse_id: bool
):
    channel.knows_evse_ids_only = by_evse_id
    (old,) = await fleet(rig, 1)
    await rig.partner()
    await rig.until(is_owed_nothing(rig))

    def once_away(said: Said) -> Outcome:
        away = said.evse == old and sum(one.evse == old and one.status == said.status for one in channel.said) == 1
        return NotSent("too many requests") if away else Delivered()

    channel.answer = once_away
    await register(rig.writer, deployment=DeploymentState.DEPRECATED)
    await rig.catch_up()
    await rig.until(lambda: any(one.evse == old and one.status == "REMOVED" for one in channel.said))
    new = await heir(rig)
    await rig.catch_up()
    clock.advance(timedelta(hours=1))
    await rig.until(is_owed_nothing(rig))

    after = [(one.evse, one.status) for one in channel.delivered if one.evse == new or one.status == "REMOVED"]
    assert (new, "AVAILABLE") in after
    assert ((old, "REMOVED") in after) is not by_evse_id


async def test_an_evse_that_moves_to_another_location_is_told_anew(rig: Rig, channel: ScriptedChannel):
    (evse,) = await fleet(rig, 1)
    await rig.partner()
    await rig.until(is_owed_nothing(rig))
    before = len(channel.said)

    await register(rig.writer, location="ELSEWHERE")
    await rig.catch_up()
    await rig.until(lambda: len(channel.said) > before)

    assert channel.said[-1].evse == evse


async def test_what_is_found_out_here_says_nothing_about_how_the_partner_does(
    database: Database, clock: FrozenClock, writer: Writer, channel: ScriptedChannel
):
    async with working(database, clock, writer, channel) as rig:
        evses = await fleet(rig, 6)
        unsayable = set(evses[:3])
        channel.answer = lambda said: (
            Rejected("no location", retry_slowly=True, asked=False) if said.evse in unsayable else NotSent("away")
        )
        await rig.partner()
        await rig.until(lambda: any(one.evse not in unsayable for one in channel.said))
        await rig.quiet()

        (partner,) = await stored(database, "partner")
        assert partner["failures"] >= 1
        assert partner["hold_until"] > clock.now()
        assert sum(one.evse not in unsayable for one in channel.said) <= channel.lane.in_flight


async def test_secrets_of_one_partner_that_cannot_be_read_stop_nobody_else(rig: Rig, channel: ScriptedChannel):
    (evse,) = await fleet(rig, 1)
    await rig.partner("good")
    await rig.until(is_owed_nothing(rig, "good"))
    sealed = Secrets("A" * 43 + "=").seal({"token": "x"})
    table = metadata.tables["partner"]
    await rig.partner("odd")
    async with rig.database.write() as connection:
        odd = update(table).where(table.c.name == "odd").values(secrets=sealed, revision=table.c.revision + 1)
        await connection.execute(odd)
    rig.dispatcher.partners_changed()
    await asyncio.sleep(0)

    await plan(rig.writer)
    await rig.catch_up()
    await rig.until(lambda: channel.shown.get(("good", evse)) == "BLOCKED")
