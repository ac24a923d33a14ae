"""Tables that fit the terminal; whole and without colour for whoever reads them from a pipe."""

import itertools
import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, Final

import click
from rich.cells import cell_len

_GAP: Final = "  "
_NARROWEST: Final = 12  #: characters of a column that is folded, if its longest word fits into them


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, nothing: str, spare: Sequence[str] = ()
) -> None:
    """Print a table, or say that there is `nothing`.

    On a terminal that is too narrow the `spare` columns are left out, the first of them first, then texts are folded
    at their spaces, and at last each row becomes lines of its own. What is piped is always whole.
    """
    if not rows:
        click.echo(nothing)
        return
    for line in laid_out(columns, rows, terminal_width(), spare, coloured=colours()):
        click.echo(line)


def terminal_width() -> int | None:
    """Characters of a line; `None` where nobody reads on a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def colours() -> bool:
    """Tell whether to use colours: on a terminal that knows them, unless NO_COLOR says not to."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def laid_out(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    width: int | None,
    spare: Sequence[str] = (),
    *,
    coloured: bool = False,
) -> list[str]:
    """Lay a table out for a terminal `width` characters wide, or, with `None`, as wide as it comes."""
    names, cells = list(columns), [[_text(cell) for cell in row] for row in rows]
    left_out: list[str] = []
    for name in spare:
        if width is None or sum(_natural(names, cells)) + _gaps(names) <= width:
            break
        place = names.index(name)
        left_out.append(name)
        names.pop(place)
        cells = [[*row[:place], *row[place + 1 :]] for row in cells]
    widths = _fitted(names, cells, width)
    if widths is None:
        whole = [[_text(cell) for cell in row] for row in rows]
        return _one_by_one(columns, whole, width, coloured=coloured)
    lines = [_bold(_line(names, widths), coloured=coloured)]
    for row in cells:
        folded = [_folded(cell, each) for cell, each in zip(row, widths, strict=True)]
        lines += [_line(one, widths) for one in itertools.zip_longest(*folded, fillvalue="")]
    if left_out:
        lines.append(f"(left out to fit: {', '.join(sorted(left_out, key=list(columns).index))}; -o json has all)")
    return lines


def _fitted(names: list[str], cells: list[list[str]], width: int | None) -> list[int] | None:
    """How wide each column is to be; `None` where no folding makes them fit."""
    widths = _natural(names, cells)
    if width is None:
        return widths
    words = [max(_longest_word(one) for one in column) for column in zip(names, *cells, strict=True)]
    # A column that is hardly wider than its longest word, such as one of times, is not worth folding.
    least = [min(wide, max(word, _NARROWEST)) for wide, word in zip(widths, words, strict=True)]
    room = width - _gaps(names)
    if sum(least) > room:
        return None
    while (over := sum(widths) - room) > 0:
        widest = max(range(len(widths)), key=lambda one: widths[one] - least[one])
        widths[widest] -= min(over, max(1, (widths[widest] - least[widest]) // 2))
    return widths


def _one_by_one(columns: Sequence[str], cells: list[list[str]], width: int | None, *, coloured: bool) -> list[str]:
    """A row below the other, each with its filled cells as lines; the first is the headline."""
    wide = max(cell_len(name) for name in columns)
    room = None if width is None else max(width - wide - 2 * len(_GAP), _NARROWEST)
    lines: list[str] = []
    for row in cells:
        lines.append(_bold(row[0], coloured=coloured))
        for name, cell in zip(columns[1:], row[1:], strict=True):
            first, *rest = [cell] if room is None else _folded(cell, room)
            if cell:
                lines.append(f"{_GAP}{name}{' ' * (wide - cell_len(name))}{_GAP}{first}")
            lines += [f"{_GAP}{' ' * wide}{_GAP}{more}" for more in rest]
    return lines


def _natural(names: Sequence[str], cells: Collection[Sequence[str]]) -> list[int]:
    return [max(cell_len(one) for one in column) for column in zip(names, *cells, strict=True)]


def _gaps(names: Sequence[str]) -> int:
    return len(_GAP) * (len(names) - 1)


def _longest_word(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _folded(cell: str, width: int) -> list[str]:
    if cell_len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()


def printable(text: str) -> str:
    """One line of a text that comes from elsewhere, without what a terminal would take for commands."""
    return "".join(one if one.isprintable() else " " for one in text)


def _text(cell: Any) -> str:
    return "" if cell is None else printable(str(cell))


def _bold(text: str, *, coloured: bool) -> str:
    return click.style(text, bold=True) if coloured else text
