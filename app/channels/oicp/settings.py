"""What an operator has to say about its Hubject account."""

import re
import ssl
from datetime import datetime, time
from typing import Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from app.channels.oicp import certificates
from app.channels.oicp.mapping import Table, table
from app.channels.oicp.wire import LONGEST_OPERATOR_NAME, OPERATOR_ID, status_records_path
from app.domain.daily import Daily
from app.domain.errors import InvalidPartner

LONGEST_URL: Final = 500  #: characters
LARGEST_BUNDLE: Final = 1000  #: records in one request; Hubject documents no limit
FASTEST: Final = 2000  #: requests a minute. Hubject Acceptable Use Policy v1-0, PushEVSEStatus
SHORTEST_TIMEOUT: Final = 1.0  #: seconds
LONGEST_TIMEOUT: Final = 60.0  #: seconds, and no more than a third of the lease
SLOWEST: Final = 60  #: requests a minute; a wait for the next must be short beside a timeout
#: The fields that are never shown.
SECRETS: Final = ("clientKey", "clientKeyPassword")


class OicpSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One operator at Hubject.

    `base_url` is the scheme and host of the environment, such as `https://service.hubject.com`. `operator_id` is the
    id of the partner that talks to Hubject; with sub-operators that is the hub operator's, theirs are
    `sub_operators`. `mapping` changes rows of the default tables: `{"BLOCKED": "OutOfService"}`,
    `{"actual.UNKNOWN": "OutOfService"}`. `largest_bundle` is how many records may go in one request while catching up,
    1 for never more than one; `requests_per_minute` the rate that is kept to; `timeout_seconds` is for one request.
    Only with `owns_all_statuses` is everything replaced, daily at `full_load_at` (HH:MM) in `time_zone`.
    `{"actual.UNKNOWN": "OutOfService"}`. `client_certificate` (with its chain) and `client_key` are how Hubject knows
    us, `ca_bundle` is what is trusted instead of the public CAs, all in PEM.

    Spec: OICP 2.3 CPO §eRoamingPushEvseStatus_V2.1; §Hub Provider and Hub Operator

    Raises:
        InvalidPartner: naming the field at fault.
    """

    base_url: str
    operator_id: str
    operator_name: str | None = None
    sub_operators: tuple[str, ...] = ()
    mapping: dict[str, str] = msgspec.field(default_factory=dict)
    largest_bundle: int = 100
    requests_per_minute: int = FASTEST
    timeout_seconds: float | None = None
    owns_all_statuses: bool = False
    full_load_at: str = "03:00"
    time_zone: str = "UTC"
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_password: str | None = None
    ca_bundle: str | None = None

    def __post_init__(self) -> None:
        _check_base_url(self.base_url)
        _check_operator_id(self.operator_id, "operatorId")
        for number, one in enumerate(self.sub_operators):
            _check_operator_id(one, f"subOperators[{number}]")
        if self.operator_name is not None and not 1 <= len(self.operator_name) <= LONGEST_OPERATOR_NAME:
            raise InvalidPartner(
                f"an operator name has 1 to {LONGEST_OPERATOR_NAME} characters", field="configuration.operatorName"
            )
        table(self.mapping)
        _time(self.full_load_at)
        _zone(self.time_zone)
        _check_range(self.largest_bundle, "largestBundle", 1, LARGEST_BUNDLE)
        _check_range(self.requests_per_minute, "requestsPerMinute", SLOWEST, FASTEST)
        if self.timeout_seconds is not None:
            _check_range(self.timeout_seconds, "timeoutSeconds", SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
        certificates.check_certificates(*self._pasted)
        if any(self._pasted) and urlsplit(self.base_url).scheme != "https":
            raise _bad_base_url("certificates are of use only where it begins with https://")

    def __repr__(self) -> str:
        return f"OicpSettings({self.base_url!r}, {self.operator_id!r})"  # never its key: this ends up in logs

    @property
    def url(self) -> str:
        """Where statuses are pushed to. The `*` of the operator id is sent as `%2A`, as Hubject's other clients do."""
        return self.base_url.rstrip("/") + status_records_path(quote(self.operator_id, safe=""))

    @property
    def place(self) -> str:
        """Which Hubject it is, however the address is written."""
        parts = urlsplit(self.base_url.lower())
        port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
        return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}{port}{parts.path.rstrip('/')}"

    @property
    def daily(self) -> Daily | None:
        """When all statuses of the operator are replaced; `None` where others push some of them too."""
        return Daily(_time(self.full_load_at), _zone(self.time_zone)) if self.owns_all_statuses else None

    @property
    def table(self) -> Table:
        return table(self.mapping)

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What to talk to Hubject with; `None` where the ordinary trust in public CAs will do.

        Raises:
            InvalidPartner: OpenSSL refuses to use what was configured.
        """
        return certificates.hubject_tls(*self._pasted)

    def check_usable(self, at: datetime) -> None:
        """Check what cannot be told from the texts alone, as of `at` (UTC).

        Raises:
            InvalidPartner: a certificate has expired, or OpenSSL refuses to use one.
        """
        certificates.check_validity(self.client_certificate, self.ca_bundle, at)
        _ = self.tls

    @property
    def _pasted(self) -> tuple[str | None, str | None, str | None, str | None]:
        return self.client_certificate, self.client_key, self.client_key_password, self.ca_bundle


def _check_operator_id(value: str, field: str) -> None:
    if not OPERATOR_ID.fullmatch(value):
        raise InvalidPartner(
            "not an operator id as Hubject gives them, such as DE*ABC, DEABC or +49*810",
            field=f"configuration.{field}",
        )


def _time(value: str) -> time:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise InvalidPartner("a time of day, such as 03:30", field="configuration.fullLoadAt")
    return time.fromisoformat(value)


def _zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidPartner(
            "no time zone of the IANA database, such as Europe/Berlin", field="configuration.timeZone"
        ) from None


def _check_range(value: float, field: str, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidPartner(f"from {least:g} to {most:g}, not {value:g}", field=f"configuration.{field}")


def _check_base_url(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(value) > LONGEST_URL or not value.isascii() or not value.isprintable() or " " in value:
        raise _bad_base_url("not an address such as https://service.hubject.com")
    if "@" in parts.netloc:
        raise _bad_base_url("leave user name and password out: Hubject knows partners by their client certificate")
    if "?" in value or "#" in value:
        raise _bad_base_url("leave out everything from the ? or # on")
    if "/api/oicp" in parts.path:
        raise _bad_base_url("leave out /api/oicp and what follows; it is appended")


def _bad_base_url(message: str) -> InvalidPartner:
    return InvalidPartner(message, field="configuration.baseUrl")
