"""Many who ask at once are answered by one look, and nobody by a look that began before they asked."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from app.store.gathered import Gathered


class Looks:
    """A database that answers only when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self._answers: list[asyncio.Future[Mapping[str, str]]] = []

    async def look(self, what: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(what))
        answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return await answer

    def answer(self, number: int, **found: str) -> None:
        self._answers[number].set_result(found)

    def fail(self, number: int) -> None:
        self._answers[number].set_exception(ConnectionError("away"))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_is_answered_by_one_look():
    looks = Looks()
    gathered = Gathered(looks.look)
    asking = [asyncio.create_task(gathered.ask(what)) for what in ("a", "b", "a", "c")]
    await settled()
    assert looks.asked == [["a", "b", "c"]]

    looks.answer(0, a="1", b="2")

    assert await asyncio.gather(*asking) == ["1", "2", "1", None]


async def test_nobody_is_answered_by_a_look_that_began_before_they_asked():
    looks = Looks()
    gathered = Gathered(looks.look)
    early = asyncio.create_task(gathered.ask("a"))
    await settled()
    late = asyncio.create_task(gathered.ask("a"))
    await settled()
    assert looks.asked == [["a"], ["a"]]

    looks.answer(0, a="old")
    assert await early == "old"
    assert not late.done()
    looks.answer(1, a="new")
    assert await late == "new"


async def test_more_than_two_looks_are_never_under_way_and_the_rest_wait_for_one_together():
    looks = Looks()
    gathered = Gathered(looks.look)
    asking = []
    for what in "abcd":
        asking.append(asyncio.create_task(gathered.ask(what)))
        await settled()
    assert looks.asked == [["a"], ["b"]]

    looks.answer(1, b="2")
    await settled()
    assert looks.asked == [["a"], ["b"], ["c", "d"]]
    looks.answer(0, a="1")
    looks.answer(2, c="3", d="4")
    assert await asyncio.gather(*asking) == ["1", "2", "3", "4"]


async def test_one_look_answers_no_more_than_can_be_read_quickly():
    looks = Looks()
    gathered = Gathered(looks.look)
    asking = [asyncio.create_task(gathered.ask(str(number))) for number in range(251)]
    await settled()
    assert [len(one) for one in looks.asked] == [250, 1]

    looks.answer(0, **{str(number): "x" for number in range(250)})
    looks.answer(1, **{"250": "y"})
    assert await asking[0] == "x"
    assert await asking[250] == "y"


async def test_a_look_that_fails_fails_those_who_asked_and_nobody_after_them():
    looks = Looks()
    gathered = Gathered(looks.look)
    asking = [asyncio.create_task(gathered.ask(what)) for what in ("a", "b")]
    await settled()
    looks.fail(0)
    for one in asking:
        with pytest.raises(ConnectionError, match="away"):
            await one

    again = asyncio.create_task(gathered.ask("a"))
    await settled()
    looks.answer(1, a="1")
    assert await again == "1"


async def test_who_gives_up_takes_the_answer_from_nobody():
    looks = Looks()
    gathered = Gathered(looks.look)
    impatient, patient = (asyncio.create_task(gathered.ask("a")) for _ in range(2))
    await settled()
    impatient.cancel()
    await settled()
    looks.answer(0, a="1")

    assert await patient == "1"
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_who_asks_in_the_very_moment_in_which_all_looks_end_is_answered():
    looks = Looks()
    gathered = Gathered(looks.look)
    asking = []
    for what in "ab":
        asking.append(asyncio.create_task(gathered.ask(what)))
        await settled()
    heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask_once_heard() -> str | None:
        await heard
        return await gathered.ask("c")

    asking.append(asyncio.create_task(ask_once_heard()))
    await settled()

    looks.answer(0, a="1")
    looks.answer(1, b="2")
    heard.set_result(None)  # in the same turn of the event loop
    await settled()
    assert looks.asked == [["a"], ["b"], ["c"]]
    looks.answer(2, c="3")
    assert await asyncio.gather(*asking) == ["1", "2", "3"]
