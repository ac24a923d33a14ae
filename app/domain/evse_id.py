"""EVSE IDs: the ISO 15118 / eMI3 form and the DIN form, and which registered EVSE a written form names."""

import re
from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec

from app.domain.errors import MalformedEvseId

LONGEST: Final = 48  #: characters. Spec: OCPI 2.2.1 mod_locations, EVSE.evse_id CiString(48).

LONGEST_UID: Final = 36

# Both patterns are linear: no repeated group can match the same text in two ways.
# Spec: OICP 2.3 CPO §EvseIDType; OCPI 2.2.1 mod_locations, EVSE object.
_ISO: Final = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})\*?E([A-Z0-9*]{1,30})", re.ASCII)
_ISO_OPERATOR: Final = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})", re.ASCII)
_DIN_OPERATOR: Final = re.compile(r"\+?([0-9]{1,3})\*([0-9]{3})", re.ASCII)
_DIN: Final = re.compile(r"(\+?[0-9]{1,3})\*([0-9]{3})\*([0-9*]{1,32})", re.ASCII)

#: Both as a JSON schema has it, in capitals or not: for those who check before they ask.
PATTERN: Final = (
    r"^(?:[A-Za-z]{2}\*?[A-Za-z0-9]{3}\*?[Ee][A-Za-z0-9*]{1,30}|\+?[0-9]{1,3}\*[0-9]{3}\*[0-9*]{1,32})$(?!\n)"
)


class Form(Enum):
    """Which standard an EVSE ID follows."""

    ISO = "ISO 15118 / eMI3"
    DIN = "DIN"


class EvseId(msgspec.Struct, frozen=True):
    """An EVSE ID as it was written, taken apart.

    `operator` is its operator part without separators inside the country (`DEABC`), or DIN's (`49*810`).
    `key` is the comparison key: forms that may mean the same EVSE share it, and so may different EVSEs.
    """

    written: str
    form: Form
    country: str
    party: str
    instance: str

    @property
    def operator(self) -> str:
        return self.country + self.party if self.form is Form.ISO else f"{self.country}*{self.party}"

    @property
    def key(self) -> str:
        if self.form is Form.DIN:
            return f"{self.operator}*{self.instance}"
        return f"{self.country}{self.party}E{self.instance.replace('*', '')}"

    @property
    def uid(self) -> str:
        """The uid of an EVSE that was given none: the ID itself in a form that can stand in a URL.

        With its separators, as `E1*23` and `E12*3` are different chargers; without where they make it too long.

        Spec: OCPI 2.2.1 mod_locations, EVSE.uid CiString(36)
        """
        spelled = self.written.upper().replace("*", "-")
        return spelled if len(spelled) <= LONGEST_UID else self.key[:LONGEST_UID]

    def is_spelled_like(self, other: "EvseId") -> bool:
        """Tell whether both are one EVSE ID, case and the separators around the operator aside."""
        return (self.form, self.operator, self.instance) == (other.form, other.operator, other.instance)

    def may_mean(self, registered: "EvseId") -> bool:
        """Tell whether this written form can name `registered`.

        Separators in the instance part count (`E1*23` and `E12*3` are different chargers) unless none is written.
        """
        if self.key != registered.key:
            return False
        return "*" not in self.instance or self.instance == registered.instance


def parse_evse_id(text: str) -> EvseId:
    """Read an EVSE ID in the ISO 15118 / eMI3 form (`DE*ABC*E1234*1`) or the DIN form (`+49*810*000*438`).

    Raises:
        MalformedEvseId: it is neither. Only ASCII counts; a trailing newline or a full-width digit is refused.
    """
    if len(text) > LONGEST or not text.isascii():
        raise MalformedEvseId(f"an EVSE ID has at most {LONGEST} ASCII characters", field="evseId")
    if iso := _ISO.fullmatch(text.upper()):
        return EvseId(text, Form.ISO, iso[1], iso[2], iso[3])
    if din := _DIN.fullmatch(text):
        return EvseId(text, Form.DIN, din[1].removeprefix("+"), din[2], din[3])
    raise MalformedEvseId("not an EVSE ID such as DE*ABC*E1234*1 (ISO 15118) or +49*810*000*438 (DIN)", field="evseId")


def named(written: EvseId, registered: Iterable[str]) -> list[str]:
    """Return those of `registered` that `written` may name: just one if a registered form was written out.

    Nothing means unknown, several mean that the form is ambiguous and must be refused.
    """
    candidates = list(registered)
    for one in candidates:
        if one.upper() == written.written.upper():
            return [one]
    return [one for one in candidates if written.may_mean(parse_evse_id(one))]


def operator_key(operator: str) -> str:
    """Return the comparison key of an operator id, equal to `EvseId.operator` of the EVSEs it runs.

    Spec: OICP 2.3 CPO §OperatorIDType

    Raises:
        MalformedEvseId: it is no operator id such as DE*ABC, DEABC or +49*810.
    """
    if iso := _ISO_OPERATOR.fullmatch(operator.upper() if operator.isascii() else ""):
        return iso[1] + iso[2]
    if din := _DIN_OPERATOR.fullmatch(operator):
        return f"{din[1]}*{din[2]}"
    raise MalformedEvseId(f"{operator!r} is no operator id such as DE*ABC or +49*810")


def operator_name(key: str) -> str:
    """Write an operator's comparison key as an operator id: `DE*ABC`, `+49*810`; the inverse of `operator_key`."""
    return f"+{key}" if "*" in key else f"{key[:2]}*{key[2:]}"
