"""Many temporary statuses in one call."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Final

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from app.api.context import Context
from app.api.guards import charged, needs
from app.api.idempotency import REPLAYED, answered_once, digest_of, response
from app.api.problems import problem_of, refuses
from app.api.shapes import Asked, Told
from app.api.temporary_status_shapes import NewTemporaryStatus
from app.domain import errors
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store.commands.planning_many import PlanMany
from app.store.commands.temporary_statuses import Wish, Written

MOST_ITEMS: Final = 500  #: temporary statuses in one call
LARGEST_BATCH: Final = 1024 * 1024  #: bytes of its body


class NewTemporaryStatuses(Asked):
    """What is wanted, one by one."""

    items: Annotated[list[NewTemporaryStatus], Meta(min_length=1, max_length=MOST_ITEMS)]


class PlannedItem(Told):
    """What became of one item: 201 and its id, or the status, type and place of its problem."""

    evse_id: str
    status: int
    id: int | None = None
    type: str | None = None
    detail: str | None = None
    pointer: str | None = None


class PlannedItems(Told):
    """What became of each item, in their order."""

    items: list[PlannedItem]


class Batches(Controller):
    """`/v2/temporary-evse-statuses/batch`."""

    path = "/v2/temporary-evse-statuses/batch"
    tags = ["Temporary statuses"]

    @post(
        operation_id="planTemporaryStatuses",
        opt=needs(Action.PLAN),
        status_code=200,
        request_max_body_size=LARGEST_BATCH,
        response_headers=[REPLAYED],
        responses=refuses(errors.IdempotencyMismatch),
    )
    async def plan_many(
        self,
        data: JSONBody[NewTemporaryStatuses],
        context: NamedDependency[Context],
        principal: NamedDependency[Principal],
        idempotency_key: NamedDependency[str | None],
    ) -> Response[PlannedItems]:
        """Plan up to 500, written together. Each is judged by itself, and answered in its place.

        Towards the rate of a key each of them counts as a call.
        """
        charged(context, principal, len(data.items) - 1)
        read = [_read(one) for one in data.items]

        def render(judged: Sequence[Written | errors.DomainError]) -> PlannedItems:
            decided = iter(judged)
            return PlannedItems([_item(one.evse_id, wish, decided) for one, wish in zip(data.items, read, strict=True)])

        done = await answered_once(
            context,
            principal,
            idempotency_key,
            digest_of("planTemporaryStatuses", data),
            PlanMany(principal, tuple(wish for wish in read if isinstance(wish, Wish))),
            render,
            HTTPStatus.OK,
            keeps=lambda judged: any(isinstance(one, Written) for one in judged),
        )
        return response(done)


def _read(one: NewTemporaryStatus) -> Wish | errors.DomainError:
    try:
        return one.wish()
    except errors.DomainError as refusal:
        return refusal


def _item(
    evse_id: str, wish: Wish | errors.DomainError, decided: Iterator[Written | errors.DomainError]
) -> PlannedItem:
    """Say what became of an item: refused as it was read, or the next of those that were decided."""
    became = next(decided) if isinstance(wish, Wish) else wish
    if isinstance(became, Written):
        return PlannedItem(evse_id=evse_id, status=201, id=became.one.id)
    problem = problem_of(became)
    pointer = problem.errors[0].pointer if problem.errors else None
    return PlannedItem(
        evse_id=evse_id, status=problem.status, type=problem.type, detail=problem.detail, pointer=pointer
    )
