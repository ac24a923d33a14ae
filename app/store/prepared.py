"""Questions about many rows: their keys are one parameter, however many they are.

`IN` with a placeholder for each is another statement for each number of them, put together and prepared anew.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import BigInteger, ColumnElement, CursorResult, Executable, Text, any_, bindparam, literal, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

#: Keys of rows, or texts that name them.
Keys: TypeAlias = Collection[int] | Collection[str]
#: Says of a column that it is one of the keys.
Among: TypeAlias = Callable[[ColumnElement[Any]], ColumnElement[bool]]

_ASKED: Final = "asked"  #: the parameter of a prepared statement that is its keys
# As text, since to put the same together as a query takes longer than to ask it.
_EACH: Final = text("SELECT value FROM json_each(:asked)")
_NUMBERS: Final = ARRAY(BigInteger)
_TEXTS: Final = ARRAY(Text)


class Prepared:
    """A statement that is put together once for each kind of database: that takes longer than to run it."""

    def __init__(self, make: Callable[[Among], Executable]) -> None:
        """`make` is given what says "a column is one of the keys"; whatever else varies is a `bindparam` of it."""
        self._of = {"sqlite": make(_listed), "postgresql": make(_in_array)}

    async def run(self, connection: AsyncConnection, keys: Keys = (), /, **values: Any) -> CursorResult[Any]:
        """Run it, about the rows with these keys."""
        name = connection.dialect.name
        its = _document(keys) if name == "sqlite" else list(keys)
        return await connection.execute(self._of[name], {_ASKED: its, **values})


def among(connection: AsyncConnection, column: ColumnElement[Any], keys: Keys) -> ColumnElement[bool]:
    """The condition that `column` is one of `keys`, for a statement that is another each time."""
    if connection.dialect.name == "sqlite":
        return column.in_(_EACH.bindparams(bindparam(_ASKED, _document(keys), unique=True)))
    # By the column, as no keys at all say nothing of what they would be.
    return column == any_(literal(list(keys), _NUMBERS if isinstance(column.type, BigInteger) else _TEXTS))


def bare(result: CursorResult[Any]) -> Sequence[Any]:
    """All rows as the driver has them, with nothing made of each: good for numbers and texts."""
    rows: Sequence[Any] = result.cursor.fetchall()
    return rows


def _listed(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(_EACH.bindparams(bindparam(_ASKED, type_=Text)))


def _in_array(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column == any_(bindparam(_ASKED, type_=ARRAY(column.type)))


def _document(keys: Keys) -> str:
    return msgspec.json.encode(list(keys)).decode()
