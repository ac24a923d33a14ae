"""Temporary statuses by the caller's own reference: what booking systems and sensors know them by."""

from typing import Annotated

from litestar import Controller, Response, delete, get, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.api.context import Context
from app.api.entity_tags import ETAG, NOT_MODIFIED, tagged, unless_seen
from app.api.guards import needs
from app.api.problems import refuses
from app.api.shapes import REF_PATTERN, AskedTime, ref_in
from app.api.temporary_status_shapes import (
    LARGEST_VERSION,
    TemporaryStatusByRef,
    TemporaryStatusView,
    WrittenTemporaryStatus,
    source_version,
    view,
    written,
)
from app.api.temporary_statuses import REFUSED
from app.domain import errors
from app.domain.permission import Action
from app.domain.precondition import Precondition, Tags
from app.domain.principal import Principal
from app.store import reading
from app.store.commands.ending import EndByRef
from app.store.commands.temporary_statuses import PlanByRef

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]
Precondition_ = NamedDependency[Precondition]
Seen = NamedDependency[Tags]
RefInPath = Annotated[
    str,
    PathParameter(
        name="ref",
        description="your own reference: 1 to 128 characters of A-Z a-z 0-9 . _ ~ : @ -",
        schema_extra={"pattern": REF_PATTERN, "examples": ["bay-17", "booking:4711"]},
    ),
]


class TemporaryStatusesByReference(Controller):
    """`/v2/temporary-evse-statuses/by-ref`."""

    path = "/v2/temporary-evse-statuses/by-ref"
    tags = ["Temporary statuses"]

    @put(
        "/{ref:str}",
        operation_id="planTemporaryStatusByRef",
        opt=needs(Action.PLAN),
        responses={
            201: ResponseSpec(WrittenTemporaryStatus, description="created", generate_examples=False),
            **refuses(
                *REFUSED,
                errors.MalformedValue,
                errors.EvseNotFound,
                errors.AmbiguousEvse,
                errors.StaleVersion,
                errors.PreconditionFailed,
            ),
        },
        response_headers=[ETAG],
    )
    async def plan(
        self,
        ref: RefInPath,
        data: JSONBody[TemporaryStatusByRef],
        context: Context_,
        principal: Principal_,
        precondition: Precondition_,
    ) -> Response[WrittenTemporaryStatus]:
        """Create or replace the one under your own reference. Renewed with a short `validTo` it is a sensor's lease.

        With `sourceVersion` or `sourceUpdatedAt` what comes late changes nothing: it is a 409.
        """
        version = source_version(data.source_version, data.source_updated_at)
        command = PlanByRef(principal, ref_in(ref), data.wish(), version, precondition)
        done = await context.writer.run(command)
        return tagged(written(done, context), 201 if done.created else 200)

    @get(
        "/{ref:str}",
        operation_id="getTemporaryStatusByRef",
        opt=needs(Action.SEE),
        response_headers=[ETAG],
        responses=NOT_MODIFIED | refuses(errors.TemporaryStatusNotFound, body=False),
    )
    async def look_at(
        self, ref: RefInPath, context: Context_, principal: Principal_, seen: Seen
    ) -> Response[TemporaryStatusView]:
        """Look at what was last made under your reference."""
        async with context.database.read() as connection:
            one, evse = await reading.by_ref(connection, principal.id, ref_in(ref))
        return unless_seen(view(one, evse, context.clock.now()), seen)

    @delete(
        "/{ref:str}",
        operation_id="endTemporaryStatusByRef",
        opt=needs(Action.END),
        status_code=204,
        responses=refuses(errors.MalformedInstant, errors.StaleVersion, errors.PreconditionFailed, body=False),
    )
    async def end(
        self,
        ref: RefInPath,
        context: Context_,
        principal: Principal_,
        precondition: Precondition_,
        number: Annotated[
            int | None,
            QueryParameter(name="sourceVersion", ge=0, le=LARGEST_VERSION, description="of this cancel, at its source"),
        ] = None,
        updated_at: Annotated[
            AskedTime | None,
            QueryParameter(name="sourceUpdatedAt", description="instead: when it was cancelled at its source"),
        ] = None,
    ) -> None:
        """End the one under your reference now; fine if there is none.

        What comes later with a lower version, or within a day of a cancel without one, does not bring it back.
        """
        version = source_version(number, updated_at)
        await context.writer.run(EndByRef(principal, ref_in(ref), version, precondition))
