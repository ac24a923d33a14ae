"""What is answered to a call for many: one thing for each, in their order."""

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from litestar import Response

from app.api.batch_shapes import MOST_OVERLAPS, EndedItem, EndedItems, NewTemporaryStatuses, PlannedItem, PlannedItems
from app.api.context import Context
from app.api.explaining import presentation_of, shown
from app.api.problems import TYPE, Problem, answer, problem_of
from app.api.shapes import told
from app.api.temporary_status_shapes import overlap, overlapping, seen_by
from app.domain.errors import BatchRefused
from app.domain.permission import Action, Allowed, Call, may
from app.domain.temporary_status import State
from app.store.commands.ending_batches import Undone
from app.store.commands.planning_many import Judged
from app.store.commands.temporary_statuses import Written

_NOT_DONE: Final = "it could be planned, but others of the call could not"


class RefusedBatch(Problem, frozen=True, kw_only=True):
    """A problem with what would have become of each item: 424 where only others stood in the way.

    `items` are there where `type` ends in `batch-refused`; other refusals come before any item is judged.
    """

    items: list[PlannedItem] = []


def planned(data: NewTemporaryStatuses, judged: Sequence[Judged], batch: str, context: Context) -> PlannedItems:
    """Say what became of each, and of how many; after a dry run also what would be shown."""
    done = [one for one in judged if isinstance(one, Written)]
    new = frozenset(one.one.id for one in done) if data.dry_run else None
    return PlannedItems(
        batch_id=batch if done and not data.dry_run else None,
        dry_run=data.dry_run,
        planned=len(done),
        refused=len(judged) - len(done),
        items=[_item(data, place, one, context, new) for place, one in enumerate(judged)],
    )


def all_refused(data: NewTemporaryStatuses, refusal: BatchRefused, context: Context) -> Response[Any]:
    """The problem of a call that was to be done whole or not at all."""
    problem = problem_of(refusal)
    items = []
    for place, one in enumerate(cast("Sequence[Judged]", refusal.judged)):
        item = _item(data, place, one, context, None)
        if isinstance(one, Written):
            item = msgspec.structs.replace(item, status=424, id=None, type=TYPE + "not-done", detail=_NOT_DONE)
        items.append(item)
    return answer(RefusedBatch(problem.type, problem.title, problem.status, problem.detail, items=items))


def ended(batch: str, undone: Sequence[Undone], *, dry_run: bool) -> EndedItems:
    """Say what was ended, and how much was over before."""
    now = [one for one in undone if one.was is not State.ENDED]
    return EndedItems(
        batch_id=batch,
        dry_run=dry_run,
        ended=len(now),
        over=len(undone) - len(now),
        items=[
            EndedItem(
                id=one.one.id,
                evse_id=one.evse.evse_id,
                uid=one.evse.uid,
                was=one.was,
                ended_at=told(one.one.ended_at) or "",
            )
            for one in now
        ],
    )


def _item(
    data: NewTemporaryStatuses, place: int, judged: Judged, context: Context, rehearsed: frozenset[int] | None
) -> PlannedItem:
    written = _as_written(data, place)
    if isinstance(judged, Written):
        evse = judged.evse
        item = PlannedItem(
            evse_id=written or evse.evse_id,
            status=201,
            id=judged.one.id if rehearsed is None else None,
            uid=evse.uid,
        )
        return item if rehearsed is None else msgspec.structs.replace(item, **_looks(judged, context, rehearsed))
    problem = problem_of(judged.why)
    return PlannedItem(
        evse_id=written or (None if judged.evse is None else judged.evse.evse_id),
        status=problem.status,
        type=problem.type,
        detail=problem.detail,
        pointer=problem.errors[0].pointer if problem.errors else None,
        uid=None if judged.evse is None else judged.evse.uid,
    )


def _as_written(data: NewTemporaryStatuses, place: int) -> str | None:
    if data.items is not None:
        return data.items[place].evse_id
    return None if data.evse_ids is None else data.evse_ids[place]


def _looks(done: Written, context: Context, rehearsed: frozenset[int]) -> dict[str, Any]:
    """What each channel would show now, or when it begins where that is later, and what shares some time with it."""
    # To a key that looks at nothing only what is shown now, as when it plans: not what others plan for later.
    looks = isinstance(may(done.by, Action.SEE, Call()), Allowed)
    begins = max(done.at, done.one.interval.begin) if looks else done.at
    presentation = presentation_of(done.evse, done.live, begins, context.settings.actual_status_max_age)
    seen = seen_by(done)
    overlaps = overlapping(done)
    return {
        "shown": shown(done.evse, presentation, done.live, context.channels, seen, rehearsed),
        "overlapping": len(overlaps),
        "overlaps": [overlap(one, seen=one.id not in rehearsed and seen(one)) for one in overlaps[:MOST_OVERLAPS]],
    }
