"""A partner that cannot take a location is left in peace like any other that fails."""

from datetime import timedelta
from typing import Any

from app.channels.transport import Answer
from app.domain.location import PublishedLocation
from app.store.commands.importing import Import, ImportLocation
from app.store.database import Database
from app.store.writer import Writer
from tests.builders import ADMIN, imported
from tests.clock import FrozenClock
from tests.integration.keeping_partner import CONFIGURATION, OBJECT, Channel, Keeping
from tests.integration.scripted_channel import Rig

PLACE = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "LOC1",
    "publish": True,
    "address": "Market square 1",
    "city": "Berlin",
    "country": "DEU",
    "coordinates": {"latitude": "52.520008", "longitude": "13.404954"},
    "time_zone": "Europe/Berlin",
    "last_updated": "2026-01-01T00:00:00Z",
}


class Overloaded(Keeping):
    async def send(self, method: str, url: str, *, headers: Any, body: bytes) -> Answer:  # noqa: ARG002
        self.asked.append((method, {}))
        return Answer(503 if url.endswith("/LOC1") else 404, {}, b"")


async def test_it_is_asked_ever_more_rarely(database: Database, clock: FrozenClock, writer: Writer) -> None:
    partner = Overloaded()
    rig = Rig(database, clock, writer, Channel(partner))
    await rig.dispatcher.start()
    try:
        place = PublishedLocation(country="DE", party="ABC", id="LOC1", ocpi_object=PLACE, ocpi_version="2.2.1")
        await writer.run(ImportLocation(by=ADMIN, imported=place))
        await writer.run(Import(by=ADMIN, imported=imported(ocpi_object=OBJECT, ocpi_version="2.2.1")))
        good = Channel(partner).accept({**CONFIGURATION, "initialPush": True})
        await rig.partner(channel="ocpi", configuration=good.configuration, secrets=good.secrets)
        for _ in range(60):
            clock.advance(timedelta(seconds=1))
            await rig.catch_up()
            await rig.quiet()
        assert len(partner.asked) < 40, len(partner.asked)
    finally:
        await rig.dispatcher.stop()
