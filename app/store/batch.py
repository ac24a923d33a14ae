"""What one group of commands sees and changes: loaded in a few statements, decided in Python, written set-based."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.brake import Brake
from app.domain.errors import EvseNotFound, TemporaryStatusNotFound
from app.domain.evse import Evse
from app.domain.evse_id import EvseId, parse_evse_id
from app.domain.instant import MILLISECOND
from app.domain.permission import Action, Allowed, On, may
from app.domain.principal import Principal
from app.domain.status import DeploymentState
from app.domain.temporary_status import TemporaryStatus
from app.domain.whole import Whole
from app.store import dialect
from app.store.batched_answers import BatchedAnswers
from app.store.batched_brakes import BatchedBrakes
from app.store.batched_keys import Asked, BatchedKeys
from app.store.batched_locations import BatchedLocations
from app.store.batched_references import BatchedReferences
from app.store.batched_wholes import BatchedWholes
from app.store.bulk import add_dicts
from app.store.due import mark_due
from app.store.finding import chosen, everybody, live_of, live_temporary, of_owners
from app.store.hearing import write_heard
from app.store.needs import Needs
from app.store.prepared import among
from app.store.replacing import REPLACE_EVSE, REPLACE_TEMPORARY, keyed, not_yet_presented
from app.store.rows import (
    EVSE_COLUMNS,
    evse_of,
    evse_values,
    temporary_status_from,
    temporary_status_values,
)
from app.store.tables import metadata
from app.store.wholes import BARE

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]
_presented = metadata.tables["presented"]
_delivery = metadata.tables["delivery"]
_audit = metadata.tables["audit"]
_WHOLE: Final = tuple(_evse.c[name] for name in EVSE_COLUMNS)

USUAL_BRAKE: Final = Brake()


class Mark(msgspec.Struct, frozen=True):
    """How far a batch had got."""

    temporary: frozenset[int]
    recheck: frozenset[int]
    audited: int


class Batch:
    """The rows a group of commands needs, with the changes decided so far laid over them.

    A command's `decide` may refuse only before its first `put`: what is put is written.
    """

    def __init__(self, at: datetime, brake: Brake = USUAL_BRAKE) -> None:
        self.at = at
        self.keys = BatchedKeys()
        self.brakes = BatchedBrakes(brake)
        self.locations = BatchedLocations()
        self.references = BatchedReferences()
        self.answers = BatchedAnswers()
        self.wholes = BatchedWholes()
        self._evses: dict[int, Evse] = {}
        self._by_key: dict[str, set[int]] = defaultdict(set)
        self._by_uid: dict[tuple[str, str, str], int] = {}
        self._temporary: dict[int, TemporaryStatus] = {}
        self._locked: set[int] = set()
        self._by_evse: dict[int, set[int]] = defaultdict(set)
        self._by_ref: dict[tuple[str, str], int] = {}
        self._past_refs: set[tuple[str, str]] = set()
        self._keys: dict[str, list[int]] = {}
        self._new: dict[str, set[int]] = {"evse": set(), "temporary_status": set()}
        self._changed: dict[str, set[int]] = {"evse": set(), "temporary_status": set()}
        self._uncounted: dict[int, int] = defaultdict(int)
        self._heard: set[int] = set()
        self._recheck: set[int] = set()
        self._readdressed: set[int] = set()
        self._audit: list[dict[str, Any]] = []

    # What a command asks

    def principal(self, by: Principal) -> Principal:
        """Return who asks, with what the key is good for now.

        Raises:
            KeyNotGood: nothing any more.
        """
        return self.keys.current(by, self.at)

    def evse(self, evse_id: EvseId, seen: Callable[[Evse], bool] = everybody) -> Evse:
        """Find the registered EVSE that a written EVSE ID names, among those that are `seen`.

        Raises:
            EvseNotFound: none.
            AmbiguousEvse: several, as the separators are missing.
        """
        found = self.evse_or_none(evse_id, seen)
        if found is None:
            raise EvseNotFound(f"no EVSE {evse_id.written} is registered", field="evseId")
        return found

    def evse_or_none(self, evse_id: EvseId, seen: Callable[[Evse], bool] = everybody) -> Evse | None:
        same_key = [self._evses[one] for one in self._by_key.get(evse_id.key, ())]
        return chosen(evse_id, [one for one in same_key if seen(one)])

    def evse_in_use(self, evse_id: str) -> Evse | None:
        """Find the EVSE that is not deprecated and has this very EVSE ID, whatever its case."""
        same_key = (self._evses[one] for one in self._by_key.get(parse_evse_id(evse_id).key, ()))
        return next(
            (
                one
                for one in same_key
                if one.deployment is not DeploymentState.DEPRECATED
                and one.evse_id is not None
                and one.evse_id.upper() == evse_id.upper()
            ),
            None,
        )

    def evse_by_uid(self, country: str, party: str, uid: str) -> Evse | None:
        one = self._by_uid.get((country, party, uid))
        return None if one is None else self._evses[one]

    def evses_of(self, by: Principal, whole: Whole) -> list[Evse]:
        """List those of a part of the fleet that `by` might see as it was loaded, and that belong to it still."""
        found = (self._evses[one] for one in self.wholes.find(by, whole))
        return [one for one in found if whole.covers(one)]

    def together(self, batch: str) -> list[TemporaryStatus]:
        """List what was planned by the call with this batch id, over or not, oldest first."""
        return [self._temporary[one] for one in sorted(self._locked) if self._temporary[one].batch == batch]

    def evse_of(self, one: TemporaryStatus) -> Evse:
        return self._evses[one.evse]

    def temporary_status(self, temporary_id: int) -> TemporaryStatus:
        """Find a temporary status by its id, over or not.

        Raises:
            TemporaryStatusNotFound: there is none.
        """
        if (one := self._temporary.get(temporary_id)) is None:
            raise TemporaryStatusNotFound(f"no temporary status {temporary_id}")
        return one

    def by_ref(self, owner: str, ref: str) -> TemporaryStatus | None:
        """Find what `owner` last made under its reference and did not end."""
        one = self._by_ref.get((owner, ref))
        found = None if one is None else self._temporary[one]
        return None if found is None or found.ended_at is not None else found

    def was_made(self, owner: str, ref: str) -> bool:
        """Tell whether `owner` ever made anything under its reference, over or not."""
        return (owner, ref) in self._past_refs or (owner, ref) in self._by_ref

    def made_by(self, owner: str) -> list[TemporaryStatus]:
        """List what `owner` planned and is not over, of what was loaded to be changed, oldest first.

        Not of what was only looked at, beside it on its EVSE: another replica may be about to change that.
        """
        theirs = (self._temporary[one] for one in sorted(self._locked))
        return [one for one in theirs if one.created_by == owner and one.ended_at is None and not one.is_over(self.at)]

    def live(self, evse: Evse) -> list[TemporaryStatus]:
        """List the temporary statuses of an EVSE that are not over, oldest first."""
        return [
            self._temporary[one] for one in sorted(self._by_evse[evse.id]) if not self._temporary[one].is_over(self.at)
        ]

    def count_live(self, evse: Evse, but: TemporaryStatus | None = None) -> int:
        """How many temporary statuses of an EVSE are not over, `but` aside; a key below operations must have asked."""
        return self._uncounted.get(evse.id, 0) + sum(but is None or one.id != but.id for one in self.live(evse))

    def new_key(self, table: str) -> int:
        """Take one of the keys that were reserved: what is put under it is inserted, not updated."""
        key = self._keys[table].pop(0)
        self._new[table].add(key)
        return key

    @property
    def temporary_statuses_put(self) -> Iterator[tuple[TemporaryStatus, bool]]:
        """The temporary statuses that are put, and whether each is new."""
        new, changed = (each["temporary_status"] for each in (self._new, self._changed))
        return ((self._temporary[one], one in new) for one in sorted(new | changed) if one in self._temporary)

    # What a command decides

    def put_evse(self, evse: Evse, *, recheck: bool = True, readdressed: bool = False) -> None:
        """Put an EVSE. `readdressed`: partners know it under another address now, and are owed its status anew."""
        old = self._evses.get(evse.id)
        self._remember_evse(evse)
        if readdressed:
            if old is not None and old.location_key != evse.location_key and old.ocpi_object is not None:
                found = old.deployment is DeploymentState.PRODUCTION
                self.locations.leave(old.location_key, old.id, found=found)
            self._readdressed.add(evse.id)
        self._touch("evse", evse.id)
        if recheck:
            self._recheck.add(evse.id)

    def put_report(self, evse: Evse, *, recheck: bool) -> None:
        """Put what was heard of an EVSE that is otherwise as it was, and may be loaded bare."""
        self._evses[evse.id] = evse
        self._heard.add(evse.id)
        if recheck:
            self._recheck.add(evse.id)

    def put_temporary(self, one: TemporaryStatus) -> None:
        self._remember_temporary(one)
        self.keys.put(one)
        self.brakes.put(one, self._evses[one.evse])
        self._touch("temporary_status", one.id)
        self._recheck.add(one.evse)

    def audit(self, actor: str, action: str, subject: str, operator: str | None = None) -> None:
        self._audit.append({"at": self.at, "actor": actor, "action": action, "subject": subject, "operator": operator})

    def mark(self) -> Mark:
        """Remember how far this has got."""
        return Mark(frozenset(self._new["temporary_status"]), frozenset(self._recheck), len(self._audit))

    def back_to(self, mark: Mark) -> None:
        """Forget the temporary statuses that were created since: of a call that is done whole or not at all.

        What the brakes refused meanwhile stays so. Nothing but creating may have been done since.
        """
        for id_ in self._new["temporary_status"] - mark.temporary:
            one = self._temporary.pop(id_)
            never = msgspec.structs.replace(one, ended_at=self.at)
            self.keys.put(never)
            self.brakes.put(never, self._evses[one.evse])
            self._by_evse[one.evse].discard(id_)
        self._new["temporary_status"] &= mark.temporary
        self._recheck &= mark.recheck
        del self._audit[mark.audited :]

    # Loading

    async def load(self, connection: AsyncConnection, needs: Sequence[Needs]) -> None:
        """Load all that `needs` name, locking on PostgreSQL what may be changed."""
        await self.keys.load(connection, [need.by for need in needs if need.by is not None])
        temporary_ids = {one for need in needs for one in need.temporary_ids}
        refs = {one for need in needs for one in need.refs}
        await self.references.load(connection, refs)
        await self._load_past_refs(connection, {one for need in needs for one in need.past_refs})
        await self.answers.load(connection, {one for need in needs for one in need.answers})
        if conditions := list(_to_be_changed(connection, needs, temporary_ids, refs, self.at)):
            await self._load_temporary(connection, or_(*conditions), lock=True)

        if lock := any(need.changes_evse and not need.bare for need in needs):
            # All that change are locked in one statement: two replicas never take them in different orders.
            needs = [msgspec.structs.replace(one, bare=one.bare and not one.changes_evse) for one in needs]
        bare = await self._load_bare(connection, needs)
        keys = {one.key for need in needs if not need.bare for one in need.evse_ids}
        uids = {one for need in needs for one in need.uids}
        batches = {need.batch for need in needs}
        owners = {one.evse for one in self._temporary.values() if one.batch is None or one.batch not in batches}
        owners |= {self._temporary[one].evse for one in temporary_ids & self._temporary.keys()}
        whole = {
            one for need in needs if need.whole is not None and not need.bare for one in self.wholes.meant_by(need)
        }
        which: list[ColumnElement[bool]] = []
        if keys:
            which.append(among(connection, _evse.c.evse_id_key, keys))
        if uids:
            which.append(tuple_(_evse.c.country, _evse.c.party, _evse.c.uid).in_(uids))
        if owners:
            which.append(among(connection, _evse.c.id, owners))
        loaded = await self._load_evses(connection, or_(*which), lock=lock) if which else set()
        known = (self._evses.keys() - bare) | whole | loaded
        if known:
            live = live_of(among(connection, _temporary.c.evse, known), self.at)
            await self._load_temporary(connection, live, lock=False)
        await self._count_live(connection, needs, bare - known)
        self._keys["evse"] = await dialect.take_keys(connection, "evse", sum(need.new_evses for need in needs))
        self._keys["temporary_status"] = await dialect.take_keys(
            connection,
            "temporary_status",
            sum(need.new_temporary + len(self.wholes.meant_by(need)) for need in needs),
        )
        wanted = {one for need in needs for one in need.locations}
        await self.locations.load(connection, wanted, sum(need.new_locations for need in needs))
        await self._load_limits(connection, [need for need in needs if need.wanted])

    async def _load_past_refs(self, connection: AsyncConnection, refs: Collection[tuple[str, str]]) -> None:
        if refs:
            named = of_owners(_temporary.c.created_by, _temporary.c.ref, refs)
            found = await connection.execute(select(_temporary.c.created_by, _temporary.c.ref).where(named))
            self._past_refs = {(owner, ref) for owner, ref in found}

    async def _load_limits(self, connection: AsyncConnection, needs: Sequence[Needs]) -> None:
        """Load what the keys of these have in effect already, and lock the brakes of those that are braked."""
        asked: dict[str, list[Asked]] = defaultdict(list)
        evses: dict[int, Evse] = {}
        begins: set[datetime] = set()
        for need in needs:
            if (by := need.by) is None:
                continue
            wanted = [(begin or self.at, end) for begin, end in need.wanted]
            asked[by.id] += wanted * max(1, len(self.wholes.meant_by(need)))
            if by.is_braked:
                begins |= {max(begin, self.at) for begin, _ in wanted}
                evses |= {one.id: one for one in self._within_reach(by, need)}
        await self.keys.load_live(connection, asked)
        if evses:
            await self.brakes.load(connection, evses.values(), begins)

    def _within_reach(self, by: Principal, need: Needs) -> Iterator[Evse]:
        """The EVSEs that this may be about: nobody keeps others waiting at a brake of what it cannot reach."""
        yield from (self._evses[one] for one in self.wholes.meant_by(need))
        for key in need.evse_ids:
            for one in self._by_key.get(key.key, ()):
                if isinstance(may(by, Action.PLAN, On(self._evses[one])), Allowed):
                    yield self._evses[one]
        for one in need.temporary_ids:
            if (temporary := self._temporary.get(one)) is not None:
                evse = self._evses[temporary.evse]
                if isinstance(may(by, Action.CHANGE, On(evse, temporary)), Allowed):
                    yield evse

    async def _load_bare(self, connection: AsyncConnection, needs: Sequence[Needs]) -> set[int]:
        """Load EVSEs without what was imported of them; those that are needed with it are loaded again afterwards."""
        found = await self.wholes.load(connection, needs)
        batches = {need.batch for need in needs if need.batch is not None}
        owners = {one.evse for one in self._temporary.values() if one.batch in batches}
        which: list[ColumnElement[bool]] = []
        if keys := {one.key for need in needs if need.bare for one in need.evse_ids}:
            which.append(among(connection, _evse.c.evse_id_key, keys))
        if owners:
            which.append(among(connection, _evse.c.id, owners))
        if which:
            query = select(*BARE).where(or_(*which)).order_by(_evse.c.id)
            if any(need.bare and need.changes_evse for need in needs):
                query = query.with_for_update(key_share=True)
            found += [evse_of(row) for row in await connection.execute(query)]
        for one in found:
            self._remember_evse(one)
        return {one.id for one in found}

    async def _count_live(self, connection: AsyncConnection, needs: Sequence[Needs], evses: set[int]) -> None:
        """Count what lives on EVSEs of which it is not loaded, beside what is, where anybody asks how much it is."""
        if evses and any(need.bare and need.by is not None and need.by.is_braked for need in needs):
            live = live_of(among(connection, _temporary.c.evse, evses), self.at)
            query = select(_temporary.c.evse, func.count()).where(live)
            for evse, count in await connection.execute(query.group_by(_temporary.c.evse)):
                self._uncounted[evse] = count - len(self.live(self._evses[evse]))

    async def _load_evses(self, connection: AsyncConnection, condition: Any, *, lock: bool) -> set[int]:
        query = select(*_WHOLE).where(condition).order_by(_evse.c.id)
        # Not FOR UPDATE: whoever plans something for an EVSE only needs it to go on existing.
        locking = query.with_for_update(key_share=True)
        found = [evse_of(row) for row in await connection.execute(locking if lock else query)]
        for one in found:
            self._remember_evse(one)
        return {one.id for one in found}

    async def _load_temporary(self, connection: AsyncConnection, condition: Any, *, lock: bool) -> None:
        query = select(_temporary).where(condition).order_by(_temporary.c.id)
        for row in (await connection.execute(query.with_for_update() if lock else query)).mappings():
            # What is locked already stays as it is, and is passed over here: it may be more than a statement can name.
            if row["id"] not in self._temporary:
                self._remember_temporary(temporary_status_from(row))
            if lock:
                self._locked.add(row["id"])

    # Writing

    async def write(self, connection: AsyncConnection) -> bool:
        """Write everything that was put. Tell whether any presented status may have changed."""
        evses = [self._evses[one] for one in sorted(self._new["evse"]) if one in self._evses]
        if evses:
            await connection.execute(_evse.insert(), [evse_values(one) for one in evses])
            await connection.execute(_presented.insert(), [not_yet_presented(one, self.at) for one in evses])
        # Their EVSEs are locked already, from when they were loaded.
        if recheck := self._recheck - self._new["evse"]:
            await mark_due(connection, recheck)
        await self._date_objects(connection)
        if changed := sorted(self._changed["evse"]):
            await connection.execute(REPLACE_EVSE, [keyed(evse_values(self._evses[one])) for one in changed])
        if heard := sorted(self._heard - self._changed["evse"] - self._new["evse"]):
            await write_heard(connection, [self._evses[one] for one in heard])
        # Changes first: a reference that one row lets go of may be taken by a new row of this very batch.
        if changed := sorted(self._changed["temporary_status"]):
            await connection.execute(REPLACE_TEMPORARY, [keyed(self._temporary_values(one)) for one in changed])
        if new := sorted(self._new["temporary_status"] & self._temporary.keys()):
            await add_dicts(connection, _temporary, [self._temporary_values(one) for one in new])
        shared: set[int] = set()
        if self._readdressed:
            theirs = _delivery.c.evse.in_(sorted(self._readdressed))
            # In order, as everybody else who locks many of them: whoever overlaps waits, and nobody deadlocks.
            order = (_delivery.c.evse, _delivery.c.partner, _delivery.c.aspect.desc())
            locked = select(_delivery.c.evse).where(theirs).order_by(*order).with_for_update()
            shared = set((await connection.execute(locked)).scalars())
            await connection.execute(update(_delivery).where(theirs).values(acked_digest=None, next_at=self.at))
        # Last of all that is locked: whoever looks at an EVSE has its presented row first, and then reads its location.
        await self.locations.write(connection, self.at, shared)
        await self.brakes.write(connection)
        for alarm in self.brakes.alarms():
            self.audit(alarm.tripped_by or "", "trip", f"brake of {alarm.group.name}", alarm.group.operator)
        await self.references.write(connection)
        await self.answers.write(connection, self.at)
        await add_dicts(connection, _audit, self._audit)
        return bool(self._recheck)

    async def is_stored(self, connection: AsyncConnection) -> bool:
        """Tell whether this batch was committed after all, by a row that it alone can have inserted or made so.

        Without one, what it did is the same done twice. A commit that is still under way is waited for: until it is
        done PostgreSQL keeps the EVSEs of what was inserted from being locked.
        """
        if new := self._new["temporary_status"] & self._temporary.keys():
            evses = {self._temporary[one].evse for one in new}
            await connection.execute(select(_evse.c.id).where(_evse.c.id.in_(evses)).with_for_update())
        for table, key in ((_temporary, self._new["temporary_status"]), (_evse, self._new["evse"])):
            if written := [one for one in key if one in self._temporary or one in self._evses]:
                query = select(table.c.id).where(table.c.id.in_(written), table.c.created_at == self.at).limit(1)
                return (await connection.execute(query)).first() is not None
        if (revised := self._revised()) is not None:
            # Compared here and not in SQL, where what waits for the lock would be passed over for its old values.
            query = select(_temporary.c.revision, _temporary.c.updated_at).where(_temporary.c.id == revised.id)
            found = (await connection.execute(query.with_for_update())).one()
            return tuple(found) == (revised.revision, revised.updated_at)
        return await self.locations.is_stored(connection, self.at)

    def _revised(self) -> TemporaryStatus | None:
        """One of what was changed: changed again under an `If-Match`, it would be refused."""
        changed = (self._temporary[one] for one in sorted(self._changed["temporary_status"]))
        return next((one for one in changed if one.updated_at == self.at), None)

    async def _date_objects(self, connection: AsyncConnection) -> None:
        """See that objects that differ now do so after their EVSEs were last updated, by whichever clock that was."""
        dated = [one for one in self._changed["evse"] if self._evses[one].object_changed_at == self.at]
        if not dated:
            return
        late = (_presented.c.evse.in_(dated), _presented.c.last_updated >= self.at)
        for evse, last_updated in await connection.execute(
            select(_presented.c.evse, _presented.c.last_updated).where(*late)
        ):
            after = last_updated + MILLISECOND
            self._evses[evse] = msgspec.structs.replace(self._evses[evse], object_changed_at=after)

    def _temporary_values(self, temporary_id: int) -> dict[str, Any]:
        one = self._temporary[temporary_id]
        return temporary_status_values(one, self._evses[one.evse].operator)

    def _remember_evse(self, evse: Evse) -> None:
        old = self._evses.get(evse.id)
        if old is not None and old.key is not None:
            self._by_key[old.key].discard(old.id)
        self._evses[evse.id] = evse
        if evse.key is not None:
            self._by_key[evse.key].add(evse.id)
        self._by_uid[evse.country, evse.party, evse.uid] = evse.id

    def _remember_temporary(self, one: TemporaryStatus) -> None:
        self._temporary[one.id] = one
        self._by_evse[one.evse].add(one.id)
        if one.ref is not None and one.ended_at is None:
            self._by_ref[one.created_by, one.ref] = one.id

    def _touch(self, table: str, key: int) -> None:
        if key not in self._new[table]:
            self._changed[table].add(key)


def _to_be_changed(
    connection: AsyncConnection,
    needs: Sequence[Needs],
    temporary_ids: set[int],
    refs: set[tuple[str, str]],
    at: datetime,
) -> Iterator[ColumnElement[bool]]:
    """What may be changed, for the one statement that locks: two replicas never take it in different orders."""
    if temporary_ids:
        yield among(connection, _temporary.c.id, temporary_ids)
    if refs:
        theirs = of_owners(_temporary.c.created_by, _temporary.c.ref, refs)
        yield and_(theirs, _temporary.c.ended_at.is_(None))
    if keys := {one.key for need in needs if need.changes_live for one in need.evse_ids}:
        yield live_temporary(select(_evse.c.id).where(among(connection, _evse.c.evse_id_key, keys)), at)
    if batches := {need.batch for need in needs if need.batch is not None}:
        yield _temporary.c.batch.in_(batches)
    yield from (_of_key(need.ends_of, at) for need in needs if need.ends_of is not None)


def _of_key(ends_of: tuple[str, int], at: datetime) -> ColumnElement[bool]:
    owner, most = ends_of
    row = _temporary.c
    live = (row.created_by == owner, row.ended_at.is_(None), or_(row.valid_to.is_(None), row.valid_to > at))
    return row.id.in_(select(row.id).where(*live).order_by(row.id).limit(most).scalar_subquery())
