import time
from datetime import timedelta

import pytest

from app.channels.driver_app import answers
from app.channels.driver_app.simulator import AppReceiver, Fault
from app.channels.outcomes import Delivered, NotSent, Refused, Rejected, Unknown
from app.channels.transport import Answer
from app.clock import SystemClock
from app.demo.listening import free_port, listening
from tests.contract.driver_app.support import AT, SECRET, Recorder, clock_at, connected, notice, recording

CLASSES = {
    Delivered: [200, 201, 202, 204, 299],
    Refused: [300, 301, 302, 303, 304, 307, 308, 401, 403, 404, 405, 410, 421],
    Rejected: [400, 402, 409, 413, 415, 422, 451, 499],
    NotSent: [429, 503],
    Unknown: [408, 500, 501, 502, 504, 520, 599],
}


async def test_each_answer_means_just_this() -> None:
    recorder = Recorder()
    async with recording(recorder, clock_at()) as connection:
        for expected, statuses in CLASSES.items():
            for recorder.status in statuses:
                outcome = await connection.deliver(connection.translate(notice()))
                assert type(outcome) is expected, recorder.status
                assert f"HTTP {recorder.status}" in str(outcome)


def test_an_answer_that_is_no_http_status_at_all_is_unknown() -> None:
    for status in (0, 100, 101, 199, 600, 999):
        assert type(answers.outcome(Answer(status, {}, b""), AT)) is Unknown


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_asks_for_a_pause_gets_it(status: int) -> None:
    asked = {
        "120": timedelta(minutes=2),
        "Sat, 21 Nov 2026 08:01:00 GMT": timedelta(seconds=59.75),
        "soon": None,
    }
    recorder = Recorder(status)
    async with recording(recorder, clock_at()) as connection:
        for written, meant in asked.items():
            recorder.headers = {"retry-after": written}
            assert await connection.deliver(connection.translate(notice())) == NotSent(f"HTTP {status}", meant)


async def test_what_the_operator_must_do_is_said_beside_the_receivers_own_words() -> None:
    async with recording(Recorder(410, body=b"moved\nout"), clock_at()) as connection:
        outcome = await connection.deliver(connection.translate(notice()))
    assert isinstance(outcome, Refused)
    assert outcome.reason == (
        "HTTP 410 moved out: the receiver is gone for good; pause or remove the partner, or give it a new url"
    )


async def test_a_receiver_that_nobody_runs_was_surely_not_told() -> None:
    async with connected(f"http://127.0.0.1:{free_port()}/webhook", clock_at()) as connection:
        assert type(await connection.deliver(connection.translate(notice()))) is NotSent


@pytest.mark.parametrize(
    ("fault", "expected", "taken"),
    [
        ("500", Unknown, False),
        ("429", NotSent, False),
        ("410", Refused, False),
        ("garbage", Unknown, False),
        ("cut", Unknown, True),
        ("slow", Unknown, True),
    ],
)
async def test_each_way_in_which_the_app_may_misbehave_has_its_outcome(
    fault: Fault, expected: type, taken: bool
) -> None:
    receiver = AppReceiver(SystemClock(), SECRET)
    async with (
        listening(receiver.app) as base,
        connected(f"{base}/webhook", SystemClock(), seconds=0.4 if fault == "slow" else 5.0) as connection,
    ):
        receiver.fault = fault
        message = connection.translate(notice())
        assert type(await connection.deliver(message)) is expected
        assert ("DE*ABC*E1234*1" in receiver.shown) is taken
        receiver.fault = None
        assert await connection.deliver(message) == Delivered("HTTP 204")
    assert receiver.wrong == []


async def test_a_delay_is_an_answer_that_comes_late_but_comes() -> None:
    receiver = AppReceiver(SystemClock(), SECRET, delay=0.1)
    async with listening(receiver.app) as base, connected(f"{base}/webhook", SystemClock()) as connection:
        begun = time.monotonic()
        assert await connection.deliver(connection.translate(notice())) == Delivered("HTTP 204")
        assert time.monotonic() - begun >= 0.1
