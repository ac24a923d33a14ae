"""What goes over the wire to those who follow: Server-Sent Events, their data, and the cursor in their ids."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from app.api.explaining import ChannelShows, explained
from app.api.shapes import Told, ToldTime
from app.channels.channel import Channel
from app.domain.following import Position
from app.domain.instant import EARLIEST, LATEST, MILLISECOND, rfc3339
from app.domain.principal import Principal
from app.domain.status import DeploymentState
from app.store.changes import Standing
from app.store.commands.asking import sees_on

#: Where "1" is what kind of cursor it is, should there ever be another.
_CURSOR: Final = re.compile(r"1\.(\d{1,15})\.(\d{1,18})", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encoder: Final = msgspec.json.Encoder()


class PresentedEvent(Told):
    """What is presented for an EVSE since `at`: the data of an event `presented`."""

    evse_id: Annotated[str | None, Meta(description="as registered; `null` where one was imported without")]
    version: Annotated[
        int,
        Meta(
            description="rises with every change of this EVSE, with gaps: keep the highest, and drop what is not higher"
        ),
    ]
    at: Annotated[ToldTime, Meta(description="when this version came about, in UTC")]
    deployment_state: DeploymentState
    location_id: Annotated[str | None, Meta(description="OCPI's id of the location where the EVSE stands")]
    country_code: Annotated[str, Meta(description="OCPI's country code of the CPO")]
    party_id: Annotated[str, Meta(description="OCPI's party id of the CPO")]
    uid: Annotated[str, Meta(description="OCPI's uid of the EVSE within the CPO's platform")]
    presented: Annotated[
        dict[str, ChannelShows], Meta(description="what each channel shows, as in `GET /v2/evses/{evseId}`")
    ]


class SnapshotEvent(Told):
    """The current state has been told whole: the data of an event `snapshot`."""

    evses: Annotated[int, Meta(description="of how many EVSEs")]


class ResetEvent(Told):
    """What was missed cannot be told any more: the data of an event `reset`."""

    why: Annotated[str, Meta(description="for people")]


class PingEvent(Told):
    """The stream lives, and nothing was left out of it: the data of an event `ping`."""

    at: Annotated[ToldTime, Meta(description="up to when all changes have been sent, in UTC")]


class Telling:
    """What is told of an EVSE, written once for all who hear the same of it; with a cursor, if there is one yet."""

    def __init__(self, standing: Standing, channels: Mapping[str, Channel], position: Position | None = None) -> None:
        self.standing = standing
        self._channels = channels
        self._position = position
        self._written: dict[bool, bytes] = {}

    def frame(self, principal: Principal) -> bytes:
        """The event for `principal`, who is not told which temporary status is behind it unless it may see that."""
        evse, because = self.standing.evse, self.standing.because
        seen = because is None or sees_on(principal, evse)(because)
        written = self._written.get(seen)
        if written is None:
            written = self._written[seen] = _frame("presented", self._said(seen=seen), self._position)
        return written

    def _said(self, *, seen: bool) -> PresentedEvent:
        one = self.standing
        live = [] if one.because is None else [one.because]
        return PresentedEvent(
            evse_id=one.evse.evse_id,
            version=one.version,
            at=rfc3339(one.at),
            deployment_state=one.evse.deployment,
            location_id=one.evse.location,
            country_code=one.evse.country,
            party_id=one.evse.party,
            uid=one.evse.uid,
            presented=explained(one.evse, one.presentation, live, self._channels, lambda _: seen),
        )


def cursor_of(position: Position) -> str:
    text = f"1.{(position.at - _EPOCH) // MILLISECOND}.{position.last}"
    return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def position_of(cursor: str) -> Position | None:
    """Read a cursor; `None` where it is none of ours."""
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match = _CURSOR.fullmatch(text.decode("ascii"))
        at = None if match is None else _EPOCH + timedelta(milliseconds=int(match[1]))
    except (binascii.Error, ValueError, OverflowError):
        return None
    return None if match is None or at is None or not EARLIEST <= at < LATEST else Position(at, int(match[2]))


def snapshot_frame(evses: int, position: Position) -> bytes:
    return _frame("snapshot", SnapshotEvent(evses), position)


def reset_frame(why: str, position: Position | None) -> bytes:
    return _frame("reset", ResetEvent(why), position)


def ping_frame(position: Position) -> bytes:
    return _frame("ping", PingEvent(rfc3339(position.at)), position)


def opening_frame(retry: int) -> bytes:
    """The first line: in how many milliseconds a client that lost the stream shall come back."""
    return f"retry: {retry}\n\n".encode("ascii")


def _frame(name: str, data: Told, position: Position | None) -> bytes:
    # Without an id a client stays at the one that it had.
    id_ = "" if position is None else f"id: {cursor_of(position)}\n"
    return f"event: {name}\n{id_}data: ".encode("ascii") + _encoder.encode(data) + b"\n\n"
