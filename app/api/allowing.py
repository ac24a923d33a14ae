"""Which methods a path knows, for whoever asks with OPTIONS."""

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.routes import HTTPRoute
from litestar.types import Message, Scope


async def every_method_in_allow(message: Message, scope: Scope) -> None:
    """Name them all: the framework forgets those that were registered after its own handler for OPTIONS."""
    if message["type"] == "http.response.start" and scope.get("method") == "OPTIONS":
        app: Litestar = scope["litestar_app"]
        path = scope.get("path_template")
        routes = (route for route in app.routes if isinstance(route, HTTPRoute) and route.path_format == path)
        methods = {str(method) for route in routes for method in route.methods}
        if methods:  # none where something is mounted, which answers for itself
            MutableScopeHeaders.from_message(message)["allow"] = ", ".join(sorted(methods))
