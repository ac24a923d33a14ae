"""The channel takes each trouble of the simulated Hubject for what it is."""

from typing import get_args

import pytest

from app.channels.oicp.simulator import Hub, Trouble
from app.channels.outcomes import Delivered, NotSent, Refused, Rejected, Unknown
from app.domain.status import Kind
from tests.contract.oicp.conftest import Door
from tests.contract.oicp.samples import notice, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEANT: dict[Trouble, type] = {
    "500": Unknown,
    "009": Rejected,
    "017": Refused,
    "210": Refused,
    "300": Refused,
    "busy": NotSent,
    "429": NotSent,
    "403": Refused,
    "502": Unknown,
    "certificate": Refused,
    "garbage": Unknown,
    "cut": Unknown,
    "slow": Delivered,
    "huge": Unknown,
    "late": Unknown,
    "late-504": Unknown,
    "late-silent": Delivered,
}


async def test_every_trouble_has_a_meaning() -> None:
    assert set(MEANT) == set(get_args(Trouble))


@pytest.mark.parametrize(("trouble", "meant"), MEANT.items())
async def test_each_trouble_is_understood(door: Door, hub: Hub, trouble: Trouble, meant: type) -> None:
    hub.fault, hub.slow_by, hub.late_by = trouble, 0.05, 0.05

    async with opened(door.base_url, seconds=30) as connection:
        outcome = await connection.deliver(connection.translate(notice(Kind.BLOCKED)))

    assert isinstance(outcome, meant), outcome
    assert hub.wrong == []
