"""Who may call what: one guard in front of every handler, which asks the key and the right the handler names."""

from typing import Any

from litestar.connection import ASGIConnection, Request
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from app.api.context import Context
from app.domain.api_key import digest_of, key_id_of
from app.domain.errors import MalformedValue
from app.domain.principal import Principal, Right

_JSON = {"application/json", "application/merge-patch+json"}


def needs(right: Right) -> dict[str, Right]:
    """The `opt` of a handler: what a key must be allowed to do to call it."""
    return {"right": right}


async def authorized(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Let a call through if its key is good and its role has the handler's right.

    Raises:
        NotAuthorizedException: no key, or one that is mistyped, unknown, revoked or expired (all look the same).
        PermissionDeniedException: the key's role lacks the right.
        HTTPException: 415, a body that is not declared to be JSON.
    """
    method = connection.scope.get("method")
    if method == "OPTIONS":  # the framework's own handler, which only lists the methods
        return
    principal = await _principal(connection)
    right: Right = handler.opt["right"]
    if not principal.may(right):
        raise PermissionDeniedException(f"a key with the role {principal.role} may not do this; it takes: {right}")
    connection.scope["user"] = principal
    if method in {"POST", "PUT", "PATCH"} and handler.opt.get("body", True):
        kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _JSON:
            raise HTTPException(status_code=415, detail="send the body as Content-Type: application/json")


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
    elif stored.opens(key, context.clock.now()):
        return Principal(stored.id, stored.role)
    raise NotAuthorizedException("this key is not good", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
