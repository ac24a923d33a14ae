"""What Hubject's status codes mean for a status push, and what the operator is to do about them."""

from enum import Enum, StrEnum
from typing import Final

import msgspec

from app.domain.total import total


class Judged(Enum):
    """What a code says about the push that it answers."""

    APPLIED = "delivered"
    EVSE = "rejected"  #: this EVSE is refused, and stays so until something about it is changed
    EVSE_FOR_NOW = "rejected, tried again slowly"  #: this EVSE is refused, but what is missing may turn up
    EVSE_PASSING = "rejected, tried again soon, then slowly"  #: likewise, and it may be gone in a moment
    PARTNER = "refused"  #: every push of this operator would be
    PERHAPS = "unknown"  #: a fault of the system: it may have been applied before it happened


class Source(Enum):
    """Where a code and its meaning stand."""

    SPECIFICATION = "OICP 2.3 CPO, CodeType"
    GUIDE = "integration guide only"  #: OICP 2.3 Integration Guide, perhaps HTTP's own numbers


class Code(StrEnum):
    """Every status code that Hubject documents. The list is not closed: more come, see `meaning`."""

    SUCCESS = "000"
    SYSTEM_ERROR = "001"
    DATABASE_ERROR = "002"
    DATA_TRANSACTION_ERROR = "009"
    UNAUTHORIZED_ACCESS = "017"
    INCONSISTENT_EVSE_ID = "018"
    INCONSISTENT_EVCO_ID = "019"
    PARTNER_SYSTEM_ERROR = "021"
    DATA_ERROR = "022"
    QR_CODE_CREDENTIALS = "101"
    RFID_INVALID_UID = "102"
    RFID_NOT_READABLE = "103"
    PLC_INVALID_EVCO_ID = "105"
    NO_POSITIVE_AUTHENTICATION = "106"
    QR_CODE_APP_TIMED_OUT = "110"
    PLC_INVALID_UNDERLYING_EVCO_ID = "120"
    PLC_INVALID_CERTIFICATE = "121"
    PLC_TIMED_OUT = "122"
    EVCO_ID_LOCKED = "200"
    NO_VALID_CONTRACT = "210"
    PARTNER_NOT_FOUND = "300"
    PARTNER_DID_NOT_RESPOND = "310"
    SERVICE_NOT_AVAILABLE = "320"
    SESSION_IS_INVALID = "400"
    NOT_AUTHORIZED = "401"
    DATA_NOT_FOUND = "404"
    PROCESSING_ERROR = "500"
    COMMUNICATION_TO_EVSE_FAILED = "501"
    NO_EV_CONNECTED = "510"
    EVSE_ALREADY_RESERVED = "601"
    EVSE_ALREADY_IN_USE = "602"
    UNKNOWN_EVSE_ID = "603"
    EVSE_NOT_COMPATIBLE = "604"
    EVSE_OUT_OF_SERVICE = "700"


class Meaning(msgspec.Struct, frozen=True):
    """`says` is the documented meaning in our words, `todo` what helps."""

    says: str
    judged: Judged
    todo: str = ""
    source: Source = Source.SPECIFICATION


_REPORT: Final = "report it to Hubject with the Process-ID"


def _of_another_service(says: str) -> Meaning:
    """A code about charging, which nothing says of a status: the EVSE is retried, as nothing is known against it."""
    return Meaning(f"{says}: unexpected for a status push", Judged.EVSE_FOR_NOW, _REPORT)


