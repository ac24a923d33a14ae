"""Who may call what: one guard in front of every handler, which looks at the key and asks for what the handler does."""

from typing import Any

from litestar.connection import ASGIConnection, Request
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from app.api.context import Context
from app.domain.api_key import digest_of, key_id_of
from app.domain.errors import MalformedValue
from app.domain.permission import Action, Call, Denied, may
from app.domain.principal import Principal

_JSON = {"application/json", "application/merge-patch+json"}


def needs(action: Action) -> dict[str, Action]:
    """The `opt` of a handler: what it does, which a key must be allowed to."""
    return {"action": action}


async def authorized(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a call through if its key is good here, and may do what the handler does. To what, the handler asks.

    Raises:
        NotAuthorizedException: no key, or one that is mistyped, unknown, revoked, expired or good from elsewhere only
            (all look the same).
        PermissionDeniedException: the key may not do that to anything.
        HTTPException: 415, a body that is not declared to be JSON.
    """
    method = connection.scope.get("method")
    if method == "OPTIONS":  # the framework's own handler, which only lists the methods
        return
    principal = await _principal(connection)
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


async def only_known_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse a query parameter that the handler does not know: a mistyped filter would silently mean "all".

    Raises:
        MalformedValue: naming the parameter, and those that there are.
    """
    known = [
        definition.name or name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(definition := field.kwarg_definition, QueryParameter)
    ]
    for name in connection.query_params:
        if name not in known:
            there = f"; one of {', '.join(known)}" if known else " here"
            raise MalformedValue(f"no such parameter{there}", field=name)


async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    principal: Principal = request.scope["user"]
    return principal


async def _principal(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise NotAuthorizedException("send Authorization: Bearer <key>", headers={"WWW-Authenticate": "Bearer"})
    context: Context = connection.app.state.context
    key_id = key_id_of(key)
    stored = None if key_id is None else await context.keys.find(key_id)
    if stored is None:
        digest_of(key)  # the same work, whether the key is known or not
    elif stored.opens(key, context.clock.now(), None if connection.client is None else connection.client.host):
        return stored.principal
    raise NotAuthorizedException("this key is not good", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
