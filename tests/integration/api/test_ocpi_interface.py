"""The sender interface's manners: who may ask, in which version, for what, and how every answer looks."""

from base64 import b64encode
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pydantic import SecretStr

from app.api.ocpi.parameters import LARGEST_PAGE, PAGE, asked
from app.channels.ocpi.fields import faults
from app.channels.ocpi.partner_release import RELEASES
from app.service import Service
from app.settings import Settings
from app.store import location_pages
from app.store.failures import DatabaseUnavailable
from tests.clock import FrozenClock
from tests.integration.api.conftest import SECRET_KEY
from tests.integration.api.ocpi_pulling import VERSIONS, Fleet, Pulled, evse, location

HOST = "http://evse-status.test"


@pytest.fixture
def settings(embedded_url: str) -> Settings:
    """On one engine: what the store makes of it is tested elsewhere."""
    return Settings(database_url=embedded_url, secret_key=SecretStr(SECRET_KEY))


@pytest.fixture
async def fleet(settings: Settings, clock: FrozenClock) -> AsyncGenerator[Fleet]:
    async with Fleet(Service(settings, clock=clock)).running() as running:
        await running.take_in(
            location("L1", evse("1"), evse("Two/2 u")), location("L1", evse("3", evse_id="DE*XYZ*E3"), party_id="XYZ")
        )
        yield running


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_partner_is_led_from_the_versions_to_the_locations_of_its_own(fleet: Fleet, version: str) -> None:
    emsp = await fleet.partner(version=version)
    (named,) = (await emsp.get("/ocpi/versions")).data
    assert named == {"version": version, "url": f"{HOST}/ocpi/{version}"}
    details = (await emsp.get(named["url"])).data
    role = {} if version == "2.1.1" else {"role": "SENDER"}
    url = f"{HOST}/ocpi/{version}/locations"
    assert details == {"version": version, "endpoints": [{"identifier": "locations", **role, "url": url}]}
    assert len((await emsp.get(url)).data) == 2
    assert (await emsp.get(f"{url}/")).data == (await emsp.get(url)).data


async def test_another_version_is_not_spoken_with_a_partner(fleet: Fleet) -> None:
    emsp = await fleet.partner(version="2.1.1")
    for path in ("2.2.1", "2.3.0/locations", "9.9/locations/L1", "versions/locations"):
        answer = await emsp.get(f"/ocpi/{path}")
        assert (answer.http, answer.code) == (404, 3002)
        assert f"{HOST}/ocpi/versions" in answer.envelope["status_message"]


async def test_what_does_not_exist_is_answered_in_the_envelope(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for path in ("", "/", "/versions/x/y", "/2.2.1/tokens", "/2.2.1/locations/a/b/c/d"):
        answer = await emsp.get(f"/ocpi{path}")
        assert (answer.http, answer.code) == (404, 2000), path
    encoded = await emsp.get("/ocpi%2Fversions")
    assert (encoded.http, encoded.code) == (404, 2000)
    assert (await emsp.client.get("/ocpifoo")).status_code == 404


async def test_urls_are_those_of_the_public_address_where_one_is_set(settings: Settings, clock: FrozenClock) -> None:
    public = settings.model_copy(update={"public_url": "https://status.example.com/evse"})
    async with Fleet(Service(public, clock=clock)).running() as fleet:
        (named,) = (await (await fleet.partner()).get("/ocpi/versions")).data
    assert named["url"] == "https://status.example.com/evse/ocpi/2.2.1"


@pytest.mark.parametrize("wrong", ["status.example.com", "ftp://a.b", "https://", "https://a.b?c", "https://a.b#c"])
def test_a_public_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="https://status"):
        Settings(public_url=wrong)
    assert Settings(public_url="https://status.example.com/").public_url == "https://status.example.com"


# Who asks


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_token_is_known_in_base64_and_as_it_is(fleet: Fleet, version: str) -> None:
    token = "a-token-of-ours:~!"
    emsp = await fleet.partner(version=version, token=token)
    with_newline = b64encode(f"{token}\n".encode()).decode()
    for path in ("/ocpi/versions", "locations"):
        for written in (token, b64encode(token.encode()).decode(), with_newline):
            for scheme in ("Token", "token", "TOKEN "):
                answer = await emsp.get(path, headers={"Authorization": f"{scheme} {written}"})
                assert (answer.http, answer.code) == (200, 1000)


