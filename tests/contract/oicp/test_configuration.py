"""What an operator may type in as its Hubject account, and what the README says of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import app.channels.oicp
from app.channels.channel import Channel, Lane, Means
from app.channels.configuring import accepted
from app.channels.oicp import codes, mapping, tls_remedies
from app.channels.oicp.channel import OicpChannel
from app.channels.oicp.settings import SECRETS
from app.channels.oicp.wire import EvseStatus
from app.clock import SystemClock
from app.domain.errors import InvalidPartner
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate
from app.domain.status import ActualStatus, Kind
from tests.contract.oicp.samples import configuration, notice

README = (Path(app.channels.oicp.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_it_is_a_channel() -> None:
    channel: Channel = OicpChannel()

    assert isinstance(channel, Channel)
    assert channel.name == "oicp"


def test_its_lane_is_one_request_across_every_replica() -> None:
    assert OicpChannel().lane == Lane(in_flight=1, exclusive=True)


def test_a_minimal_configuration_is_filled_in_and_holds_no_secrets() -> None:
    accepted = OicpChannel().accept(configuration("https://service.hubject.com/"))

    assert accepted.configuration == {
        "baseUrl": "https://service.hubject.com/",
        "operatorId": "DE*ABC",
        "operatorName": None,
        "subOperators": [],
        "mapping": {},
        "largestBundle": 100,
        "requestsPerMinute": 2000,
        "timeoutSeconds": None,
        "ownsAllStatuses": False,
        "fullLoadAt": "03:00",
        "timeZone": "UTC",
        "clientCertificate": None,
        "caBundle": None,
    }
    assert accepted.secrets == {}
    assert accepted.tells_fleet is False


def test_what_was_accepted_is_accepted_again() -> None:
    once = OicpChannel().accept(configuration(subOperators=["DE*SUB"], mapping={"BLOCKED": "Unknown"}))

    assert OicpChannel().accept(once.configuration) == once


def test_the_audience_is_the_operator_and_its_sub_operators() -> None:
    accepted = OicpChannel().accept(configuration(subOperators=["DE*SUB", "+49*810"]))

    assert accepted.audience == Audience(operators=("DE*ABC", "DE*SUB", "+49*810"))
    assert accepted.audience.includes(notice(Kind.BLOCKED).evse)


@pytest.mark.parametrize(
    ("changed", "field", "hint"),
    [
        ({"operatorId": "DE*AB"}, "operatorId", "such as DE*ABC"),
        ({"operatorId": "DE*ABC\n"}, "operatorId", "such as DE*ABC"),
        ({"operatorId": "DE*AB\uff11"}, "operatorId", "such as DE*ABC"),
        ({"operatorId": "+49810"}, "operatorId", "such as DE*ABC"),
        ({"operatorId": 7}, "operatorId", "Expected `str`"),
        ({"subOperators": ["DE*SUB", "x"]}, "subOperators[1]", "such as DE*ABC"),
        ({"operatorName": "x" * 101}, "operatorName", "1 to 100"),
        ({"operatorName": ""}, "operatorName", "1 to 100"),
        ({"baseUrl": "service.hubject.com"}, "baseUrl", "such as https://"),
        ({"baseUrl": "ftp://service.hubject.com"}, "baseUrl", "such as https://"),
        ({"baseUrl": "https://"}, "baseUrl", "such as https://"),
        ({"baseUrl": "https://[::1"}, "baseUrl", "such as https://"),
        ({"baseUrl": "https://a.example:99999"}, "baseUrl", "such as https://"),
        ({"baseUrl": "https://a.example/\nx"}, "baseUrl", "such as https://"),
        ({"baseUrl": "https://me:secret@a.example"}, "baseUrl", "leave user name"),
        ({"baseUrl": "https://a.example?x=1"}, "baseUrl", "leave out"),
        ({"baseUrl": "https://a.example/api/oicp/evsepush"}, "baseUrl", "it is appended"),
        ({"mapping": {"MAINTENANCE": "EvseNotFound"}}, "mapping.MAINTENANCE", "OutOfService"),
        ({"mapping": {"MAINTENANCE": "Inoperative"}}, "mapping.MAINTENANCE", "OutOfService"),
        ({"mapping": {"AVAILABLE": "Available"}}, "mapping", "actual.AVAILABLE"),
        ({"mapping": {"actual.MAINTENANCE": "Unknown"}}, "mapping", "actual.AVAILABLE"),
        ({"mapping": {"REMOVED": "Unknown"}}, "mapping", "actual.AVAILABLE"),
        ({"largestBundle": 0}, "largestBundle", "from 1 to 1000"),
        ({"largestBundle": 1001}, "largestBundle", "from 1 to 1000"),
        ({"requestsPerMinute": 59}, "requestsPerMinute", "from 60 to 2000"),
        ({"requestsPerMinute": 2001}, "requestsPerMinute", "from 60 to 2000"),
        ({"timeoutSeconds": 0.9}, "timeoutSeconds", "from 1 to 60"),
        ({"timeoutSeconds": 60.1}, "timeoutSeconds", "from 1 to 60"),
        ({"fullLoadAt": "24:00"}, "fullLoadAt", "such as 03:30"),
        ({"fullLoadAt": "3:00"}, "fullLoadAt", "such as 03:30"),
        ({"fullLoadAt": "03:30\n"}, "fullLoadAt", "such as 03:30"),
        ({"timeZone": "Europe/Nowhere"}, "timeZone", "such as Europe/Berlin"),
        ({"timeZone": "../../etc/passwd"}, "timeZone", "such as Europe/Berlin"),
        ({"timeZone": ""}, "timeZone", "such as Europe/Berlin"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_with_the_field(
    changed: Mapping[str, Any], field: str, hint: str
) -> None:
    with pytest.raises(InvalidPartner) as refusal:
        OicpChannel().accept({**configuration(), **changed})

    assert refusal.value.field == f"configuration.{field}"
    assert hint in str(refusal.value)


@pytest.mark.parametrize(
    "edge",
    [
        {"largestBundle": 1, "requestsPerMinute": 60, "timeoutSeconds": 1},
        {"largestBundle": 1000, "requestsPerMinute": 2000, "timeoutSeconds": 60},
        {"fullLoadAt": "00:00", "timeZone": "Pacific/Kiritimati"},
        {"fullLoadAt": "23:59", "timeZone": "UTC"},
    ],
)
def test_what_is_just_within_the_limits_is_accepted(edge: dict[str, Any]) -> None:
    assert edge.items() <= OicpChannel().accept(configuration(**edge)).configuration.items()


def added(**configured: Any) -> Partner:
    good = OicpChannel().accept(configuration(**configured))
    return good.as_partner("hubject", "oicp", "test", SystemClock().now())


def test_everything_is_replaced_daily_only_where_the_operator_says_that_it_is_all_ours() -> None:
    assert OicpChannel().daily(added(fullLoadAt="04:15")) is None
    ours = added(ownsAllStatuses=True, fullLoadAt="04:15", timeZone="Europe/Berlin")
    assert str(OicpChannel().daily(ours)) == "04:15 Europe/Berlin"


def test_a_timeout_that_a_claim_would_not_outlast_is_refused() -> None:
    channels = {"oicp": OicpChannel()}
    assert accepted(channels, "oicp", configuration(timeoutSeconds=11.66), 11.66).timeout == 11.66
    with pytest.raises(InvalidPartner, match="a third of EVSE_STATUS_LEASE") as refusal:
        accepted(channels, "oicp", configuration(timeoutSeconds=11.67), 11.66)
    assert refusal.value.field == "configuration.timeoutSeconds"
    assert Means(SystemClock(), 10.0, 11.0).limited(30) == 11.0  # where the lease was made shorter since


@pytest.mark.parametrize("raw", [{}, {"baseUrl": "https://a.example"}, configuration(password="x")])
def test_missing_and_unknown_fields_are_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidPartner):
        OicpChannel().accept(raw)


def test_the_channel_shows_hubjects_words_and_nothing_behind_the_gate() -> None:
    shows = OicpChannel().shows

    assert shows(Kind.BLOCKED) == "Occupied"
    assert shows(ActualStatus.OUTOFORDER) == "OutOfService"
    assert [shows(gate) for gate in Gate] == [None, None]


def test_the_readme_shows_the_tables_as_they_are() -> None:
    assert f"<!-- mapping -->\n\n{mapping.markdown()}\n\n<!-- /mapping -->" in README
    assert f"<!-- codes -->\n\n{codes.markdown()}\n\n<!-- /codes -->" in README
    assert f"<!-- tls -->\n\n{tls_remedies.markdown()}\n\n<!-- /tls -->" in README


def test_the_readme_names_every_setting() -> None:
    for field in (*OicpChannel().accept(configuration()).configuration, *SECRETS):
        assert f"`{field}`" in README
    for status in EvseStatus:
        assert status in README


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://service.hubject.com", "https://SERVICE.hubject.com:443/", True),
        ("https://service.hubject.com.", "https://service.hubject.com", True),
        ("https://service.hubject.com", "https://service-qa.hubject.com", False),
        ("https://proxy.example:8443", "https://proxy.example", False),
    ],
)
def test_one_operator_at_one_hubject_is_one_partner_however_the_address_is_written(
    one: str, other: str, same: bool
) -> None:
    first, second = (OicpChannel().accept(configuration(url)).exclusive for url in (one, other))
    assert (first == second) is same


def test_that_hubject_itself_wants_a_certificate_is_a_concern() -> None:
    concerned = [
        OicpChannel().concerns(
            OicpChannel().accept(configuration(url)).as_partner("x", "oicp", "test", SystemClock().now()),
            SystemClock().now(),
        )
        for url in ("https://service.hubject.com", "https://hubject.com.example", "http://127.0.0.1:9")
    ]
    assert [len(one) for one in concerned] == [1, 0, 0]
    assert "configure clientCertificate and clientKey" in concerned[0][0]
