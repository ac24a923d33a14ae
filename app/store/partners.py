"""The partners: few rows, changed rarely, so each change is a short transaction of its own."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.errors import PartnerConflict, PartnerNotFound
from app.domain.partner import Audience, Partner
from app.store.presented import mark_all_due
from app.store.secrets import Secrets
from app.store.tables import metadata

_partner = metadata.tables["partner"]
_delivery = metadata.tables["delivery"]
_audit = metadata.tables["audit"]


#: What its own outcomes change of a partner; everything else is changed by people.
STANDING: Final = ("failures", "refused", "failed_at", "hold_until", "last_error", "last_success_at")
_FRESH: Final = timedelta(seconds=1)


async def add(connection: AsyncConnection, secrets: Secrets, new: Partner, actor: str) -> Partner:
    """Store a new partner. It gets what it is owed once `introduce` has found it.

    Raises:
        PartnerConflict: the name is taken, or another partner serves what only one may.
    """
    await _check_free(connection, new)
    values = _values(new, secrets)
    del values["id"]
    try:
        key = (await connection.execute(insert(_partner).values(values).returning(_partner.c.id))).scalar_one()
    except IntegrityError:
        raise PartnerConflict(f"another partner is called {new.name} or serves the same", field="name") from None
    await _write_audit(connection, new.created_at, actor, "add", new.name)
    return msgspec.structs.replace(new, id=key)


async def all_partners(connection: AsyncConnection, *, kept: bool = False) -> list[Partner]:
    """Every partner without its secrets, in the order they were added; `kept`: none is removed until the commit.

    Without, because nobody who only asks who is told what may be stopped by secrets that cannot be read.
    """
    query = select(_partner).order_by(_partner.c.id)
    if kept:
        # As whoever refers to it: only a removal waits for that, or what changes by what it is found.
        query = query.with_for_update(read=True, key_share=True)
    rows = (await connection.execute(query)).mappings()
    return [_partner_from(row, None) for row in rows]


async def with_secrets(connection: AsyncConnection, secrets: Secrets, partner: int) -> Partner | None:
    """One partner with its secrets, `None` if it was removed.

    Raises:
        SecretsUnreadable: they were encrypted with another key.
    """
    row = (await connection.execute(select(_partner).where(_partner.c.id == partner))).mappings().one_or_none()
    return None if row is None else _partner_from(row, secrets)


async def find(connection: AsyncConnection, secrets: Secrets, name: str) -> Partner:
    """Find a partner by name.

    Raises:
        PartnerNotFound: there is none.
    """
    query = select(_partner).where(_partner.c.name == name)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise PartnerNotFound(f"no partner {name}")
    return _partner_from(row, secrets)


async def by_caller(connection: AsyncConnection, digests: Collection[str]) -> Partner | None:
    """Find the partner whose token has one of these digests, without its secrets; a paused one too.

    To pause a partner is to tell it nothing. It may still ask.
    """
    query = select(_partner).where(_partner.c.caller.in_(digests)).order_by(_partner.c.id).limit(1)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _partner_from(row, None)


async def change(
    connection: AsyncConnection,
    secrets: Secrets,
    name: str,
    decide: Callable[[Partner], Partner],
    at: datetime,
    actor: str,
) -> Partner:
    """Store what `decide` makes of a partner. After a rise in generation `introduce` owes it everything anew.

    Raises:
        PartnerNotFound: there is none of that name.
        PartnerConflict: another partner serves what only one may.
    """
    query = select(_partner).where(_partner.c.name == name).with_for_update(key_share=True)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise PartnerNotFound(f"no partner {name}")
    old = _partner_from(row, secrets)
    new = msgspec.structs.replace(decide(old), revision=old.revision + 1, updated_at=at)
    await _check_free(connection, new)
    try:
        await connection.execute(update(_partner).where(_partner.c.id == old.id).values(_values(new, secrets)))
    except IntegrityError:
        raise PartnerConflict(f"another partner serves {new.exclusive}", field="configuration") from None
    await _write_audit(connection, at, actor, "change", name)
    return new


async def introduce(connection: AsyncConnection) -> bool:
    """Have every EVSE looked at for partners that are new or are told anew; tell whether there were any.

    In a transaction after the one that stored them: whoever computes an EVSE without having seen such a partner has
    locked its row before this one begins, so that it is marked again afterwards.
    """
    waiting = update(_partner).where(_partner.c.introduced != _partner.c.generation)
    if (await connection.execute(waiting.values(introduced=_partner.c.generation))).rowcount == 0:
        return False
    await mark_all_due(connection)
    return True


async def unintroduced(connection: AsyncConnection) -> bool:
    """Tell, without a lock, whether `introduce` has anything to do."""
    query = select(_partner.c.id).where(_partner.c.introduced != _partner.c.generation).limit(1)
    return (await connection.execute(query)).first() is not None


async def set_standing(
    connection: AsyncConnection, partner: int, decide: Callable[[Partner], Partner]
) -> Partner | None:
    """Store how the partner's outcomes leave it standing; `None` if it was removed meanwhile."""
    # Not FOR UPDATE: reconcile may be promising to this partner, which only needs it to go on existing.
    query = select(_partner).where(_partner.c.id == partner).with_for_update(key_share=True)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    old = _partner_from(row, None)
    new = decide(old)
    if new != old and not _is_as_good(old, new):
        standing = {name: getattr(new, name) for name in STANDING}
        await connection.execute(update(_partner).where(_partner.c.id == partner).values(standing))
    return new


