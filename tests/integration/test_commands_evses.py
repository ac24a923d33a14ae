"""Registering EVSEs: defaults on creation only, and names that never change."""

from typing import Any

import pytest
from msgspec import UNSET

from app.domain.errors import AmbiguousEvse, EvseConflict, EvseNotFound
from app.domain.evse import PublishedEvse
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import DeploymentState
from app.store.commands.evses import Register, Registered
from app.store.commands.importing import Import
from app.store.database import Database
from app.store.due import AT_ONCE
from app.store.writer import Writer
from tests.builders import ADMIN, EVSE, MINUTE, imported, marked, register, settled, stored
from tests.clock import START, FrozenClock


async def say(writer: Writer, evse_id: str = EVSE, **what: Any) -> Registered:
    return await writer.run(Register(by=ADMIN, evse_id=parse_evse_id(evse_id), **what))


async def take_in(writer: Writer, one: PublishedEvse, deployment: DeploymentState | None = None) -> Registered:
    return await writer.run(Import(by=ADMIN, imported=one, deployment=deployment))


async def test_a_new_evse_is_in_stock_and_its_rest_follows_from_its_id(database: Database, writer: Writer) -> None:
    answer = await say(writer, "de*abc*E1234*1")
    assert answer.created
    (row,) = await stored(database, "evse")
    assert row == {
        "id": answer.evse.id,
        "country": "DE",
        "party": "ABC",
        "uid": "DE-ABC-E1234-1",
        "evse_id": "de*abc*E1234*1",
        "evse_id_key": "DEABCE12341",
        "operator": "DEABC",
        "location": None,
        "deployment_state": "STOCK",
        "actual_status": "UNKNOWN",
        "reported_status": None,
        "observed_at": None,
        "ocpi_object": None,
        "ocpi_version": None,
        "object_changed_at": None,
        "created_by": "backend",
        "created_at": START,
        "updated_at": START,
    }


async def test_a_new_evse_shows_nothing_yet_and_is_looked_at_at_once(database: Database, writer: Writer) -> None:
    evse = await register(writer)
    (row,) = await stored(database, "presented")
    assert (row["evse"], row["what"], row["version"], row["recheck_at"]) == (evse.id, "gate:WITHHELD", 0, AT_ONCE)


async def test_a_new_evse_takes_what_is_said_of_it(writer: Writer) -> None:
    answer = await say(
        writer, deployment=DeploymentState.PRODUCTION, location="LOC1", country="NL", party="XYZ", uid="3256"
    )
    one = answer.evse
    assert (one.deployment, one.location) == (DeploymentState.PRODUCTION, "LOC1")
    assert (one.country, one.party, one.uid, one.operator) == ("NL", "XYZ", "3256", "DEABC")


async def test_what_is_left_out_later_stays(writer: Writer, clock: FrozenClock) -> None:
    first = (await say(writer, deployment=DeploymentState.PRODUCTION, location="LOC1", uid="3256")).evse
    clock.advance(MINUTE)
    answer = await say(writer, location="LOC2")
    assert not answer.created
    assert (answer.evse.deployment, answer.evse.location, answer.evse.uid) == (
        DeploymentState.PRODUCTION,
        "LOC2",
        "3256",
    )
    assert (answer.evse.created_at, answer.evse.updated_at) == (START, START + MINUTE)
    assert answer.evse.id == first.id
    assert (await say(writer, deployment=DeploymentState.STOCK)).evse.location == "LOC2"


async def test_a_location_of_none_takes_it_away(writer: Writer) -> None:
    await say(writer, location="LOC1")
    assert (await say(writer, location=None)).evse.location is None


async def test_the_same_again_changes_nothing(database: Database, writer: Writer, clock: FrozenClock) -> None:
    first = await say(writer, location="LOC1", uid="3256")
    await settled(database)
    audited = await stored(database, "audit")
    clock.advance(MINUTE)
    again = await say(writer, location="LOC1", uid="3256", country="DE", party="ABC")
    assert again == Registered(first.evse, created=False)
    assert await marked(database) == []
    assert await stored(database, "audit") == audited


async def test_what_changes_is_looked_at_at_once(database: Database, writer: Writer) -> None:
    evse, _ = await register(writer), await register(writer, "DE*ABC*E2")
    await settled(database)
    await say(writer, deployment=DeploymentState.DEPRECATED)
    assert await marked(database) == [evse.id]


@pytest.mark.parametrize("written", ["DEABCE12341", "deabce12341", "de*abc*e1234*1"])
async def test_another_form_of_its_id_names_the_same_evse_and_does_not_rename_it(
    database: Database, writer: Writer, written: str
) -> None:
    await say(writer, "DE*ABC*E1234*1")
    answer = await say(writer, written, location="LOC1")
    assert not answer.created
    assert answer.evse.evse_id == "DE*ABC*E1234*1"
    assert len(await stored(database, "evse")) == 1


@pytest.mark.parametrize(
    ("what", "field"), [({"uid": "4711"}, "uid"), ({"country": "NL"}, "countryCode"), ({"party": "XYZ"}, "partyId")]
)
async def test_what_names_it_in_ocpi_never_changes(
    database: Database, writer: Writer, what: dict[str, str], field: str
) -> None:
    await say(writer, uid="3256")
    before = await stored(database, "evse")
    with pytest.raises(EvseConflict) as refused:
        await say(writer, location="LOC1", **what)
    assert refused.value.field == field
    assert await stored(database, "evse") == before


