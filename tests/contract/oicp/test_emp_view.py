"""What an EMP would now pull from the simulated Hubject."""

import json
from typing import Any, Final

import pytest
import pytest_asyncio

from app.channels.oicp.simulator import Hub
from app.clock import SystemClock
from app.demo.certificates import Authority
from app.demo.listening import listening
from app.serving_tls import ServerTls
from tests.contract.oicp.pushing import OTHER_PATH, SECOND, Client, body
from tests.contract.oicp.samples import EVSE_ID, PATH
from tests.contract.oicp.test_hub_tls import calling

pytestmark = pytest.mark.asyncio(loop_scope="module")

PULL: Final = "/api/oicp/evsepull/v21/providers/DE-EMP/status-records"
ME: Final = {"ProviderID": "DE-EMP"}
DONE: Final = {"Code": "000", "Description": "Success", "AdditionalInfo": None}


def record(evse_id: str, status: str) -> dict[str, str]:
    return {"EvseID": evse_id, "EvseStatus": status}


async def pull(client: Client, asked: dict[str, Any], question: str = "") -> Any:

    answer = await client.send(ME | asked, path=PULL + question)
    assert answer.status == 200, answer.excerpt
    pulled = json.loads(answer.body)
    assert pulled.pop("StatusCode") == DONE
    return pulled


@pytest_asyncio.fixture(loop_scope="module")
async def two_operators(hub: Hub, client: Client) -> Hub:
    hub.operators = None
    await client.code(body(ids=("DE*SUB*E9",), OperatorName="Beispiel"))
    await client.code(body(status="Occupied", OperatorName="Beispiel"))
    await client.code(body(ids=("DE*XYZ*E1",), OperatorID="DE*XYZ"), path=OTHER_PATH)
    return hub


OURS: Final = {
    "OperatorID": "DE*ABC",
    "OperatorName": "Beispiel",
    "EvseStatusRecord": [record(EVSE_ID, "Occupied"), record("DE*SUB*E9", "Available")],
}
THEIRS: Final = {"OperatorID": "DE*XYZ", "EvseStatusRecord": [record("DE*XYZ*E1", "Available")]}


async def test_everything_is_grouped_by_the_operator_that_pushed_it(two_operators: Hub, client: Client) -> None:
    assert await pull(client, {}) == {"EvseStatuses": {"OperatorEvseStatus": [OURS, THEIRS]}}


async def test_everything_with_one_status(two_operators: Hub, client: Client) -> None:
    pulled = await pull(client, {"EVSEStatus": "Occupied"})
    assert pulled["EvseStatuses"]["OperatorEvseStatus"] == [{**OURS, "EvseStatusRecord": [record(EVSE_ID, "Occupied")]}]


async def test_nothing_is_there_before_anything_was_pushed(hub: Hub, client: Client) -> None:
    assert await pull(client, {}) == {"EvseStatuses": {"OperatorEvseStatus": []}}


@pytest.mark.parametrize(
    ("operators", "found"),
    [(["DE*XYZ"], [THEIRS]), (["DEXYZ"], [THEIRS]), (["DE*XYZ", "DE*ABC"], [OURS, THEIRS]), (["DE*NOT"], []), ([], [])],
)
async def test_by_operator(two_operators: Hub, client: Client, operators: list[str], found: list[Any]) -> None:
    pulled = await pull(client, {"OperatorID": operators}, "-by-operator-id")
    assert pulled == {"EvseStatuses": {"OperatorEvseStatus": found}}


async def test_by_evse_with_hubjects_own_word_for_those_it_does_not_have(two_operators: Hub, client: Client) -> None:
    pulled = await pull(client, {"EvseID": [SECOND, EVSE_ID]}, "-by-id")
    assert pulled == {
        "EVSEStatusRecords": {"EvseStatusRecord": [record(SECOND, "EvseNotFound"), record(EVSE_ID, "Occupied")]}
    }


async def test_a_hundred_evses_at_a_time(hub: Hub, client: Client) -> None:
    hundred = [f"DE*ABC*E{number}" for number in range(100)]
    pulled = await pull(client, {"EvseID": hundred}, "-by-id")
    assert len(pulled["EVSEStatusRecords"]["EvseStatusRecord"]) == 100


async def test_what_was_deleted_is_not_there_any_more(two_operators: Hub, client: Client) -> None:
    await client.code(body("delete"))
    pulled = await pull(client, {"EvseID": [EVSE_ID]}, "-by-id")
    assert pulled["EVSEStatusRecords"]["EvseStatusRecord"] == [record(EVSE_ID, "EvseNotFound")]
    await client.code(body("fullLoad", ids=()))
    assert await pull(client, {}) == {"EvseStatuses": {"OperatorEvseStatus": [THEIRS]}}


@pytest.mark.parametrize(
    ("asked", "path", "status"),
    [
        ({}, PULL.replace("v21", "v23"), 404),
        ({}, PULL + "-by-operator", 404),
        ({}, PULL.replace("DE-EMP", "DE+EMP"), 400),
        ({"ProviderID": "DE-NOT"}, PULL, 401),
        ({"ProviderID": None}, PULL, 400),
        ({"Since": "2026-11-21"}, PULL, 400),
        ({"EVSEStatus": "Broken"}, PULL, 400),
        ({"OperatorID": "DE*ABC"}, PULL + "-by-operator-id", 400),
        ({"OperatorID": ["DE-ABC"]}, PULL + "-by-operator-id", 400),
        ({"EvseID": []}, PULL + "-by-id", 400),
        ({"EvseID": [f"DE*ABC*E{number}" for number in range(101)]}, PULL + "-by-id", 400),
        ({"EvseID": ["DE*ABC*1"]}, PULL + "-by-id", 400),
    ],
)
async def test_questions_that_are_none_are_refused_and_not_held_against_the_cpo(
    hub: Hub, client: Client, asked: dict[str, Any], path: str, status: int
) -> None:
    assert (await client.send(ME | asked, path=path)).status == status
    assert hub.wrong == []


async def test_an_emp_needs_a_certificate_of_its_own() -> None:
    authority = Authority(SystemClock().now())
    own = authority.server()
    tls = ServerTls(certificate=own.certificate, key=own.key, client_authority=authority.certificate)
    hub = Hub(SystemClock())
    async with listening(hub.app, tls=tls) as base_url:
        for names, status in ((("DE-EMP",), 200), (("DEEMP",), 200), (("DE*ABC",), 401)):
            async with calling(base_url, authority.client(*names), authority) as client:
                assert (await client.post(PULL, json=ME)).status_code == status
                assert (await client.post(PATH, json=body())).status_code == (401 if status == 200 else 200)
    assert hub.shown == {EVSE_ID: "Available"}
