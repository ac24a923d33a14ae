"""What an answer of Hubject says about a push. HTTP 200 alone says nothing: a refusal has it too."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar, assert_never

import msgspec

from app.channels.oicp import codes
from app.channels.oicp.codes import Code, Judged, Meaning
from app.channels.oicp.wire import CODE, SchemaFault, StatusCode, Verdict
from app.channels.outcomes import Delivered, NotSent, Outcome, Refused, Rejected, Unknown
from app.channels.transport import Answer

LONGEST_REFERENCE: Final = 64  #: characters of a Process-ID that are kept; Hubject's have 36
TRIMMED: Final = 300  #: characters of each of Hubject's texts that are kept
LONGEST_INFO: Final = 1000  #: characters of AdditionalInfo. Spec: OICP 2.3 CPO §StatusCodeType
FIRST_ERRORS: Final = 3  #: of a schema fault that are kept

_NO_SUCH_SERVICE: Final = "service not found for uri"
_TAG: Final = re.compile(r"<[^<>]{1,200}>")
_PUSH_UNDER_WAY: Final = re.compile(r"push.{0,40}already in progress", re.IGNORECASE | re.DOTALL)
_LAST_WORD: Final = re.compile(r"[A-Za-z0-9+*]+\Z")
_CERTIFICATE: Final = "ssl certificate"
_NO_CERTIFICATE: Final = "no required ssl certificate"
_PLAIN_HTTP: Final = "plain http request was sent to https port"

_Read = TypeVar("_Read")


class Judgement(msgspec.Struct, frozen=True):
    """The outcome, and Hubject's status code behind it, where it gave one.

    `about` is what it said beyond the code, by which the EVSEs of a bundle can be told apart that it is about.
    """

    outcome: Outcome
    code: str | None = None
    about: str = ""


def judge(answer: Answer, at: datetime) -> Judgement:
    """Say what `answer`, received at `at` (UTC), means for the push that it answers.

    Delivered is only HTTP 200 with JSON, `Result` true and code 000. A code is believed before the HTTP status, but a
    5xx never proves that nothing was applied, unless the code says that Hubject refuses the operator altogether.

    Its `reference` is Hubject's number of the request, which answers of a proxy in front of Hubject lack.

    Spec: OICP 2.3 CPO §eRoamingAcknowledgement; §Status codes; §CodeType
    """
    judged = _judged(answer, at)
    outcome = msgspec.structs.replace(judged.outcome, reference=_process_id(answer) or None)
    return msgspec.structs.replace(judged, outcome=outcome)


def _judged(answer: Answer, at: datetime) -> Judgement:
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Judgement(NotSent(_words("Hubject's rate limit is reached", answer), answer.retry_after(at)))
    verdict = _read(answer, Verdict)
    if verdict is not None and (status := verdict.status_code) is not None and CODE.fullmatch(status.code):
        about = f"{status.description or ''} {_whole_words(status.additional_info or '')}"
        return Judgement(_by_code(verdict.result, status, answer), status.code, about)
    fault = _read(answer, SchemaFault)
    return Judgement(_by_http_status(answer), about=" ".join(_references(fault)) if fault else "")


def _by_code(result: bool | None, status: StatusCode, answer: Answer) -> Outcome:  # noqa: FBT001 - Hubject's, not ours
    meaning = codes.meaning(status.code)
    said = f"{status.description or ''} {status.additional_info or ''}"
    reason = _words(f"Hubject says {status.code}, {meaning.says}", answer, _quoted(said), meaning.todo)
    judged = meaning.judged

    if status.code == Code.SYSTEM_ERROR and _NO_SUCH_SERVICE in said.lower():
        return Refused(_words("Hubject knows no such service", answer, _quoted(said), "check baseUrl"))
    if judged is Judged.PARTNER or answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Refused(reason)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.REQUEST_TIMEOUT:
        return Unknown(_words(f"HTTP {answer.status} with code {status.code}", answer, _quoted(said)))
    if (judged is Judged.APPLIED) != (result is True) or (judged is Judged.APPLIED and answer.status != HTTPStatus.OK):
        return Unknown(_words(f"HTTP {answer.status}, Result {result} and code {status.code} contradict", answer))
    if status.code == Code.DATA_TRANSACTION_ERROR and _PUSH_UNDER_WAY.search(said):
        return NotSent(_words("another push for this operator is under way", answer, _quoted(said), meaning.todo))
    return _as_judged(judged, meaning, reason, answer)


def _as_judged(judged: Judged, meaning: Meaning, reason: str, answer: Answer) -> Outcome:
    match judged:
        case Judged.APPLIED:
            return Delivered(_words(meaning.says, answer))
        case Judged.EVSE:
            return Rejected(reason)
        case Judged.EVSE_FOR_NOW:
            return Rejected(reason, retry_slowly=True)
        case Judged.EVSE_PASSING:
            return Rejected(reason, retry_slowly=True, passing=True)
        case Judged.PARTNER:
            return Refused(reason)
        case Judged.PERHAPS:
            return Unknown(reason)
        case _:
            assert_never(judged)


def _by_http_status(answer: Answer) -> Outcome:
    """Judge an answer without a status code: of a proxy in front of Hubject, a schema fault, or garbage."""
    page = answer.body[:4096].decode("utf-8", "replace").lower()
    match answer.status:
        case 400 if _NO_CERTIFICATE in page:
            return _refused(answer, "Hubject wants a client certificate", "configure clientCertificate and clientKey")
        case 400 if _CERTIFICATE in page:
            return _refused(answer, "Hubject does not accept the client certificate", "use the one that Hubject signed")
        case 400 if _PLAIN_HTTP in page:
            return _refused(answer, "Hubject is spoken to without TLS", "begin baseUrl with https://")
        case 400 | 422 if (fault := _read(answer, SchemaFault)) is not None and fault.validation_errors:
            return Rejected(_words(f"Hubject's schema refuses the message: {_errors(fault)}", answer))
        case 401:
            return _refused(answer, "Hubject does not know us", "check that the client certificate is valid")
        case 403:
            return _refused(answer, "Hubject lets us not in", "have this machine's public address registered there")
        case 404 | 405 | 410:
            return _refused(answer, f"no such service at this address: HTTP {answer.status}", "check baseUrl")
        case status if 300 <= status < 400:  # noqa: PLR2004 - 3xx
            where = _clean(answer.headers.get("location", "elsewhere"))
            return _refused(answer, f"redirected to {where}", "redirects are not followed: check baseUrl")
    return Unknown(_words(f"HTTP {answer.status} and no answer that OICP knows", answer, _quoted(answer.excerpt)))


def _refused(answer: Answer, reason: str, todo: str) -> Refused:
    return Refused(_words(reason, answer, _quoted(answer.excerpt), todo))


def _read(answer: Answer, as_type: type[_Read]) -> _Read | None:
    if not answer.is_json:
        return None
    try:
        return msgspec.json.decode(answer.body, type=as_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _whole_words(info: str) -> str:
    """Leave out the last word of a text that was cut off: what is left of an EVSE ID may be another one's."""
    return info if len(info) < LONGEST_INFO else _LAST_WORD.sub("", info)


def _references(fault: SchemaFault) -> list[str]:
    return [one.field_reference or "" for one in fault.validation_errors or []]


def _errors(fault: SchemaFault) -> str:
    errors = (fault.validation_errors or [])[:FIRST_ERRORS]
    return "; ".join(f"{_clean(one.field_reference or '?')}: {_clean(one.error_message or '?')}" for one in errors)


def _words(reason: str, answer: Answer, said: str = "", todo: str = "") -> str:
    """Put together what people will read, with Hubject's own number of the request to ask its support about."""
    process = _process_id(answer)
    return "; ".join(part for part in (reason, said, todo, process and f"Process-ID {process}") if part)


def _process_id(answer: Answer) -> str:
    return _clean(answer.headers.get("process-id", ""))[:LONGEST_REFERENCE]


def _quoted(text: str) -> str:
    """Quote what was said, of an HTML page only what one would read there."""
    text = " ".join(_TAG.sub(" ", text).split()) if _TAG.match(text.lstrip()) else text
    return f'"{cleaned}"' if (cleaned := _clean(text)) else ""


def _clean(text: str) -> str:
    """Trim a foreign text to one printable line."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[: TRIMMED * 2]).split())[:TRIMMED]