#: Which of them concern one EVSE, the operator or nobody in particular follows from the order of the checks in the
#: process diagram of eRoamingPushEvseStatus, and from answers of the live system.
#: Spec: OICP 2.3 CPO §CodeType; §eRoamingPushEvseStatus_V2.1
CODES: Final = total(
    Code,
    {
        Code.SUCCESS: Meaning("success", Judged.APPLIED),
        Code.SYSTEM_ERROR: Meaning("system error at Hubject", Judged.PERHAPS),
        Code.DATABASE_ERROR: Meaning("database error at Hubject", Judged.PERHAPS),
        Code.DATA_TRANSACTION_ERROR: Meaning(
            "data transaction error: neither an update nor an insert was possible",
            Judged.EVSE_PASSING,
            "see that nothing else pushes statuses for this operator id",
        ),
        Code.UNAUTHORIZED_ACCESS: Meaning(
            "unauthorized access",
            Judged.PARTNER,
            "check that the client certificate is valid and belongs to operatorId, and ask Hubject if it was locked",
        ),
        Code.INCONSISTENT_EVSE_ID: Meaning(
            "inconsistent EVSE ID",
            Judged.EVSE,
            "check that the operator part of the EVSE ID is operatorId or a sub-operator registered with Hubject",
        ),
        Code.INCONSISTENT_EVCO_ID: _of_another_service("inconsistent EVCO ID"),
        Code.PARTNER_SYSTEM_ERROR: Meaning("system error", Judged.PERHAPS),
        Code.DATA_ERROR: Meaning("data error", Judged.EVSE, "check the EVSE ID against what was published as EvseData"),
        Code.QR_CODE_CREDENTIALS: _of_another_service("the credentials of a QR code are invalid"),
        Code.RFID_INVALID_UID: _of_another_service("the UID of an RFID card is invalid"),
        Code.RFID_NOT_READABLE: _of_another_service("an RFID card cannot be read"),
        Code.PLC_INVALID_EVCO_ID: _of_another_service("the EVCO ID of plug and charge is invalid"),
        Code.NO_POSITIVE_AUTHENTICATION: _of_another_service("nobody authenticated the driver"),
        Code.QR_CODE_APP_TIMED_OUT: _of_another_service("the app of a QR code did not answer in time"),
        Code.PLC_INVALID_UNDERLYING_EVCO_ID: _of_another_service("the EVCO ID under plug and charge is invalid"),
        Code.PLC_INVALID_CERTIFICATE: _of_another_service("the certificate of plug and charge is invalid"),
        Code.PLC_TIMED_OUT: _of_another_service("plug and charge did not answer in time"),
        Code.EVCO_ID_LOCKED: _of_another_service("EVCO ID locked"),
        Code.NO_VALID_CONTRACT: Meaning(
            "no valid contract", Judged.PARTNER, "ask Hubject for a contract for eRoamingPushEvseData, or renew it"
        ),
        Code.PARTNER_NOT_FOUND: Meaning(
            "partner not found", Judged.PARTNER, "check operatorId, and that baseUrl is the right environment"
        ),
        Code.PARTNER_DID_NOT_RESPOND: Meaning("partner did not respond", Judged.PERHAPS),
        Code.SERVICE_NOT_AVAILABLE: Meaning("service not available", Judged.PERHAPS),
        Code.SESSION_IS_INVALID: _of_another_service("session is invalid"),
        Code.NOT_AUTHORIZED: Meaning(
            "call not authorized", Judged.PARTNER, "ask Hubject which right operatorId lacks", Source.GUIDE
        ),
        Code.DATA_NOT_FOUND: Meaning(
            "data not found", Judged.EVSE_FOR_NOW, "publish the EVSE's EvseData first", Source.GUIDE
        ),
        Code.PROCESSING_ERROR: Meaning("processing error", Judged.PERHAPS, source=Source.GUIDE),
        Code.COMMUNICATION_TO_EVSE_FAILED: _of_another_service("communication to the EVSE failed"),
        Code.NO_EV_CONNECTED: _of_another_service("no EV connected to the EVSE"),
        Code.EVSE_ALREADY_RESERVED: _of_another_service("EVSE already reserved"),
        Code.EVSE_ALREADY_IN_USE: _of_another_service("EVSE already in use"),
        Code.UNKNOWN_EVSE_ID: Meaning(
            "unknown EVSE ID",
            Judged.EVSE_FOR_NOW,
            "publish the EVSE's EvseData first, with the EVSE ID written the same way",
        ),
        Code.EVSE_NOT_COMPATIBLE: Meaning(
            "EVSE not Hubject compatible", Judged.EVSE_FOR_NOW, "set IsHubjectCompatible in its EvseData"
        ),
        Code.EVSE_OUT_OF_SERVICE: _of_another_service("EVSE out of service"),
    },
)

#: For codes that Hubject may add.
UNEXPECTED: Final = Meaning("unexpected for a status push", Judged.EVSE_FOR_NOW, _REPORT)

#: An `update` refused with one of these may lack its record: the specification says that it aborts then, the process
#: diagram calls that 009, the guide calls bad data 022. Hubject in production has been seen to insert instead.
NO_RECORD_TO_UPDATE: Final = frozenset({Code.DATA_TRANSACTION_ERROR, Code.DATA_ERROR})

#: A `delete` refused with one of these has nothing left to delete.
NO_RECORD_TO_DELETE: Final = frozenset({Code.DATA_TRANSACTION_ERROR, Code.UNKNOWN_EVSE_ID})


def meaning(code: str) -> Meaning:
    return CODES[Code(code)] if code in _KNOWN else UNEXPECTED


def markdown() -> str:
    """Render the codes for the README."""
    rows = [
        f"| {code.value} | {one.says} | {one.judged.value} | {one.todo} | {one.source.value} |"
        for code, one in CODES.items()
    ]
    rows.append(f"| any other | {UNEXPECTED.says} | {UNEXPECTED.judged.value} | {UNEXPECTED.todo} | |")
    head = ["| code | meaning | outcome | what to do | stands in |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


_KNOWN: Final = frozenset(code.value for code in Code)
