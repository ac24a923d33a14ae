"""Whether the service lives, and whether it can do its work. Nothing here calls anybody: Hubject's terms forbid it."""

from datetime import datetime, timedelta
from functools import cache

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from app.api.context import Context
from app.api.shapes import Told, ToldTime, told
from app.domain.partner import Partner, Standing
from app.store import migrating
from app.store import partners as store


class Health(Told):
    """`ok`, or `unready` and why."""

    status: str
    why: list[str]


class PartnerHealth(Told):
    """How a partner and we get on, and when it last took something; `null` where it never did.

    A partner that is owed nothing is sent nothing, so the age of its last success may grow without anything being
    wrong; `state` says whether something is.
    """

    name: str
    channel: str
    state: Standing
    last_success_at: ToldTime | None
    seconds_since_success: int | None


class Readiness(Health):
    """`ok`, or `unready` and why; and how each partner does, which makes nobody unready."""

    partners: list[PartnerHealth]


@get("/health/live", operation_id="live", tags=["Health"])
async def live() -> Health:
    """The process answers."""
    return Health("ok", [])


@get(
    "/health/ready",
    operation_id="ready",
    tags=["Health"],
    responses={503: ResponseSpec(Readiness, description="Not ready, and why", generate_examples=False)},
)
async def ready(context: NamedDependency[Context]) -> Response[Readiness]:
    """The service can do its work; otherwise 503, and each reason why not in `why`.

    Which are: the database cannot be read, or was brought to the schema of another version; what is due has not been
    looked at yet, or not for 30 s; one group of changes has been under way for 30 s, or as many wait as may; the
    service is stopping.

    `partners` is what the database knows of them: none of them is called for it. One that fails never makes the
    service unready, which would be taken out of service for somebody else's fault. Empty where the database cannot be
    read.
    """
    why = context.unready()
    partners: list[PartnerHealth] = []
    try:
        await context.database.now()
        revision, newest = await migrating.current(context.database), _newest()
        if revision != newest:
            why.append(f"the database is at revision {revision}, this version needs {newest}")
        async with context.database.read() as connection:
            found = await store.all_partners(connection)
        partners = [_health(one, context.clock.now()) for one in found]
    except Exception as error:  # noqa: BLE001 - whatever keeps the database away is a reason
        why = [f"the database cannot be read: {type(error).__name__}", *why]
    return Response(Readiness("unready" if why else "ok", why, partners), status_code=503 if why else 200)


@cache
def _newest() -> str:
    return migrating.newest()


def _health(partner: Partner, at: datetime) -> PartnerHealth:
    since = partner.last_success_at
    return PartnerHealth(
        name=partner.name,
        channel=partner.channel,
        state=partner.standing,
        last_success_at=told(since),
        # A clock that was stepped back meanwhile makes nobody succeed in the future.
        seconds_since_success=None if since is None else max((at - since) // timedelta(seconds=1), 0),
    )
