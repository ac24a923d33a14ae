"""What must be known of an OCPI partner before it can be told anything."""

import re
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import field

from app.channels.configuring import checked
from app.channels.ocpi.release import Party
from app.channels.ocpi.status import Status
from app.domain.errors import InvalidPartner, MalformedEvseId
from app.domain.evse_id import operator_key
from app.domain.status import ActualStatus, Kind

#: The fields of a configuration that are kept encrypted and never shown.
SECRETS: Final = ("token", "pullToken")
SHORTEST_PULL_TOKEN: Final = 16  #: characters
LONGEST_URL: Final = 255  #: characters. Spec: OCPI 2.2.1 types, URL type
_PRINTABLE: Final = re.compile(r"[!-~]+")  # ASCII, no blanks
# Spec: OCPI 2.2.1 credentials, Credentials object: token string(64), printable ASCII, no blanks.
_TOKEN: Final = re.compile(r"[!-~]{1,64}")
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")  # CiString(2)
_PARTY: Final = re.compile(r"[A-Za-z0-9]{3}")  # CiString(3)

#: The words that a partner's own table may use on its left side.
TEMPORARY: Final = {kind.value: kind for kind in Kind}
ACTUAL: Final = {f"actual.{status}": status for status in ActualStatus}
#: And on its right side. REMOVED is the gate's alone: nobody can take it back from a partner that deletes on it.
SAYABLE: Final = {status.value: status for status in Status if status is not Status.REMOVED}


class OcpiSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One OCPI partner.

    `url` is the address of the *receiver* interface of the Locations module as the partner advertises it, used
    exactly; left out, nothing is pushed. `token` is the one that the partner made for us, as it is, not in base64;
    `pull_token` the one that we made for the partner, with which it asks us. `country_code` and `party_id`
    are the partner's; requests come from each EVSE's own party unless `from_country_code` and `from_party_id` name
    another. `mapping` overrides statuses: `{"COMMISSIONING": "INOPERATIVE", "actual.RESERVED": "BLOCKED"}`.
    `token_in_base64` is how the token goes out where that is not as the version has it. `whole_evse`: it is given an
    EVSE whole when that is first shared, and whenever what was imported of it differs. `schedule`: it is told in
    advance what is planned.
    """

    url: str | None = None
    token: str | None = None
    pull_token: str = field(default_factory=lambda: token_urlsafe(32))
    country_code: str
    party_id: str
    from_country_code: str | None = None
    from_party_id: str | None = None
    version: Literal["2.1.1", "2.2.1", "2.3.0"] = "2.2.1"
    token_in_base64: bool | None = None
    operators: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    initial_push: bool = False
    whole_evse: bool = False
    schedule: bool = False
    uid_in_patch: bool = False
    mapping: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"OcpiSettings({self.url!r})"  # never its token: this ends up in logs

    @property
    def receiver(self) -> Party:
        return Party(self.country_code, self.party_id)

    @property
    def sender(self) -> Party | None:
        if self.from_country_code is None or self.from_party_id is None:
            return None
        return Party(self.from_country_code, self.from_party_id)

    @property
    def own_kinds(self) -> dict[Kind, Status]:
        """The partner's own words for temporary statuses."""
        return {kind: Status(self.mapping[key]) for key, kind in TEMPORARY.items() if key in self.mapping}

    @property
    def own_actual(self) -> dict[ActualStatus, Status]:
        """The partner's own words for actual statuses."""
        return {actual: Status(self.mapping[key]) for key, actual in ACTUAL.items() if key in self.mapping}


def ocpi_settings(raw: Mapping[str, Any]) -> OcpiSettings:
    """Read and check a partner's configuration, its token included.

    Raises:
        InvalidPartner: it does not fit, with the field at fault and what to enter instead. Never quotes the token.
    """
    settings = checked(raw, OcpiSettings)
    if (settings.url is None) != (settings.token is None):
        missing = "token" if settings.token is None else "url"
        raise _wrong(missing, "give both url and token, or neither where the partner only pulls")
    if settings.url is not None:
        _check_url(settings.url)
    for field_, token in (("token", settings.token), ("pullToken", settings.pull_token)):
        if token is not None and not _TOKEN.fullmatch(token):
            raise _wrong(field_, "a token is 1 to 64 printable ASCII characters without blanks; enter it as issued")
    if len(settings.pull_token) < SHORTEST_PULL_TOKEN:
        raise _wrong(
            "pullToken", f"at least {SHORTEST_PULL_TOKEN} characters: it opens what is shared to whoever has it"
        )
    _check_party("countryCode", settings.country_code, "partyId", settings.party_id)
    if (settings.from_country_code is None) != (settings.from_party_id is None):
        missing = "fromPartyId" if settings.from_party_id is None else "fromCountryCode"
        raise _wrong(missing, "give both fromCountryCode and fromPartyId, or neither")
    if settings.sender is not None:
        _check_party("fromCountryCode", settings.sender.country, "fromPartyId", settings.sender.party)
    for operator in settings.operators:
        try:
            operator_key(operator)
        except MalformedEvseId:
            raise _wrong("operators", f"{operator!r} is no operator id such as DE*ABC, DEABC or +49*810") from None
    _check_mapping(settings.mapping)
    return settings


def caller_of(pull_token: str) -> str:
    """Return what a partner that asks us is known by: its token is stored nowhere where it could be read."""
    return sha256(pull_token.encode()).hexdigest()


def _check_url(url: str) -> None:
    advice = "enter the http or https address of the partner's Locations receiver, exactly as it advertises it"
    if len(url) > LONGEST_URL or not _PRINTABLE.fullmatch(url):
        raise _wrong("url", f"at most {LONGEST_URL} printable ASCII characters without blanks; {advice}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    else:
        usable = usable and "\\" not in url and not {".", ".."} & set(parts.path.split("/"))
    if not usable:
        raise _wrong("url", f"not an address that can be used; {advice}")
    if parts.username is not None or parts.password is not None:
        raise _wrong("url", "no user and password in the address: OCPI asks for a token, which has a field of its own")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise _wrong("url", "no query and no fragment: the EVSE's path is added to the end of this address")


def _check_party(country_field: str, country: str, party_field: str, party: str) -> None:
    if not _COUNTRY.fullmatch(country):
        raise _wrong(country_field, "a country code is two letters, such as DE")
    if not _PARTY.fullmatch(party):
        raise _wrong(party_field, "a party id is three letters or digits, such as ABC")


def _check_mapping(mapping: Mapping[str, str]) -> None:
    for key, value in mapping.items():
        if key not in TEMPORARY and key not in ACTUAL:
            raise _wrong("mapping", f"{key!r} is not one of {', '.join([*TEMPORARY, *ACTUAL])}")
        if value not in SAYABLE:
            raise _wrong("mapping", f"{value!r}, for {key}, is not one of {', '.join(SAYABLE)}")


def _wrong(field: str, message: str) -> InvalidPartner:
    return InvalidPartner(message, field=f"configuration.{field}")