async def test_a_token_that_looks_like_base64_is_a_token_all_the_same(fleet: Fleet) -> None:
    emsp = await fleet.partner(token="YWJjZGVmZ2hpamts")
    for written in ("YWJjZGVmZ2hpamts", b64encode(b"YWJjZGVmZ2hpamts").decode()):
        assert (await emsp.get("/ocpi/versions", headers={"Authorization": f"Token {written}"})).code == 1000
    assert (await emsp.get("/ocpi/versions", headers={"Authorization": "Token abcdefghijkl"})).http == 401


async def test_who_is_not_known_is_told_so_in_the_envelope(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for wrong in (
        "",
        "Token",
        "Token ",
        "Token wrong",
        "Bearer pull-token-of-emsp",
        "Token " + "A" * 9000,
        "Token \xfc",
    ):
        headers: Any = {"Authorization": wrong.encode("latin-1"), "X-Request-ID": "1"}
        for path in ("/ocpi/versions", "/ocpi/2.2.1/locations", "/ocpi/nothing/here"):
            answer = Pulled(await emsp.client.get(path, headers=headers))
            assert (answer.http, answer.code) == (401, 2000)
            assert answer.headers["x-request-id"] == "1"
            assert "data" not in answer.envelope


async def test_a_partner_that_is_paused_may_still_ask(fleet: Fleet) -> None:
    emsp = await fleet.partner(paused=True)
    assert len((await emsp.get("locations")).data) == 2


async def test_each_is_answered_as_itself(fleet: Fleet) -> None:
    one, other = await fleet.partner("one", version="2.3.0"), await fleet.partner("other", version="2.1.1")
    assert (await one.get("/ocpi/versions")).data[0]["version"] == "2.3.0"
    assert (await other.get("/ocpi/versions")).data[0]["version"] == "2.1.1"


async def test_nothing_can_be_done_but_to_get(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for path in ("versions", "2.2.1", "2.2.1/locations", "2.2.1/locations/L1/1"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
            answer = await emsp.client.request(method, f"/ocpi/{path}")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


# One object


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_location_an_evse_and_a_connector_can_be_asked_for(fleet: Fleet, version: str) -> None:
    emsp = await fleet.partner(version=version)
    rules = RELEASES[version].objects
    listed = (await emsp.get("locations")).data[0]
    place = (await emsp.get("locations/L1")).data
    one = (await emsp.get("locations/L1/Two%2F2%20u/")).data
    plug = (await emsp.get("locations/L1/Two%2F2%20u/1")).data
    assert place == listed
    assert one in place["evses"]
    assert (one["uid"], plug) == ("Two/2 u", one["connectors"][0])
    assert faults(rules.location, place) == faults(rules.evse, one) == faults(rules.connector, plug) == []


async def test_what_is_not_there_or_not_to_be_seen_is_unknown(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for path in ("L9", "L1/9", "L1/1/9", "L1/3", "%2e%2e", "L1/%00", "%00", "%FF", "l%31 "):
        answer = await emsp.get(f"locations/{path}")
        assert (answer.http, answer.code) == (404, 2003), path


@pytest.mark.parametrize("version", VERSIONS)
async def test_ids_go_by_their_case_only_in_2_1_1(fleet: Fleet, version: str) -> None:
    emsp = await fleet.partner(version=version)
    expected = (404, 2003) if version == "2.1.1" else (200, 1000)
    for path in ("l1", "L1/tWO%2F2%20u", "l1/two%2f2%20u/1"):
        answer = await emsp.get(f"locations/{path}")
        assert (answer.http, answer.code) == expected, path


async def test_of_two_parties_locations_with_one_id_the_one_that_is_asked_for_counts_or_the_oldest(
    fleet: Fleet,
) -> None:
    emsp = await fleet.partner()
    xyz = {"OCPI-to-country-code": "DE", "OCPI-to-party-id": "XYZ"}
    assert (await emsp.get("locations/L1")).data["party_id"] == "ABC"
    assert (await emsp.get("locations/L1", headers=xyz)).data["party_id"] == "XYZ"
    assert (await emsp.get("locations/L1/3", headers=xyz)).data["uid"] == "3"


# Headers


async def test_ids_are_repeated_and_demanded_of_nobody(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    for path in ("/ocpi/versions", "locations", "locations/L1", "locations/none"):
        answer = await emsp.get(path, headers={"X-Request-ID": "a b", "X-Correlation-ID": "c"})
        assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("a b", "c")
        unasked = (await emsp.get(path)).headers
        assert "x-correlation-id" not in unasked
        assert unasked["x-request-id"]  # one of ours, as with every answer: it is in our log


def parties(answer: Pulled) -> list[str | None]:
    names = ("from-country-code", "from-party-id", "to-country-code", "to-party-id")
    return [answer.headers.get(f"ocpi-{name}") for name in names]


FROM = {"OCPI-from-country-code": "NL", "OCPI-from-party-id": "SUB"}
TO = {"OCPI-to-country-code": "DE", "OCPI-to-party-id": "HUB"}


async def test_parties_are_swapped_where_they_are_named(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    assert parties(await emsp.get("locations", headers=FROM | TO)) == ["DE", "HUB", "NL", "SUB"]
    assert parties(await emsp.get("locations", headers=FROM)) == ["DE", "ABC", "NL", "SUB"]
    assert parties(await emsp.get("locations", headers=TO)) == ["DE", "HUB", "NL", "EMS"]
    assert parties(await emsp.get("locations/L1")) == [None] * 4
    own = await fleet.partner("own", fromCountryCode="DE", fromPartyId="OWN")
    assert parties(await own.get("locations/L1", headers=FROM)) == ["DE", "OWN", "NL", "SUB"]
    assert parties(await own.get("locations/L1", headers=FROM | TO)) == ["DE", "HUB", "NL", "SUB"]


async def test_parties_have_no_place_with_the_versions_nor_in_2_1_1(fleet: Fleet) -> None:
    emsp, old = await fleet.partner(), await fleet.partner("old", version="2.1.1")
    assert parties(await emsp.get("/ocpi/versions", headers=FROM | TO)) == [None] * 4
    assert parties(await emsp.get("", headers=FROM | TO)) == [None] * 4
    assert parties(await old.get("locations", headers=FROM | TO)) == [None] * 4


def test_nobody_gets_more_on_a_page_than_the_most_that_is_said() -> None:
    assert [asked({"limit": limit}).limit for limit in ("499", "500", "501")] == [499, LARGEST_PAGE, LARGEST_PAGE]
    assert asked({}).limit == PAGE


# When something is wrong with us


@pytest.mark.parametrize(("error", "http"), [(DatabaseUnavailable("away"), 503), (RuntimeError("a bug"), 500)])
async def test_our_own_trouble_is_answered_in_the_envelope_too(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, error: Exception, http: int
) -> None:
    emsp = await fleet.partner()

    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(location_pages, "page", fail)
    answer = await emsp.get("locations", headers={"X-Request-ID": "1"})
    assert (answer.http, answer.code, answer.headers["x-request-id"]) == (http, 3000, "1")
    assert ("retry-after" in answer.headers) is (http == 503)
    assert "a bug" not in answer.envelope["status_message"]


async def test_the_rest_of_the_api_does_not_know_these_routes(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    document = (await emsp.client.get("/openapi/openapi.json")).json()
    assert [path for path in document["paths"] if "ocpi" in path] == []


async def test_a_nul_in_a_path_is_no_failure_of_ours(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    answer = await emsp.get("/ocpi/2.2.1/locations/L%001")
    assert (answer.http, answer.code) == (404, 2003)


async def test_whose_location_it_is_goes_without_regard_to_case(fleet: Fleet) -> None:
    emsp = await fleet.partner()
    to = {"OCPI-to-country-code": "de", "OCPI-to-party-id": "xyz"}
    assert (await emsp.get("locations/L1", headers=to)).data["party_id"] == "XYZ"
