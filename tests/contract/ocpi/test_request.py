"""What arrives at the partner's socket, to the byte."""

from base64 import b64decode
from uuid import UUID

import pytest

from app.channels.channel import Channel
from app.channels.ocpi.channel import OcpiChannel
from app.channels.outcomes import Delivered, NotSent, Rejected
from app.demo.listening import free_port, listening
from app.domain.presentation import Gate
from app.domain.status import ActualStatus, Kind
from tests.contract.ocpi.given import CONFIGURATION, TOKEN, Recorder, a_notice, connected, told


def test_it_is_a_channel() -> None:
    channel: Channel = OcpiChannel()
    assert isinstance(channel, Channel)
    assert (channel.name, channel.lane.in_flight, channel.lane.exclusive) == ("ocpi", 32, False)


async def test_a_change_is_one_patch_of_the_evse_with_status_and_last_updated() -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/ocpi/2.2.1/locations") as connection:
        assert isinstance(await told(connection, Kind.MAINTENANCE), Delivered)
    (request,) = server.requests
    assert request["method"] == "PATCH"
    assert request["path"] == "/ocpi/2.2.1/locations/DE/XPO/XPO-LARKENAU/1001-1"
    assert request["query"] == b""
    assert request["body"] == b'{"status":"INOPERATIVE","last_updated":"2026-11-21T08:30:01.000Z"}'


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
async def test_from_2_2_on_the_headers_say_who_speaks_to_whom(version: str) -> None:
    server = Recorder()
    async with listening(server) as base, connected(base, version=version) as connection:
        await told(connection)
    headers = dict(server.requests[0]["headers"])
    assert len(headers) == len(server.requests[0]["headers"]), "a header was sent twice"
    assert headers["content-type"] == "application/json"
    scheme, _, credentials = headers["authorization"].partition(" ")
    assert scheme == "Token"
    assert b64decode(credentials, validate=True) == TOKEN.encode()
    assert UUID(headers["x-request-id"]).version == 4
    assert UUID(headers["x-correlation-id"]).version == 4
    assert {name: value for name, value in headers.items() if name.startswith("ocpi-")} == {
        "ocpi-from-country-code": "DE",
        "ocpi-from-party-id": "XPO",
        "ocpi-to-country-code": "DE",
        "ocpi-to-party-id": "EMS",
    }


async def test_in_2_1_1_the_token_goes_out_as_it_is_and_says_all_there_is_to_say() -> None:
    server = Recorder()
    async with listening(server) as base, connected(base, version="2.1.1") as connection:
        assert isinstance(await told(connection, Kind.MAINTENANCE), Delivered)
    (request,) = server.requests
    headers = dict(request["headers"])
    assert headers["authorization"] == f"Token {TOKEN}"
    assert [name for name in headers if name.startswith(("ocpi-", "x-"))] == []
    assert request["path"] == "/DE/XPO/XPO-LARKENAU/1001-1"
    assert request["body"] == b'{"status":"INOPERATIVE","last_updated":"2026-11-21T08:30:01.000Z"}'


@pytest.mark.parametrize(("version", "in_base64"), [("2.1.1", True), ("2.2.1", False), ("2.3.0", False)])
async def test_a_partner_that_has_it_otherwise_gets_the_token_otherwise(version: str, in_base64: bool) -> None:
    server = Recorder()
    async with listening(server) as base, connected(base, version=version, tokenInBase64=in_base64) as connection:
        await told(connection)
    said = dict(server.requests[0]["headers"])["authorization"].removeprefix("Token ")
    assert (b64decode(said).decode() if in_base64 else said) == TOKEN


async def test_the_same_message_sent_again_is_another_request() -> None:
    server = Recorder()
    async with listening(server) as base, connected(base) as connection:
        message = connection.translate(a_notice())
        await connection.deliver(message)
        await connection.deliver(message)
    first, second = (dict(one["headers"])["x-request-id"] for one in server.requests)
    assert first != second


