"""The simulated Hubject knows its partners by their certificates, over real TLS."""

import ssl
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from app.channels.oicp.simulator import Behaviour, Hub
from app.clock import SystemClock
from app.demo.certificates import Authority, Credentials
from app.demo.listening import listening
from app.serving_tls import ServerTls
from tests.contract.oicp.conftest import Door
from tests.contract.oicp.pushing import OTHER_PATH, Client, body
from tests.contract.oicp.samples import EVSE_ID, PATH

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW: Final = SystemClock().now()
AUTHORITY: Final = Authority(NOW)
STRANGER: Final = Authority(NOW, "Stranger")
TURNED_AWAY: Final = (httpx.TransportError, ssl.SSLError)  # httpx does not make all of the latter its own
OURS: Final = AUTHORITY.client("DE*ABC")


def served(**more: Any) -> ServerTls:
    own = AUTHORITY.server()
    return ServerTls(certificate=own.certificate, key=own.key, client_authority=AUTHORITY.certificate, **more)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secure_door() -> AsyncGenerator[Door]:
    door = Door()
    async with listening(door, tls=served(client_may_have_none=True)) as door.base_url:
        yield door


@pytest.fixture
def secure(secure_door: Door) -> Hub:
    hub = Hub(SystemClock(), operators={"DE*ABC": ["DE*SUB"], "DE*XYZ": []})
    secure_door.behind = hub.app
    return hub


@asynccontextmanager
async def calling(
    base_url: str, credentials: Credentials | None, trusted: Authority = AUTHORITY, **context_has: Any
) -> AsyncGenerator[httpx.AsyncClient]:
    context = ssl.create_default_context(cadata=trusted.certificate)
    for name, value in context_has.items():
        setattr(context, name, value)
    if credentials is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(credentials.key + credentials.certificate)
            file.flush()
            context.load_cert_chain(file.name)
    async with httpx.AsyncClient(base_url=base_url, verify=context, trust_env=False, timeout=30) as client:
        yield client


async def push(door: Door, credentials: Credentials | None, path: str = PATH, **more: Any) -> httpx.Response:
    async with calling(door.base_url, credentials) as client:
        return await client.post(path, json=body(**more))


async def test_a_partner_with_its_own_certificate_is_served(secure_door: Door, secure: Hub) -> None:
    assert secure_door.base_url.startswith("https://")

    async with calling(secure_door.base_url, OURS) as client:
        answers = [await client.post(PATH, json=body(status=one)) for one in ("Available", "Occupied")]

    assert [one.json()["Result"] for one in answers] == [True, True]
    assert secure.shown == {EVSE_ID: "Occupied"}
    assert secure.wrong == []


@pytest.mark.parametrize("names", [("DEABC",), ("de*abc",), ("DE*XYZ", "DE*ABC"), ("Example, Power=1", "DE*ABC")])
async def test_a_certificate_may_write_the_operator_id_in_another_form_or_have_several(
    secure_door: Door, secure: Hub, names: tuple[str, ...]
) -> None:
    assert (await push(secure_door, AUTHORITY.client(*names))).json()["Result"] is True
    assert secure.wrong == []


@pytest.mark.parametrize("names", [("DE*XYZ",), ("DE*SUB",), ("Example Power",), ("DE*ABCD",), ()])
async def test_a_certificate_of_another_partner_is_unauthorized(
    secure_door: Door, secure: Hub, names: tuple[str, ...]
) -> None:
    answer = await push(secure_door, AUTHORITY.client(*names))

    assert answer.status_code == 401
    assert answer.json() == {
        "StatusCode": {"Code": "017", "Description": "Unauthorized Access", "AdditionalInfo": None}
    }
    assert secure.shown == {}
    assert secure.received == []
    [wrong] = secure.wrong
    assert "where that of DE*ABC is due" in wrong


