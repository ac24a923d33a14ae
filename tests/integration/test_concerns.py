"""What will soon keep a partner from being told is said in the log: at the start, and every day."""

import asyncio
from datetime import datetime

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.domain.partner import Partner
from app.schedule import concerns
from app.schedule.concerns import Concerns
from app.service import Service
from app.settings import Settings
from app.store.database import Database
from tests.clock import START, FrozenClock
from tests.integration.scripted_channel import ScriptedChannel, add_partner


class WorriedChannel(ScriptedChannel):
    """A channel with a certificate that runs out at one partner."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[datetime] = []

    def concerns(self, partner: Partner, at: datetime) -> list[str]:
        self.asked.append(at)
        return ["The certificate runs out in 3 days."] if partner.name == "old" else []


@pytest.fixture
async def channel(database: Database, clock: FrozenClock) -> WorriedChannel:
    for name in ("new", "old"):
        await add_partner(database, clock, name)
    await add_partner(database, clock, "strange", channel="of another version")
    return WorriedChannel()


async def until_asked(channel: WorriedChannel, times: int) -> None:
    async with asyncio.timeout(30):
        while len(channel.asked) < times:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)


async def test_each_concern_is_a_warning_that_names_the_partner(
    database: Database, clock: FrozenClock, channel: WorriedChannel
) -> None:
    with capture_logs() as said:
        await Concerns(database, clock, {"scripted": channel}).say()
    [one] = said
    assert (one["log_level"], one["partner"]) == ("warning", "old")
    assert one["concern"] == "The certificate runs out in 3 days."
    assert channel.asked == [START, START]


async def test_it_is_said_at_the_start_and_again_and_stops_at_once(
    database: Database, clock: FrozenClock, channel: WorriedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Concerns(database, clock, {"scripted": channel})
    with capture_logs() as said:
        await watching.start()
        await until_asked(channel, 2)
        await watching.stop()
    assert len(said) == 1, "and not again before a day has passed"

    monkeypatch.setattr(concerns, "_EVERY", 0.01)
    often = Concerns(database, clock, {"scripted": channel})
    with capture_logs():
        await often.start()
        await until_asked(channel, 6)
        await often.stop()


async def test_a_service_says_them_when_it_starts(
    database_url: str, clock: FrozenClock, channel: WorriedChannel
) -> None:
    key = SecretStr(Fernet.generate_key().decode("ascii"))
    service = Service(Settings(database_url=database_url, secret_key=key), clock=clock, channels={"scripted": channel})
    with capture_logs() as said:
        async with service.running():
            await until_asked(channel, 2)
    assert "The certificate runs out in 3 days." in [one.get("concern") for one in said]


async def test_partners_that_cannot_be_read_are_looked_at_again(
    database: Database, clock: FrozenClock, channel: WorriedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concerns, "_AGAIN", 0.01)
    read, failed = database.read, 0

    def away():
        nonlocal failed
        if failed < 2:
            failed += 1
            raise ConnectionRefusedError("away")
        return read()

    monkeypatch.setattr(database, "read", away)
    watching = Concerns(database, clock, {"scripted": channel})
    with capture_logs() as said:
        await watching.start()
        await until_asked(channel, 2)
        await watching.stop()
    assert [one["log_level"] for one in said] == ["error", "error", "warning"]
