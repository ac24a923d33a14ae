"""Who is asking, and what their role lets them do."""

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.total import total


class Role(StrEnum):
    """What an API key is for."""

    ADMIN = "admin"  #: the operator's own backend and people: everything
    CLIENT = "client"  #: sensors and booking systems: temporary statuses, and only their own may be changed
    READER = "reader"  #: looks, changes nothing


class Right(StrEnum):
    """What a call needs."""

    READ = "read"
    PLAN = "plan temporary statuses"
    CHANGE_OTHERS = "change temporary statuses that other keys made"
    RUN = "register EVSEs, report actual statuses and manage partners"


RIGHTS: Final = total(
    Role,
    {
        Role.ADMIN: frozenset(Right),
        Role.CLIENT: frozenset({Right.READ, Right.PLAN}),
        Role.READER: frozenset({Right.READ}),
    },
)


class Principal(msgspec.Struct, frozen=True):
    """The holder of an API key, or a person at the command line."""

    id: str
    role: Role

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


COMMAND_LINE: Final = Principal("cli", Role.ADMIN)
