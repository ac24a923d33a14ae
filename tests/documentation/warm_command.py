"""`evse-status` as a command that starts at once: a process that has imported everything forks for each call.

A page of examples calls it twenty times, and each would take Python a second or two. What runs is the command itself,
with the caller's folder, environment, input, output and exit code; only the importing was done before.
"""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).parents[2]
#: What stands on PATH. It needs nothing but the standard library, and as little of that as can be.
_CALLER: Final = """\
#!{python} -IS
import os, signal, socket, sys
calling = socket.socket(socket.AF_UNIX)
calling.connect({address!r})
order = "\\0".join([os.getcwd(), str(len(sys.argv)), *sys.argv, *(f"{{k}}={{v}}" for k, v in os.environ.items())])
socket.send_fds(calling, [f"{{len(order.encode()):08}}".encode()], [0, 1, 2])
calling.sendall(order.encode())
answer = calling.makefile("rb")
pid = int(answer.readline())
for one in (signal.SIGTERM, signal.SIGINT):
    signal.signal(one, lambda number, _: os.kill(pid, number))
sys.exit(int(answer.readline() or 137))
"""


@contextmanager
def evse_status(folder: Path) -> Generator[Path]:
    """Put `evse-status` into a folder for the PATH. What it started and still runs ends with it."""
    folder.mkdir(parents=True)
    address = str(folder / "s")
    command = folder / "evse-status"
    command.write_text(textwrap.dedent(_CALLER).format(python=sys.executable, address=address))
    command.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", __name__, address], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield folder
        process.terminate()


def _main(address: str) -> None:
    from tests.e2e.warm_start import import_everything

    import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    forked = []
    try:
        while True:
            calling, _ = listening.accept()
            if (pid := os.fork()) == 0:
                _become(calling)
            forked.append(pid)
            calling.close()
    finally:
        for pid in forked:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _become(calling: socket.socket) -> None:
    code: Any = 1
    try:
        size, files, _, _ = socket.recv_fds(calling, 8, 3)
        order = calling.recv(int(size), socket.MSG_WAITALL).decode().split("\0")
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(order[0])
        words = 2 + int(order[1])
        sys.argv = order[2:words]
        sys.modules["__main__"].__package__ = None  # or usage would name this module and not the command
        os.environ.clear()
        os.environ.update(one.partition("=")[::2] for one in order[words:])
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        calling.sendall(f"{os.getpid()}\n".encode())
        from app.cli import main

        main()
    except SystemExit as leaving:
        code = leaving.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
            code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        calling.sendall(f"{code or 0}\n".encode())
        os._exit(0)


if __name__ == "__main__":
    _main(sys.argv[1])
