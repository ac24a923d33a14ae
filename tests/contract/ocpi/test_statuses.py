"""Every presented status, from our word to what an eMSP's drivers see."""

import pytest

from app.channels.ocpi.channel import OcpiChannel
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.simulator import Emsp
from app.channels.outcomes import Delivered
from app.demo.listening import listening
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.ocpi.given import TOKEN, StoppedClock, connected, told

HERE = "XPO-LARKENAU/1001-1"

#: Written out once more, by hand, from the design: the tables must not be checked against themselves.
EXPECTED: list[tuple[What, str]] = [
    (Kind.COMMISSIONING, "PLANNED"),
    (Kind.MAINTENANCE, "INOPERATIVE"),
    (Kind.BLOCKED, "BLOCKED"),
    (Kind.RESERVED, "RESERVED"),
    (ActualStatus.AVAILABLE, "AVAILABLE"),
    (ActualStatus.CHARGING, "CHARGING"),
    (ActualStatus.BLOCKED, "BLOCKED"),
    (ActualStatus.RESERVED, "RESERVED"),
    (ActualStatus.INOPERATIVE, "INOPERATIVE"),
    (ActualStatus.OUTOFORDER, "OUTOFORDER"),
    (ActualStatus.PLANNED, "PLANNED"),
    (ActualStatus.UNKNOWN, "UNKNOWN"),
    (Gate.REMOVED, "REMOVED"),
    (Gate.WITHHELD, "REMOVED"),
]


@pytest.mark.parametrize("version", RELEASES)
async def test_every_row_of_the_tables_arrives_as_it_is_written(version: str) -> None:
    assert len(EXPECTED) == len(Kind) + len(ActualStatus) + len(Gate)
    emsp = Emsp(StoppedClock(), TOKEN, version=version)
    async with listening(emsp.app) as base, connected(emsp.url(base), version=version) as connection:
        for number, (what, status) in enumerate(EXPECTED, start=1):
            assert isinstance(await told(connection, what, number), Delivered)
            assert emsp.shown == {HERE: status}, what
    assert [one.status for one in emsp.received] == [status for _, status in EXPECTED]
    assert emsp.wrong == []


async def test_a_partner_hears_its_own_words_and_they_do_not_leak_into_equal_names() -> None:
    emsp = Emsp(StoppedClock(), TOKEN)
    own = {"BLOCKED": "INOPERATIVE", "actual.RESERVED": "CHARGING"}
    equal_names: list[What] = [Kind.BLOCKED, ActualStatus.BLOCKED, Kind.RESERVED, ActualStatus.RESERVED]
    async with listening(emsp.app) as base, connected(emsp.url(base), mapping=own) as connection:
        for version, what in enumerate(equal_names):
            await told(connection, what, version)
    assert [one.status for one in emsp.received] == ["INOPERATIVE", "BLOCKED", "RESERVED", "CHARGING"]


@pytest.mark.parametrize(("what", "status"), EXPECTED[:-1])
def test_the_channel_shows_what_it_tells(what: What, status: str) -> None:
    assert OcpiChannel().shows(what) == status


def test_the_channel_shows_nothing_of_what_is_withheld() -> None:
    assert OcpiChannel().shows(Gate.WITHHELD) is None
