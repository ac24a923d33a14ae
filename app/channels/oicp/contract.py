"""What a configuration of this channel holds, in words for whoever adds a partner."""

from typing import Final

from app.channels.contract import Contract, described
from app.channels.oicp.settings import OicpSettings

_SCHEMAS: Final = described(
    OicpSettings,
    {
        "baseUrl": "scheme and host of the environment, such as `https://service.hubject.com`, at most 500 characters",
        "operatorId": "the operator id that talks to Hubject, such as `DE*ABC`",
        "operatorName": "what it is called at Hubject",
        "subOperators": "operator ids that it speaks for as a hub operator",
        "mapping": "what differs from the default table: a kind, or `actual.` and an actual status, to an OICP status",
        "largestBundle": "records in one request while catching up, 1 to 1,000; 1: never more than one",
        "requestsPerMinute": "the rate that is kept to, 60 to 2,000",
        "timeoutSeconds": "for one request, 1 to 60 and at most a third of the lease; left out: as the setting has it",
        "ownsAllStatuses": "nobody else pushes statuses of this operator: full loads may replace everything",
        "fullLoadAt": "when everything is replaced each day, HH:MM",
        "timeZone": "the zone of that, such as `Europe/Berlin`",
        "clientCertificate": "PEM, with its chain: how Hubject knows us",
        "clientKey": "PEM: its key, kept encrypted and never shown",
        "clientKeyPassword": "what the key is encrypted with, if it is",
        "caBundle": "PEM: what is trusted instead of the public CAs",
    },
)
CONTRACT: Final = Contract("OicpSettings", _SCHEMAS)
