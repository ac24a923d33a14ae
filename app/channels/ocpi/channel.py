"""Presented statuses to eMSPs: one `PATCH` on the EVSE at every partner that offers a Locations receiver.

Spec: OCPI 2.2.1 mod_locations, eMSP interface (Receiver).
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from app.channels.channel import Accepted, Lane, Means, Message
from app.channels.ocpi import v2_1_1, v2_2_1, v2_3_0
from app.channels.ocpi.answers import judge
from app.channels.ocpi.release import Party, Release
from app.channels.ocpi.settings import OcpiSettings, ocpi_settings
from app.channels.ocpi.status import Status
from app.channels.outcomes import Outcome, Rejected
from app.channels.transport import Answer, Transport
from app.domain.delivery import Notice
from app.domain.evse import Evse
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate, What

#: The versions that are spoken. A further one is a folder and a line here.
RELEASES: Final[Mapping[str, Release]] = {one.version: one for one in (v2_1_1.RELEASE, v2_2_1.RELEASE, v2_3_0.RELEASE)}
_DEFAULT: Final = v2_2_1.RELEASE
_HEADER_SAFE: Final = re.compile(r"[!-~]+")


class Push(msgspec.Struct, frozen=True):
    """A request that is ready but for its headers. `removal`: it says that the EVSE is gone."""

    url: str
    sender: Party
    body: bytes
    removal: bool


class Unaddressed(msgspec.Struct, frozen=True):
    """An EVSE that has no address at an OCPI partner, and what to do about it."""

    reason: str


class OcpiChannel:
    """The channel of partners that speak OCPI."""

    name: Final = "ocpi"
    lane: Final = Lane(in_flight=32)
    knows_evse_ids_only: Final = False  # a uid is never used again
    others_write_too: Final = False
    announces: Final = True
    needs_locations: Final = True

    def shows(self, what: What) -> str | None:
        """Withheld shows nothing here: only who was shared the EVSE before hears that it is removed."""
        return None if what is Gate.WITHHELD else _DEFAULT.status(what).value

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        settings = ocpi_settings(raw)
        configuration = msgspec.to_builtins(settings)
        return Accepted(
            secrets={"token": configuration.pop("token")},
            configuration=configuration,
            audience=Audience(settings.operators, settings.locations),
            tells_fleet=settings.initial_push,
        )

    def daily(self, partner: Partner) -> None:  # noqa: ARG002 - each EVSE is told on its own
        return None

    def concerns(self, partner: Partner, at: datetime) -> list[str]:  # noqa: ARG002 - nothing can run out here
        return []

    def connect(self, partner: Partner, means: Means) -> "OcpiConnection":
        """Open the channel towards `partner`, whose configuration holds its token again.

        Raises:
            InvalidPartner: what is stored no longer fits.
        """
        return OcpiConnection(ocpi_settings(partner.configuration), means)


class OcpiConnection:
    """One partner's Locations receiver."""

    def __init__(self, settings: OcpiSettings, means: Means) -> None:
        self._settings = settings
        release = RELEASES[settings.version]
        self._release = msgspec.structs.replace(
            release,
            kinds={**release.kinds, **settings.own_kinds},
            actual={**release.actual, **settings.own_actual},
        )
        in_base64 = release.base64_token if settings.token_in_base64 is None else settings.token_in_base64
        # The specification's own samples encode a newline with the token; it does not belong there.
        token = b64encode(settings.token.encode()).decode() if in_base64 else settings.token
        self._authorization = f"Token {token}"
        self._clock = means.clock
        self._transport = Transport(in_flight=OcpiChannel.lane.in_flight, timeout=means.timeout)

    def translate(self, notice: Notice) -> Message:
        """Say it as a PATCH of the EVSE; the digest leaves `last_updated` out, as it moves with every version."""
        status = self._release.status(notice.presentation.what)
        return Message(said=status.value, digest=status.value, content=self._content(notice, status))

    async def deliver(self, message: Message) -> Outcome:
        if isinstance(message.content, Unaddressed):
            # Not parked: no version of the presented status will come with the location that is missing.
            return Rejected(message.content.reason, retry_slowly=True, asked=False)
        push: Push = message.content
        headers = self._release.headers(self._authorization, push.sender, self._settings.receiver)
        sent = await self._transport.send("PATCH", push.url, headers=headers, body=push.body)
        if isinstance(sent, Answer):
            return judge(sent, removal=push.removal, now=self._clock.now())
        return sent

    async def close(self) -> None:
        await self._transport.close()

    def _content(self, notice: Notice, status: Status) -> Push | Unaddressed:
        evse = notice.evse
        if problem := _unaddressed(evse):
            return problem
        uid = evse.uid if self._settings.uid_in_patch else None
        return Push(
            url=evse_url(self._settings.url, evse),
            sender=self._settings.sender or Party(evse.country, evse.party),
            body=self._release.status_patch(uid, status, notice.last_updated),
            removal=status is Status.REMOVED,
        )


def evse_url(receiver: str, evse: Evse) -> str:
    """Return the EVSE's URL below the receiver's, each segment percent-encoded.

    Spec: OCPI 2.2.1 mod_locations, eMSP interface: `{url}/{country_code}/{party_id}/{location_id}/{evse_uid}`.
    """
    segments = (evse.country, evse.party, evse.location or "", evse.uid)
    return "/".join([receiver.rstrip("/"), *(quote(one, safe="") for one in segments)])


def _unaddressed(evse: Evse) -> Unaddressed | None:
    name = evse.evse_id or f"the EVSE with uid {evse.uid}"
    if not evse.location:
        return Unaddressed(
            f"{name} has no OCPI location: set it with PUT /v2/evses/{{evseId}} (locationId), or import the locations"
        )
    segments = (evse.country, evse.party, evse.location, evse.uid)
    # No way to write these in a URL: "." and ".." mean other resources, and would change a whole location or more.
    if any(one in {"", ".", ".."} for one in segments):
        return Unaddressed(f"{name} cannot be addressed in OCPI: {'/'.join(segments)} is not a usable path")
    if not (_HEADER_SAFE.fullmatch(evse.country) and _HEADER_SAFE.fullmatch(evse.party)):
        return Unaddressed(f"{name} cannot be addressed in OCPI: country code and party id must be printable ASCII")
    return None
