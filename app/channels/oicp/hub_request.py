"""One request to the simulated Hubject as it came off the wire, and what can be held against it before its body."""

import re
from typing import Final
from urllib.parse import unquote

import msgspec
from litestar.types import HTTPScope, Receive

from app.channels.oicp.hub_rules import Refusal, fault, misfit
from app.channels.oicp.wire import OPERATOR_ID, SchemaFault, status_records_path

_PATH: Final = re.compile(status_records_path("([^/]+)"))
_JSON: Final = re.compile(r"application/json(\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)
_ACCEPTS_JSON: Final = re.compile(r"(^|,)\s*(\*/\*|application/(\*|json))\s*(;|,|$)", re.IGNORECASE)
#: Letters, digits and what else needs no percent sign, wherever it stands. Spec: RFC 3986 §2.3
_UNRESERVED: Final = re.compile(r"%(2[DE]|3\d|[46][1-9A-F]|[57][0-9A]|5F|7E)", re.IGNORECASE)
#: By these Hubject is told nothing, and somebody's secret is told to it.
_UNASKED: Final = ("authorization", "cookie", "proxy-authorization")
_ONCE: Final = ("content-type", "content-length", "host")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `path` still percent-encoded, header names in small letters, in order and with repetitions."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one == name), None)


async def request_of(scope: HTTPScope, receive: Receive) -> Request:
    return Request(
        method=str(scope["method"]),
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=await _body(receive),
    )


def addressed_operator(request: Request) -> str:
    """Return the operator id in the path, decoded.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1

    Raises:
        Refusal: address, method or headers are not those of a status push.
    """
    written = addressed_partner(request, _PATH)
    check_head(request)
    operator = unquote(written)
    if not OPERATOR_ID.fullmatch(operator):
        raise misfit("operatorID", f"not an OperatorID: {operator}")
    return operator


def addressed_partner(request: Request, path: re.Pattern[str]) -> str:
    """Return the first group of `path`, which the request's must be, still percent-encoded.

    Raises:
        Refusal: it is another path, or written in a way that no two programs agree about.
    """
    place = path.fullmatch(request.path)
    if place is None:
        text = f"OICP service not found for URI: {request.path}"
        raise Refusal(f"no such path: {request.path}", 404, fault("001", text))
    if needless := _UNRESERVED.search(place[1]):
        raise _bad_request(f"{needless[0]} in the path where nothing needs to be encoded")
    if request.query:
        raise _bad_request(f"a query that nobody asked for: {request.query}")
    return place[1]


def check_head(request: Request) -> None:
    """Check the method and the headers.

    Raises:
        Refusal: it is not a POST of plain JSON, wants another answer than JSON, or tells secrets that nobody wants.
    """
    if request.method != "POST":
        raise Refusal(f"{request.method} where POST is due", 405, SchemaFault(message="Method not allowed"))
    names = [name for name, _ in request.headers]
    if twice := [one for one in _ONCE if names.count(one) > 1]:
        raise _bad_request(f"header sent twice: {', '.join(twice)}")
    kind = request.header("content-type") or ""
    if not _JSON.fullmatch(kind.strip()):
        raise Refusal(f"content type {kind!r}", 415, SchemaFault(message="Unsupported media type"))
    if (encoding := request.header("content-encoding") or "identity") != "identity":
        raise Refusal(f"a body packed as {encoding}", 415, SchemaFault(message="Unsupported content encoding"))
    if (wanted := request.header("accept")) is not None and not _ACCEPTS_JSON.search(wanted):
        raise Refusal(f"answers wanted as {wanted}", 406, SchemaFault(message="Not acceptable"))
    if unasked := [one for one in _UNASKED if one in names]:
        raise _bad_request(f"headers that are none of Hubject's business: {', '.join(unasked)}")


def _bad_request(wrong: str) -> Refusal:
    return Refusal(wrong, 400, SchemaFault(message="Bad request"))


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while (event := await receive())["type"] == "http.request":
        body += event["body"]
        if not event["more_body"]:
            break
    return bytes(body)
