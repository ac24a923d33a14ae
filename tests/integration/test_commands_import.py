"""Taking EVSEs in from a backend: what is known stays, what is missing is filled in."""

from typing import Any

import pytest

from app.domain.errors import EvseConflict, MalformedValue
from app.domain.evse import PublishedEvse
from app.domain.evse_id import parse_evse_id
from app.domain.status import ActualStatus, DeploymentState
from app.store.commands.evses import Register, Registered
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, HOUR, MINUTE, imported, marked, register, report, settled, stored
from tests.clock import START, FrozenClock


async def say(writer: Writer, evse_id: str = EVSE, **what: Any) -> Registered:
    return await writer.run(Register(by=ADMIN, evse_id=parse_evse_id(evse_id), **what))


async def take_in(writer: Writer, one: PublishedEvse, deployment: DeploymentState | None = None) -> Registered:
    return await writer.run(Import(by=ADMIN, imported=one, deployment=deployment))


async def test_what_a_backend_publishes_goes_into_production(database: Database, writer: Writer) -> None:
    answer = await take_in(writer, imported(status="CHARGING", observed_at=START - HOUR))
    one = answer.evse
    assert answer.created
    assert one.deployment is DeploymentState.PRODUCTION
    assert (one.actual_status, one.reported, one.observed_at) == (ActualStatus.CHARGING, "CHARGING", START - HOUR)
    assert (one.evse_id, one.operator, one.uid, one.location) == (EVSE, "DEABC", "3256", "LOC1")
    assert (await stored(database, "evse"))[0]["ocpi_object"] == {"uid": "3256", "evse_id": EVSE}
    assert await marked(database) == [one.id]


async def test_what_it_does_not_publish_goes_into_stock(writer: Writer) -> None:
    assert (await take_in(writer, imported(published=False))).evse.deployment is DeploymentState.STOCK


async def test_what_it_says_is_gone_is_deprecated_and_has_no_actual_status(writer: Writer) -> None:
    one = (await take_in(writer, imported(status="REMOVED"))).evse
    assert one.deployment is DeploymentState.DEPRECATED
    assert (one.actual_status, one.reported) == (ActualStatus.UNKNOWN, None)


async def test_a_deployment_state_may_be_asked_for(writer: Writer) -> None:
    answer = await take_in(writer, imported(published=False), DeploymentState.PRODUCTION)
    assert answer.evse.deployment is DeploymentState.PRODUCTION


@pytest.mark.parametrize("state", list(DeploymentState))
async def test_a_known_evse_keeps_its_deployment_state(writer: Writer, state: DeploymentState) -> None:
    await take_in(writer, imported())
    await say(writer, deployment=state)
    for different in ({"published": False}, {"published": True}, {"status": "REMOVED"}):
        answer = await take_in(writer, imported(**different))
        assert not answer.created
        assert answer.evse.deployment is state


async def test_a_known_evse_changes_its_deployment_state_when_told_to(writer: Writer) -> None:
    await take_in(writer, imported())
    assert (await take_in(writer, imported(), DeploymentState.STOCK)).evse.deployment is DeploymentState.STOCK


async def test_the_actual_status_is_taken_only_where_none_is_stored(writer: Writer) -> None:
    await register(writer)
    await report(writer, "Charging", observed_at=START - HOUR)
    one = (await take_in(writer, imported(status="AVAILABLE", observed_at=START))).evse
    assert (one.actual_status, one.reported, one.observed_at) == (ActualStatus.CHARGING, "Charging", START - HOUR)
    silent = await register(writer, "DE*ABC*E2")
    heard = (await take_in(writer, imported("DE*ABC*E2", uid="3257", status="BLOCKED"))).evse
    assert heard.id == silent.id
    assert heard.actual_status is ActualStatus.BLOCKED


async def test_a_reported_unknown_is_an_actual_status_too(writer: Writer) -> None:
    await register(writer)
    await report(writer, "UNKNOWN")
    assert (await take_in(writer, imported(status="AVAILABLE"))).evse.actual_status is ActualStatus.UNKNOWN


