"""API keys: who may call, for what, and how to take that back."""

import structlog
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.context import Context
from app.api.guards import needs
from app.api.key_shapes import (
    AskedRights,
    AskedScope,
    IssuedKey,
    KeyChanges,
    KeyIdInPath,
    KeyView,
    NewKey,
    PanicView,
    Rotation,
    TouchedView,
    expiry_in,
    issued_view,
    key_view,
)
from app.api.problems import refuses
from app.domain import errors
from app.domain.api_key import is_key_id, no_such_key
from app.domain.granting import WantedRights
from app.domain.instant import rfc3339
from app.domain.permission import Action, Allowed, OfKey, may
from app.domain.principal import Principal
from app.domain.scope import EVERYTHING, Scope
from app.store import issuing
from app.store import keys as store
from app.store.key_scopes import evse_names, scope_of
from app.store.panic import panic

log = structlog.get_logger(__name__)

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]

_REFUSED = (
    errors.MalformedValue,
    errors.MalformedInstant,
    errors.MalformedEvseId,
    errors.EvseNotFound,
    errors.AmbiguousEvse,
    errors.MayNot,
)


class Keys(Controller):
    """`/v2/keys`."""

    path = "/v2/keys"
    tags = ["API keys"]

    @post(operation_id="createKey", opt=needs(Action.ISSUE_KEYS), responses=refuses(*_REFUSED))
    async def create(self, data: JSONBody[NewKey], context: Context_, principal: Principal_) -> IssuedKey:
        """Make a key, no further-reaching than your own. It is shown now, in `key`, and never again.

        An `Idempotency-Key` counts for nothing here: an answer with a secret in it is stored nowhere. Asked twice, two
        are made; revoke the one whose answer was lost.
        """
        of = data.preset or data.role
        if of is None or (data.preset is not None and data.role is not None):
            raise errors.MalformedValue("say what the key is for: either a preset or a role", field="preset")
        at, expires_at = context.clock.now(), expiry_in(data.expires_at)
        async with context.database.write() as connection:
            wanted = await _wanted(connection, principal, data.rights or AskedRights())
            issued = await issuing.create(
                connection, principal, at, name=data.name, of=of, wanted=wanted, expires_at=expires_at
            )
            names = await evse_names(connection, issued.stored.rights.scope.evses)
        return issued_view(issued.stored, issued.key, at, names)

    @get(operation_id="listKeys", opt=needs(Action.SEE_KEYS), responses=refuses(body=False))
    async def list_(self, context: Context_, principal: Principal_) -> list[KeyView]:
        """List the keys, revoked ones too, in the order they were made."""
        async with context.database.read() as connection:
            keys = await store.all_keys(connection)
            seen = [one for one in keys if isinstance(may(principal, Action.SEE_KEYS, OfKey(one)), Allowed)]
            names = await evse_names(connection, {evse for one in seen for evse in one.rights.scope.evses})
        return [key_view(one, context.clock.now(), names) for one in seen]

    @get(
        "/{keyId:str}",
        operation_id="getKey",
        opt=needs(Action.SEE_KEYS),
        responses=refuses(errors.KeyNotFound, body=False),
    )
    async def look_at(self, key_id: KeyIdInPath, context: Context_, principal: Principal_) -> KeyView:
        """Look at a key: what it is good for, until when, and when and from where it was last used."""
        async with context.database.read() as connection:
            if (found := await store.find(connection, _id(key_id))) is None:
                raise no_such_key(key_id)
            issuing.reached(principal, Action.SEE_KEYS, found)
            names = await evse_names(connection, found.rights.scope.evses)
        return key_view(found, context.clock.now(), names)

    @patch(
        "/{keyId:str}",
        operation_id="changeKey",
        opt=needs(Action.ISSUE_KEYS),
        responses=refuses(*_REFUSED, errors.KeyNotFound, errors.KeyIsOver),
    )
    async def change(
        self, key_id: KeyIdInPath, data: JSONBody[KeyChanges], context: Context_, principal: Principal_
    ) -> KeyView:
        """Change what a key is called, what it is good for and until when. It counts from the next call on."""
        at, expires_at = context.clock.now(), expiry_in(data.expires_at)
        async with context.database.write() as connection:
            wanted = None if data.rights is UNSET else await _wanted(connection, principal, data.rights)
            changed = await issuing.change(
                connection, principal, _id(key_id), at, name=data.name, wanted=wanted, expires_at=expires_at
            )
            names = await evse_names(connection, changed.rights.scope.evses)
        return key_view(changed, at, names)

    @post(
        "/{keyId:str}/rotate",
        operation_id="rotateKey",
        opt=needs(Action.ISSUE_KEYS),
        status_code=200,
        responses=refuses(errors.MalformedValue, errors.KeyNotFound, errors.KeyIsOver),
    )
    async def rotate(
        self, key_id: KeyIdInPath, data: JSONBody[Rotation], context: Context_, principal: Principal_
    ) -> IssuedKey:
        """Give a key another secret, shown now and never again. It goes on under its id, and owns what it owned.

        The secret before stays good for `overlap`; of two rotations within it, the oldest secret ends with the second.
        """
        at, overlap = context.clock.now(), data.duration()
        async with context.database.write() as connection:
            issued = await issuing.rotate(connection, principal, _id(key_id), at, overlap)
            names = await evse_names(connection, issued.stored.rights.scope.evses)
        return issued_view(issued.stored, issued.key, at, names)

    @delete(
        "/{keyId:str}",
        operation_id="revokeKey",
        opt=needs(Action.ISSUE_KEYS),
        status_code=204,
        responses=refuses(errors.KeyNotFound, body=False),
    )
    async def revoke(self, key_id: KeyIdInPath, context: Context_, principal: Principal_) -> None:
        """Make a key good for nothing, at once and for ever. What it planned goes on; again changes nothing."""
        async with context.database.write() as connection:
            await issuing.revoke(connection, principal, _id(key_id), context.clock.now())

    @post(
        "/{keyId:str}/panic",
        operation_id="panic",
        opt=needs(Action.PANIC) | {"body": False},
        status_code=200,
        responses=refuses(errors.KeyNotFound, body=False),
    )
    async def panic(self, key_id: KeyIdInPath, context: Context_, principal: Principal_) -> PanicView:
        """Revoke a key, then end everything that it planned. Broken off, do it again: it does what is left to do."""
        done = await panic(context.database, context.writer, context.clock, principal, _id(key_id))
        log.warning("a key was panicked", key=key_id, by=principal.id, ended=done.ended)
        return PanicView(done.ended, [TouchedView(rfc3339(one.at), one.action, one.subject) for one in done.touched])


