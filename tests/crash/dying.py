"""Processes that die of `kill -9` at a chosen step of their event loop, and what they could say before."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeAlias

import msgspec

Say: TypeAlias = Callable[[dict[str, Any]], None]
Life: TypeAlias = "Callable[[Say], Awaitable[None]]"
_CHUNK: Final = 65536


class Lived(msgspec.Struct):
    """How a life ended, and what was said in it, all of it before the end."""

    killed: bool
    said: list[dict[str, Any]]


def at_each_step(before: Callable[[int], None]) -> None:
    """Have `before` called with 0, 1, 2 … before each callback that an event loop of this process runs from now on.

    Whatever is awaited goes on in a callback: between two of them lies every await point there is.
    """
    number = 0
    run = asyncio.Handle._run

    def counted(handle: asyncio.Handle) -> None:
        nonlocal number
        before(number)
        number += 1
        run(handle)

    asyncio.Handle._run = counted  # type: ignore[method-assign, assignment]  # for as long as this process lives


def die_at(step: int) -> None:
    """Have this process kill itself before that step, counted from now."""

    def before(number: int) -> None:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)

    at_each_step(before)


def steps_of(life: Life) -> int:
    """Count the steps of a life that nobody ends."""

    async def counting(say: Say) -> None:
        last = 0

        def before(number: int) -> None:
            nonlocal last
            last = number

        at_each_step(before)
        await life(say)
        say({"steps": last})

    return int(live(counting).said[-1]["steps"])


def live(life: Life, *, dies_at: int | None = None) -> Lived:
    """Fork a process that lives this life in an event loop of its own, and dies before that step of it.

    This process must have no event loop and no threads: the other one would have but a dead copy of them.
    """
    assert threading.active_count() == 1
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _live(life, writing, dies_at)
    os.close(writing)
    said = [msgspec.json.decode(line) for line in _read(reading).splitlines()]
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and status != 0:
        raise RuntimeError(f"a process came to an end that was not planned, status {status}, having said {said[-3:]}")
    return Lived(killed, said)


def _live(life: Life, writing: int, dies_at: int | None) -> None:
    code = 1
    try:

        def say(what: dict[str, Any]) -> None:
            os.write(writing, msgspec.json.encode(what) + b"\n")  # at once: nothing is kept back to be lost

        async def alive() -> None:
            await life(say)

        if dies_at is not None:
            die_at(dies_at)
        asyncio.run(alive())
        code = 0
    finally:
        os._exit(code)


def _read(reading: int) -> bytes:
    def chunks() -> Generator[bytes]:
        while chunk := os.read(reading, _CHUNK):
            yield chunk

    try:
        return b"".join(chunks())
    finally:
        os.close(reading)
