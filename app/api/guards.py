"""Who may call what: a guard in front of every handler, which looks at the key and asks for what the handler does."""

import asyncio
import math
from typing import Any, Final, cast

import structlog
from litestar.connection import ASGIConnection, Request
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.typing import FieldDefinition

from app.api.context import Context
from app.domain.api_key import digest_of, key_id_of
from app.domain.errors import MalformedValue
from app.domain.permission import ROLES, Action, Call, Denied, may
from app.domain.principal import Principal, Role
from app.store.failures import DatabaseUnavailable

log = structlog.get_logger(__name__)

CALLER: Final = "evse-status.caller"  #: in the scope of a call that comes with no key, from inside the process
#: Taken by what a handler needs besides, so that it is provided after that: for what could be provided side by side the
#: framework starts a group of tasks, at a twentieth of a millisecond each time.
After = NamedDependency[Principal]
_AWAY: Final = 2.0  #: seconds that a scrape waits to hear whether its key is good
_JSON = {"application/json", "application/merge-patch+json"}


class Guarded:
    """Lets a call through to its handler, or not: a key that is good for it first, then parameters that there are.

    A middleware, though the framework has guards: before it asks one of those, it copies the handler for it, which
    takes as long as all that is asked here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope, receive)
        handler = scope["route_handler"]
        await authorized(connection, handler)
        only_known_parameters(connection, handler)
        await self._app(scope, receive, send)


def needs(action: Action) -> dict[str, Action]:
    """The `opt` of a handler: what it does, which a key must be allowed to."""
    return {"action": action}


def roles_described() -> str:
    """What a key may do by its role, for whoever reads the API's description."""
    lines = [f"- `{role}`: {'; '.join(action for action in Action if role in ROLES[action])}" for role in Role]
    return "\n".join(
        [
            "An API key. By its role it may:",
            "",
            *lines,
            "",
            "That is for the EVSEs that it is good for: others, and what it may not see, look as if not there.",
        ]
    )


async def authorized(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a call through if its key is good here, and may do what the handler does. To what, the handler asks.

    Raises:
        NotAuthorizedException: no key, or one that is mistyped, unknown, revoked, expired or good from elsewhere only
            (all look the same).
        PermissionDeniedException: the key may not do that to anything.
        HTTPException: 415, a body that is not declared to be JSON; 429, too many calls.
    """
    method = connection.scope.get("method")
    if method == "OPTIONS":  # the framework's own handler, which only lists the methods
        return
    # No server puts this there: the command line does, which calls the API inside its own process.
    asks = _of_scraper if handler.opt["action"] is Action.SEE_METRICS else _principal
    principal = cast("Principal | None", connection.scope.get(CALLER)) or await asks(connection)
    allowed(principal, handler.opt["action"])
    connection.scope["user"] = principal
    if method in {"POST", "PUT", "PATCH"} and handler.opt.get("body", True):
        kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _JSON:
            raise HTTPException(status_code=415, detail="send the body as Content-Type: application/json")


def allowed(principal: Principal, action: Action) -> None:
    """Refuse what this key may do to nothing at all.

    Raises:
        PermissionDeniedException: why.
    """
    if isinstance(verdict := may(principal, action, Call()), Denied):
        raise PermissionDeniedException(verdict.detail)


def charged(context: Context, principal: Principal, calls: int) -> None:
    """Count a call that does the work of several, as far as a minute's worth goes.

    Raises:
        HTTPException: 429, there are not so many left.
    """
    if principal.rights.rate is not None and calls > 0:
        calls = min(calls, principal.rights.rate - 1)
        _not_too_often(
            context.rates.call(principal.id, principal.rights.rate, calls), "this key may call more often later"
        )


def only_known_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a query parameter that the handler does not know: a mistyped filter would silently mean "all".

    So would one that says `null`, and of one that is given twice only the last counts.

    Raises:
        MalformedValue: naming the parameter, and those that there are.
    """
    if not connection.scope["query_string"]:
        return
    known = {
        definition.name or name: field
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(definition := field.kwarg_definition, QueryParameter)
    }
    given = connection.query_params
    for name in given:
        if (field := known.get(name)) is None:
            there = f"; one of {', '.join(known)}" if known else " here"
            raise MalformedValue(f"no such parameter as {name[:40]!r}{there}", field=name)
        values = given.getall(name)
        if len(values) > 1 and not _is_list(field):
            raise MalformedValue("given more than once, and takes one value", field=name)
        if not _is_text(field) and any(value.lower() == "null" for value in values):
            raise MalformedValue("null is no value: leave it out", field=name)


def _is_list(field: FieldDefinition) -> bool:
    return any(one.is_non_string_sequence for one in (field, *field.inner_types))


def _is_text(field: FieldDefinition) -> bool:
    return any(one.annotation is str for one in (field, *field.inner_types))


async def provide_principal(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],  # noqa: ARG001 - as `After`
) -> Principal:
    principal: Principal = request.scope["user"]
    return principal


async def _principal(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise NotAuthorizedException("send Authorization: Bearer <key>", headers={"WWW-Authenticate": "Bearer"})
    context: Context = connection.app.state.context
    address = None if connection.client is None else connection.client.host
    key_id, digest = key_id_of(key), digest_of(key)  # the same work, whether the key is known or not
    stored = None if key_id is None else await context.keys.find(key_id)
    at = context.clock.now()
    if stored is not None and stored.opens(key, at, address):
        context.key_uses.note(stored.id, digest, address)
        _not_too_often(context.rates.call(stored.id, stored.rights.rate), "too many calls with this key")
        return stored.principal
    # Only what is bad is counted: a good key goes on working from an address where others fail.
    _not_too_often(context.rates.failure(address), "too many calls from there had a bad key")
    if stored is not None and stored.knows(digest, at):
        log.warning("a good key came from where it may not be used", key=stored.id, address=address)
    raise NotAuthorizedException("this key is not good", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


async def _of_scraper(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Take a key that was good lately for good where the database is away, which is when metrics are wanted most."""
    context: Context = connection.app.state.context
    digest = digest_of(connection.headers.get("authorization", "").partition(" ")[2].strip())
    came = digest, None if connection.client is None else connection.client.host
    try:
        async with asyncio.timeout(_AWAY):
            principal = await _principal(connection)
    except (DatabaseUnavailable, TimeoutError) as error:
        if (known := context.scrapers.find(came)) is not None:
            return known
        raise DatabaseUnavailable("the database is away, and nobody knows the key") from error
    except NotAuthorizedException:
        context.scrapers.forget(came)
        raise
    allowed(principal, Action.SEE_METRICS)  # those who may not look push nobody out
    context.scrapers.note(came, principal)
    return principal


def _not_too_often(wait: float, detail: str) -> None:
    """Refuse where there is a time to wait, in seconds.

    Raises:
        HTTPException: 429, and when to come back.
    """
    if wait > 0:
        raise HTTPException(status_code=429, detail=detail, headers={"Retry-After": str(math.ceil(wait))})
