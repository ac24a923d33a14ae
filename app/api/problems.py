"""Every refusal as an RFC 9457 problem: one table for the answers, the OpenAPI document and the docs."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from structlog.contextvars import get_contextvars

from app.api.pointers import FieldProblem, fields_at_fault, pointer_to
from app.domain import errors
from app.store.failures import DatabaseUnavailable
from app.store.secrets import SecretsUnreadable
from app.store.writer import WriterBusy

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "urn:evse-status:problem:"

#: Fields of refusals that are headers.
_HEADERS: Final = frozenset({"Idempotency-Key", "If-Match", "If-None-Match"})

log = structlog.get_logger(__name__)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """RFC 9457. `type` is stable and meant for programs, `detail` for people.

    `requestId` is the `X-Request-Id` of the answer, under which the service's log has more of it; at most 128
    characters.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    request_id: str | None = None


class Sort(msgspec.Struct, frozen=True):
    """How one kind of refusal is answered."""

    slug: str
    status: int
    title: str


SORTS: Final[Mapping[type[errors.DomainError], Sort]] = {
    errors.MalformedInstant: Sort("malformed-time", 400, "A time cannot be read"),
    errors.MalformedEvseId: Sort("malformed-evse-id", 400, "That is not an EVSE ID"),
    errors.MalformedValue: Sort("malformed-value", 400, "A value is not one that the field can take"),
    errors.EmptyInterval: Sort("empty-interval", 422, "The window contains no time"),
    errors.AlreadyOver: Sort("already-over", 422, "The window lies in the past"),
    errors.EvseNotFound: Sort("evse-not-found", 404, "No such EVSE"),
    errors.AmbiguousEvse: Sort("ambiguous-evse", 409, "The EVSE ID fits several EVSEs"),
    errors.EvseConflict: Sort("evse-conflict", 409, "Another EVSE has that already"),
    errors.TemporaryStatusNotFound: Sort("temporary-status-not-found", 404, "No such temporary status"),
    errors.HasBegun: Sort("has-begun", 409, "The temporary status has begun"),
    errors.HasEnded: Sort("has-ended", 409, "The temporary status is over"),
    errors.PartnerNotFound: Sort("partner-not-found", 404, "No such partner"),
    errors.PartnerConflict: Sort("partner-conflict", 409, "Another partner has that name, or serves the same"),
    errors.InvalidPartner: Sort("invalid-partner", 422, "The partner's configuration does not fit its channel"),
    errors.NotOursToReplace: Sort("not-ours-to-replace", 409, "Others tell the partner as well"),
    errors.KeyNotFound: Sort("key-not-found", 404, "No such API key"),
    errors.KeyNotGood: Sort("unauthenticated", 401, "A good API key is needed"),
    errors.KeyIsOver: Sort("key-is-over", 409, "The API key is good for nothing any more"),
    errors.MayNot: Sort("forbidden", 403, "The key may not do that"),
    errors.KindNotAllowed: Sort("kind-not-allowed", 403, "The key may not say that"),
    errors.OpenEndNotAllowed: Sort("open-end-not-allowed", 403, "The key may not leave the end open"),
    errors.TooLong: Sort("too-long", 403, "The window is too long for the key"),
    errors.TooFarAhead: Sort("too-far-ahead", 403, "The window begins too far ahead for the key"),
    errors.TooManyActive: Sort("too-many-active", 409, "The key has too many in effect at once"),
    errors.BlastRadius: Sort("blast-radius", 429, "Too much would be overridden at once"),
    errors.BrakeNotFound: Sort("brake-not-found", 404, "No such site or operator"),
    errors.NoEvsesThere: Sort("no-evses-there", 404, "The operator or location has no EVSEs"),
    errors.AmbiguousLocation: Sort("ambiguous-location", 409, "The location id fits several locations"),
    errors.TooManyEvses: Sort("too-many-evses", 422, "Those are too many EVSEs for one call"),
    errors.BatchNotFound: Sort("batch-not-found", 404, "No such batch"),
    errors.BatchRefused: Sort("batch-refused", 409, "Something was refused, so nothing was done"),
    errors.StaleVersion: Sort("stale-version", 409, "Something newer is known"),
    errors.IdempotencyMismatch: Sort("idempotency-mismatch", 422, "The Idempotency-Key was used with another body"),
    errors.PreconditionFailed: Sort("precondition-failed", 412, "It has changed meanwhile"),
}

# Refusals that are HTTP's own, by status.
_HTTP: Final[Mapping[int, Sort]] = {
    400: Sort("malformed", 400, "The request is malformed"),
    401: Sort("unauthenticated", 401, "A good API key is needed"),
    403: Sort("forbidden", 403, "The key may not do that"),
    404: Sort("not-found", 404, "There is nothing here"),
    405: Sort("method-not-allowed", 405, "That cannot be done here"),
    413: Sort("too-large", 413, "The body is too large"),
    415: Sort("not-json", 415, "The body must be JSON"),
    429: Sort("rate-exceeded", 429, "Too many calls"),
    500: Sort("internal", 500, "Something went wrong here"),
    503: Sort("unavailable", 503, "The service cannot do that at the moment"),
}