async def test_a_uid_that_is_taken_is_refused(database: Database, writer: Writer) -> None:
    await say(writer, uid="3256")
    with pytest.raises(EvseConflict, match=r"DE\*ABC\*E1") as refused:
        await say(writer, "DE*ABC*E2", uid="3256")
    assert refused.value.field == "uid"
    assert len(await stored(database, "evse")) == 1
    assert (await say(writer, "DE*XYZ*E2", uid="3256")).created  # another party's own


async def test_different_chargers_whose_ids_differ_only_in_their_separators(writer: Writer) -> None:
    first, second = await say(writer, "DE*ABC*E1*23"), await say(writer, "DE*ABC*E12*3")
    assert first.created
    assert second.created
    assert first.evse.id != second.evse.id
    assert (await say(writer, "DE*ABC*E12*3", location="LOC1")).evse.id == second.evse.id
    with pytest.raises(AmbiguousEvse) as refused:
        await say(writer, "DEABCE123", location="LOC2")
    assert refused.value.field == "evseId"


async def test_a_separated_form_is_not_taken_for_a_registered_one_without(writer: Writer) -> None:
    await say(writer, "DEABCE123", uid="a")
    assert (await say(writer, "DE*ABC*E12*3", uid="b")).created


async def test_din_ids_are_registered_too(writer: Writer) -> None:
    one = (await say(writer, "+49*810*000*438")).evse
    assert (one.operator, one.country, one.party) == ("49*810", "49", "810")
    assert (await say(writer, "49*810*000*438", location="LOC1")).evse.id == one.id
    assert (await say(writer, "+49*810*0004*38", uid="other")).created


async def test_an_evse_back_from_the_scrapyard_is_the_same_evse(writer: Writer) -> None:
    first = await register(writer, deployment=DeploymentState.DEPRECATED)
    again = await say(writer, deployment=DeploymentState.PRODUCTION)
    assert not again.created
    assert again.evse.id == first.id


async def test_a_replacement_may_take_the_id_of_a_deprecated_evse(writer: Writer) -> None:
    old = (await take_in(writer, imported(uid="old"))).evse
    await say(writer, deployment=DeploymentState.DEPRECATED)
    new = (await take_in(writer, imported(uid="new"))).evse
    assert new.id != old.id
    assert new.deployment is DeploymentState.PRODUCTION
    assert (await say(writer, location="LOC2")).evse.id == new.id


async def test_a_deprecated_evse_does_not_come_back_beside_its_replacement(database: Database, writer: Writer) -> None:
    await take_in(writer, imported(uid="old"))
    await say(writer, deployment=DeploymentState.DEPRECATED)
    await take_in(writer, imported(uid="new"))
    before = await stored(database, "evse")
    with pytest.raises(EvseConflict, match="uid new") as refused:
        await take_in(writer, imported(uid="old"), DeploymentState.PRODUCTION)
    assert refused.value.field == "evseId"
    assert await stored(database, "evse") == before


async def test_deployment_states_of_new_evses_are_as_asked(writer: Writer) -> None:
    assert (await register(writer, deployment=UNSET)).deployment is DeploymentState.STOCK
    for number, state in enumerate(DeploymentState, 2):
        assert (await register(writer, f"DE*ABC*E{number}", deployment=state)).deployment is state


async def test_an_evse_id_that_an_unseen_evse_has_is_refused_without_saying_which(
    database: Database, writer: Writer
) -> None:
    await register(writer, location="LOC2", uid="secret")
    scope = Scope(sites=(("DE", "ABC", "LOC1"),))
    by = Principal("of-one-site", Role.ADMIN, Rights(scope=scope))
    before = await stored(database, "evse")
    for uid, said in (
        ("mine", "DE*ABC*E1 is registered already, under another uid"),
        ("secret", "uid secret is in use"),
    ):
        with pytest.raises(EvseConflict) as refusal:
            await writer.run(Register(by=by, evse_id=parse_evse_id(EVSE), location="LOC1", uid=uid))
        assert str(refusal.value) == said
    # Where it is not good for, everything looks as if it were not there.
    for evse_id in (EVSE, "DE*ABC*E9"):
        with pytest.raises(EvseNotFound) as unseen:
            await writer.run(Register(by=by, evse_id=parse_evse_id(evse_id), location="LOC2", uid="mine"))
        assert str(unseen.value) == f"no EVSE {evse_id} is registered"
    assert await stored(database, "evse") == before


async def test_an_evse_cannot_be_moved_out_of_what_the_key_is_good_for(database: Database, writer: Writer) -> None:
    await register(writer, location="LOC1")
    by = Principal("of-one-site", Role.ADMIN, Rights(scope=Scope(sites=(("DE", "ABC", "LOC1"),))))
    before = await stored(database, "evse")
    with pytest.raises(EvseNotFound):
        await writer.run(Register(by=by, evse_id=parse_evse_id(EVSE), location="LOC2"))
    assert await stored(database, "evse") == before