def _is_as_good(old: Partner, new: Partner) -> bool:
    """Tell whether nothing changed but by less than a second when it last succeeded, which is not worth a write."""
    if old.last_success_at is None or new.last_success_at is None:
        return False
    later = new.last_success_at - old.last_success_at
    return timedelta() <= later < _FRESH and msgspec.structs.replace(new, last_success_at=old.last_success_at) == old


async def remove(connection: AsyncConnection, name: str, at: datetime, actor: str) -> None:
    """Forget a partner and what it was owed.

    Raises:
        PartnerNotFound: there is none of that name.
    """
    removed = await connection.execute(delete(_partner).where(_partner.c.name == name))
    if removed.rowcount == 0:
        raise PartnerNotFound(f"no partner {name}")
    await _write_audit(connection, at, actor, "remove", name)


async def resend(connection: AsyncConnection, partner: Partner, evse: int, at: datetime) -> bool:
    """Owe one EVSE anew, whatever was acknowledged; tell whether it is shared with the partner at all."""
    forgotten = {"next_at": at, "acked_digest": None, "rejected_version": None}
    which = (_delivery.c.partner == partner.id, _delivery.c.evse == evse)
    return (await connection.execute(update(_delivery).where(*which).values(forgotten))).rowcount > 0


async def _check_free(connection: AsyncConnection, new: Partner) -> None:
    same = _partner.c.name == new.name
    if new.exclusive is not None:
        same = or_(same, _partner.c.exclusive == new.exclusive)
    if new.caller is not None:
        same = or_(same, _partner.c.caller == new.caller)
    query = select(_partner.c.name, _partner.c.caller).where(_partner.c.id != new.id, same)
    other = (await connection.execute(query.order_by(_partner.c.name != new.name).limit(1))).one_or_none()
    if other is None:
        return
    if other.name == new.name:
        raise PartnerConflict(f"there is a partner {new.name} already", field="name")
    if other.caller is not None and other.caller == new.caller:
        raise PartnerConflict(f"{other.name} asks with this token already", field="configuration.pullToken")
    raise PartnerConflict(f"{new.exclusive} is served by {other.name} already", field="configuration")


def _partner_from(row: Any, secrets: Secrets | None) -> Partner:
    names = set(Partner.__struct_fields__) - {"secrets", "audience"}
    return Partner(
        secrets={} if secrets is None else secrets.open(row["secrets"]),
        audience=msgspec.convert(row["filter"], Audience),
        **{name: row[name] for name in names},
    )


def _values(partner: Partner, secrets: Secrets) -> dict[str, Any]:
    names = set(Partner.__struct_fields__) - {"secrets", "audience"}
    values = {name: getattr(partner, name) for name in names}
    return values | {"secrets": secrets.seal(partner.secrets), "filter": msgspec.to_builtins(partner.audience)}


async def _write_audit(connection: AsyncConnection, at: datetime, actor: str, action: str, name: str) -> None:
    await connection.execute(
        insert(_audit).values(at=at, actor=actor, action=action, subject=f"partner {name}", operator=None)
    )
