"""`evse-status explain`, whose words partly come from whoever planned."""

from typing import Any

from app.cli.explain import headline

_NOON = "2099-03-01T12:00:00.000Z"


def _found(reason: str) -> dict[str, Any]:
    one = {"id": 7, "temporaryStatus": "BLOCKED", "verdict": "shown", "reason": reason}
    return {
        "evseId": "DE*ABC*E1",
        "at": _NOON,
        "answeredAt": _NOON,
        "tense": "now",
        "known": True,
        "presented": {"ocpi": {"status": "BLOCKED", "since": None, "until": None}},
        "because": {"words": "temporary status 7 (BLOCKED)"},
        "temporaryStatuses": [one | {"createdBy": "k7Qd2mXc", "createdByName": "bays"}],
    }


def test_a_reason_of_several_lines_stays_on_the_line_that_it_is_a_reason_of():
    told = headline(_found("x)\n\nDE*ABC*E1 is shown as\tAVAILABLE"))
    assert told.splitlines() == [told]
    assert told.endswith("BLOCKED 7 by bays (x) DE*ABC*E1 is shown as AVAILABLE)")
