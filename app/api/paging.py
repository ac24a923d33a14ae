"""Pages: a bare array, and a `Link` to the next one with an opaque cursor."""

import base64
import binascii
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter

from app.domain.errors import MalformedValue

LARGEST: Final = 500

LINK: Final = ResponseHeader(
    name="Link",
    documentation_only=True,
    description='`<…>; rel="next"`, relative: the next page; not there on the last one',
)
Limit = Annotated[int, QueryParameter(ge=1, le=LARGEST, description="how many at most on a page")]
Cursor = Annotated[str | None, QueryParameter(description="from the `Link` of the page before")]


def after(cursor: str | None) -> int:
    """Read a cursor: the key of the last item on the page before, 0 for the first page.

    Raises:
        MalformedValue: it is none of ours.
    """
    if cursor is None:
        return 0
    try:
        number = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
        if number.isdigit() and len(number) < 19:  # noqa: PLR2004 - fits a BIGINT
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise MalformedValue("not a cursor of ours: take it from the Link of the page before", field="cursor")


def link(request: Request[Any, Any, Any], last: int) -> dict[str, str]:
    """The header that leads to the page after the item with the key `last`, with the same filters."""
    cursor = base64.urlsafe_b64encode(str(last).encode("ascii")).decode("ascii")
    query = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    return {"Link": f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'}
