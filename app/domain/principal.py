"""Who is asking: the holder of an API key, or a person at the command line."""

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.rights import UNLIMITED, Rights


class Role(StrEnum):
    """What an API key is for."""

    READER = "reader"  #: looks, changes nothing
    CLIENT = "client"  #: booking systems and the like: temporary statuses, of which it sees and changes its own
    INGEST = "ingest"  #: lies in somebody else's console, such as a sensor network's: says `BLOCKED`, and sees nothing
    TECHNICIAN = "technician"  #: its own, and every `MAINTENANCE` where it may work
    OPERATIONS = "operations"  #: the operations centre: all temporary statuses, and what partners are told
    ADMIN = "admin"  #: the operator's own backend and people: everything


#: Those that the brake on the blast radius does not stop, and who may lift it.
TRUSTED: Final = frozenset({Role.OPERATIONS, Role.ADMIN})


class Principal(msgspec.Struct, frozen=True):
    """Somebody who asks, with what they are good for.

    `holds_key` says that `id` is an API key's, so that whoever writes looks once more whether it is still good.
    """

    id: str
    role: Role
    rights: Rights = UNLIMITED
    holds_key: bool = False

    @property
    def is_braked(self) -> bool:
        return self.role not in TRUSTED


COMMAND_LINE: Final = Principal("cli", Role.ADMIN)
