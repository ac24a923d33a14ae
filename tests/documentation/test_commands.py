"""What the pages tell a reader to type does what they say."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest

from app.cli import group
from tests.documentation.pages import README, ROOT, documentation, name_of
from tests.documentation.typing_in import Desk, desk, has_something_to_type

_AT_ONCE = 3  #: pages that are typed side by side: each waits for its service most of the time


@pytest.fixture(scope="module")
def here() -> Iterator[Desk]:
    with desk() as ready:
        yield ready


def test_every_page_can_be_typed_in_from_top_to_bottom(here: Desk):
    pages = [page for page in documentation() if has_something_to_type(page)]
    assert README in pages
    assert len(pages) > 5

    with ThreadPoolExecutor(_AT_ONCE) as typing:
        typed = list(typing.map(here.type_in, pages))

    assert not [one.page for one in typed if one.wrong], "\n\n".join(one.wrong for one in typed if one.wrong)


def test_a_page_that_does_not_work_is_told_by_line(here: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.documentation.typing_in.name_of", lambda page: page.name)
    refused = "```sh\ncurl -s $URL/v2/evses\n```\n"
    prints = "```sh\necho one\n```\n```sh\necho two\n```\n<!-- output -->\n```text\n"
    pages = {
        "unset": ('one\n```sh\necho "$NOBODY"\n```\n', "line 3: NOBODY: unbound variable"),
        "fails": ("one\n\n```sh\ntrue\nfalse | cat\necho on\n```\n", "fails.md:5: 1"),
        "differs": (f"{prints}one\n```\n", "differs.md:9: shows something else"),
        "refused": (f"<!-- refused -->\n{refused}{prints}t…o\n```\n{refused}", "refused.md:16: 22"),
    }

    for name, (text, wrong) in pages.items():
        page = tmp_path / f"{name}.md"
        page.write_text(text)
        assert wrong in here.type_in(page).wrong


def test_make_has_every_target_that_the_pages_name():
    named = {
        name
        for page in documentation()
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named
    assert named <= targets


def test_every_command_that_the_pages_name_exists():
    """Also in blocks that nobody types in, such as those with a partner's address."""
    for page in documentation():
        for words in re.findall(
            r"(?:^|`)evse-status ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", page.read_text(), re.MULTILINE
        ):
            assert words[0] in group.commands, f"{name_of(page)}: {words}"
            within = group.commands[words[0]]
            assert not words[1] or not isinstance(within, click.Group) or words[1] in within.commands, (
                f"{name_of(page)}: {words}"
            )
