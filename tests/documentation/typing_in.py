"""Types what a page says into one bash, from top to bottom, as a reader would, and reports where it goes wrong.

A page finds `$URL` (a running service with the demo's fleet), `$KEY` (an admin's) and `evse-status` with the same
database, in an empty folder. The README finds a checkout and nothing else; `make …` and the virtual environment are
left out there, and its port is another one. `python -m tests.documentation.typing_in docs/concepts.md` types one page.

Blocks fenced as `sh` are typed. `<!-- refused -->` before one: there a request may be refused, which else is an error.
`<!-- output -->` before another block: it is what the `sh` block before it printed; `…` in it stands for anything.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.documentation.pages import README, ROOT, blocks, name_of
from tests.documentation.warm_command import evse_status
from tests.ports import steady_port

_PATIENCE: Final = 60.0  #: seconds, for one page
_MARK: Final = "@@ after line "
#: Where it goes wrong is told on the third file. The line is the page's own, as all that is not typed is left empty.
_BASH: Final = """trap 'echo "$LINENO" >&3' ERR; . "./$PAGE" """
#: What a newcomer has done already, or a test cannot afford: made the environment and activated it.
_LEFT_OUT: Final = re.compile(r"^(make \w[\w-]*( && )?)?(\. \.venv/bin/activate)?$")
_READMES_PORT: Final = "8080"


class Typed(NamedTuple):
    """What came of a page. `wrong` says what failed and where, and is empty where all went well."""

    page: str
    wrong: str


class Desk:
    """Where pages are typed: a folder of its own for each, one warm command for all."""

    def __init__(self, folder: Path, commands: Path) -> None:
        self._folder = folder
        self._commands = commands
        self._fleet = folder / "fleet.db"
        self._strict = folder / "strict"
        self._strict.mkdir()
        (self._strict / ".curlrc").write_text("fail-with-body\n")  # a refused request is an error like any other
        here = self._environment(self._fleet)
        _run(["evse-status", "evses", "import", str(ROOT / "app/demo/fleet.json")], folder, here)
        self._key = _run(["evse-status", "keys", "create", "--name", "reader", "--role", "admin"], folder, here)

    def type_in(self, page: Path) -> Typed:
        place = self._folder / page.stem
        place.mkdir()
        if page == README:
            (place / "app").symlink_to(ROOT / "app")
            return self._typed(page, place, self._environment(place / "evse-status.db"), str(steady_port()))
        database = self._folder / f"{page.stem}.db"
        shutil.copyfile(self._fleet, database)
        environment = self._environment(database)
        if "$URL" not in page.read_text():
            return self._typed(page, place, environment)
        with _service(self._folder / f"{page.stem}.log", environment) as url:
            return self._typed(page, place, environment | {"URL": url, "KEY": self._key.strip()})

    def _environment(self, database: Path) -> dict[str, str]:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        known = {name: value for name, value in os.environ.items() if not name.startswith(("EVSE_STATUS_", "CURL_"))}
        path = f"{self._commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return known | {
            "PATH": path, "HOME": str(home), "STRICT": str(self._strict), "NO_COLOR": "1",
            "EVSE_STATUS_DATABASE_URL": f"sqlite:///{database}",
        }  # fmt: skip

    def _typed(self, page: Path, place: Path, environment: dict[str, str], port: str | None = None) -> Typed:
        text = page.read_text()
        scripts = self._folder / f"{page.stem}.scripts"
        scripts.mkdir()
        script = "\n".join(_script(text, port)) + "\n"
        (place / page.name).write_text(script)
        output, errors, where = (scripts / name for name in ("output", "errors", "where"))
        with output.open("w") as out, errors.open("w") as err, where.open("w"):
            process = subprocess.Popen(
                ["bash", "-Eeuo", "pipefail", "-c", f"exec 3>'{where}'; {_BASH}"],
                cwd=place, env=environment | {"PAGE": page.name}, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
            try:
                code: int | str = process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                code = f"not done after {_PATIENCE:.0f} s"
            finally:
                _end_all(process.pid)
        if code != 0:
            line = (where.read_text().split() or ["?"])[0]
            said = output.read_text()[-2000:] + errors.read_text()[-2000:]
            return Typed(name_of(page), f"{name_of(page)}:{line}: {code}\n{said}")
        return Typed(name_of(page), "\n".join(_differences(page, text, output.read_text())))


@contextmanager
def desk() -> Generator[Desk]:
    # Not below pytest's own folders: the path of a Unix socket has 107 characters at the most.
    with tempfile.TemporaryDirectory(prefix="typed") as folder, evse_status(Path(folder) / "bin") as commands:
        yield Desk(Path(folder), commands)


def has_something_to_type(page: Path) -> bool:
    return any(block.language == "sh" for block in blocks(page.read_text()))


def _script(text: str, port: str | None) -> Iterator[str]:
    """The page's lines: those to be typed at their places, and a mark where each block ends."""
    lines = [""] * (len(text.splitlines()) + 1)
    for block in blocks(text):
        if block.language != "sh":
            continue
        lines[block.first - 2] = "unset CURL_HOME" if block.marker == "refused" else 'export CURL_HOME="$STRICT"'
        for number, line in enumerate(block.lines, block.first - 1):
            lines[number] = line if port is None else _as_typed_here(line, port)
        lines[block.first + len(block.lines) - 1] = f"echo; echo '{_MARK}{block.first}'"
    return iter(lines)


def _as_typed_here(line: str, port: str) -> str:
    if _LEFT_OUT.match(line):
        return ""
    return line.replace("evse-status serve", f"evse-status serve --port {port}").replace(
        f":{_READMES_PORT}", f":{port}"
    )


def _differences(page: Path, text: str, output: str) -> Iterator[str]:
    """Compare what a page shows under `<!-- output -->` with what came; `…` stands for anything."""
    came, seen = {}, ""
    for line in output.splitlines(keepends=True):
        if line.startswith(_MARK):
            came[int(line.removeprefix(_MARK))] = seen
            seen = ""
        else:
            seen += line
    typed = 0
    for block in blocks(text):
        if block.language == "sh":
            typed = block.first
        elif block.marker == "output":
            shown, real = _plain("\n".join(block.lines)), _plain(came.get(typed, ""))
            if not re.fullmatch(re.escape(shown).replace("…", ".*?"), real, re.DOTALL):
                yield f"{name_of(page)}:{block.first}: shows something else than what came:\n{came.get(typed, '')}"


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


@contextmanager
def _service(log: Path, environment: dict[str, str]) -> Generator[str]:
    port = steady_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as said:
        process = subprocess.Popen(
            [str(log.parent / "bin" / "evse-status"), "serve", "--port", str(port)],
            env=environment, cwd=log.parent, stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        began = time.monotonic()
        while not _ready(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < began + _PATIENCE, log.read_text()
            time.sleep(0.02)
        yield url
    finally:
        _end_all(process.pid)
        process.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready"):
            return True
    except urllib.error.URLError:
        return False


def _end_all(group: int) -> None:
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> str:
    # By its whole path: what is looked for is looked for on our own PATH.
    words[0] = str(folder / "bin" / words[0])
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


if __name__ == "__main__":
    with desk() as here:
        for one in sys.argv[1:]:
            print(here.type_in(Path(one).resolve()))  # noqa: T201
