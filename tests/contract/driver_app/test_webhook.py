import base64
import hashlib
import hmac
import json
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.channels.driver_app import channel
from app.channels.outcomes import Delivered, Rejected
from app.clock import SystemClock
from app.domain.presentation import Gate
from app.domain.status import ActualStatus, Kind
from tests.contract.driver_app.support import AT, OTHER_SECRET, SECRET, Recorder, clock_at, evse, notice, recording

README = Path(channel.__file__).with_name("README.md")
BODY = (
    b'{"specversion":"1.0","id":"%s","source":"/evse-status-scheduler","type":"evse.status.presented",'
    b'"subject":"DE*ABC*E1234*1","time":"2026-11-21T08:00:00.250Z","datacontenttype":"application/json",'
    b'"data":{"evseId":"DE*ABC*E1234*1","status":"OUT_OF_SERVICE","temporaryStatus":"MAINTENANCE",'
    b'"until":"2026-11-21T10:00:00.250Z","version":7,"lastUpdated":"2026-11-21T08:00:00.250Z"}}'
)
MAINTENANCE = notice(Kind.MAINTENANCE, 7, until=AT + timedelta(hours=2))


async def test_a_webhook_is_exactly_this_on_the_wire() -> None:
    recorder = Recorder()
    async with recording(recorder, clock_at()) as connection:
        assert await connection.deliver(connection.translate(MAINTENANCE)) == Delivered("HTTP 204")
    [(headers, body)] = recorder.requests
    name = headers["webhook-id"]
    assert body == BODY % name.encode()
    # The signature by hand, so that the library does not vouch for itself.
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    by_hand = base64.b64encode(hmac.digest(key, f"{name}.1795248000.".encode() + body, hashlib.sha256)).decode()
    sent = {key: headers[key] for key in ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")}
    assert sent == {
        "content-type": "application/cloudevents+json",
        "webhook-id": name,
        "webhook-timestamp": "1795248000",
        "webhook-signature": f"v1,{by_hand}",
    }
    assert "." not in name


async def test_the_signature_verifies_with_the_secret_and_the_body_and_with_nothing_else() -> None:
    recorder = Recorder()
    async with recording(recorder, SystemClock()) as connection:
        await connection.deliver(connection.translate(MAINTENANCE))
    [(headers, body)] = recorder.requests
    assert Webhook(SECRET).verify(body, headers)["data"]["status"] == "OUT_OF_SERVICE"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER_SECRET).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"OUT_OF_SERVICE", b"AVAILABLE"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, headers | {"webhook-id": "another"})


async def test_the_timestamp_is_right_even_if_a_clock_tells_the_time_of_another_zone() -> None:
    recorder = Recorder()
    tokyo = clock_at(AT.astimezone(timezone(timedelta(hours=9))))
    async with recording(recorder, tokyo) as east:
        await east.deliver(east.translate(MAINTENANCE))
    async with recording(recorder, clock_at()) as utc:
        await utc.deliver(utc.translate(MAINTENANCE))
    [(eastern, _), (greenwich, _)] = recorder.requests
    assert eastern["webhook-timestamp"] == "1795248000"
    assert eastern["webhook-signature"] == greenwich["webhook-signature"]


async def test_another_attempt_has_the_same_id_and_body_but_its_own_timestamp_and_signature() -> None:
    recorder, clock = Recorder(status=500), clock_at()
    async with recording(recorder, clock) as connection:
        await connection.deliver(connection.translate(MAINTENANCE))
        clock.advance(timedelta(seconds=30))
        await connection.deliver(connection.translate(MAINTENANCE))
    [(first, body), (second, same_body)] = recorder.requests
    assert body == same_body
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 30
    assert first["webhook-signature"] != second["webhook-signature"]


async def test_another_version_or_evse_or_generation_is_another_message() -> None:
    recorder = Recorder()
    other = notice(Kind.MAINTENANCE, 7, about=evse("DE*ABC*E1234*2", key=2))
    async with recording(recorder, clock_at()) as connection:
        for one in (MAINTENANCE, notice(Kind.MAINTENANCE, 8), other):
            await connection.deliver(connection.translate(one))
    async with recording(recorder, clock_at(), generation=2) as told_anew:
        await told_anew.deliver(told_anew.translate(MAINTENANCE))
    assert len({headers["webhook-id"] for headers, _ in recorder.requests}) == 4


async def test_an_evse_without_an_evse_id_is_rejected_with_a_reason_and_nothing_is_sent() -> None:
    recorder = Recorder()
    async with recording(recorder, clock_at()) as connection:
        outcome = await connection.deliver(connection.translate(notice(about=evse(None))))
    reason = "this EVSE has no EVSE ID, which apps know it by: register one"
    assert outcome == Rejected(reason, retry_slowly=True, asked=False)
    assert recorder.requests == []


async def test_the_digest_follows_evse_id_status_kind_and_until_but_neither_version_nor_time() -> None:
    def digest(*args: Any, **kwargs: Any) -> str:
        return connection.translate(notice(*args, **kwargs)).digest

    async with recording(Recorder(), clock_at()) as connection:
        later = AT + timedelta(hours=1)
        base = digest(Kind.BLOCKED, 1)
        assert digest(Kind.BLOCKED, 2, last_updated=later) == base
        assert digest(Kind.RESERVED, 1) != base  # the same status, another kind
        assert digest(ActualStatus.BLOCKED, 1) != base  # the same status, and the charger's own
        assert digest(Kind.BLOCKED, 1, until=later) != base
        assert digest(Kind.BLOCKED, 1, about=evse("DE*ABC*E1234*2")) != base  # renamed
        assert digest(Gate.REMOVED) == digest(Gate.WITHHELD) != base


async def test_the_receiver_in_the_readme_takes_what_is_sent_and_refuses_what_was_changed() -> None:
    code = README.read_text("utf-8").split("```python\n")[1].split("```")[0]
    receiver: dict[str, Any] = {}
    exec(code.replace("whsec_...", SECRET), receiver)
    recorder = Recorder()
    async with recording(recorder, SystemClock()) as connection:
        for one in (notice(Kind.BLOCKED, 2, last_updated=AT + timedelta(seconds=1)), notice(Kind.MAINTENANCE, 1)):
            await connection.deliver(connection.translate(one))
    [(headers, body), (older, older_body)] = recorder.requests
    assert receiver["receive"](headers, body.replace(b"OCCUPIED", b"AVAILABLE")) == 401
    assert receiver["receive"](headers | {"webhook-signature": "nonsense"}, body) == 401
    assert receiver["shown"] == {}
    for request in ((headers, body), (headers, body), (older, older_body)):
        assert receiver["receive"](*request) == 204
    assert receiver["shown"] == {"DE*ABC*E1234*1": json.loads(body)["data"]}