async def test_requests_come_from_the_party_that_the_configuration_names() -> None:
    server = Recorder()
    async with listening(server) as base, connected(base, fromCountryCode="NL", fromPartyId="HUB") as connection:
        await told(connection)
    headers = dict(server.requests[0]["headers"])
    assert (headers["ocpi-from-country-code"], headers["ocpi-from-party-id"]) == ("NL", "HUB")
    assert server.requests[0]["path"].startswith("/DE/XPO/"), "the path keeps the party of the EVSE"


async def test_the_uid_is_repeated_only_for_who_asks_for_it() -> None:
    server = Recorder()
    async with listening(server) as base, connected(base, uidInPatch=True) as connection:
        await told(connection)
    assert server.requests[0]["body"] == (
        b'{"status":"AVAILABLE","last_updated":"2026-11-21T08:30:01.000Z","uid":"1001-1"}'
    )


@pytest.mark.parametrize("end", ["", "/"])
async def test_the_evse_is_joined_to_the_url_with_one_slash(end: str) -> None:
    server = Recorder()
    async with listening(server) as base, connected(f"{base}/locations{end}") as connection:
        await told(connection)
    assert server.requests[0]["path"] == "/locations/DE/XPO/XPO-LARKENAU/1001-1"


@pytest.mark.parametrize(
    ("location", "uid", "path"),
    [
        ("a/b", "c d", "/DE/XPO/a%2Fb/c%20d"),
        ("DE*XPO*P1", "100%", "/DE/XPO/DE%2AXPO%2AP1/100%25"),
        ("what?", "a#b", "/DE/XPO/what%3F/a%23b"),
        ("Straße", "%2F", "/DE/XPO/Stra%C3%9Fe/%252F"),
        ("a..b", "...", "/DE/XPO/a..b/..."),
    ],
)
async def test_every_segment_of_the_path_is_percent_encoded(location: str, uid: str, path: str) -> None:
    server = Recorder()
    async with listening(server) as base, connected(base) as connection:
        await told(connection, location=location, uid=uid)
    assert server.requests[0]["path"] == path


@pytest.mark.parametrize("segment", [{"uid": ".."}, {"location": "."}, {"uid": ""}, {"party": "ü"}, {"country": "D E"}])
async def test_an_evse_that_a_url_cannot_name_is_rejected_and_nothing_is_sent(segment: dict[str, str]) -> None:
    server = Recorder()
    async with listening(server) as base, connected(base) as connection:
        outcome = await told(connection, **segment)
    assert isinstance(outcome, Rejected)
    assert "cannot be addressed" in outcome.reason
    assert server.requests == []


@pytest.mark.parametrize("what", [ActualStatus.AVAILABLE, Gate.REMOVED])
async def test_an_evse_without_a_location_is_rejected_with_what_to_do(what: ActualStatus | Gate) -> None:
    server = Recorder()
    async with listening(server) as base, connected(base) as connection:
        outcome = await told(connection, what, location=None)
    assert isinstance(outcome, Rejected)
    assert "PUT /v2/evses/{evseId}" in outcome.reason
    assert "DE*XPO*E1001*1" in outcome.reason
    assert outcome.retry_slowly, "the location that is missing brings no new version with it"
    assert server.requests == []


async def test_who_cannot_be_reached_was_sent_nothing() -> None:
    async with connected(f"http://127.0.0.1:{free_port()}") as connection:
        assert isinstance(await told(connection), NotSent)


async def test_the_digest_tells_statuses_apart_and_nothing_else() -> None:
    async with connected(CONFIGURATION["url"]) as connection:
        digest = connection.translate(a_notice(Kind.MAINTENANCE, 1)).digest
        assert connection.translate(a_notice(Kind.MAINTENANCE, 2)).digest == digest
        assert connection.translate(a_notice(ActualStatus.INOPERATIVE, 3)).digest == digest
        assert connection.translate(a_notice(ActualStatus.AVAILABLE, 1)).digest != digest
