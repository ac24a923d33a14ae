"""Entity tags of temporary statuses, and the conditions that callers make with them (RFC 9110, 8.8.3 and 13.1)."""

import re
from typing import Annotated, Any, Final, TypeVar

from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

from app.api.guards import After
from app.api.temporary_status_shapes import TemporaryStatusView
from app.domain import precondition
from app.domain.errors import MalformedValue
from app.domain.precondition import Precondition, Tags
from app.domain.temporary_status import State

_TAG: Final = re.compile(r'[ \t]*+(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*+(?:,|\Z)')
View = TypeVar("View", bound=TemporaryStatusView)

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="only if it still has one of these ETags; `*`: only if there is one"),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description="only if it has none of these ETags; `*`: only if there is none"),
]
SeenAlready = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="ETags you have: 304 if it still has one of them")
]

ETAG: Final = ResponseHeader(
    name="ETag", documentation_only=True, description="stands for it as it is: for If-Match and If-None-Match"
)
NOT_MODIFIED: Final = {304: ResponseSpec(None, description="as you have it", generate_examples=False)}


def provide_precondition(
    principal: After,  # noqa: ARG001
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Precondition:
    """What a call that changes something makes its condition.

    Raises:
        MalformedValue: it cannot be read.
    """
    return Precondition(_tags(if_match, "If-Match"), _tags(if_none_match, "If-None-Match"))


def provide_seen(principal: After, if_none_match: SeenAlready = None) -> Tags:  # noqa: ARG001
    """What whoever looks has already.

    Raises:
        MalformedValue: it cannot be read.
    """
    return _tags(if_none_match, "If-None-Match") or Tags()


def etag(id_: int, revision: int, state: State) -> dict[str, str]:
    return {"ETag": f'"{precondition.tag(id_, revision, state)}"'}


def tagged(body: View, status: int = 200) -> Response[View]:
    """Answer `body` with its tag."""
    return Response(body, status_code=status, headers=etag(body.id, body.revision, body.state))


def unless_seen(body: View, seen: Tags) -> Response[View]:
    """Answer `body`, or that it is as it was `seen`."""
    if not seen.match_weakly(precondition.tag(body.id, body.revision, body.state)):
        return tagged(body)
    unchanged: Response[Any] = Response(None, status_code=304, headers=etag(body.id, body.revision, body.state))
    return unchanged


def _tags(text: str | None, header: str) -> Tags | None:
    if text is None:
        return None
    if text.strip(" \t") == "*":
        return Tags(any=True)
    strong: set[str] = set()
    weak: set[str] = set()
    at = 0
    while at < len(text):
        if not (one := _TAG.match(text, at)):
            raise MalformedValue('send `*`, or ETags in their quotes such as "17.2.active"', field=header)
        if one[2] is not None:
            (weak if one[1] else strong).add(one[2])
        at = one.end()
    if not strong and not weak:
        raise MalformedValue("it names no ETag", field=header)
    return Tags(frozenset(strong), frozenset(weak))
