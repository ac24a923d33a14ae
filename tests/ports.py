"""Ports for servers that go away and come back."""

import os
import random
import socket
from typing import Final

_CHOICE: Final = range(15_000, 32_000)
_WORKERS: Final = 16  #: of pytest, each with ports of its own
_given: set[int] = set()


def steady_port() -> int:
    """Find a free port of the loopback interface that no outgoing connection is ever given, nor any other test.

    Of those that the system gives out, one that nobody listens on for a while may be taken by somebody's connection;
    one that tries to connect to that very port even comes to talk to itself.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.choice(_CHOICE[worker % _WORKERS :: _WORKERS])
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
