"""What a configuration of this channel holds, in words for whoever adds a partner."""

from typing import Final

from app.channels.contract import Contract, described
from app.channels.ocpi.settings import OcpiSettings

_SCHEMAS: Final = described(
    OcpiSettings,
    {
        "url": "the receiver interface of its Locations module, as it advertises it; left out: nothing is pushed",
        "token": "the one that the partner made for us, as it is, not in base64; 1 to 64 printable ASCII characters",
        "pullToken": "with which the partner asks us, 16 to 64 characters; left out: one is made, and shown once",
        "countryCode": "the partner's country, ISO 3166-1 alpha-2",
        "partyId": "the partner's party id, 3 characters",
        "fromCountryCode": "in whose name requests come; left out: each EVSE's own party",
        "fromPartyId": "the party id that goes with it",
        "version": "which OCPI the partner speaks",
        "tokenInBase64": "whether the token goes out in base64; left out: as the version has it",
        "operators": "only EVSEs of these operator ids, such as `DE*ABC`; empty: all",
        "locations": "only EVSEs at these locations; empty: all",
        "initialPush": "tell it of the whole fleet at first; otherwise it begins with what it pulls",
        "wholeEvse": "give it an EVSE whole (PUT) when first shared, and whenever what was imported of it differs",
        "schedule": "tell it in advance what is planned (`status_schedule`)",
        "uidInPatch": "send the EVSE's `uid` in the body of a PATCH as well, for partners that demand it",
        "mapping": "what differs from the default table: a kind, or `actual.` and an actual status, to an OCPI status",
    },
)
CONTRACT: Final = Contract("OcpiSettings", _SCHEMAS)
