"""What goes out, byte for byte: POST eRoamingPushEvseStatus v2.1 with one record."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from app.channels.channel import Message
from app.channels.oicp.connection import OicpConnection
from app.channels.outcomes import Delivered, Rejected
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind
from tests.contract.oicp.conftest import Door
from tests.contract.oicp.samples import EVSE_ID, PATH, notice, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACKNOWLEDGED = (
    b'{"Result":true,"StatusCode":{"Code":"000","Description":null,"AdditionalInfo":null},'
    b'"SessionID":null,"CPOPartnerSessionID":null,"EMPPartnerSessionID":null}'
)


class Recorder:
    """A server that remembers what it was sent, and says yes unless it was given other answers to begin with."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[bytes] = []

    @property
    def actions(self) -> list[str]:
        return [json.loads(body)["ActionType"] for *_, body in self.seen]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            event = await receive()
            body += event["body"]
            more = event["more_body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], scope["raw_path"].decode(), headers, body))
        kind = [(b"content-type", b"application/json;charset=utf-8"), (b"process-id", b"p-1")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": self.answers.pop(0) if self.answers else ACKNOWLEDGED})


@pytest.fixture
def recorder(door: Door) -> Recorder:
    recorder = Recorder()
    door.behind = recorder
    return recorder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(door: Door) -> AsyncGenerator[OicpConnection]:
    async with opened(door.base_url) as connection:
        yield connection


async def test_a_maintenance_is_posted_as_an_update_of_one_record(
    recorder: Recorder, connection: OicpConnection
) -> None:
    outcome = await connection.deliver(connection.translate(notice(Kind.MAINTENANCE)))

    [(method, path, headers, body)] = recorder.seen
    assert (method, path) == ("POST", PATH)
    assert body == (
        b'{"ActionType":"update","OperatorEvseStatus":{"OperatorID":"DE*ABC",'
        b'"EvseStatusRecord":[{"EvseID":"DE*ABC*E840*6487","EvseStatus":"OutOfService"}]}}'
    )
    assert headers["content-type"] == "application/json"
    assert "authorization" not in headers
    assert outcome == Delivered("success; Process-ID p-1", reference="p-1")


async def test_an_evse_that_is_no_longer_shared_is_posted_as_a_delete(
    recorder: Recorder, connection: OicpConnection
) -> None:
    await connection.deliver(connection.translate(notice(Gate.REMOVED)))

    assert recorder.seen[0][3] == (
        b'{"ActionType":"delete","OperatorEvseStatus":{"OperatorID":"DE*ABC",'
        b'"EvseStatusRecord":[{"EvseID":"DE*ABC*E840*6487","EvseStatus":"OutOfService"}]}}'
    )


async def test_the_operators_name_and_a_din_id_go_out_as_configured(door: Door, recorder: Recorder) -> None:
    more: dict[str, Any] = {"operatorId": "+49*810", "operatorName": "Beispiel Lädt"}
    async with opened(door.base_url + "/", **more) as connection:
        await connection.deliver(connection.translate(notice(Kind.RESERVED, "+49*810*000*438")))

    [(_, path, _, body)] = recorder.seen
    assert path == "/api/oicp/evsepush/v21/operators/%2B49%2A810/status-records"
    assert body.decode() == (
        '{"ActionType":"update","OperatorEvseStatus":{"OperatorID":"+49*810","OperatorName":"Beispiel Lädt",'
        '"EvseStatusRecord":[{"EvseID":"+49*810*000*438","EvseStatus":"Reserved"}]}}'
    )


async def test_an_evse_id_registered_in_small_letters_goes_out_in_capitals(
    recorder: Recorder, connection: OicpConnection
) -> None:
    await connection.deliver(connection.translate(notice(Kind.BLOCKED, "de*abc*e1")))

    record = json.loads(recorder.seen[0][3])["OperatorEvseStatus"]["EvseStatusRecord"][0]
    assert record == {"EvseID": "DE*ABC*E1", "EvseStatus": "Occupied"}


def refused(code: str) -> bytes:
    return ACKNOWLEDGED.replace(b"true", b"false").replace(b"000", code.encode())


@pytest.mark.parametrize("code", ["009", "022"])
async def test_an_update_refused_for_want_of_a_record_is_followed_by_one_insert_of_the_same(
    recorder: Recorder, connection: OicpConnection, code: str
) -> None:
    recorder.answers = [refused(code)]

    outcome = await connection.deliver(connection.translate(notice(Kind.MAINTENANCE)))

    assert isinstance(outcome, Delivered)
    assert recorder.actions == ["update", "insert"]
    update, insert = (body for *_, body in recorder.seen)
    assert insert == update.replace(b"update", b"insert")


async def test_there_is_never_a_third_request(recorder: Recorder, connection: OicpConnection) -> None:
    recorder.answers = [refused("009"), refused("009"), refused("009")]

    outcome = await connection.deliver(connection.translate(notice(Kind.MAINTENANCE)))

    assert isinstance(outcome, Rejected)
    assert recorder.actions == ["update", "insert"]


@pytest.mark.parametrize("code", ["018", "603", "604", "017", "001", "999"])
async def test_nothing_is_inserted_after_any_other_refusal(
    recorder: Recorder, connection: OicpConnection, code: str
) -> None:
    recorder.answers = [refused(code)]

    outcome = await connection.deliver(connection.translate(notice(Kind.MAINTENANCE)))

    assert not isinstance(outcome, Delivered)
    assert recorder.actions == ["update"]


@pytest.mark.parametrize("code", ["022", "018", "017"])
async def test_a_delete_refused_for_another_reason_is_not_delivered(
    recorder: Recorder, connection: OicpConnection, code: str
) -> None:
    recorder.answers = [refused(code)]

    outcome = await connection.deliver(connection.translate(notice(Gate.REMOVED)))

    assert not isinstance(outcome, Delivered)
    assert recorder.actions == ["delete"]


@pytest.mark.parametrize("evse_id", [None, "", "site 4, left", "DE*ABC*E1\n", "DE*ABC*E" + "1" * 31])
@pytest.mark.parametrize("what", [Kind.BLOCKED, ActualStatus.UNKNOWN, Gate.WITHHELD])
async def test_an_evse_that_hubject_cannot_name_is_rejected_without_a_request(
    recorder: Recorder, connection: OicpConnection, evse_id: str | None, what: What
) -> None:
    outcome = await connection.deliver(connection.translate(notice(what, evse_id)))

    assert isinstance(outcome, Rejected)
    assert "EVSE ID" in outcome.reason
    assert recorder.seen == []


async def digest(connection: OicpConnection, what: What, **more: Any) -> str:
    message: Message = connection.translate(notice(what, **more))
    return message.digest


async def test_what_hubject_cannot_tell_apart_has_one_digest(connection: OicpConnection) -> None:
    maintenance = await digest(connection, Kind.MAINTENANCE)

    assert maintenance == await digest(connection, Kind.COMMISSIONING, version=7)
    assert maintenance == await digest(connection, ActualStatus.INOPERATIVE)
    assert await digest(connection, Gate.WITHHELD) == await digest(connection, Gate.REMOVED)


async def test_what_hubject_can_tell_apart_has_different_digests(connection: OicpConnection) -> None:
    digests = {
        await digest(connection, Kind.MAINTENANCE),
        await digest(connection, Kind.BLOCKED),
        await digest(connection, Gate.REMOVED),
        await digest(connection, Kind.MAINTENANCE, evse_id="DE*ABC*E2"),
    }

    assert len(digests) == 4


async def test_a_message_says_the_status_in_hubjects_word(connection: OicpConnection) -> None:
    assert connection.translate(notice(Kind.MAINTENANCE)).said == "OutOfService"
    assert connection.translate(notice(Gate.REMOVED)).said == "delete"
    assert EVSE_ID not in connection.translate(notice(Gate.REMOVED)).said
