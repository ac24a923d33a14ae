"""What is known under the references that a group of commands names, locked until the commit."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.reference import Reference
from app.store.finding import of_owners
from app.store.tables import metadata

_reference: Final = metadata.tables["reference"]
_FIELDS: Final = ("at", "source_version", "source_updated_at", "cancelled_at", "blind")


class BatchedReferences:
    """One row for each reference of which something has to be remembered; most have none."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Reference] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._changed: set[tuple[str, str]] = set()

    def find(self, owner: str, ref: str) -> Reference | None:
        return self._known.get((owner, ref))

    def put(self, owner: str, ref: str, reference: Reference | None) -> None:
        """Remember it; `None`, and what is known already, need no row."""
        if reference is not None and reference != self.find(owner, ref):
            self._known[owner, ref] = reference
            self._changed.add((owner, ref))

    async def load(self, connection: AsyncConnection, refs: Collection[tuple[str, str]]) -> None:
        if not refs:
            return
        named = of_owners(_reference.c.owner, _reference.c.ref, refs)
        query = select(_reference).where(named).order_by(_reference.c.id).with_for_update()
        for row in (await connection.execute(query)).mappings():
            key = row["owner"], row["ref"]
            self._ids[key] = row["id"]
            self._known[key] = _reference_from(row)

    async def write(self, connection: AsyncConnection) -> None:
        if old := sorted(self._changed & self._ids.keys()):
            await connection.execute(_replace, [{"key": self._ids[one], **_values(self._known[one])} for one in old])
        # In one order, so that two replicas that take the same ones wait for each other and never deadlock.
        if new := sorted(self._changed - self._ids.keys()):
            rows = [{"owner": owner, "ref": ref, **_values(self._known[owner, ref])} for owner, ref in new]
            await connection.execute(_reference.insert(), rows)


def _reference_from(row: RowMapping) -> Reference:
    version = row["source_version"] if row["source_version"] is not None else row["source_updated_at"]
    return Reference(at=row["at"], version=version, cancelled_at=row["cancelled_at"], blind=row["blind"])


def _values(one: Reference) -> dict[str, Any]:
    return {
        "at": one.at,
        "source_version": one.version if isinstance(one.version, int) else None,
        "source_updated_at": one.version if isinstance(one.version, datetime) else None,
        "cancelled_at": one.cancelled_at,
        "blind": one.blind,
    }


_replace: Final = (
    update(_reference).where(_reference.c.id == bindparam("key")).values({name: bindparam(name) for name in _FIELDS})
)
