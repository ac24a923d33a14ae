"""Hubject as a channel: what an operator has to say to be one of its partners, and how it is connected to."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from app.channels.channel import Accepted, Lane, Means
from app.channels.configuring import checked
from app.channels.oicp.certificates import expiry_concerns, no_certificate_concerns
from app.channels.oicp.connection import OicpConnection
from app.channels.oicp.mapping import DEFAULT
from app.channels.oicp.settings import SECRETS, OicpSettings
from app.channels.oicp.tls_remedies import REMEDIES
from app.channels.transport import Transport
from app.clock import Clock, SystemClock
from app.domain.daily import Daily
from app.domain.evse_id import operator_key
from app.domain.partner import Audience, Partner
from app.domain.presentation import What


class OicpChannel:
    """Hubject, spoken to in OICP 2.3 as a CPO.

    Spec: OICP 2.3 CPO §Data push operations: pushes of one operator follow each other, never side by side.
    """

    name = "oicp"
    lane = Lane(in_flight=1, exclusive=True)
    knows_evse_ids_only = True
    others_write_too = True
    announces = False
    needs_locations = False

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()  #: by which a certificate has expired when it is configured

    def shows(self, what: What) -> str | None:
        word = DEFAULT.word(what)
        return None if word is None else str(word)

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        """Check a configuration. Hubject is told nothing until its load is asked for.

        Raises:
            InvalidPartner: it does not fit, with the field at fault.
        """
        settings = checked(raw, OicpSettings)
        settings.check_usable(self._clock.now())
        # As JSON would bring it back, so that storing it changes nothing.
        whole = msgspec.json.decode(msgspec.json.encode(settings), type=dict[str, Any])
        secrets = {field: whole.pop(field) for field in SECRETS}
        return Accepted(
            configuration=whole,
            secrets={field: secret for field, secret in secrets.items() if secret is not None},
            audience=Audience(operators=(settings.operator_id, *settings.sub_operators)),
            tells_fleet=False,
            timeout=settings.timeout_seconds,
            exclusive=f"operator {operator_key(settings.operator_id)} at {settings.place}",
        )

    def daily(self, partner: Partner) -> Daily | None:
        return checked(partner.with_secrets().configuration, OicpSettings).daily

    def concerns(self, partner: Partner, at: datetime) -> list[str]:
        return [*no_certificate_concerns(partner.configuration), *expiry_concerns(partner.configuration, at)]

    def connect(self, partner: Partner, means: Means) -> OicpConnection:
        """Open a connection. Nothing is sent: Hubject forbids calls that only ask whether it is there.

        Raises:
            InvalidPartner: the configuration was not made by `accept`.
        """
        settings = checked(partner.configuration, OicpSettings)
        timeout = means.limited(settings.timeout_seconds)
        transport = Transport(in_flight=self.lane.in_flight, timeout=timeout, tls=settings.tls, remedies=REMEDIES)
        return OicpConnection(settings, transport, means.clock)
