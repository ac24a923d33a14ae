import base64
from typing import Any

import pytest
from standardwebhooks import Webhook

from app.channels.channel import Channel, Means
from app.channels.driver_app.channel import DriverAppChannel
from app.domain.errors import InvalidPartner
from app.domain.partner import Audience
from tests.contract.driver_app.support import SECRET, clock_at, partner

CHANNEL: Channel = DriverAppChannel()
URL = "https://app.example/webhook"


def test_a_url_is_all_that_must_be_given() -> None:
    accepted = CHANNEL.accept({"url": URL})
    assert accepted.configuration == {"url": URL, "operators": [], "locations": [], "mapping": {}}
    assert accepted.audience == Audience()
    assert accepted.tells_fleet


def test_the_secret_is_kept_apart_and_made_fresh_where_none_is_given() -> None:
    assert CHANNEL.accept({"url": URL, "secret": SECRET}).secrets == {"secret": SECRET}
    one, another = (CHANNEL.accept({"url": URL}).secrets["secret"] for _ in range(2))
    assert one != another
    assert one.startswith("whsec_")
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32
    Webhook(one)


def test_what_was_accepted_is_accepted_again_once_the_secret_is_back() -> None:
    accepted = CHANNEL.accept(
        {"url": URL, "operators": ["DE*ABC", "+49*810"], "locations": ["L1"], "mapping": {"actual.PLANNED": "UNKNOWN"}}
    )
    assert CHANNEL.accept({**accepted.configuration, **accepted.secrets}) == accepted
    assert accepted.audience == Audience(("DE*ABC", "+49*810"), ("L1",))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "ftp://app.example/"}, "configuration.url"),
        ({"url": "app.example/webhook"}, "configuration.url"),
        ({"url": "https:///webhook"}, "configuration.url"),
        ({"url": "https://app.example:99999/"}, "configuration.url"),
        ({"url": "https://[app/"}, "configuration.url"),
        ({"url": "https://app.example/\n"}, "configuration.url"),
        ({"url": "https://app.example/web hook"}, "configuration.url"),
        ({"url": "https://äpp.example/"}, "configuration.url"),
        ({"url": "https://user:password@app.example/"}, "configuration.url"),
        ({"url": "https://app.example/#top"}, "configuration.url"),
        ({"url": 5}, "configuration.url"),
        ({"secret": "whsec_"}, "configuration.secret"),
        ({"secret": SECRET.removeprefix("whsec_")}, "configuration.secret"),
        ({"secret": "whsec_" + base64.b64encode(bytes(23)).decode()}, "configuration.secret"),
        ({"secret": "whsec_" + base64.b64encode(bytes(65)).decode()}, "configuration.secret"),
        ({"secret": SECRET + "\n"}, "configuration.secret"),
        ({"secret": "whsec_ä"}, "configuration.secret"),
        ({"secret": None}, "configuration.secret"),
        ({"operators": ["DE*ABC", "nobody"]}, "configuration.operators[1]"),
        ({"operators": "DE*ABC"}, "configuration.operators"),
        ({"mapping": {"BROKEN": "OCCUPIED"}}, "configuration.mapping.BROKEN"),
        ({"mapping": {"AVAILABLE": "OCCUPIED"}}, "configuration.mapping.AVAILABLE"),
        ({"mapping": {"BLOCKED": "REMOVED"}}, "configuration.mapping.BLOCKED"),
        ({"mapping": {"BLOCKED": "OutOfService"}}, "configuration.mapping[...]"),
        ({"colour": "green"}, "configuration"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidPartner) as refusal:
        CHANNEL.accept({"url": URL, **wrong})
    assert refusal.value.field == field
    assert "password" not in str(refusal.value)


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_every_allowed_size_are_taken(size: int) -> None:
    CHANNEL.accept({"url": URL, "secret": "whsec_" + base64.b64encode(bytes(size)).decode()})


def test_without_its_secret_a_partner_is_not_connected_with_one_that_nobody_knows() -> None:
    forgotten = partner(URL)
    del forgotten.configuration["secret"]
    with pytest.raises(InvalidPartner, match="secret"):
        CHANNEL.connect(forgotten, Means(clock_at()))


def test_it_is_a_channel_with_32_requests_in_flight() -> None:
    assert isinstance(CHANNEL, Channel)
    assert (CHANNEL.name, CHANNEL.lane.in_flight, CHANNEL.lane.exclusive) == ("driver_app", 32, False)
