"""The metrics of this process and of what its database holds, for Prometheus."""

from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from app.api.context import Context
from app.api.guards import needs
from app.api.problems import refuses
from app.domain.permission import Action

CONTENT_TYPE: Final = "text/plain; version=0.0.4"  #: the framework adds `; charset=utf-8`, as Prometheus wants it


@get(
    "/metrics",
    operation_id="getMetrics",
    tags=["Operations"],
    opt=needs(Action.SEE_METRICS),
    media_type=CONTENT_TYPE,
    responses={
        200: ResponseSpec(str, media_type="text/plain", description="The metrics", generate_examples=False),
        **refuses(body=False),
    },
)
async def metrics(context: NamedDependency[Context]) -> Response[bytes]:
    """The metrics of this process and its database, in the text format of Prometheus.

    For a key that is good for all EVSEs, with the role `reader`, `operations` or `admin`, which Prometheus sends as its
    bearer token. Each replica counts what it does itself; what is read from the database (`…_partner_…`,
    `…_boundaries_overdue`) is the same on all of them, at most a second old, and left out while the database is
    away: then `evse_status_database_up` is 0, and a key that scraped within the last hour still may.
    """
    return Response(await context.metrics(), media_type=CONTENT_TYPE)
