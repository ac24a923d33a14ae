"""`python -m tests.crash.driver URL writing|delivering COUNT FOLDER`: that many lives that die at different steps.

A program of its own, as a process that forks must have neither event loop nor threads. It prints what came of it.
"""

import asyncio
import gc
import random
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from app.logs import configure
from tests.crash import delivering, writing
from tests.crash.dying import Lived, live, steps_of


class Report(msgspec.Struct, frozen=True):
    """`accepted` is how much was surely answered before each life's end, `steps` how long an undisturbed one is."""

    lives: int
    killed: int
    steps: int
    accepted: int
    wrong: list[str]


def points(steps: int, count: int) -> Iterator[int]:
    """Spread `count` steps evenly over a life of so many, or all of them for a count of 0."""
    stride = 1.0 if count == 0 else max(steps / count, 1.0)
    first = random.uniform(0, stride)
    for number in range(int((steps - first) / stride) + 1):
        yield int(first + number * stride)


def die_writing(url: str, count: int) -> Report:
    steps = steps_of(partial(writing.life, url, 0))
    lives: dict[int, Lived] = {}
    for number, step in enumerate(points(steps, count), start=1):
        lives[number] = live(partial(writing.life, url, number), dies_at=step)
    wrong = asyncio.run(writing.wrong(url, lives))
    return Report(
        lives=len(lives),
        killed=sum(one.killed for one in lives.values()),
        steps=steps,
        accepted=sum("window" in said for one in lives.values() for said in one.said),
        wrong=wrong,
    )


def die_delivering(url: str, file: Path, count: int) -> Report:
    """Each life dies with an EVSE of its own, or in going on with those that earlier ones left."""
    live(partial(delivering.introduce, url))
    undisturbed = delivering.Work(0)
    steps = steps_of(partial(delivering.life, url, file, undisturbed))
    left_off: dict[int, delivering.LeftOff] = {}
    killed = accepted = 0
    numbers = list(enumerate(points(steps, count), start=1))
    last = delivering.Work(len(numbers) + 1, is_last=True)
    works = [delivering.Work(number, {}, step, number % 3 > 0) for number, step in numbers]
    for work in [*works, last]:
        lived = live(partial(delivering.life, url, file, msgspec.structs.replace(work, left_off=dict(left_off))))
        killed += lived.killed
        accepted += len(lived.said)
        left_off.setdefault(work.number, delivering.LeftOff())
        after = {
            number: left.after(said for said in lived.said if said["evse"] == number)
            for number, left in left_off.items()
        }
        left_off = {number: left for number, left in after.items() if not left.is_over}
    ends = asyncio.run(delivering.outcomes(url, file))
    wrong = asyncio.run(delivering.left_over(url, file, ends))
    wrong += [f"{number} came to {end}, undisturbed to {ends[0]}" for number, end in ends.items() if end != ends[0]]
    if len(ends) != len(works) + 2:
        wrong.append(f"{len(works) + 2} EVSEs, {len(ends)} are there")
    return Report(lives=len(works), killed=killed, steps=steps, accepted=accepted, wrong=wrong)


if __name__ == "__main__":
    url, what, count, folder = sys.argv[1:]
    configure("ERROR")
    gc.freeze()  # what was imported is never looked at again, so that those who are forked need no copy of it
    report = die_writing(url, int(count)) if what == "writing" else die_delivering(url, Path(folder) / what, int(count))
    sys.stdout.write(msgspec.json.encode(report).decode())
