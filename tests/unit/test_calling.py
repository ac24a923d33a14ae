"""What the command line does with a key before it calls anybody, and with what it is answered."""

import socket
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from app.cli import group
from app.cli.calling import Refused

SECRET = "es_abc_SECRET"


@pytest.fixture
def url() -> Iterator[str]:
    """Somebody who hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            try:
                while True:
                    server.accept()[0].close()
            except OSError:  # closed below
                return

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("key", [f"{SECRET}\rx", f"{SECRET}\x1b", f"{SECRET}ß", f"{SECRET} x"])
def test_a_key_is_never_printed_whatever_is_wrong_with_it(url: str, key: str):
    done = CliRunner().invoke(group, ["list", "--url", url, "--key", key])
    assert "no API key has" in done.output
    assert SECRET not in done.output


def test_what_ends_a_line_is_no_part_of_a_key(url: str):
    done = CliRunner().invoke(group, ["list", "--url", url, "--key", f"{SECRET}\r\n"])
    assert "cannot be called" in done.output
    assert SECRET not in done.output


def test_a_refusal_commands_no_terminal():
    assert Refused(400, {"detail": "\x1b]0;x\x07no"}).message.isprintable()
