"""A backlog told in bundles, some of which Hubject refuses because of single EVSEs in them."""

from typing import Any

import msgspec
import pytest

from app.domain.partner import Partner
from app.schedule import bundling
from app.store import partners
from tests.builders import stored
from tests.e2e.hubject import Fleet, fleet

SIZE = 200
UNKNOWN = ("DE*ABC*E17", "DE*ABC*E18", "DE*ABC*E140")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a backlog of two hundred took too long."""
    monkeypatch.setattr(bundling, "IN_TIME", 0.3)
    monkeypatch.setattr(bundling, "_REST", 0.1)


@pytest.mark.parametrize("named", ["as sent", "without separators", "none"])
async def test_an_evse_that_hubject_does_not_know_holds_back_no_other_whether_it_is_named_or_not(
    database_url: str, named: Any
) -> None:
    async with fleet(database_url, SIZE) as network:
        network.hub.behaviour = msgspec.structs.replace(network.hub.behaviour, names_missing=named)
        network.hub.known = {one for one in network.evse_ids if one not in UNKNOWN}
        await network.add_partner()

        await _tell_everything(network)
        await network.until(lambda: set(network.hub.shown) == network.hub.known)

        assert max(network.requests()) > 1
        await network.until(lambda: _parked(network))
        assert network.hub.wrong == []


async def test_those_without_a_record_are_inserted_whatever_is_in_a_bundle_with_them(database_url: str) -> None:
    async with fleet(database_url, SIZE) as network:
        network.hub.strict_update = True
        await network.add_partner()
        await _tell_everything(network)
        await network.until(lambda: len(network.hub.shown) == SIZE)
        for one in network.evse_ids[::3]:  # as somebody's full load may have left them out
            del network.hub.shown[one]

        await _tell_everything(network)

        await network.until(lambda: len(network.hub.shown) == SIZE)
        assert network.hub.wrong == []


async def _tell_everything(network: Fleet) -> None:
    service = network.service
    async with service.database.write() as connection:
        at = service.clock.now()
        await partners.change(connection, service.secrets, "hubject", Partner.told_anew, at, "test")
    service.dispatcher.partners_changed()
    service.reconciler.look()


async def _parked(network: Fleet) -> bool:
    """Whether those and only those are parked."""
    names = {row["id"]: row["evse_id"] for row in await stored(network.service.database, "evse")}
    rows = await stored(network.service.database, "delivery")
    return {names[row["evse"]] for row in rows if row["rejected_version"] is not None} == set(UNKNOWN)
