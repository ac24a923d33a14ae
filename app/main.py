"""The composition root: the API in front of what it works with."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from app import VERSION
from app import channels as registered
from app.api import (
    batches,
    brakes,
    by_reference,
    events,
    evses,
    explanations,
    full_loads,
    health,
    keys,
    metrics,
    partners,
    temporary_statuses,
)
from app.api.allowing import every_method_in_allow
from app.api.context import Context
from app.api.document.completing import Document, completed
from app.api.entity_tags import provide_precondition, provide_seen
from app.api.guards import Guarded, provide_principal, roles_described
from app.api.idempotency import provide_idempotency_key
from app.api.ocpi.interface import ocpi
from app.api.problems import HANDLERS
from app.api.rates import Rates
from app.api.requests import Requests
from app.api.scrapers import Scrapers
from app.service import Service
from app.web.reference import Reference, ReferenceRouter

LARGEST_BODY: Final = 64 * 1024  #: bytes of a request, but for the calls for many


def create_app(service: Service, *, opens: bool = True) -> Litestar:
    """Put the API in front of a service, which it opens and closes itself unless `opens` is false."""
    context = Context(
        settings=service.settings,
        clock=service.clock,
        database=service.database,
        secrets=service.secrets,
        writer=service.writer,
        keys=service.keys,
        evses=service.evses,
        key_uses=service.key_uses,
        rates=Rates(service.clock, service.settings.failed_keys_per_minute),
        channels=service.channels,
        events=service.events,
        look=service.reconciler.look,
        owed=service.dispatcher.promised,
        partners_changed=service.dispatcher.partners_changed,
        unready=service.unready,
        metrics=service.observing.text,
        scrapers=Scrapers(service.clock),
    )

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async with service.running():
            yield

    app = app_over(context, lifespan if opens else None)
    # In front of the routes, which answer what they do not know by themselves; a middleware would not hear of that.
    app.asgi_handler = Requests(app.asgi_handler, service.metrics.answered, service.metrics.streaming)
    return app


def app_over(
    context: Context,
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]] | None,
    *,
    described: bool = True,
) -> Litestar:
    """Put the API in front of whatever stands behind `context`: a running service, or the command line's database.

    Unless `described`, without its OpenAPI document, which takes longer to write than a command to run.
    """
    guarded = Router(
        "/",
        route_handlers=[
            temporary_statuses.TemporaryStatuses,
            by_reference.TemporaryStatusesByReference,
            batches.Batches,
            evses.Evses,
            evses.ActualStatuses,
            events.follow,
            explanations.Explanations,
            partners.Partners,
            full_loads.FullLoads,
            brakes.Brakes,
            keys.Keys,
            metrics.metrics,
        ],
        middleware=[Guarded],
        dependencies={
            "principal": Provide(provide_principal),
            "precondition": Provide(provide_precondition, sync_to_thread=False),
            "seen": Provide(provide_seen, sync_to_thread=False),
            "idempotency_key": Provide(provide_idempotency_key, sync_to_thread=False),
        },
        security=[{"key": []}],
    )
    return Litestar(
        [guarded, health.live, health.ready, ocpi],
        lifespan=[] if lifespan is None else [lifespan],
        dependencies={"context": Provide(lambda: context, sync_to_thread=False)},
        exception_handlers=dict(HANDLERS),
        request_max_body_size=LARGEST_BODY,
        before_send=[every_method_in_allow],
        openapi_config=None
        if not described
        else OpenAPIConfig(
            title="EVSE Status Scheduler",
            version=VERSION,
            openapi_router=ReferenceRouter(),
            use_handler_docstrings=True,
            render_plugins=[Reference(contract)],
            components=Components(
                security_schemes={"key": SecurityScheme(type="http", scheme="bearer", description=roles_described())}
            ),
        ),
        logging_config=None,
        state=State({"context": context}),
    )


def contract(derived: Mapping[str, Any]) -> Document:
    """The OpenAPI document, from what the framework derives of the handlers."""
    return completed(derived, registered.CONTRACTS)
