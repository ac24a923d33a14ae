"""A life of the writer and the clockwork: changes of all kinds on one EVSE, each answer said as soon as it is there."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import select

from app.clock import SystemClock
from app.domain.evse import Evse
from app.domain.planning import Changes
from app.domain.presentation import present
from app.domain.principal import Principal
from app.domain.status import Kind
from app.domain.temporary_status import TemporaryStatus
from app.schedule.reconcile import Reconciler
from app.store.commands.ending import EndByRef
from app.store.commands.idempotent import Idempotent
from app.store.commands.temporary_statuses import Change, Plan, PlanByRef, Wish, Written
from app.store.database import Database
from app.store.rows import evse_from, temporary_status_from, what_text
from app.store.tables import metadata
from app.store.writer import Writer
from tests.builders import HOUR, OPERATIONS, register, report, stored, wish
from tests.crash.dying import Lived, Say

_REF: Final = "bay"
_ONCE: Final = "once"  #: the Idempotency-Key of each life


def evse_id(number: int) -> str:
    return f"DE*ABC*E{number}"


class Books:
    """Says what is asked, and what came of it."""

    def __init__(self, writer: Writer, say: Say) -> None:
        self._writer = writer
        self._say = say

    async def ask(self, command: Any, *, touches: int | None = None, creates: int = 0) -> Written:
        """`touches` is the temporary status that may be changed; `creates` how many may be made."""
        self._say({"asked": True, "touches": touches, "creates": creates})
        answer: Written = await self._writer.run(command)
        self._say({"window": msgspec.to_builtins(answer.one)})
        return answer

    async def ask_once(self, by: Principal, asked: Wish) -> int:
        """Plan with an Idempotency-Key, and again as whoever got no answer would; return the id."""
        command = Idempotent(by=by, command=Plan(by, asked), key=_ONCE, digest="d", render=_rendered)
        self._say({"asked": True, "touches": None, "creates": 1})
        answer = await self._writer.run(command)
        self._say({"window": msgspec.json.decode(answer.text)})
        again = await self._writer.run(command)
        if (again.replayed, again.text) != (True, answer.text):
            raise RuntimeError(f"answered {answer}, and then {again}")
        return int(msgspec.json.decode(answer.text)["id"])


def _rendered(done: Written) -> tuple[int, str]:
    return 201, msgspec.json.encode(done.one).decode()


async def life(url: str, number: int, say: Say) -> None:
    """Live with this EVSE from its registration on."""
    clock = SystemClock()
    database = Database(url)
    computed = asyncio.Event()
    reconciler = Reconciler(database, clock, promised=computed.set)
    writer = Writer(database, clock, committed=reconciler.look)
    await writer.start()
    await reconciler.start()
    site, sensor = evse_id(number), msgspec.structs.replace(OPERATIONS, id=f"sensor-{number}")
    await register(writer, site)
    say({"registered": site})
    books = Books(writer, say)
    now = clock.now()

    async def lease(asked: Wish, old: int | None = None) -> int:
        command = PlanByRef(sensor, _REF, asked)
        return (await books.ask(command, touches=old, creates=1)).one.id

    reserved, bay, _ = await asyncio.gather(
        books.ask_once(sensor, wish(site, kind=Kind.RESERVED, valid_from=now + HOUR, valid_to=now + 2 * HOUR)),
        lease(wish(site, kind=Kind.BLOCKED, valid_to=now + HOUR)),
        report(writer, "Charging", site),
    )
    say({"reported": "CHARGING"})
    await books.ask(Change(sensor, reserved, Changes(valid_to=now + 3 * HOUR)), touches=reserved)
    await _all_is_computed(reconciler, computed)
    bay = await lease(wish(site, kind=Kind.MAINTENANCE, valid_to=now + 2 * HOUR), bay)
    await books.ask(EndByRef(sensor, _REF), touches=bay)
    await _all_is_computed(reconciler, computed)

    await writer.stop()
    await reconciler.stop()
    await database.close()


async def _all_is_computed(reconciler: Reconciler, computed: asyncio.Event) -> None:
    clock = SystemClock()
    while True:
        computed.clear()
        due = await reconciler.next_at()
        if due is None or due > clock.now():
            return
        await computed.wait()


async def wrong(url: str, lives: dict[int, Lived]) -> list[str]:
    """After the last life, when what was due has been computed: what is not as it was accepted, or half done."""
    database = Database(url)
    try:
        await Reconciler(database, SystemClock()).pass_once()
        evses, windows = await _all_of(database)
        found = [
            one for number, lived in lives.items() for one in _not_as_accepted(evse_id(number), lived, evses, windows)
        ]
        return found + await half_done(database, SystemClock().now())
    finally:
        await database.close()


async def _all_of(database: Database) -> tuple[dict[str | None, Evse], list[TemporaryStatus]]:
    tables = metadata.tables
    async with database.read() as connection:
        evses = [evse_from(row) for row in (await connection.execute(select(tables["evse"]))).mappings()]
        rows = (await connection.execute(select(tables["temporary_status"]))).mappings()
        windows = [temporary_status_from(row) for row in rows]
    return {one.evse_id: one for one in evses}, windows


def _not_as_accepted(
    site: str, lived: Lived, evses: dict[str | None, Evse], windows: Sequence[TemporaryStatus]
) -> list[str]:
    evse = evses.get(site)
    if evse is None:
        return [f"{site} was registered and is lost"] if lived.said else []
    reported = [one["reported"] for one in lived.said if "reported" in one]
    pending = Counter(asked=sum("asked" in one for one in lived.said) - sum("window" in one for one in lived.said))
    found = []
    if reported and evse.actual_status != "CHARGING":
        found.append(f"{site} is {evse.actual_status}, and was reported as CHARGING")
    # The last that were asked may be those that were not answered; which, if several were, makes no difference.
    asked = [one for one in lived.said if "asked" in one]
    unanswered = asked[len(asked) - pending["asked"] :] if pending["asked"] else []
    touched = {one["touches"] for one in unanswered}
    accepted = {one["window"]["id"]: one["window"] for one in lived.said if "window" in one}
    there = {one.id: one for one in windows if one.evse == evse.id}
    for key, window in accepted.items():
        if key not in there:
            found.append(f"accepted and lost: {window}")
        elif msgspec.to_builtins(there[key]) != window and not _moved_on(there[key], window, touched):
            found.append(f"accepted {window}, stored {there[key]}")
    if len(there.keys() - accepted.keys()) > sum(one["creates"] for one in unanswered):
        found.append(f"{site} has more windows than were asked for: {there}")
    return found


def _moved_on(stored_now: TemporaryStatus, accepted: dict[str, Any], touched: set[int | None]) -> bool:
    """Tell whether a change that was stored but not answered any more explains the difference.

    A reference that comes to stand for something else ends what it stood for, which is not in the answer.
    """
    return (stored_now.id in touched and stored_now.revision == accepted["revision"] + 1) or (
        stored_now.end_reason == "replaced"
    )


async def half_done(database: Database, at: datetime) -> list[str]:
    """What is in the store in part: presented statuses that are not true at `at`, records with gaps, missing audit."""
    evses, windows = await _all_of(database)
    shown = {row["evse"]: row for row in await stored(database, "presented")}
    record = await stored(database, "presented_change")
    found = []
    for evse in evses.values():
        if evse.id not in shown:
            found.append(f"{evse.evse_id} has no presented status")
            continue
        row = shown[evse.id]
        true = present(evse.deployment, evse.actual(None), [one for one in windows if one.evse == evse.id], at)
        if (row["what"], row["because"], row["until"]) != (what_text(true.what), true.because, true.until):
            found.append(f"{evse.evse_id} is presented as {row}, and must be as {true}")
        changes = [one for one in record if one["evse"] == evse.id]
        versions = [one["version"] for one in changes]
        # Strictly rising, with gaps where only what is announced changed.
        if versions != sorted(set(versions)) or versions[-1:] != [row["status_version"]]:
            found.append(f"{evse.evse_id} is at version {row['version']}, the record has {changes}")
        leads_to = [one["to_what"] for one in changes]
        if leads_to[-1:] != [row["what"]] or [one["from_what"] for one in changes[1:]] != leads_to[:-1]:
            found.append(f"the record of {evse.evse_id} does not lead to {row['what']}: {changes}")
    answered = {msgspec.json.decode(row["answer"])["id"] for row in await stored(database, "idempotency")}
    if answered != {one.id for one in windows if one.kind is Kind.RESERVED}:
        found.append(f"what was planned once and the answers to it differ: {answered}")
    audited = Counter(row["subject"] for row in await stored(database, "audit") if row["action"] == "create")
    if audited != Counter(f"temporary status {one.id}" for one in windows):
        found.append("the temporary statuses and the audit of their creation differ")
    return found
