"""Many temporary statuses in one call: planned together, and ended together."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.api import batch_answers as answers
from app.api.batch_naming import command_for
from app.api.batch_shapes import EndedItems, NewTemporaryStatuses, PlannedItems
from app.api.context import Context
from app.api.guards import charged, needs
from app.api.idempotency import REPLAYED, answered_once, digest_of, response
from app.api.problems import MEDIA_TYPE, refuses
from app.domain import errors
from app.domain.permission import Action
from app.domain.principal import Principal
from app.domain.whole import MOST_IN_BATCH, Whole
from app.store import wholes
from app.store.commands.ending_batches import EndBatch
from app.store.commands.idempotent import Answered
from app.store.commands.planning_many import PlanForAll, PlanMany
from app.store.commands.temporary_statuses import Written

LARGEST_BATCH: Final = 1024 * 1024  #: bytes of its body
LONGEST_ID: Final = 64  #: characters of a batch id; ours have half as many

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]


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
        responses={
            **refuses(
                errors.IdempotencyMismatch,
                errors.NoEvsesThere,
                errors.TooManyEvses,
                errors.EmptyInterval,
                errors.AlreadyOver,
            ),
            409: ResponseSpec(
                answers.RefusedBatch,
                media_type=MEDIA_TYPE,
                description="`atomic`, and something was refused / The location id fits several locations",
                generate_examples=False,
                examples=refuses(errors.BatchRefused, errors.AmbiguousLocation)[409].examples,
            ),
        },
    )
    async def plan_many(
        self,
        data: JSONBody[NewTemporaryStatuses],
        context: Context_,
        principal: Principal_,
        idempotency_key: NamedDependency[str | None],
    ) -> Response[PlannedItems]:
        """Plan for many EVSEs, in one transaction.

        Up to 500 `items` of their own, or one temporary status for up to 5,000 EVSEs: those in `evseIds`, of a whole
        location, or of a whole operator. Each is judged by itself and answered in its place, with a 200; with `atomic`
        all of it is refused with a 409 if any is. `dryRun` writes nothing, and answers as the same call without it
        would at that moment; an `Idempotency-Key` does nothing then. Towards the rate of a key each item counts as a
        call, in a dry run as well.
        """
        batch = secrets.token_hex(16)
        command = command_for(data, principal, batch)
        await _charge(context, principal, command)
        try:
            if data.dry_run:
                judged = await context.writer.rehearse(command)
                # Beside the others: of each item all is looked at that lives on its EVSE, which may be thousands.
                text = await asyncio.to_thread(
                    lambda: msgspec.json.encode(answers.planned(data, judged, batch, context)).decode()
                )
                return response(Answered(HTTPStatus.OK, text, replayed=False))
            done = await answered_once(
                context,
                principal,
                idempotency_key,
                digest_of("planTemporaryStatuses", data),
                command,
                lambda judged: answers.planned(data, judged, batch, context),
                HTTPStatus.OK,
                keeps=lambda judged: any(isinstance(one, Written) for one in judged),
            )
        except errors.BatchRefused as refusal:
            return answers.all_refused(data, refusal, context)
        return response(done)

    @delete(
        "/{batchId:str}",
        operation_id="endTemporaryStatusesOfBatch",
        opt=needs(Action.END),
        status_code=200,
        responses=refuses(errors.BatchNotFound, body=False),
    )
    async def end(
        self,
        batch_id: Annotated[str, PathParameter(name="batchId", description="`batchId` of the call that planned them")],
        context: Context_,
        principal: Principal_,
        dry_run: Annotated[
            bool, QueryParameter(name="dryRun", description="change nothing, only say what would be ended")
        ] = False,
    ) -> EndedItems:
        """End now what one call planned, as far as it is not over: what is planned never begins.

        It ends what is this key's to end: its own, for operations all of it. Doing it again changes nothing. What was
        shown before is shown again by itself, as far as it is still true.
        """
        # Not any character: PostgreSQL takes no NUL, and would fail all that is written together with this.
        if len(batch_id) > LONGEST_ID or not (batch_id.isascii() and batch_id.isalnum()):
            raise errors.BatchNotFound(f"no batch {batch_id}")
        command = EndBatch(principal, batch_id)
        run = context.writer.rehearse if dry_run else context.writer.run
        return answers.ended(batch_id, await run(command), dry_run=dry_run)


async def _charge(context: Context, principal: Principal, command: PlanMany | PlanForAll) -> None:
    """Count each EVSE as a call; those of a part of the fleet as far as they are there now."""
    if principal.rights.rate is None:
        return
    if isinstance(command, PlanMany):
        calls = len(command.wishes)
    elif isinstance(command.which, Whole):
        async with context.database.read() as connection:
            calls = await wholes.count_of(connection, command.which, principal.rights.scope, MOST_IN_BATCH)
    else:
        calls = len(command.which)
    charged(context, principal, calls - 1)
