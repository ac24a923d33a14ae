"""The webhook as a receiver's contract, in OpenAPI's words, and what a receiver's configuration holds."""

from typing import Any, Final

import msgspec

from app.channels.contract import REF, Contract, described
from app.channels.driver_app.settings import DriverAppSettings
from app.channels.driver_app.wire import CONTENT_TYPE, TYPE, CloudEvent, Presented

_ANSWERS: Final = {
    "2XX": "It is taken.",
    "410": "Nobody wants it any more: refused until the partner is changed or resumed.",
    "422": "This EVSE is rejected until its status changes; the others go on. So with 400 and 413.",
    "429": "Come back after `Retry-After`. So with 503.",
    "5XX": "Perhaps taken: it is sent again.",
}
_FIELDS: Final = {
    "evseId": "the EVSE ID as it was registered",
    "status": "`AVAILABLE`, `CHARGING`, `OCCUPIED`, `OUT_OF_SERVICE`, `UNKNOWN` or `REMOVED`",
    "temporaryStatus": "the kind behind it; null: the charger itself",
    "until": "when that changes by the clock alone, RFC 3339 in UTC; null: nobody knows",
    "version": "counts the changes of one registered EVSE",
    "lastUpdated": "when it changed, RFC 3339 in UTC: keep what has the latest for each EVSE",
}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}


_, _EVENT = msgspec.json.schema_components((CloudEvent,), ref_template=REF)
_SCHEMAS: Final = (
    _EVENT
    | described(Presented, _FIELDS)
    | described(
        DriverAppSettings,
        {
            "url": "where the webhooks go, https (or http in a network you trust)",
            "secret": "`whsec_` and base64 of 24 to 64 random bytes; left out: one is made, and shown once",
            "operators": "only EVSEs of these operator ids, such as `DE*ABC`; empty: all",
            "locations": "only EVSEs at these locations; empty: all",
            "mapping": "what differs from the default table: a kind, or `actual.` and an actual status, to its word",
        },
        made=frozenset({"secret"}),
    )
)

_WEBHOOKS: Final[dict[str, Any]] = {
    TYPE: {
        "post": {
            "operationId": "presentedStatusChanged",
            "tags": ["Events"],
            "summary": "Told to a partner of the channel driver_app: what is shown for one EVSE now",
            "description": (
                "When the status, the kind behind it or `until` changes. Always the state of now, never the history; "
                "sent again until it is taken, with the same `webhook-id`. Verify the signature over the bytes as they "
                "came, before parsing (Standard Webhooks 1.0.0)."
            ),
            "security": [],
            "parameters": [
                _header("webhook-id", "the `id` of the event, the same in every attempt"),
                _header("webhook-timestamp", "of this attempt, seconds since 1970 UTC"),
                _header("webhook-signature", "`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`"),
            ],
            "requestBody": {
                "required": True,
                "content": {CONTENT_TYPE: {"schema": {"$ref": REF.format(name="CloudEvent")}}},
            },
            "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
        }
    }
}
CONTRACT: Final = Contract("DriverAppSettings", _SCHEMAS, _WEBHOOKS)
