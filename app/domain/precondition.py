"""What a call relies on, as HTTP's `If-Match` and `If-None-Match` say it (RFC 9110, 13.1)."""

from datetime import datetime
from typing import Final

import msgspec

from app.domain.errors import PreconditionFailed
from app.domain.temporary_status import State, TemporaryStatus


class Tags(msgspec.Struct, frozen=True):
    """Which states of a thing are meant: those with these tags, or any at all."""

    strong: frozenset[str] = frozenset()
    weak: frozenset[str] = frozenset()
    any: bool = False

    def match(self, tag: str | None) -> bool:
        """Compare strongly: a weak tag never matches. `None` is the tag of what is not there."""
        return tag is not None and (self.any or tag in self.strong)

    def match_weakly(self, tag: str | None) -> bool:
        return self.match(tag) or tag in self.weak


class Precondition(msgspec.Struct, frozen=True):
    """`matches` must, and `matches_none` must not, be what is there when the call is decided."""

    matches: Tags | None = None
    matches_none: Tags | None = None

    def demand(self, one: TemporaryStatus | None, at: datetime) -> None:
        """Go on only if `one` is as the caller expects it; `None` where there is nothing.

        Raises:
            PreconditionFailed: it is not.
        """
        tag = None if one is None else tag_of(one, at)
        if self.matches is not None and not self.matches.match(tag):
            why = "there is none" if one is None else "it is not as you saw it"
            raise PreconditionFailed(f"If-Match does not fit: {why}", field="If-Match")
        if self.matches_none is not None and self.matches_none.match_weakly(tag):
            raise PreconditionFailed("If-None-Match does not fit: there is one already", field="If-None-Match")


UNCONDITIONAL: Final = Precondition()


def tag_of(one: TemporaryStatus, at: datetime) -> str:
    return tag(one.id, one.revision, one.state(at))


def tag(id_: int, revision: int, state: State) -> str:
    """What tells one state of a temporary status from another: that it begins or ends is a change that people see."""
    return f"{id_}.{revision}.{state}"
