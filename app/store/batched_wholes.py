"""The whole parts of the fleet that a group of commands is about: read once, in the transaction that writes."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.evse import Evse
from app.domain.principal import Principal
from app.domain.whole import Whole
from app.store import wholes
from app.store.needs import Needs


class BatchedWholes:
    """Which EVSEs each command means that names a part of the fleet."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Whole], list[int]] = {}

    async def load(self, connection: AsyncConnection, needs: Sequence[Needs]) -> list[Evse]:
        """Load the EVSEs of each part, without what was imported of them: all that may be meant, or one too many."""
        loaded: list[Evse] = []
        for need in needs:
            if need.by is not None and need.whole is not None:
                whole, most = need.whole
                found = await wholes.evses_of(connection, whole, need.by.rights.scope, most + 1)
                self._found[need.by.id, whole] = [one.id for one in found]
                loaded += found
        return loaded

    def find(self, by: Principal, whole: Whole) -> Sequence[int]:
        return self._found.get((by.id, whole), ())

    def meant_by(self, need: Needs) -> Sequence[int]:
        """The EVSEs that a command can be about; none where there are more of them than that."""
        if need.by is None or need.whole is None:
            return ()
        whole, most = need.whole
        found = self.find(need.by, whole)
        return found if len(found) <= most else ()
