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
from typing import Final

import msgspec

from app.logs import configure
from tests.crash import delivering, writing
from tests.crash.dying import Lived, live, steps_of

STORED_AFTER: Final = 40  #: steps after a partner has been told that this is stored, about


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


def deaths(steps: int, count: int) -> Iterator[delivering.Death]:
    """Spread `count` deaths over a life of so many steps; a third of them lie just after a partner has been told."""
    for number, step in enumerate(points(steps, count)):
        match number % 3:
            case 0:
                yield delivering.Death(step, delivering.Since.BIRTH)
            case 1:
                yield delivering.Death(step, delivering.Since.OWN)
            case _:
                nth = random.randint(1, 2 * delivering.LAST_STEP)
                yield delivering.Death(random.randint(1, STORED_AFTER), delivering.Since.WRITTEN, nth)


def die_delivering(url: str, file: Path, count: int) -> Report:
    """Each life dies with an EVSE of its own, or in going on with those that earlier ones left."""
    live(partial(delivering.introduce, url))
    steps = steps_of(partial(delivering.life, url, file, delivering.Work(0)))
    works = [delivering.Work(number, death=death) for number, death in enumerate(deaths(steps, count), start=1)]
    works.append(delivering.Work(len(works) + 1, is_last=True))
    left_off: dict[int, delivering.LeftOff] = {}
    wrong: list[str] = []
    killed = accepted = 0
    for work in works:
        lived = live(partial(delivering.life, url, file, msgspec.structs.replace(work, left_off=left_off)))
        killed += lived.killed
        accepted += sum("answered" in said for said in lived.said)
        wrong += [f"life {work.number}: {said}" for said in lived.said if "wrong" in said]
        after = {
            number: left.after(said for said in lived.said if said["evse"] == number)
            for number, left in {work.number: delivering.LeftOff(), **left_off}.items()
        }
        left_off = {number: left for number, left in after.items() if not left.is_over}
    ends = asyncio.run(delivering.outcomes(url, file))
    wrong += asyncio.run(delivering.left_over(url, file, ends))
    wrong += [f"{number} came to {end}, undisturbed to {ends[0]}" for number, end in ends.items() if end != ends[0]]
    if len(ends) != len(works) + 1:
        wrong.append(f"of {len(works) + 1} EVSEs {len(ends)} are there")
    return Report(lives=len(works), killed=killed, steps=steps, accepted=accepted, wrong=wrong)


if __name__ == "__main__":
    url, what, count, folder = sys.argv[1:]
    configure("ERROR")
    gc.freeze()  # what was imported is never looked at again, so that those who are forked need no copy of it
    report = die_writing(url, int(count)) if what == "writing" else die_delivering(url, Path(folder) / what, int(count))
    sys.stdout.write(msgspec.json.encode(report).decode())
