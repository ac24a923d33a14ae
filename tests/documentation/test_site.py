"""Pages link to what is there, on a code host and on the site; and the site needs no network."""

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.documentation.pages import DOCS, ELSEWHERE, documentation, headings, links, name_of
from tests.documentation.site import CONFIGURATION, SiteNotBuilt, build

_FETCHED = {"src", "srcset", "poster", "data"}  #: attributes that make a browser fetch something


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


def test_every_link_leads_somewhere():
    broken = []
    for page in documentation():
        for link in links(page.read_text()):
            path, _, anchor = link.to.partition("#")
            if ":" in path:
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in headings(target.read_text())):
                broken.append(f"{name_of(page)}:{link.line}: {link.to}")

    assert not broken


def test_every_page_is_in_the_navigation_and_can_be_come_to_from_the_start():
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.glob("*.md")} | set(ELSEWHERE.values())
    named = list(_leaves(tomllib.loads(CONFIGURATION.read_text())["project"]["nav"]))

    assert sorted(named) == sorted(there)
    seen, ahead = set[Path](), {DOCS / "index.md"}
    while ahead:
        page = ahead.pop()
        seen.add(page)
        to = {
            (page.parent / link.to.partition("#")[0]).resolve()
            for link in links(page.read_text())
            if ":" not in link.to
        }
        ahead |= {one for one in to if one.suffix == ".md" and one.is_file()} - seen
    assert set(documentation()) <= seen


def test_the_site_fetches_nothing_from_elsewhere(site: Path):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    fetched = {(page.name, to) for page in pages for to in _fetched(page.read_text())}

    assert fetched
    assert not [one for one in fetched if re.match(r"(\w+:)?//", one[1])]
    styles = "".join(file.read_text() for file in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", styles)


def test_every_link_of_the_site_leads_somewhere(site: Path):
    broken = []
    read = {page: _Links(page.read_text()) for page in site.rglob("*.html")}
    for page, found in read.items():
        for to in found.links if page.name != "404.html" else ():
            path, _, anchor = unquote(to).partition("#")
            if ":" in path or path.startswith("//"):
                continue
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and anchor not in read[target].anchors):
                broken.append(f"{page.relative_to(site)}: {to}")

    assert not broken


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bad = tmp_path / "docs"
    bad.mkdir()
    (bad / "glossary-of-mine.md").write_text("# Mine\n\n[nowhere](nowhere.md)\n")
    monkeypatch.setattr("tests.documentation.site.DOCS", bad)

    with pytest.raises(SiteNotBuilt, match="page does not exist"):
        build(tmp_path / "build")


def _leaves(nav: Any) -> Iterator[str]:
    for entry in nav:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from _leaves(value)


def _fetched(html: str) -> Iterator[str]:
    yield from _Links(html).fetched


class _Links(HTMLParser):
    """What a page links to, what a browser fetches for it, and the anchors that it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors = {"__top"}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in _FETCHED and value:
                self.fetched.append(value)
            elif name == "href" and value:
                (self.links if tag == "a" else self.fetched).append(value)
