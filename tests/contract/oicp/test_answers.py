"""Each kind of answer that Hubject, or something in front of it, can give, and what it means."""

import json
from datetime import timedelta
from typing import Any

import pytest

from app.channels.oicp.answers import judge
from app.channels.oicp.codes import CODES, Code, Judged
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.channels.transport import LARGEST_ANSWER, Answer
from tests.contract.oicp.samples import NOW, answer


def ack(result: bool | None, code: Any, description: str | None = None, info: str | None = None) -> str:
    status = {"Code": code, "Description": description, "AdditionalInfo": info}
    nulls = dict.fromkeys(("SessionID", "CPOPartnerSessionID", "EMPPartnerSessionID"))
    return json.dumps({"Result": result, "StatusCode": status, **nulls})


def fault(code: str, description: str | None = None) -> str:
    return json.dumps({"StatusCode": {"Code": code, "Description": description, "AdditionalInfo": None}})


SCHEMA_FAULT = json.dumps(
    {
        "message": "Error parsing/validating JSON.",
        "validationErrors": [
            {"fieldReference": "operatorEvseStatus.evseStatusRecord[0].evseStatus", "errorMessage": "may not be null"}
        ],
    }
)
HTML = "text/html"
NGINX = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"
UNKNOWN_EVSE = ack(False, "603", "One or more EVSE data record not found!", "EVSE data records missing for EvseIDs: X")

REJECTED_FOR_NOW = Rejected("", retry_slowly=True)
REJECTED = Rejected("")

