"""What happens to what is presented, as it happens."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter, QueryParameter

from app.api.context import Context
from app.api.event_shapes import PresentedEvent
from app.api.event_stream import MEDIA_TYPE, Begin, EventStream
from app.api.guards import needs
from app.api.listener import Listener
from app.api.problems import refuses
from app.api.shapes import text_in
from app.domain import errors
from app.domain.api_key import digest_of
from app.domain.duration import parse_duration
from app.domain.evse_id import operator_key, parse_evse_id
from app.domain.permission import Action
from app.domain.principal import Principal
from app.store import changes
from app.store.changes import Wanted

MOST_EVSES: Final = 100  #: that one stream can name; to follow more, leave them out and follow all

EvseIds = Annotated[
    list[str] | None,
    QueryParameter(
        name="evseId",
        description=f"only these EVSEs: repeat it for up to {MOST_EVSES}; left out: all that the key is good for",
    ),
]
LocationId = Annotated[
    str | None, QueryParameter(name="locationId", description="only EVSEs at the location with this OCPI id")
]
Operator = Annotated[
    str | None,
    QueryParameter(description="only EVSEs of this operator, such as `DE*ABC` (escape the `+` of `+49*810`)"),
]
Snapshot = Annotated[
    bool,
    QueryParameter(
        description="`true`: begin with the current state of every EVSE that fits, then an event `snapshot`; without "
        "effect where a cursor is given from which the stream can go on"
    ),
]
CursorInQuery = Annotated[
    str | None,
    QueryParameter(
        name="lastEventId", description="the same as the header `Last-Event-ID`, which counts where both are there"
    ),
]
CursorInHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        description="the id of the last event that was received: go on after it. An EventSource sends it by itself",
    ),
]
CloseAfter = Annotated[
    str | None,
    QueryParameter(
        name="closeAfter",
        description="end the stream after this time, an ISO 8601 duration such as `PT5M`; `PT0S`: as soon as what was "
        "missed, or the snapshot, has been sent. Left out: never",
    ),
]


_A_STREAM: Final = """\
retry: 2731

event: presented
data: {"evseId":"DE*ABC*E1234*1","version":4,"at":"2099-03-01T08:00:00.000Z","deploymentState":"PRODUCTION",\
"locationId":"LOC1","countryCode":"DE","partyId":"ABC","uid":"1234-1","presented":{"driverApp":{"status":\
"OUT_OF_SERVICE","why":"temporary status 12 (MAINTENANCE)","temporaryStatusId":12,"until":null}}}

event: snapshot
id: MS4xNzk1MzA1ODYwNzU0LjM
data: {"evses":1}

event: ping
id: MS4xNzk1MzA1ODYwNzU0LjM
data: {"at":"2099-03-01T08:00:15.000Z"}

"""


@get(
    "/v2/events",
    operation_id="followEvents",
    tags=["Events"],
    opt=needs(Action.SEE_EVSES),
    responses={
        200: ResponseSpec(
            PresentedEvent,
            media_type=MEDIA_TYPE,
            description="A stream of events. The schema is that of the `data` of an event `presented`.",
            generate_examples=False,
            examples=[Example(id="stream", summary="A snapshot of one EVSE, then quiet", value=_A_STREAM)],
        ),
        **refuses(errors.MalformedValue, errors.EvseNotFound, errors.AmbiguousEvse, body=False),
    },
)
async def follow(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    principal: NamedDependency[Principal],
    evse_id: EvseIds = None,
    location_id: LocationId = None,
    operator: Operator = None,
    snapshot: Snapshot = False,
    last_event_id: CursorInQuery = None,
    close_after: CloseAfter = None,
    resumed_from: CursorInHeader = None,
) -> EventStream:
    """Follow what is presented: Server-Sent Events, one for each EVSE whose presented status or `until` changed.

    `curl -N -H "Authorization: Bearer $KEY" $URL/v2/events?snapshot=true` shows it. A browser's own EventSource sends
    no Authorization header: use a client that is built on fetch, and never put a key into an address.

    On the wire an event is lines `event:`, `id:` (left out in a snapshot and while you catch up: then keep the last
    one) and one `data:` with JSON, and an empty line; the first line of a stream is a `retry:` in milliseconds.

    - `presented`: what is shown for one EVSE now. Each has a `version` that rises: keep the highest of each EVSE and
      drop what is not higher, since the same may come twice. What changed several times in a moment comes once.
    - `ping` (`{"at"}`): nothing else happened for 15 s. No byte for 30 s means that the connection is dead: connect
      again.
    - `snapshot` (`{"evses"}`, how many): with `snapshot=true`, the current state has been told whole.
    - `reset` (`{"why"}`): what came after the cursor cannot be told any more (it is older than changes are kept, more
      than 100,000 changes were missed, or it is not from here): read the fleet anew. With `snapshot=true` it follows
      by itself.

    Go on after an interruption with `Last-Event-ID`: at any replica, also after a restart. The stream then repeats the
    minute before. It is ended within seconds when its key is revoked, expires or gets other rights. A client that takes
    nothing for 20 s is cut off. More streams than `EVSE_STATUS_EVENT_STREAMS_PER_KEY` with one key are answered with
    429, more than `EVSE_STATUS_EVENT_STREAMS` in one process with 503; `Retry-After` says after how many seconds to
    try again.
    """
    wanted = await _wanted(context, principal, evse_id, location_id, operator)
    begin = Begin(
        cursor=resumed_from if resumed_from is not None else last_event_id,
        snapshot=snapshot,
        close_after=None if close_after is None else _seconds(close_after),
    )
    await context.events.ready(principal)
    return EventStream(context.events, Listener(principal, wanted, _digest(request, principal)), begin)


async def _wanted(
    context: Context, principal: Principal, evse_ids: list[str] | None, location: str | None, operator: str | None
) -> Wanted:
    wanted = Wanted(
        scope=principal.rights.scope,
        location=text_in(location, "locationId"),
        operator=None if operator is None else _operator(operator),
    )
    if not evse_ids:
        return wanted
    if len(evse_ids) > MOST_EVSES:
        raise errors.MalformedValue(f"at most {MOST_EVSES} EVSEs; these are {len(evse_ids)}", field="evseId")
    asked = [parse_evse_id(one) for one in evse_ids]
    async with context.database.read() as connection:
        found = await changes.keys_of(connection, asked, Wanted(scope=wanted.scope))
    return Wanted(scope=wanted.scope, evses=found, location=wanted.location, operator=wanted.operator)


def _operator(text: str) -> str:
    try:
        return operator_key(text)
    except errors.MalformedEvseId as error:
        raise errors.MalformedValue(str(error), field="operator") from None


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except errors.MalformedValue as error:
        raise errors.MalformedValue(str(error), field="closeAfter") from None


def _digest(request: Request[Any, Any, Any], principal: Principal) -> str | None:
    """Of the key that the call came with, since a key that is rotated has two for a while."""
    if not principal.holds_key:
        return None
    return digest_of(request.headers["authorization"].partition(" ")[2].strip())
