"""A location is told once also where that takes longer than the requests beside it."""

import asyncio
from typing import Any

from app.channels.ocpi.addressing import location_url
from app.channels.outcomes import Apart
from app.channels.transport import Answer
from tests.contract.ocpi.given import connected
from tests.contract.ocpi.test_whole_evses import IMPORTED, imported

BASE = "https://emsp.example/l"


class SlowToTakeLocations:
    """A PUT of a location is applied after 0.3 s, and with it go the EVSEs there; anything else takes 0.05 s."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.known = False
        self.evses: set[str] = set()
        self.said: list[tuple[str, str]] = []

    async def send(self, method: str, url: str, *, headers: Any, body: bytes) -> Answer:  # noqa: ARG002
        self.said.append((method, url.rsplit("/", 1)[-1]))
        await asyncio.sleep(0.3 if url == self.at else 0.05)
        if url == self.at:
            self.known, self.evses = True, set()
        elif not self.known or (method == "PATCH" and url not in self.evses):
            return Answer(404, {}, b"")
        else:
            self.evses.add(url)
        return Answer(200, {}, b'{"status_code":1000}')

    async def close(self) -> None: ...


async def test_a_location_that_is_slow_to_be_taken_is_not_told_again() -> None:
    notices = [imported(uid=f"{n}", ocpi_object={**IMPORTED, "uid": f"{n}"}) for n in range(3)]
    partner = SlowToTakeLocations(location_url(BASE, notices[0].evse))
    async with connected(BASE) as connection:
        connection._transport = partner  # type: ignore[assignment]

        async def until_said(notice: Any) -> None:
            while isinstance(await connection.deliver(connection.translate(notice)), Apart):  # noqa: ASYNC110 - a lane does
                await asyncio.sleep(0.005)

        await asyncio.gather(*map(until_said, notices))
    puts = [what for what in partner.said if what == ("PUT", "XPO-LARKENAU")]
    assert len(puts) == 1, partner.said