_WHAT_TO_DO: Final[Mapping[int, str]] = {
    404: "no such path: /openapi shows all of them, /openapi/openapi.json lists them for programs",
    405: "the methods that this path knows are ",
    413: "send less at once: a body may have 64 KiB, that of a call for many 1 MiB",
}


def refuses(*kinds: type[errors.DomainError], body: bool = True) -> dict[int, ResponseSpec]:
    """The OpenAPI `responses` of a handler that may raise `kinds`, and what every handler may answer.

    Every handler refuses parameters that it does not know; whoever finds no EVSE may not have been given an EVSE ID.
    """
    read = [errors.MalformedEvseId] if errors.EvseNotFound in kinds else []
    kinds = tuple(dict.fromkeys((errors.MalformedValue, *read, *kinds)))
    sorts: dict[int, list[Sort]] = {}
    for sort in (
        *(_HTTP[status] for status in (400, 401, 403, *((413, 415) if body else ()), 429, 503)),
        *(SORTS[kind] for kind in kinds),
    ):
        sorts.setdefault(sort.status, []).append(sort)
    return {status: _spec(those) for status, those in sorted(sorts.items())}


def _spec(sorts: list[Sort]) -> ResponseSpec:
    """What is answered with one status, with an example of each problem that it may be."""
    said = "what was wrong, in a sentence for people"
    examples = [
        Example(
            id=one.slug,
            summary=one.title,
            value={"type": TYPE + one.slug, "title": one.title, "status": one.status, "detail": said},
        )
        for one in sorts
    ]
    titles = " / ".join(one.title for one in sorts)
    return ResponseSpec(Problem, media_type=MEDIA_TYPE, description=titles, generate_examples=False, examples=examples)


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    problem = msgspec.structs.replace(problem, request_id=get_contextvars().get("request_id"))
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def problem_of(error: BaseException, **where: str) -> Problem:
    """Say what went wrong, with a request or with one thing of many in it; `where` goes to the log."""
    if isinstance(error, errors.DomainError):
        sort = SORTS[type(error)]
        found = [] if error.field is None else [FieldProblem(str(error), pointer=pointer_to(error.field, str(error)))]
        return Problem(TYPE + sort.slug, sort.title, sort.status, str(error), found)
    if isinstance(error, WriterBusy | DatabaseUnavailable | SecretsUnreadable):
        sort = _HTTP[503]
        return Problem(TYPE + sort.slug, sort.title, 503, str(error))
    log.error("a request failed", exc_info=error, **where)
    sort = _HTTP[500]
    return Problem(TYPE + sort.slug, sort.title, 500, "it has been logged")


def refused(request: Request[Any, Any, Any], error: errors.DomainError) -> Response[Problem]:
    """A refusal of ours. Its field is a body's, unless it stood in the URL or is a header."""
    problem = problem_of(error)
    if error.field in _HEADERS:
        problem = msgspec.structs.replace(problem, errors=[FieldProblem(str(error), header=error.field)])
    elif error.field is not None and (error.field in request.path_params or error.field in request.query_params):
        problem = msgspec.structs.replace(problem, errors=[FieldProblem(str(error), parameter=error.field)])
    return answer(problem, {"Retry-After": str(error.seconds)} if isinstance(error, errors.BlastRadius) else None)


def http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """A refusal of HTTP's own, or of the framework's validation."""
    sort = _HTTP.get(error.status_code, _HTTP[400] if error.status_code < 500 else _HTTP[500])  # noqa: PLR2004
    found: list[FieldProblem] = []
    detail = str(error.detail).removesuffix(".")
    if isinstance(error, ValidationException):
        found = fields_at_fault(request, error)
        detail = "; ".join(one.detail for one in found) or "the request cannot be read"
    elif isinstance(error.__cause__, SerializationException):
        found = [FieldProblem(detail, pointer="")]
    elif detail == HTTPStatus(error.status_code).phrase:  # the framework has nothing to add
        detail = _WHAT_TO_DO.get(error.status_code, detail)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail += ", ".join(sorted((error.headers or {}).get("allow", "").split(", ")))
    return answer(Problem(TYPE + sort.slug, sort.title, error.status_code, detail, found), error.headers)


def unreadable(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Bytes that are not UTF-8, or JSON nested deeper than anything we would ask for."""
    sort = _HTTP[400]
    detail = "the body is nested too deeply" if isinstance(error, RecursionError) else "the body is not valid UTF-8"
    return answer(Problem(TYPE + sort.slug, sort.title, 400, detail, [FieldProblem(detail, pointer="")]))


def busy(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    return answer(problem_of(error), {"Retry-After": "1"})


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    return answer(problem_of(error, method=request.method, path=request.url.path))


HANDLERS: Final[Mapping[Any, Any]] = {
    errors.DomainError: refused,
    HTTPException: http,
    UnicodeDecodeError: unreadable,
    RecursionError: unreadable,
    WriterBusy: busy,
    DatabaseUnavailable: busy,
    SecretsUnreadable: busy,
    Exception: unexpected,
}