ANSWERS: list[tuple[str, Answer, Outcome]] = [
    ("success", answer(200, ack(True, "000", "Success")), Delivered()),
    ("success with nulls", answer(200, ack(True, "000")), Delivered()),
    (
        "success with extra members",
        answer(200, '{"Result":true,"StatusCode":{"Code":"000","x":1},"y":[]}'),
        Delivered(),
    ),
    # A refusal comes with HTTP 200.
    ("unknown EVSE", answer(200, UNKNOWN_EVSE), REJECTED_FOR_NOW),
    ("not compatible", answer(200, ack(False, "604")), REJECTED_FOR_NOW),
    ("duplicate EVSE IDs", answer(200, ack(False, "018", "Duplicate EVSE IDs")), REJECTED),
    ("data error", answer(200, ack(False, "022")), REJECTED),
    ("no record", answer(200, ack(False, "009", "Data transaction error")), REJECTED_FOR_NOW),
    (
        "another push under way",
        answer(200, ack(False, "009", None, "The Push of data is already in progress.")),
        NotSent(""),
    ),
    ("a code that OICP does not list", answer(200, ack(False, "999")), REJECTED_FOR_NOW),
    ("a code that is not for pushes", answer(200, ack(False, "102")), REJECTED_FOR_NOW),
    # The whole operator is refused.
    ("unauthorized", answer(401, fault("017", "Unauthorized Access")), Refused("")),
    ("unauthorized with 200", answer(200, ack(False, "017")), Refused("")),
    ("unauthorized with 500", answer(500, fault("017")), Refused("")),
    ("no contract", answer(403, fault("210", "No active subscription found")), Refused("")),
    ("no such partner", answer(404, fault("300", "Partner not found")), Refused("")),
    ("wrong path", answer(404, fault("001", "OICP service not found for URI: /x")), Refused("")),
    ("wrong path with 500", answer(500, fault("001", "OICP service not found for URI: /x")), Refused("")),
    ("401 without a code", answer(401, NGINX.format("401"), HTML), Refused("")),
    ("403 with another code", answer(403, fault("102")), Refused("")),
    ("address not registered", answer(403, NGINX.format("403 Forbidden"), HTML), Refused("")),
    ("bad certificate", answer(400, NGINX.format("400 The SSL certificate error"), HTML), Refused("")),
    ("no certificate", answer(400, NGINX.format("400 No required SSL certificate was sent"), HTML), Refused("")),
    ("no TLS", answer(400, NGINX.format("400 The plain HTTP request was sent to HTTPS port"), HTML), Refused("")),
    ("redirect", answer(302, "", HTML, location="https://elsewhere.example/"), Refused("")),
    ("not modified", answer(304, "", HTML), Refused("")),
    ("nobody there", answer(404, NGINX.format("404 Not Found"), HTML), Refused("")),
    # Surely not applied.
    ("rate limit", answer(429, "", HTML, retry_after="7"), NotSent("", timedelta(seconds=7))),
    ("rate limit without a time", answer(429, NGINX.format("429"), HTML), NotSent("")),
    ("rate limit with a code", answer(429, fault("001")), NotSent("")),
    # Schema faults are about this message.
    ("schema fault", answer(400, SCHEMA_FAULT), REJECTED),
    ("schema fault with 422", answer(422, SCHEMA_FAULT), REJECTED),
    # Perhaps applied.
    ("system error", answer(200, ack(False, "001")), Unknown("")),
    ("database error", answer(200, ack(False, "002")), Unknown("")),
    ("021", answer(200, ack(False, "021")), Unknown("")),
    ("310", answer(200, ack(False, "310")), Unknown("")),
    ("320", answer(200, ack(False, "320")), Unknown("")),
    ("system error with 500", answer(500, fault("001", "Unexpected error checking partners: null")), Unknown("")),
    ("refusal with 500", answer(500, ack(False, "022")), Unknown("")),
    ("success with 500", answer(500, ack(True, "000")), Unknown("")),
    ("success with 408", answer(408, ack(True, "000")), Unknown("")),
    ("success with 201", answer(201, ack(True, "000")), Unknown("")),
    ("success with 400", answer(400, ack(True, "000")), Unknown("")),
    ("refusal with 408", answer(408, ack(False, "022")), Unknown("")),
    ("408", answer(408, "", HTML), Unknown("")),
    ("502", answer(502, NGINX.format("502 Bad Gateway"), HTML), Unknown("")),
    ("503", answer(503, "", HTML), Unknown("")),
    ("front page of a proxy", answer(200, NGINX.format("Welcome"), HTML), Unknown("")),
    ("success as text", answer(200, ack(True, "000"), "text/plain"), Unknown("")),
    ("success without a type", Answer(200, {}, ack(True, "000").encode()), Unknown("")),
    ("no content", answer(204, ""), Unknown("")),
    ("empty", answer(200, ""), Unknown("")),
    ("null", answer(200, "null"), Unknown("")),
    ("list", answer(200, "[]"), Unknown("")),
    ("nothing in it", answer(200, "{}"), Unknown("")),
    ("400 with nothing in it", answer(400, "{}"), Unknown("")),
    ("400 with null errors", answer(400, '{"message":null,"validationErrors":null}'), Unknown("")),
    ("null members", answer(200, '{"Result":null,"StatusCode":null}'), Unknown("")),
    ("null code", answer(200, ack(True, None)), Unknown("")),
    ("null Result", answer(200, ack(None, "000")), Unknown("")),
    ("Result as text", answer(200, '{"Result":"true","StatusCode":{"Code":"000"}}'), Unknown("")),
    ("code as number", answer(200, ack(True, 0)), Unknown("")),
    ("code in letters", answer(200, ack(False, "abc")), Unknown("")),
    ("code of four digits", answer(200, ack(False, "6031")), Unknown("")),
    ("code with a newline", answer(200, ack(True, "000\n")), Unknown("")),
    ("code in other digits", answer(200, ack(True, "\u0660\u0660\u0660")), Unknown("")),
    ("true, yet a refusal", answer(200, ack(True, "603")), Unknown("")),
    ("false, yet success", answer(200, ack(False, "000")), Unknown("")),
    ("cut short", answer(200, ack(True, "000")[:40]), Unknown("")),
    ("not UTF-8", answer(200, b'{"Result":true,"StatusCode":{"Code":"000","Description":"\xff"}}'), Unknown("")),
    ("deep", answer(200, '{"x":' + "[" * 100_000), Unknown("")),
    ("huge", answer(200, ("[" + ack(True, "000") + " " * LARGEST_ANSWER)[:LARGEST_ANSWER]), Unknown("")),
]


