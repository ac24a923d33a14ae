"""The page of the API: readable and tried out in a browser, without anything from anywhere else."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.types import ControllerRouterHandler

_HERE: Final = Path(__file__).parent
_DAY: Final = "public, max-age=86400"
#: Only what this service has, and nothing inline: neither scripts nor styles, nor a form, nor a frame around it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_FILES: Final = {
    "swagger-ui-bundle.js": ("vendor/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("vendor/swagger-ui/swagger-ui.css", "text/css"),
    "reference.js": ("pages/reference.js", "text/javascript"),
    "icon.svg": ("pages/icon.svg", "image/svg+xml"),
}

Complete = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Reference(OpenAPIRenderPlugin):
    """The document, completed once and kept."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)
        self._complete = complete
        self._rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        if self._rendered is None:
            self._rendered = msgspec.json.encode(self._complete(openapi_schema))
        return self._rendered


class ReferenceRouter(Router):
    """`/openapi`: what the framework puts there, but for its own page of what is not found, which is HTML."""

    def __init__(self) -> None:
        super().__init__("/openapi", route_handlers=[page, *map(_serving, _FILES)], include_in_schema=False)

    def register(self, value: ControllerRouterHandler) -> list[Any]:
        paths = getattr(value, "paths", ())
        return [] if "/{path:str}" in paths else super().register(value)


@get("/", media_type="text/html", sync_to_thread=False)
def page() -> Response[bytes]:
    """The page."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache", **_HEADERS}
    return Response((_HERE / "pages" / "reference.html").read_bytes(), media_type="text/html", headers=headers)


def _serving(name: str) -> ControllerRouterHandler:
    path, media_type = _FILES[name]

    @get(f"/{name}", name=f"reference {name}", sync_to_thread=True)
    def file_() -> Response[bytes]:
        headers = {"Cache-Control": _DAY, **_HEADERS}
        return Response((_HERE / path).read_bytes(), media_type=media_type, headers=headers)

    return file_
