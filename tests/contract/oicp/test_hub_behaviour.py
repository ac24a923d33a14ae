"""The simulated Hubject behaves as documented or as seen, whichever it is told."""

from typing import Any, Literal

import msgspec
import pytest

from app.channels.oicp.simulator import Behaviour, Hub, Pushed
from app.channels.oicp.wire import Acknowledgement, StatusCode
from app.clock import SystemClock
from tests.contract.oicp.pushing import OTHER_PATH, SECOND, Client, body
from tests.contract.oicp.samples import EVSE_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refusal(client: Client, content: Any) -> StatusCode:
    acknowledgement = msgspec.json.decode((await client.send(content)).body, type=Acknowledgement)
    assert not acknowledgement.result
    return acknowledgement.status_code


async def test_an_update_inserts_where_hubject_was_seen_to(hub: Hub, client: Client) -> None:
    assert not hub.strict_update
    assert await client.code(body("update")) == "000"
    assert hub.shown == {EVSE_ID: "Available"}
    assert await client.code(body("delete", ids=(SECOND,))) == "000"
    assert await client.code(body("insert")) == "009"


@pytest.mark.parametrize("code", ["009", "022"])
async def test_what_the_records_do_not_allow_has_the_code_that_was_chosen(
    hub: Hub, client: Client, code: Literal["009", "022"]
) -> None:
    hub.behaviour = Behaviour(without_record=code)
    assert hub.strict_update

    assert await client.code(body("update")) == code
    assert await client.code(body("delete")) == code
    assert await client.code(body("insert")) == "000"
    assert await client.code(body("insert")) == code
    assert hub.wrong == []


async def test_strict_updates_can_be_switched_on_and_off(hub: Hub, client: Client) -> None:
    hub.strict_update = True
    assert await client.code(body("update")) == "009"
    hub.strict_update = False
    assert await client.code(body("update")) == "000"
    chosen = Hub(SystemClock(), strict_update=True, behaviour=Behaviour(without_record="022"))
    assert chosen.behaviour.impossible_code == "022"


@pytest.mark.parametrize(
    ("names_missing", "info"),
    [
        ("as sent", "EVSE data records missing for EvseIDs: DE*ABC*E2,+49*810*000*438"),
        ("without separators", "EVSE data records missing for EvseIDs: DEABCE2,+49*810*000*438"),
        ("none", None),
    ],
)
async def test_evses_without_evse_data_are_named_as_chosen(
    hub: Hub, client: Client, names_missing: Any, info: str | None
) -> None:
    hub.operators = {"DE*ABC": ["+49*810"]}
    hub.known = {EVSE_ID}
    hub.behaviour = Behaviour(names_missing=names_missing)

    refused = await refusal(client, body(ids=(EVSE_ID, SECOND, "+49*810*000*438")))

    assert (refused.code, refused.additional_info) == ("603", info)
    assert hub.shown == {}


async def test_no_more_evses_are_named_than_the_field_has_room_for(hub: Hub, client: Client) -> None:
    hub.known = set()
    info = (await refusal(client, body(ids=tuple(f"DE*ABC*E{number}" for number in range(1000))))).additional_info

    assert info is not None
    assert len(info) == 1000
    hub.behaviour = Behaviour(longest_info=10_000_000)
    info = (await refusal(client, body(ids=tuple(f"DE*ABC*E{number}" for number in range(1000))))).additional_info
    assert info is not None
    assert info.endswith("DE*ABC*E998,DE*ABC*E999")


async def test_one_impossible_record_spoils_the_request_or_does_not(hub: Hub, client: Client) -> None:
    hub.known = {EVSE_ID}
    assert await client.code(body(ids=(EVSE_ID, SECOND))) == "603"
    assert hub.shown == {}

    hub.behaviour = Behaviour(all_or_nothing=False)
    assert await client.code(body(ids=(EVSE_ID, SECOND))) == "603"
    assert hub.shown == {EVSE_ID: "Available"}


async def test_what_is_applied_in_part_is_possible(hub: Hub, client: Client) -> None:
    hub.behaviour = Behaviour(all_or_nothing=False, without_record="009")
    await client.code(body("insert"))
    hub.known = {EVSE_ID, SECOND}

    assert await client.code(body("update", "Occupied", ids=(EVSE_ID, SECOND, "DE*ABC*E3"))) == "603"
    assert hub.shown == {EVSE_ID: "Occupied"}


@pytest.mark.parametrize(("code", "status"), [("017", 401), ("210", 403), ("300", 404)])
async def test_an_operator_can_be_refused_as_a_whole_and_no_other_is(
    hub: Hub, client: Client, code: Any, status: int
) -> None:
    hub.operators = None
    hub.behaviour = Behaviour(refused={"DEABC": code})

    answer = await client.send(body())

    assert answer.status == status
    assert b'"Code":"%s"' % code.encode() in answer.body
    assert b"Result" not in answer.body
    assert hub.shown == {}
    assert hub.wrong == []
    assert await client.code(body(ids=("DE*XYZ*E1",), OperatorID="DE*XYZ"), path=OTHER_PATH) == "000"


@pytest.mark.parametrize("retry_after", [None, 7])
async def test_more_calls_a_minute_than_allowed_are_too_many_and_wrong(
    hub: Hub, client: Client, retry_after: int | None
) -> None:
    hub.operators = None
    hub.behaviour = Behaviour(per_minute=2, retry_after=retry_after)
    codes = [await client.code(body()), await client.code(body())]

    third = await client.send(body("update", "Occupied"))

    assert codes == ["000", "000"]
    assert third.status == 429
    assert third.headers.get("retry-after") == (None if retry_after is None else "7")
    assert "process-id" not in third.headers
    assert hub.shown == {EVSE_ID: "Available"}
    assert hub.wrong == ["more than 2 calls of DE*ABC within a minute"]
    assert await client.code(body(ids=("DE*XYZ*E1",), OperatorID="DE*XYZ"), path=OTHER_PATH) == "000"


async def test_a_full_load_finds_what_was_pushed_under_another_form_of_the_operator_id(
    hub: Hub, client: Client
) -> None:
    await client.code(body(OperatorID="DEABC"), path=OTHER_PATH.replace("DE%2AXYZ", "DEABC"))

    assert await client.code(body("fullLoad", ids=(SECOND,))) == "000"
    assert hub.shown == {SECOND: "Available"}


async def test_requests_and_their_sizes_are_remembered(hub: Hub, client: Client) -> None:
    await client.code(body(ids=(EVSE_ID, SECOND)))
    await client.code(body("fullLoad", ids=()))

    assert [one[1:] for one in hub.pushed] == [("DE*ABC", "update", 2), ("DE*ABC", "fullLoad", 0)]
    assert isinstance(hub.pushed[0], Pushed)
    assert len(hub.received) == 2
