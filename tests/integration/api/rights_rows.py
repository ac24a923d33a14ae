"""What is answered to whom: a row for every operation of the API, by role and by whose the thing is.

To add an operation, add a row under its `operation_id`. Statuses stand in the order of `Target`; a role without a line
is refused with 403 whatever it asks for. Placeholders in `body` and `query` are those of `rights_world.World`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

import msgspec

from app.domain.principal import Role


class Target(Enum):
    """Whose the thing is that a call is about."""

    OWN = "its own"
    OTHERS = "another client's, where the key is good for"
    ELSEWHERE = "another operator's"
    NONE = "nothing that there is"


Answers: TypeAlias = Mapping[Role, str]


class Row(msgspec.Struct, frozen=True):
    """What is answered to keys that are good for one operator, and to those good `everywhere`.

    Left out, the latter get the same, and `ELSEWHERE` what they get of `OTHERS`. `each`: the status that counts is
    that of the first of many things in one call.
    """

    scoped: Answers
    everywhere: Answers | None = None
    body: Any = None
    query: Mapping[str, str] = {}
    each: bool = False

    def expected(self, role: Role, *, scoped: bool) -> dict[Target, int]:
        answers = self.scoped if scoped or self.everywhere is None else self.everywhere
        own, others, elsewhere, none = (int(one) for one in answers.get(role, "403 403 403 403").split())
        if not scoped and self.everywhere is None:
            elsewhere = others
        return dict(zip(Target, (own, others, elsewhere, none), strict=True))


def by(roles: str, answers: str) -> dict[Role, str]:
    """The same answers for several roles."""
    return {Role(role): answers for role in roles.split()}


ALL_BELOW: Final = "client ingest technician"
TRUSTED: Final = "operations admin"

#: Of windows: clients reach their own, technicians see more than they may change, operations and admins reach all.
_SEE: Final = by("reader technician operations admin", "200 200 404 404") | by("client", "200 404 404 404")
_PLAN: Final = by(f"{ALL_BELOW} {TRUSTED}", "201 201 404 404")
_WINDOW: Final = {"evseId": "{evseId}", "temporaryStatus": "BLOCKED"}
_OF_EVSE: Final = {"evseId": "{evseId}"}
_LOOK_AT_EVSES: Final = "reader client technician operations admin"
#: Partners are told of the whole fleet: no key that is good for a part of it has a say.
_NOBODY: Final[Answers] = {}

ROWS: Final[Mapping[str, Row]] = {
    # Temporary statuses
    "planTemporaryStatus": Row(_PLAN, body=_WINDOW),
    "listTemporaryStatuses": Row(by(_LOOK_AT_EVSES, "200 200 404 404"), query=_OF_EVSE),
    "getTemporaryStatus": Row(_SEE),
    "changeTemporaryStatus": Row(
        by(ALL_BELOW, "200 404 404 404") | by(TRUSTED, "200 200 404 404"), body={"reason": "changed"}
    ),
    "endTemporaryStatus": Row(by(ALL_BELOW, "204 404 404 404") | by(TRUSTED, "204 204 404 404")),
    "endTemporaryStatusesOfEvse": Row(by(f"{ALL_BELOW} {TRUSTED}", "200 200 404 404"), query=_OF_EVSE),
    # A reference is the key's own: what others call theirs is free.
    "planTemporaryStatusByRef": Row(by(f"{ALL_BELOW} {TRUSTED}", "200 201 404 404"), body=_WINDOW),
    "getTemporaryStatusByRef": Row(by(_LOOK_AT_EVSES, "200 404 404 404")),
    "endTemporaryStatusByRef": Row(by(f"{ALL_BELOW} {TRUSTED}", "204 204 204 204")),
    # EVSEs
    "listEvses": Row(by(_LOOK_AT_EVSES, "200 200 200 200")),
    "getEvse": Row(by(_LOOK_AT_EVSES, "200 200 404 404")),
    "followEvents": Row(
        by(_LOOK_AT_EVSES, "200 200 404 404"), query={"evseId": "{evseId}", "snapshot": "true", "closeAfter": "PT0S"}
    ),
    "explainEvse": Row(by(_LOOK_AT_EVSES, "200 200 404 404")),
    "registerEvse": Row(by("admin", "200 200 404 201"), body={"deploymentState": "PRODUCTION"}),
    "reportActualStatus": Row(by("admin", "200 200 404 404"), body={"status": "Charging"}),
    "reportActualStatuses": Row(
        by("admin", "200 200 404 404"), body=[{"evseId": "{evseId}", "status": "Charging"}], each=True
    ),
    # Partners
    "addPartner": Row(
        _NOBODY,
        by("admin", "201 201 201 201"),
        body={"name": "{new}", "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/"}},
    ),
    "listPartners": Row(_NOBODY, by(TRUSTED, "200 200 200 200")),
    "getPartner": Row(_NOBODY, by(TRUSTED, "200 200 200 404")),
    "changePartner": Row(_NOBODY, by(TRUSTED, "200 200 200 404"), body={"paused": True}),
    "removePartner": Row(_NOBODY, by("admin", "204 204 204 404")),
    "resendToPartner": Row(_NOBODY, by(TRUSTED, "200 200 200 404"), body={}),
    "listDeliveries": Row(_NOBODY, by(TRUSTED, "200 200 200 404")),
    "listAttempts": Row(_NOBODY, by(TRUSTED, "200 200 200 404")),
    "getFullLoad": Row(_NOBODY, by(TRUSTED, "200 200 200 404")),
    "askForFullLoad": Row(_NOBODY, by(TRUSTED, "409 409 409 404"), body={}),  # 409: others tell that one as well
    # Many at once
    "planTemporaryStatuses": Row(_PLAN, body={"items": [_WINDOW]}, each=True),
    "endTemporaryStatusesOfBatch": Row(by(ALL_BELOW, "200 404 404 404") | by(TRUSTED, "200 200 404 404")),
    # API keys: no key makes one that reaches further than itself
    "createKey": Row(
        by("admin", "201 201 403 403"),
        by("admin", "201 201 201 201"),
        body={"name": "new", "role": "reader", "rights": {"scope": {"operators": ["{operator}"]}}},
    ),
    "listKeys": Row(by(TRUSTED, "200 200 200 200")),
    "getKey": Row(by(TRUSTED, "200 200 404 404")),
    "changeKey": Row(by("admin", "200 200 404 404"), body={"name": "changed"}),
    "rotateKey": Row(by("admin", "200 200 404 404"), body={}),
    "revokeKey": Row(by("admin", "204 204 404 404")),
    "panic": Row(by(TRUSTED, "200 200 404 404")),
    # Operations: metrics count the whole fleet
    "getMetrics": Row(_NOBODY, by(f"reader {TRUSTED}", "200 200 200 200")),
    # Brakes
    "listBrakes": Row(by(f"technician {TRUSTED}", "200 200 200 200")),
    "liftBrake": Row(
        by(TRUSTED, "200 200 404 404"),
        by(TRUSTED, "200 200 200 404"),
        body={"operator": "{operator}", "liftFor": "PT1H"},
    ),
}
