"""What pictures are made of: SVG, small, the same for the same figures, and readable on a light or a dark page."""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import msgspec

# No script and nothing to fetch. Whoever reads it on a dark screen gets the other half of the colours.
_STYLE: Final = """\
:root{--page:#fff;--ink:#1f2328;--faint:#59636e;--grid:#d1d9e0;--good:#0969da;--bad:#bc4c00;\
--c0:#0969da;--c1:#bc4c00;--c2:#6639ba;--c3:#1a7f37;--c4:#9a6700;--c5:#bf3989}
@media(prefers-color-scheme:dark){:root{--page:#0d1117;--ink:#e6edf3;--faint:#9198a1;--grid:#3d444d;--good:#58a6ff;\
--bad:#f0883e;--c0:#58a6ff;--c1:#f0883e;--c2:#bc8cff;--c3:#3fb950;--c4:#d29922;--c5:#f778ba}}
text{font:12px system-ui,sans-serif;fill:var(--ink)}.faint{fill:var(--faint)}.title{font-size:15px;font-weight:600}
.grid{stroke:var(--grid)}.goal{stroke:var(--ink);stroke-width:2}.good{stroke:var(--good);fill:var(--good)}
.bad{stroke:var(--bad);fill:var(--page);stroke-width:2}.bad-word{fill:var(--bad);font-weight:600}.stem{stroke-width:2}.end{text-anchor:end}.mid{text-anchor:middle}
.curve{fill:none;stroke-width:2}
"""
#: Curves differ by their marks and dashes as well: no one has to tell colours apart.
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4")
_MARKS: Final = ("circle", "square", "diamond", "triangle")


class Axis(msgspec.Struct, frozen=True):
    """Values from `low` to `high` laid out from `begin` to `end`, in pixels; evenly, or by their logarithms."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = True

    def at(self, value: float) -> float:
        """Where a value is drawn; what lies outside is drawn at the edge."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            power = 10.0 ** math.floor(math.log10(self.high - self.low))
            step = next(power * part for part in (0.2, 0.5, 1) if (self.high - self.low) / (power * part) < 8)
            first = math.ceil(self.low / step)
            return [round(number * step, 9) for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        steps = [1, 2, 5] if self.high / self.low < 200 else [1]
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [step * 10.0**power for power in powers for step in steps]
        return [value for value in values if self.low * 0.999 <= value <= self.high * 1.001]


def axis_over(values: Sequence[float], begin: float, end: float) -> Axis:
    """An axis on which all these values fit: by logarithms where they are far apart."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 20:
        decades = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return Axis(10.0 ** decades[0], 10.0 ** decades[1], begin, end)
    return Axis(min(low, 0.0), high if high > min(low, 0.0) else high + 1, begin, end, logarithmic=False)


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A whole SVG file; its title is what a screen reader says."""
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n"
        f'<rect width="{width:g}" height="{height:g}" fill="var(--page)"/>\n{body}\n</svg>\n'
    )


def text(x: float, y: float, what: str, kind: str = "") -> str:
    return f'<text x="{_number(x)}" y="{_number(y)}"{_class(kind)}>{escape(what)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    a, b, c, d = (_number(one) for one in (x1, y1, x2, y2))
    return f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}"{_class(kind)}/>'


def mark(x: float, y: float, shape: str, kind: str = "", style: str = "", size: float = 5) -> str:
    """A mark of a shape of its own, for those who see no colours."""
    look = _class(kind) + (f' style="{style}"' if style else "")
    if shape == "circle":
        return f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{size:g}"{look}/>'
    ways: dict[str, list[tuple[float, float]]] = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "triangle": [(0, -1.2), (1.2, 1), (-1.2, 1)],
    }
    points = " ".join(f"{_number(x + size * dx)},{_number(y + size * dy)}" for dx, dy in ways[shape])
    return f'<polygon points="{points}"{look}/>'


def curve(points: Sequence[tuple[float, float]], number: int) -> list[str]:
    """The curve with this number, through points in pixels."""
    colour, dash = f"var(--c{number % 6})", _DASHES[number % len(_DASHES)]
    path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    drawn = [f'<polyline points="{path}" class="curve" style="stroke:{colour}"{dashes}/>']
    return drawn + [sample(x, y, number) for x, y in points]


def sample(x: float, y: float, number: int) -> str:
    """The mark of that curve."""
    return mark(x, y, _MARKS[number % len(_MARKS)], style=f"fill:var(--c{number % 6})", size=4)


def short(value: float) -> str:
    """A number beside an axis."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1000:g},000" if value >= 1000 and value % 1000 == 0 else f"{value:g}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
