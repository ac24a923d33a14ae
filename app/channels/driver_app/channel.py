"""Presented statuses to drivers' apps, as signed webhooks."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from standardwebhooks import Webhook

from app.channels.channel import Accepted, Connection, Lane, Means, Message
from app.channels.driver_app import answers, settings
from app.channels.driver_app.mapping import ACTUAL, GATE, KIND, AppStatus
from app.channels.driver_app.wire import CONTENT_TYPE, CloudEvent, Presented
from app.channels.outcomes import Outcome, Rejected
from app.channels.transport import Transport
from app.domain.delivery import Notice
from app.domain.instant import rfc3339
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate, What
from app.domain.status import ActualStatus, Kind

#: The same in every replica and after every restart, as are the ids that are made with it. Never changes.
_IDS: Final = uuid.UUID("5b0c8f5e-58a4-4e0e-9d39-3c1f4a4ad7a1")


class DriverAppChannel:
    """Webhooks signed after Standard Webhooks 1.0.0, each with a CloudEvent about one EVSE."""

    name = "driver_app"
    lane = Lane(in_flight=32)
    knows_evse_ids_only = True
    others_write_too = False
    announces = False
    needs_locations = False

    def shows(self, what: What) -> str | None:
        return GATE[what] if isinstance(what, Gate) else _default(what)

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        """Check a configuration as it was typed in (see `DriverAppSettings`), and make a secret where none is given.

        Raises:
            InvalidPartner: it does not fit, with the field at fault.
        """
        accepted = settings.read({"secret": settings.fresh_secret(), **raw})
        configuration = msgspec.to_builtins(accepted)
        return Accepted(
            secrets={"secret": configuration.pop("secret")},
            configuration=configuration,
            audience=Audience(tuple(accepted.operators), tuple(accepted.locations)),
            tells_fleet=True,
        )

    def daily(self, partner: Partner) -> None:  # noqa: ARG002 - each EVSE is told on its own
        return None

    def concerns(self, partner: Partner, at: datetime) -> list[str]:  # noqa: ARG002 - nothing can run out here
        return []

    def connect(self, partner: Partner, means: Means) -> Connection:
        return DriverAppConnection(partner, means)


class DriverAppConnection:
    """One receiver, as it is configured now."""

    def __init__(self, partner: Partner, means: Means) -> None:
        self._partner = partner
        self._clock = means.clock
        self._settings = settings.read(partner.configuration)
        self._webhook = Webhook(self._settings.secret)
        self._transport = Transport(in_flight=DriverAppChannel.lane.in_flight, timeout=means.timeout)

    def translate(self, notice: Notice) -> Message:
        """Say it in an app's words, with the kind behind them and how long they hold."""
        evse, presentation = notice.evse, notice.presentation
        what = presentation.what
        status = self._status(what)
        gone = isinstance(what, Gate)
        kind = what.value if isinstance(what, Kind) else None
        until = rfc3339(presentation.until) if presentation.until and not gone else None
        digest = hashlib.sha256(msgspec.json.encode([evse.evse_id, status, kind, until])).hexdigest()
        if evse.evse_id is None:
            return Message(status, digest, None)
        last_updated = rfc3339(notice.last_updated)
        event = CloudEvent(
            id=self._id(evse.id, notice.version),
            subject=evse.evse_id,
            time=last_updated,
            data=Presented(
                evse_id=evse.evse_id,
                status=status,
                temporary_status=kind,
                until=until,
                version=notice.version,
                last_updated=last_updated,
            ),
        )
        return Message(status, digest, event)

    async def deliver(self, message: Message) -> Outcome:
        """Sign it as of now and send it, once.

        Spec: Standard Webhooks 1.0.0 §Webhook headers: the id names the message, the timestamp the attempt.
        """
        event: CloudEvent | None = message.content
        if event is None:
            # Nobody but us can mend it, and looking again costs no request.
            return Rejected(
                "this EVSE has no EVSE ID, which apps know it by: register one", retry_slowly=True, asked=False
            )
        body = msgspec.json.encode(event)
        # The library takes the wall clock of any zone for UTC.
        now = self._clock.now().astimezone(UTC)
        headers = {
            "content-type": CONTENT_TYPE,
            "webhook-id": event.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(event.id, now, body.decode()),
        }
        sent = await self._transport.send("POST", self._settings.url, headers=headers, body=body)
        return answers.outcome(sent, self._clock.now())

    async def close(self) -> None:
        await self._transport.close()

    def _status(self, what: What) -> AppStatus:
        if isinstance(what, Gate):
            return AppStatus.REMOVED
        return self._settings.mapping.get(settings.mapping_key(what), _default(what))

    def _id(self, evse: int, version: int) -> str:
        """One id for all attempts at one message; told anew, on purpose, it is another message."""
        return str(uuid.uuid5(_IDS, f"{self._partner.id}/{self._partner.generation}/{evse}/{version}"))


def _default(what: Kind | ActualStatus) -> AppStatus:
    return KIND[what] if isinstance(what, Kind) else ACTUAL[what]
