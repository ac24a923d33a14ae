"""The simulated Hubject catches what the specification forbids."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest

from app.channels.oicp.simulator import Hub
from app.channels.oicp.wire import Acknowledgement, SchemaFault
from app.clock import SystemClock
from tests.contract.oicp.pushing import OTHER_PATH, SECOND, Client, body
from tests.contract.oicp.samples import EVSE_ID, PATH

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_correct_push_is_acknowledged_with_nulls_and_a_process_id(hub: Hub, client: Client) -> None:
    answer = await client.send(body(OperatorName="Beispiel"), kind="application/json; charset=utf-8")

    assert answer.status == 200
    assert answer.headers["process-id"]
    assert json.loads(answer.body) == {
        "Result": True,
        "StatusCode": {"Code": "000", "Description": None, "AdditionalInfo": None},
        "SessionID": None,
        "CPOPartnerSessionID": None,
        "EMPPartnerSessionID": None,
    }
    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == []


NO_STATUS = body()
del NO_STATUS["OperatorEvseStatus"]["EvseStatusRecord"][0]["EvseStatus"]
EXTRA_IN_RECORD = body()
EXTRA_IN_RECORD["OperatorEvseStatus"]["EvseStatusRecord"][0]["ValidTo"] = "2026-11-21T08:30:00Z"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (body(status="Inoperative"), "operatorEvseStatus.evseStatusRecord[0].evseStatus"),
        (body(status="OUTOFORDER"), "operatorEvseStatus.evseStatusRecord[0].evseStatus"),
        (body(action="upsert"), "actionType"),
        (body(action="Update"), "actionType"),
        (body(ids=("de*abc*e1",)), "operatorEvseStatus.evseStatusRecord[0].evseID"),
        (body(ids=("DE*ABC*E1\n",)), "operatorEvseStatus.evseStatusRecord[0].evseID"),
        (body(ids=("DE*ABC*E" + "1" * 31,)), "operatorEvseStatus.evseStatusRecord[0].evseID"),
        (body(ids=(EVSE_ID, "DE*ABC*1")), "operatorEvseStatus.evseStatusRecord[1].evseID"),
        (body(OperatorID="DE-ABC"), "operatorEvseStatus.operatorID"),
        (body(OperatorName="x" * 101), "operatorEvseStatus.operatorName"),
        (body(OperatorName=None), "operatorEvseStatus.operatorName"),
        (body(EvseStatusRecord=None), "operatorEvseStatus.evseStatusRecord"),
        (NO_STATUS, "operatorEvseStatus.evseStatusRecord[0]"),
        (EXTRA_IN_RECORD, "operatorEvseStatus.evseStatusRecord[0]"),
        ({**body(), "SessionID": None}, ""),
        (b"", ""),
        (b"[]", ""),
        (b"{", ""),
        (b'"\xff"', ""),
    ],
)
async def test_a_body_that_does_not_fit_the_schema_is_wrong(hub: Hub, client: Client, content: Any, place: str) -> None:
    answer = await client.send(content)

    assert answer.status == 400
    [error] = msgspec.json.decode(answer.body, type=SchemaFault).validation_errors or []
    assert error.field_reference == place
    assert len(hub.wrong) == 1
    assert hub.shown == {}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (body(status="EvseNotFound"), "022"),
        (body(ids=()), "022"),
        (body(action="delete", ids=()), "022"),
        (body(ids=(EVSE_ID, EVSE_ID)), "018"),
        (body(ids=("DE*XYZ*E1",)), "018"),
        (body(OperatorID="DE*XYZ"), "017"),
        (body(OperatorID="DE*SUB"), "017"),
    ],
)
async def test_what_the_schema_lets_pass_and_the_specification_does_not_is_wrong(
    hub: Hub, client: Client, content: Any, code: str
) -> None:
    assert await client.code(content) == code
    assert len(hub.wrong) == 1
    assert hub.shown == {}


async def test_an_operator_without_an_account_is_wrong(hub: Hub, client: Client) -> None:
    path = OTHER_PATH

    assert await client.code(body(OperatorID="DE*XYZ"), path=path) == "300"
    assert hub.wrong == ["no operator DE*XYZ is registered"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        PATH + "/",
        PATH.replace("v21", "v23"),
        PATH.replace("status-records", "data-records"),
        PATH.replace("DE%2AABC", ""),
        PATH.replace("DE%2AABC", "DE/ABC"),
    ],
)
async def test_another_address_is_wrong(hub: Hub, client: Client, path: str) -> None:
    answer = await client.send(body(), path=path)

    assert answer.status == 404
    assert b"OICP service not found for URI" in answer.body
    assert len(hub.wrong) == 1


async def test_an_operator_id_in_the_path_may_be_written_with_or_without_percent_signs(
    hub: Hub, client: Client
) -> None:
    assert await client.code(body(), path=PATH.replace("%2A", "*")) == "000"
    assert (await client.send(body(), path=PATH.replace("%2A", "-"))).status == 400
    assert len(hub.wrong) == 1


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"method": "PUT"}, 405),
        ({"method": "GET"}, 405),
        ({"kind": "text/plain"}, 415),
        ({"kind": "application/json; charset=latin-1"}, 415),
        ({"headers": {"Content-Encoding": "gzip"}}, 415),
        ({"headers": {"Accept": "text/html"}}, 406),
        ({"headers": {"Authorization": "Bearer of-somebody-else"}}, 400),
        ({"headers": {"Cookie": "session=1"}}, 400),
        ({"path": PATH + "?page=1"}, 400),
        ({"path": PATH.replace("DE%2A", "%44E%2A")}, 400),
        ({"path": PATH.replace("%2A", "%252A")}, 400),
    ],
)
async def test_another_method_header_or_way_to_write_the_address_is_wrong(
    hub: Hub, client: Client, how: dict[str, Any], status: int
) -> None:
    assert (await client.send(body(), **how)).status == status
    assert len(hub.wrong) == 1
    assert hub.shown == {}


async def test_a_second_push_of_an_operator_while_one_is_under_way_is_wrong(hub: Hub, client: Client) -> None:
    hub.delay = 0.2

    codes = await asyncio.gather(client.code(body()), client.code(body(ids=(SECOND,))))

    assert sorted(codes) == ["000", "009"]
    assert len(hub.wrong) == 1
    assert len(hub.shown) == 1


async def test_pushes_of_different_operators_may_run_side_by_side(hub: Hub, client: Client) -> None:
    hub.operators = None
    hub.delay = 0.1
    other = body(ids=("DE*XYZ*E1",), OperatorID="DE*XYZ")

    codes = await asyncio.gather(client.code(body()), client.code(other, path=OTHER_PATH))

    assert set(codes) == {"000"}
    assert hub.wrong == []


async def test_evses_without_evse_data_are_named_and_nothing_is_applied(hub: Hub, client: Client) -> None:
    hub.known = {EVSE_ID}

    answer = msgspec.json.decode((await client.send(body(ids=(EVSE_ID, SECOND)))).body, type=Acknowledgement)

    assert (answer.result, answer.status_code.code) == (False, "603")
    assert answer.status_code.additional_info == f"EVSE data records missing for EvseIDs: {SECOND}"
    assert hub.shown == {}
    assert hub.wrong == []


async def test_a_header_that_is_sent_twice_is_wrong(hub: Hub, client: Client) -> None:
    twice = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as raw:
        answer = await raw.post(client.base_url + PATH, content=json.dumps(body()), headers=twice)

    assert answer.status_code == 400
    assert hub.wrong == ["header sent twice: content-type"]
    assert hub.shown == {}


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html, application/*;q=0.8"])
async def test_a_client_may_say_that_it_takes_json(hub: Hub, client: Client, accept: str) -> None:
    assert await client.code(body(), headers={"Accept": accept}) == "000"
    assert hub.wrong == []


async def test_records_must_be_there_or_not_as_the_action_needs_it(hub: Hub, client: Client) -> None:
    hub.strict_update = True

    assert await client.code(body("update")) == "009"
    assert await client.code(body("delete")) == "009"
    assert await client.code(body("insert")) == "000"
    assert await client.code(body("insert")) == "009"
    assert await client.code(body("insert", ids=(SECOND, EVSE_ID))) == "009"
    assert await client.code(body("update", "Reserved")) == "000"
    assert hub.shown == {EVSE_ID: "Reserved"}
    assert await client.code(body("delete")) == "000"
    assert hub.shown == {}
    assert hub.wrong == []


async def test_a_full_load_replaces_what_that_operator_had_and_no_more(hub: Hub, client: Client) -> None:
    hub.operators = None
    other = body(ids=("DE*XYZ*E1",), OperatorID="DE*XYZ")
    await client.code(other, path=OTHER_PATH)
    await client.code(body(ids=(EVSE_ID, SECOND)))

    assert await client.code(body("fullLoad", "Occupied", ids=(SECOND,))) == "000"
    assert hub.shown == {"DE*XYZ*E1": "Available", SECOND: "Occupied"}
    assert await client.code(body("fullLoad", ids=())) == "000"
    assert hub.shown == {"DE*XYZ*E1": "Available"}


async def test_everything_received_is_remembered_in_order_with_its_time(hub: Hub, client: Client) -> None:
    before = SystemClock().now()
    await client.code(body("insert"))
    await client.code(body("update", "Occupied"))

    assert [tuple(one)[1:] for one in hub.received] == [
        (EVSE_ID, "insert", "Available"),
        (EVSE_ID, "update", "Occupied"),
    ]
    assert before <= hub.received[0].at <= hub.received[1].at <= SystemClock().now()