async def test_what_was_registered_by_hand_is_adopted(database: Database, writer: Writer) -> None:
    by_hand = await register(writer, deployment=DeploymentState.STOCK)
    answer = await take_in(writer, imported(uid="3256", country="NL", party="XYZ"))
    assert not answer.created
    assert answer.evse.id == by_hand.id
    assert (answer.evse.country, answer.evse.party, answer.evse.uid) == ("NL", "XYZ", "3256")
    assert answer.evse.deployment is DeploymentState.STOCK
    assert len(await stored(database, "evse")) == 1


async def test_what_another_backend_publishes_is_not_adopted(database: Database, writer: Writer) -> None:
    await take_in(writer, imported(uid="3256"))
    before = await stored(database, "evse")
    with pytest.raises(EvseConflict, match="uid 3256") as refused:
        await take_in(writer, imported(uid="4711"))
    assert refused.value.field == "evseId"
    assert await stored(database, "evse") == before


async def test_what_another_backend_publishes_is_not_adopted_whatever_its_uid(writer: Writer) -> None:
    first = (await take_in(writer, imported(uid="DEABCE1"))).evse
    with pytest.raises(EvseConflict, match="uid DEABCE1"):
        await take_in(writer, imported(uid="4711"))
    assert (await take_in(writer, imported(uid="DEABCE1", location="LOC2"))).evse.id == first.id


async def test_an_evse_without_evse_id_is_kept(writer: Writer) -> None:
    first = (await take_in(writer, imported(None, uid="a"))).evse
    second = (await take_in(writer, imported(None, uid="b", country="nl", party="xyz"))).evse
    assert (first.evse_id, first.key, first.operator) == (None, None, "DEABC")
    assert second.operator == "NLXYZ"
    named = (await take_in(writer, imported(EVSE, uid="a"))).evse
    assert named.id == first.id
    assert (named.evse_id, named.key) == (EVSE, "DEABCE1")


async def test_an_evse_id_that_partners_know_does_not_change_under_its_uid(writer: Writer) -> None:
    await take_in(writer, imported("DE*ABC*E1"))
    with pytest.raises(EvseConflict, match="uid of its own"):
        await take_in(writer, imported("DE*ABC*E2"))
    assert not (await take_in(writer, imported("de*abc*E1"))).created


async def test_an_evse_id_that_was_missing_is_taken_in(writer: Writer) -> None:
    await take_in(writer, imported(None))
    assert (await take_in(writer, imported("DE*ABC*E2"))).evse.evse_id == "DE*ABC*E2"


async def test_a_charger_registered_by_hand_is_not_taken_for_another_whose_separators_differ(writer: Writer) -> None:
    by_hand = (await say(writer, "DE*ABC*E1*23")).evse
    assert (await take_in(writer, imported("DE*ABC*E123"))).evse.id != by_hand.id


async def test_importing_the_same_again_changes_nothing(database: Database, writer: Writer, clock: FrozenClock) -> None:
    first = (await take_in(writer, imported())).evse
    await settled(database)
    clock.advance(MINUTE)
    assert await take_in(writer, imported()) == Registered(first, created=False)
    assert await marked(database) == []
    assert await stored(database, "evse") == [{**row, "updated_at": START} for row in await stored(database, "evse")]


async def test_a_new_ocpi_object_is_taken_over(database: Database, writer: Writer, clock: FrozenClock) -> None:
    await take_in(writer, imported())
    clock.advance(MINUTE)
    answer = await take_in(writer, imported(location="LOC2", ocpi_object={"uid": "3256", "floor_level": "-1"}))
    assert answer.evse.location == "LOC2"
    (row,) = await stored(database, "evse")
    assert row["ocpi_object"] == {"uid": "3256", "floor_level": "-1"}
    assert row["updated_at"] == START + MINUTE


async def test_a_status_that_nobody_knows_is_refused_and_writes_nothing(database: Database, writer: Writer) -> None:
    with pytest.raises(MalformedValue, match="AVAILABLE"):
        await take_in(writer, imported(status="SLEEPING"))
    assert await stored(database, "evse") == []
