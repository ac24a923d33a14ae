"""Mappings as data, and total: a table that forgets a member does not import."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeVar

Member = TypeVar("Member", bound=Enum)
Answer = TypeVar("Answer")


def total(over: type[Member], table: Mapping[Member, Answer]) -> Mapping[Member, Answer]:
    """Return `table`, read-only, having checked that it answers for every member of `over`.

    Raises:
        TypeError: at import, naming the members that the table forgot.
    """
    if forgotten := [member.name for member in over if member not in table]:
        raise TypeError(f"no answer for {over.__name__}: {', '.join(forgotten)}")
    return MappingProxyType(dict(table))