def _id(key_id: str) -> str:
    """Read an id. Whatever is none that we could have given out names nothing."""
    if not is_key_id(key_id):
        raise no_such_key(key_id)
    return key_id


async def _wanted(connection: AsyncConnection, by: Principal, asked: AskedRights) -> WantedRights:
    return asked.wanted(UNSET if asked.scope is UNSET else await _scope(connection, by, asked.scope))


async def _scope(connection: AsyncConnection, by: Principal, asked: AskedScope) -> Scope:
    """Read a scope. One that says nothing is refused: it would be for every EVSE that there is.

    Raises:
        MalformedValue: it says nothing, or both that it is everywhere and where.
    """
    somewhere = bool(asked.operators or asked.sites or asked.evses)
    if asked.everywhere == somewhere:
        raise errors.MalformedValue(
            "say operators, sites or evses, or that it is everywhere: one of the two", field="rights.scope"
        )
    if asked.everywhere:
        return EVERYTHING
    for place, one in enumerate(asked.sites):
        if not all(part.isprintable() for part in (one.country_code, one.party_id, one.location_id)):
            raise errors.MalformedValue("not a location", field=f"rights.scope.sites[{place}]")
    sites = [(one.country_code, one.party_id, one.location_id) for one in asked.sites]
    return await scope_of(connection, by, asked.operators, sites, asked.evses)
