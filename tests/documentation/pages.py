"""The pages of the documentation: their text, the blocks in it that can be typed, their headings and links."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
#: Pages that stand elsewhere in the repository, and where they are on the site.
ELSEWHERE: Final = {
    "app/channels/driver_app/README.md": "channels/driver-app.md",
    "app/channels/oicp/README.md": "channels/oicp.md",
    "app/channels/ocpi/README.md": "channels/ocpi.md",
    "README.md": "five-minutes.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "DECISIONS.md": "decisions.md",
}
_FENCE: Final = re.compile(r"^ *```(\w*)")
_MARKER: Final = re.compile(r"^<!-- (refused|output) -->$")
_HEADING: Final = re.compile(r"^#{1,6} (.+)$")
_LINK: Final = re.compile(r"\]\(([^()\s]+)\)|<(?:img|source)[^>]* (?:src|srcset)=\"([^\"]+)\"")


class Block(NamedTuple):
    """A fenced block. `first` is the number of its first line, from 1; `marker` is what the comment before it says."""

    language: str
    first: int
    lines: Sequence[str]
    marker: str | None


class Link(NamedTuple):
    line: int
    to: str


def name_of(page: Path) -> str:
    """Return the path from the root of the repository, which names a page everywhere here."""
    return page.relative_to(ROOT).as_posix()


def documentation() -> list[Path]:
    """Every page that a reader may come to: `docs/`, the README and what stands beside the code."""
    return [*sorted(DOCS.glob("*.md")), *(ROOT / name for name in ELSEWHERE)]


def blocks(text: str) -> Iterator[Block]:
    marker, inside = None, False
    language, first, lines = "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if inside and fence:
            yield Block(language, first, tuple(lines), marker)
            inside, marker = False, None
        elif inside:
            lines.append(line)
        elif fence:
            inside, language, first, lines = True, fence[1], number + 1, []
        elif line.strip():
            found = _MARKER.match(line)
            marker = found[1] if found else None


def headings(text: str) -> set[str]:
    """Return the anchors that code hosts and the site give to the headings alike."""
    return {_anchor(found[1]) for line in _prose(text) if (found := _HEADING.match(line))}


def links(text: str) -> Iterator[Link]:
    for number, line in enumerate(_prose(text), 1):
        for found in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            yield Link(number, found[1] or found[2])


def _prose(text: str) -> Iterator[str]:
    """Yield each line, and an empty one for each in a block: numbers stay as they are."""
    inside = False
    for line in text.splitlines():
        fence = _FENCE.match(line) is not None
        yield "" if inside or fence else line
        inside ^= fence


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain.lower()).strip())