async def test_each_operator_needs_its_own(secure_door: Door, secure: Hub) -> None:
    other: dict[str, Any] = {"ids": ("DE*XYZ*E1",), "OperatorID": "DE*XYZ"}
    assert (await push(secure_door, OURS, OTHER_PATH, **other)).status_code == 401
    assert (await push(secure_door, AUTHORITY.client("DE*XYZ"), OTHER_PATH, **other)).status_code == 200
    assert secure.shown == {"DE*XYZ*E1": "Available"}


async def test_a_client_without_certificate_gets_a_page_of_the_proxy(secure_door: Door, secure: Hub) -> None:
    answer = await push(secure_door, None)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/html"
    assert "process-id" not in answer.headers
    assert "No required SSL certificate was sent" in answer.text
    assert secure.wrong == ["a call without a client certificate"]
    assert secure.shown == {}


async def test_a_client_without_certificate_can_be_told_by_hubject_itself(secure_door: Door, secure: Hub) -> None:
    secure.behaviour = Behaviour(without_certificate="017")

    answer = await push(secure_door, None)

    assert (answer.status_code, answer.json()["StatusCode"]["Code"]) == (401, "017")
    assert len(secure.wrong) == 1
    assert secure.shown == {}


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(STRANGER.client("DE*ABC"), id="of another authority"),
        pytest.param(AUTHORITY.client("DE*ABC", ends=NOW - timedelta(days=1)), id="expired"),
        pytest.param(AUTHORITY.server(), id="not for clients"),
    ],
)
async def test_a_certificate_that_is_no_good_is_turned_away_by_tls(
    secure_door: Door, secure: Hub, credentials: Credentials
) -> None:
    with pytest.raises(TURNED_AWAY):
        await push(secure_door, credentials)
    assert secure.pushed == []
    assert secure.wrong == []


async def test_tls_itself_can_turn_away_who_has_none(secure_door: Door, secure: Hub) -> None:
    async with listening(secure_door, tls=served()) as base_url:
        async with calling(base_url, OURS) as client:
            assert (await client.post(PATH, json=body())).status_code == 200
        async with calling(base_url, None) as client:
            with pytest.raises(TURNED_AWAY):
                await client.post(PATH, json=body("update", "Occupied"))
    assert secure.shown == {EVSE_ID: "Available"}


async def test_a_server_may_ask_for_no_certificate(secure_door: Door, secure: Hub) -> None:
    """And then nobody has one, even who would: it is not asked for."""
    own = AUTHORITY.server()
    tls = ServerTls(certificate=own.certificate, key=own.key)
    async with listening(secure_door, tls=tls) as base_url, calling(base_url, OURS) as client:
        assert (await client.post(PATH, json=body())).status_code == 400
    assert secure.wrong == ["a call without a client certificate"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_current_versions_of_tls_are_spoken(secure_door: Door, secure: Hub, version: ssl.TLSVersion) -> None:
    async with calling(secure_door.base_url, OURS, minimum_version=version, maximum_version=version) as client:
        assert (await client.post(PATH, json=body())).status_code == 200


async def test_a_server_certificate_for_here_is_accepted_and_an_expired_one_is_not(secure_door: Door) -> None:
    expired = AUTHORITY.server(ends=NOW - timedelta(days=1))
    tls = ServerTls(certificate=expired.certificate, key=expired.key)
    async with listening(secure_door, tls=tls) as base_url, calling(base_url, OURS) as client:
        with pytest.raises(httpx.ConnectError, match="expired"):
            await client.post(PATH, json=body())


async def test_hubject_without_tls_can_be_no_hubject(hub: Hub, client: Client) -> None:
    hub.behaviour = Behaviour(plain_http=False)

    answer = await client.send(body())

    assert answer.status == 400
    assert b"The plain HTTP request was sent to HTTPS port" in answer.body
    assert hub.wrong == ["a call without TLS"]


async def test_keys_are_not_printed() -> None:
    assert "PRIVATE" in OURS.key
    assert "PRIVATE" not in f"{OURS!r} {served()!r}"
