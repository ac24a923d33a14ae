"""Two operators, a key, another client, and for each call of the matrix the things that it is about."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from sqlalchemy import Select, or_, select

from app.domain.api_key import ApiKey, digest_of, key_id_of
from app.domain.evse_id import parse_evse_id
from app.domain.principal import Principal, Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import Kind
from app.service import Service
from app.store import keys
from app.store.commands.planning_many import PlanMany
from app.store.commands.temporary_statuses import PlanByRef, Wish
from app.store.tables import metadata
from tests.integration.api.calls import PARTNERS, Client, good, register
from tests.integration.api.rights_rows import Row, Target

HERE: Final = "DE*ABC*E1"
ELSEWHERE: Final = "DE*XYZ*E1"
SCOPED: Final = Rights(scope=Scope(operators=("DEABC",)))
OTHERS_KEY: Final = "other-client"
_tables = metadata.tables
_partner, _key, _brake = (_tables[name].c for name in ("partner", "api_key", "brake"))
#: What a call may change. Not what the clockwork writes by itself, when a key was last used, nor a brake that only was
#: looked at.
_KEPT: Final[dict[str, Select[Any]]] = {
    **{
        name: select(_tables[name]).order_by(*_tables[name].primary_key)
        for name in ("evse", "location", "temporary_status", "full_load", "reference", "idempotency", "audit")
    },
    "partner": select(_partner.name, _partner.configuration, _partner.paused, _partner.revision).order_by(_partner.id),
    "api_key": select(
        _key.id, _key.name, _key.role, _key.rights, _key.digest, _key.expires_at, _key.revoked_at
    ).order_by(_key.id),
    "brake": select(_tables["brake"]).where(or_(_brake.tripped_at.is_not(None), _brake.lifted_until.is_not(None))),
}
_PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::str)?\}")
Names: TypeAlias = dict[str, str]


def operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Every method and path template that takes a key, with its handler."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                if "action" in handler.opt:
                    yield method, route.path, handler


class World:
    """Makes what a call is about anew for each call, so that no call finds what another one did to it."""

    def __init__(self, service: Service, admin: Client, key: str) -> None:
        self._service = service
        self._admin = admin
        self.key_id = key_id_of(key) or ""
        self._numbers = count(1)
        self._added: str | None = None
        self._makers: dict[str, Callable[[Target], Awaitable[str]]] = {
            "evseId": self._evse,
            "id": self._window,
            "ref": self._reference,
            "batchId": self._batch,
            "name": self._partner,
            "keyId": self._key,
            "operator": self._operator,
            "new": self._new,
        }

    async def begin(self) -> None:
        for evse_id in (HERE, ELSEWHERE):
            await register(self._admin, evse_id)

    async def call(self, method: str, path: str, row: Row, target: Target) -> tuple[dict[str, Any], Names]:
        """What to send for a row, with everything that it names, and the names by placeholder."""
        template = json.dumps({"url": path, "json": row.body, "params": dict(row.query)})
        names = {name: await self._makers[name](target) for name in sorted(set(_PLACEHOLDER.findall(template)))}
        request = json.loads(_PLACEHOLDER.sub(lambda found: names[found[1]], template))
        return {"method": method, **{part: value for part, value in request.items() if value not in (None, {})}} | (
            {"json": request["json"]} if row.body is not None else {}
        ), names

    async def rows(self) -> dict[str, list[Any]]:
        """Everything that a call can change, by table."""
        found: dict[str, list[Any]] = {}
        async with self._service.database.read() as connection:
            for name, query in _KEPT.items():
                found[name] = [tuple(row) for row in await connection.execute(query)]
        return found

    async def others(self) -> list[Any]:
        """The temporary statuses that the key did not make."""
        row = metadata.tables["temporary_status"].c
        async with self._service.database.read() as connection:
            query = select(row.id, row.revision, row.ended_at).where(row.created_by != self.key_id).order_by(row.id)
            return [tuple(row) for row in await connection.execute(query)]

    async def _evse(self, target: Target) -> str:
        if target is Target.NONE:
            return f"DE*ABC*E9{next(self._numbers)}"
        return ELSEWHERE if target is Target.ELSEWHERE else HERE

    async def _window(self, target: Target) -> str:
        return str(10**9 + next(self._numbers) if target is Target.NONE else (await self._made(target))[0])

    async def _reference(self, target: Target) -> str:
        return f"never-{next(self._numbers)}" if target is Target.NONE else (await self._made(target))[1]

    async def _made(self, target: Target) -> tuple[int, str]:
        """Plan one, in the name of the key whatever its role may do now: it may have had another one."""
        ref = f"ref-{next(self._numbers)}"
        by = Principal(self.key_id if target is Target.OWN else OTHERS_KEY, Role.ADMIN)
        wish = Wish(evse_id=parse_evse_id(await self._evse(target)), kind=Kind.BLOCKED)
        return (await self._service.writer.run(PlanByRef(by, ref, wish))).one.id, ref

    async def _batch(self, target: Target) -> str:
        """Plan one as a call for many does."""
        batch = f"batch{next(self._numbers)}"
        if target is not Target.NONE:
            by = Principal(self.key_id if target is Target.OWN else OTHERS_KEY, Role.ADMIN)
            wish = Wish(evse_id=parse_evse_id(await self._evse(target)), kind=Kind.BLOCKED)
            await self._service.writer.run(PlanMany(by=by, wishes=(wish,), batch=batch))
        return batch

    async def _partner(self, target: Target) -> str:
        """One that is told nothing, the last one if it is still there."""
        if target is Target.NONE:
            return f"partner-{next(self._numbers)}"
        if self._added is None or (await self._admin.get(f"{PARTNERS}/{self._added}")).is_error:
            self._added = f"partner-{next(self._numbers)}"
            new = {"name": self._added, "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/"}}
            good(await self._admin.post(PARTNERS, json=new))
            good(await self._admin.patch(f"{PARTNERS}/{self._added}", json={"paused": True}))
        return self._added

    async def _key(self, target: Target) -> str:
        """A client's key that somebody else made; its own is one that is good for the same."""
        number = next(self._numbers)
        key_id = f"key{number:07}"
        scope = Scope(operators=("DEXYZ",)) if target is Target.ELSEWHERE else SCOPED.scope
        if target is not Target.NONE:
            stored = ApiKey(
                id=key_id,
                name="somebody",
                role=Role.CLIENT,
                digest=digest_of(key_id),
                created_by="cli",
                created_at=self._service.clock.now(),
                rights=msgspec.structs.replace(SCOPED, scope=scope),
            )
            async with self._service.database.write() as connection:
                await keys.add(connection, stored)
        return key_id

    async def _operator(self, target: Target) -> str:
        return {Target.ELSEWHERE: "DE*XYZ", Target.NONE: "DE*ZZZ"}.get(target, "DE*ABC")

    async def _new(self, _target: Target) -> str:
        return f"new-{next(self._numbers)}"