@pytest.mark.parametrize(("given", "meant"), [pytest.param(*rest, id=name) for name, *rest in ANSWERS])
def test_an_answer_is_judged(given: Answer, meant: Outcome) -> None:
    outcome = judge(given, NOW).outcome

    assert type(outcome) is type(meant), outcome
    assert getattr(outcome, "retry_slowly", None) == getattr(meant, "retry_slowly", None)
    assert getattr(outcome, "retry_after", None) == getattr(meant, "retry_after", None)


@pytest.mark.parametrize("code", [code for code, meaning in CODES.items() if meaning.judged is not Judged.APPLIED])
def test_no_code_but_000_is_a_success_however_it_is_dressed(code: str) -> None:
    for result in (True, False, None):
        assert not isinstance(judge(answer(200, ack(result, code)), NOW).outcome, Delivered)


@pytest.mark.parametrize(
    "code", [code for code, one in CODES.items() if one.judged in {Judged.PARTNER, Judged.EVSE, Judged.EVSE_FOR_NOW}]
)
def test_every_refusal_tells_the_operator_what_to_do(code: str) -> None:
    outcome = judge(answer(200, ack(False, code)), NOW).outcome

    assert isinstance(outcome, Refused | Rejected)
    assert CODES[Code(code)].todo
    assert CODES[Code(code)].todo in outcome.reason


def test_a_refusal_quotes_hubject_and_its_process_id() -> None:
    outcome = judge(answer(200, UNKNOWN_EVSE, process_id="0f1e"), NOW).outcome

    assert outcome == Rejected(
        'Hubject says 603, unknown EVSE ID; "One or more EVSE data record not found! '
        "EVSE data records missing for EvseIDs: X\"; publish the EVSE's EvseData first, with the EVSE ID written the "
        "same way; Process-ID 0f1e",
        retry_slowly=True,
        reference="0f1e",
    )


@pytest.mark.parametrize("given", [pytest.param(given, id=name) for name, given, _ in ANSWERS])
def test_whatever_the_answer_its_process_id_goes_with_the_outcome_and_stands_in_its_words(given: Answer) -> None:
    numbered = Answer(given.status, {**given.headers, "process-id": "0f1e-2d"}, given.body)
    outcome = judge(numbered, NOW).outcome

    assert outcome.reference == "0f1e-2d"
    assert (outcome.detail if isinstance(outcome, Delivered) else outcome.reason).endswith("Process-ID 0f1e-2d")
    assert judge(given, NOW).outcome.reference is None


def test_a_schema_fault_names_the_field() -> None:
    outcome = judge(answer(400, SCHEMA_FAULT), NOW).outcome

    assert isinstance(outcome, Rejected)
    assert "operatorEvseStatus.evseStatusRecord[0].evseStatus: may not be null" in outcome.reason


def test_what_hubject_writes_cannot_break_or_flood_a_log() -> None:
    hostile = answer(200, ack(False, "603", "line\nbreak\x1b[31m", "A" * 10_000), process_id="\x07" + "p" * 1000)
    outcome = judge(hostile, NOW).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.reason.isprintable()
    assert len(outcome.reason) < 600
    assert outcome.reference == "p" * 64


def test_the_code_behind_an_outcome_is_told() -> None:
    assert judge(answer(200, ack(False, "009")), NOW).code == "009"
    assert judge(answer(502, "", HTML), NOW).code is None


def test_the_last_word_of_a_text_that_was_cut_off_is_nobodys_evse_id() -> None:
    info = "EVSE data records missing for EvseIDs: ".ljust(990, "x") + ",DE*ABC*E1"
    assert judge(answer(200, ack(False, "603", None, info)), NOW).about.endswith(",")
    assert judge(answer(200, ack(False, "603", None, info[1:])), NOW).about.endswith(",DE*ABC*E1")
