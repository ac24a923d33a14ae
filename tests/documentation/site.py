"""Builds the site: `python -m tests.documentation.site FOLDER`. Pages that stand beside the code come along.

Zensical reads one folder, and links may not lead out of it. So the pages are laid out in one first, and links between
them are put right. What else of the repository a page links to is laid beside them, under `files/`.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from posixpath import normpath, relpath
from typing import Final

from tests.documentation.pages import DOCS, ELSEWHERE, ROOT, documentation, links, name_of

CONFIGURATION: Final = ROOT / "zensical.toml"


class SiteNotBuilt(Exception):
    """Zensical found something wrong, such as a link that leads nowhere. The text is what it said."""


def build(folder: Path) -> Path:
    """Build the site below `folder`, which is emptied, and return where it is."""
    shutil.rmtree(folder, ignore_errors=True)
    laid_out = folder / "pages"
    shutil.copytree(DOCS, laid_out / "docs")
    for page in documentation():
        _put(laid_out / "docs" / _on_site(name_of(page)), _with_links_of_the_site(page, laid_out / "docs"))
    shutil.copy(CONFIGURATION, laid_out)
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=laid_out, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if built.returncode != 0:
        raise SiteNotBuilt(re.sub(r"\x1b\[[\d;]*m", "", built.stdout + built.stderr))
    site = folder / "site"
    (laid_out / "site").rename(site)
    return site


def _on_site(name: str) -> str:
    """Return where a page or file of the repository is on the site, from the site's root."""
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    return ELSEWHERE.get(name, f"files/{name}")


def _with_links_of_the_site(page: Path, laid_out: Path) -> str:
    text = page.read_text()
    here = Path(_on_site(name_of(page))).parent.as_posix()
    for to in {link.to for link in links(text)}:
        path, hash_, anchor = to.partition("#")
        if "://" in path or not path:
            continue
        target = normpath((Path(name_of(page)).parent / path).as_posix())
        there = _on_site(target)
        if there.startswith("files/") and (ROOT / target).is_file():
            (laid_out / there).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / target, laid_out / there)
        text = text.replace(f"({to})", f"({relpath(there, here)}{hash_}{anchor})")
    return text


def _put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    try:
        print(build(Path(sys.argv[1])))  # noqa: T201
    except SiteNotBuilt as error:
        sys.exit(str(error))
