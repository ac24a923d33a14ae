"""OCPI as a channel: what an eMSP's configuration has to hold, and how it is connected to.

Spec: OCPI 2.2.1 mod_locations, eMSP interface (Receiver).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from app.channels.channel import Accepted, Lane, Means
from app.channels.ocpi.connection import IN_FLIGHT, OcpiConnection
from app.channels.ocpi.partner_release import DEFAULT
from app.channels.ocpi.settings import SECRETS, caller_of, ocpi_settings
from app.domain.partner import Audience, Partner
from app.domain.presentation import Gate, What


class OcpiChannel:
    """The channel of partners that speak OCPI."""

    name: Final = "ocpi"
    lane: Final = Lane(in_flight=IN_FLIGHT)
    knows_evse_ids_only: Final = False  # a uid is never used again
    others_write_too: Final = False
    announces: Final = True
    needs_locations: Final = True

    def shows(self, what: What) -> str | None:
        """Withheld shows nothing here: only who was shared the EVSE before hears that it is removed."""
        return None if what is Gate.WITHHELD else DEFAULT.status(what).value

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        settings = ocpi_settings(raw)
        configuration = msgspec.to_builtins(settings)
        secrets = {field: configuration.pop(field) for field in SECRETS}
        return Accepted(
            secrets={field: secret for field, secret in secrets.items() if secret is not None},
            configuration=configuration,
            audience=Audience(settings.operators, settings.locations),
            tells_fleet=settings.initial_push,
            gets_schedule=settings.schedule,
            caller=caller_of(settings.pull_token),
        )

    def daily(self, partner: Partner) -> None:  # noqa: ARG002 - each EVSE is told on its own
        return None

    def concerns(self, partner: Partner, at: datetime) -> list[str]:  # noqa: ARG002 - nothing can run out here
        return []

    def connect(self, partner: Partner, means: Means) -> OcpiConnection:
        """Open the channel towards `partner`, whose configuration holds its tokens again.

        Raises:
            InvalidPartner: what is stored no longer fits.
        """
        return OcpiConnection(ocpi_settings(partner.configuration), means)
