"""Ports for servers that go away and come back."""

import random
import socket
from typing import Final

_CHOICE: Final = range(15_000, 32_000)


def steady_port() -> int:
    """Find a free port of the loopback interface that no outgoing connection is ever given.

    Of those that the system gives out, one that nobody listens on for a while may be taken by somebody's connection;
    one that tries to connect to that very port even comes to talk to itself.
    """
    while True:
        port = random.choice(_CHOICE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
