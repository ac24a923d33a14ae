"""What Hubject's status codes mean for a status push, and what the operator is to do about them."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

import msgspec


class Judged(Enum):
    """What a code says about the push that it answers."""

    APPLIED = "delivered"
    EVSE = "rejected"  #: this EVSE is refused, and stays so until something about it is changed
    EVSE_FOR_NOW = "rejected, tried again slowly"  #: this EVSE is refused, but what is missing may turn up
    PARTNER = "refused"  #: every push of this operator would be
    PERHAPS = "unknown"  #: a fault of the system: it may have been applied before it happened


class Meaning(msgspec.Struct, frozen=True):
    """`says` is the specification's meaning in our words, `todo` what helps."""

    says: str
    judged: Judged
    todo: str = ""


SUCCESS: Final = "000"
DATA_TRANSACTION_ERROR: Final = "009"
SYSTEM_ERROR: Final = "001"

#: Spec: OICP 2.3 CPO §CodeType for the codes and their names. Which of them concern one EVSE, the operator or nobody
#: in particular follows from the order of the checks in the process diagram of eRoamingPushEvseStatus and from answers
#: of the live system. 401, 404 and 500 stand only in Hubject's integration guide. The list is not closed.
CODES: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        SUCCESS: Meaning("success", Judged.APPLIED),
        SYSTEM_ERROR: Meaning("system error at Hubject", Judged.PERHAPS),
        "002": Meaning("database error at Hubject", Judged.PERHAPS),
        DATA_TRANSACTION_ERROR: Meaning(
            "data transaction error: neither an update nor an insert was possible",
            Judged.EVSE_FOR_NOW,
            "see that nothing else pushes statuses for this operator id",
        ),
        "017": Meaning(
            "unauthorized access",
            Judged.PARTNER,
            "check that the client certificate is valid and belongs to operatorId, and ask Hubject if it was locked",
        ),
        "018": Meaning(
            "inconsistent EVSE ID",
            Judged.EVSE,
            "check that the operator part of the EVSE ID is operatorId or a sub-operator registered with Hubject",
        ),
        "021": Meaning("system error", Judged.PERHAPS),
        "022": Meaning("data error", Judged.EVSE, "check the EVSE ID against what was published as EvseData"),
        "210": Meaning(
            "no valid contract", Judged.PARTNER, "ask Hubject for a contract for eRoamingPushEvseData, or renew it"
        ),
        "300": Meaning(
            "partner not found", Judged.PARTNER, "check operatorId, and that baseUrl is the right environment"
        ),
        "310": Meaning("partner did not respond", Judged.PERHAPS),
        "320": Meaning("service not available", Judged.PERHAPS),
        "401": Meaning("call not authorized", Judged.PARTNER, "ask Hubject which right operatorId lacks"),
        "404": Meaning("data not found", Judged.EVSE_FOR_NOW, "publish the EVSE's EvseData first"),
        "500": Meaning("processing error", Judged.PERHAPS),
        "603": Meaning(
            "unknown EVSE ID",
            Judged.EVSE_FOR_NOW,
            "publish the EVSE's EvseData first, with the EVSE ID written the same way",
        ),
        "604": Meaning("EVSE not Hubject compatible", Judged.EVSE_FOR_NOW, "set IsHubjectCompatible in its EvseData"),
    }
)

#: For codes that a status push should never be answered with. The EVSE is retried, as nothing is known against it.
UNEXPECTED: Final = Meaning(
    "unexpected for a status push", Judged.EVSE_FOR_NOW, "report it to Hubject with the Process-ID"
)

#: An `update` refused with one of these may lack its record: the specification says that it aborts then, the process
#: diagram calls that 009, the guide calls bad data 022. Hubject in production has been seen to insert instead.
NO_RECORD_TO_UPDATE: Final = frozenset({"009", "022"})

#: A `delete` refused with one of these has nothing left to delete.
NO_RECORD_TO_DELETE: Final = frozenset({"009", "603"})


def meaning(code: str) -> Meaning:
    return CODES.get(code, UNEXPECTED)


def markdown() -> str:
    """Render the codes for the README."""
    rows = [f"| {code} | {one.says} | {one.judged.value} | {one.todo} |" for code, one in CODES.items()]
    rows.append(f"| any other | {UNEXPECTED.says} | {UNEXPECTED.judged.value} | {UNEXPECTED.todo} |")
    return "\n".join(["| code | meaning | outcome | what to do |", "|---|---|---|---|", *rows])
