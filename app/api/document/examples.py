"""What callers of each kind send, ready to be copied; a test sends every one of them."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec


class Example(msgspec.Struct, frozen=True):
    """A body, and in what case it is sent."""

    summary: str
    body: Any


EXAMPLES: Final[Mapping[str, Mapping[str, Example]]] = {
    "planTemporaryStatus": {
        "technician": Example(
            "A technician's tool: being worked on for the next hours",
            {
                "evseId": "DE*XPO*E1001*1",
                "temporaryStatus": "MAINTENANCE",
                "validTo": "2099-03-01T14:00:00+01:00",
                "reason": "Contactor replaced, ticket 4711",
            },
        ),
        "bookingSystem": Example(
            "A booking system: a slot in the future",
            {
                "evseId": "DE*XPO*E1002*1",
                "temporaryStatus": "RESERVED",
                "validFrom": "2099-03-01T08:00:00Z",
                "validTo": "2099-03-01T10:00:00Z",
            },
        ),
        "chargingBackend": Example(
            "A charging backend: a new EVSE, until it is accepted",
            {
                "evseId": "DE*XPO*E1003*1",
                "temporaryStatus": "COMMISSIONING",
                "reason": "Acceptance test is outstanding",
            },
        ),
    },
    "planTemporaryStatusByRef": {
        "sensor": Example(
            "A parking sensor: a lease, renewed while it is true; a car that charges is not hidden",
            {
                "evseId": "DE*XPO*E1001*1",
                "temporaryStatus": "BLOCKED",
                "validTo": "2099-03-01T14:15:00Z",
                "appliesWhen": "idle",
            },
        ),
        "bookingSystem": Example(
            "A booking system: what the booking is now, and the how manieth version of it",
            {
                "evseId": "DE*XPO*E1002*1",
                "temporaryStatus": "RESERVED",
                "validFrom": "2099-03-01T08:00:00Z",
                "validTo": "2099-03-01T10:00:00Z",
                "sourceVersion": 7,
            },
        ),
    },
    "changeTemporaryStatus": {
        "technician": Example("It takes longer", {"validTo": "2099-03-01T18:00:00Z"}),
        "operationsCentre": Example("Nobody knows for how long", {"validTo": None, "reason": "Waiting for a part"}),
    },
    "registerEvse": {
        "chargingBackend": Example(
            "A new EVSE, in production from now on",
            {"deploymentState": "PRODUCTION", "locationId": "LOC1", "countryCode": "DE", "partyId": "XPO"},
        ),
        "outOfService": Example("It is taken away for good", {"deploymentState": "DEPRECATED"}),
    },
    "reportActualStatus": {
        "chargingBackend": Example(
            "What the charger says, and when it did", {"status": "Charging", "observedAt": "2026-11-21T10:00:00Z"}
        ),
    },
    "reportActualStatuses": {
        "chargingBackend": Example(
            "Several at once, in OCPP's or OCPI's words",
            [
                {"evseId": "DE*XPO*E1001*1", "status": "Available"},
                {"evseId": "DE*XPO*E1002*1", "status": "OUTOFORDER", "observedAt": "2026-11-21T10:00:00Z"},
            ],
        ),
    },
    "createKey": {
        "sensor": Example(
            "For a sensor network at one site",
            {
                "name": "bays at the station",
                "preset": "sensor",
                "rights": {"scope": {"sites": [{"countryCode": "DE", "partyId": "XPO", "locationId": "LOC1"}]}},
            },
        ),
        "bookingSystem": Example(
            "For a booking system, at an operator's EVSEs",
            {"name": "bookings", "preset": "booking", "rights": {"scope": {"operators": ["DE*XPO"]}}},
        ),
        "dashboard": Example("For a dashboard", {"name": "wall", "role": "reader"}),
    },
    "changeKey": {
        "limits": Example(
            "Shorter, and from one network only", {"rights": {"longest": "PT3H", "networks": ["192.0.2.0/24"]}}
        ),
    },
    "rotateKey": {"day": Example("The old secret stays good for an hour", {"overlap": "PT1H"})},
    "liftBrake": {
        "site": Example(
            "It is meant, at this site, for two hours",
            {"site": {"countryCode": "DE", "partyId": "XPO", "locationId": "LOC1"}, "liftFor": "PT2H"},
        ),
    },
    "addPartner": {
        "app": Example(
            "An app's backend that takes webhooks",
            {"name": "app", "channel": "driver_app", "configuration": {"url": "https://app.example.com/webhook"}},
        ),
        "emsp": Example(
            "An OCPI partner that is pushed to and may pull",
            {
                "name": "emsp",
                "channel": "ocpi",
                "configuration": {
                    "url": "https://emsp.example.com/ocpi/emsp/2.2.1/locations",
                    "token": "theirs",
                    "countryCode": "DE",
                    "partyId": "EMS",
                },
            },
        ),
        "hubject": Example(
            "An operator at Hubject, in the test environment",
            {
                "name": "hubject",
                "channel": "oicp",
                "configuration": {"baseUrl": "https://service-qa.hubject.com", "operatorId": "DE*XPO"},
            },
        ),
    },
    "changePartner": {
        "pause": Example("Tell it nothing for a while", {"paused": True}),
        "resume": Example("Go on, or try one that fails at once", {"paused": False}),
    },
    "resendToPartner": {
        "everything": Example("Everything, whatever it acknowledged", {}),
        "one": Example("One EVSE", {"evseId": "DE*XPO*E1001*1"}),
    },
    "planTemporaryStatuses": {
        "bookingSystem": Example(
            "A booking system: the slots of a day, each judged by itself",
            {
                "items": [
                    {
                        "evseId": "DE*XPO*E1001*1",
                        "temporaryStatus": "RESERVED",
                        "validFrom": "2099-03-01T08:00:00Z",
                        "validTo": "2099-03-01T10:00:00Z",
                    },
                    {
                        "evseId": "DE*XPO*E1002*1",
                        "temporaryStatus": "RESERVED",
                        "validFrom": "2099-03-01T09:00:00Z",
                        "validTo": "2099-03-01T11:00:00Z",
                    },
                ]
            },
        ),
    },
    "askForFullLoad": {"usual": Example("Replace everything that the partner has", {"force": False})},
}
