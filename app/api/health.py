"""Whether the service lives, and whether it can do its work. Neither says anything about the fleet."""

from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from app.api.context import Context


class Health(Struct):
    """`ok`, or `unready` and why."""

    status: str
    why: list[str]


@get("/health/live", operation_id="live", tags=["Health"])
async def live() -> Health:
    """The process answers."""
    return Health("ok", [])


@get("/health/ready", operation_id="ready", tags=["Health"])
async def ready(context: NamedDependency[Context]) -> Response[Health]:
    """The database can be read and what is due is being looked at; otherwise 503 and why not."""
    why = context.unready()
    try:
        await context.database.now()
        async with context.database.read() as connection:
            await connection.exec_driver_sql("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever keeps the database away is a reason
        why = [f"the database cannot be read: {type(error).__name__}", *why]
    return Response(Health("unready" if why else "ok", why), status_code=503 if why else 200)
