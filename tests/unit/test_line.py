"""Who is written when: in order, in groups, and never behind more than one call for thousands."""

import asyncio

import pytest

from app.store import line as line_module
from app.store.line import ALONE, GROUP, HEAVY, Full, Line


async def taken(line: Line[str]) -> list[list[str]]:
    """All groups, as they are taken."""
    groups = []
    while len(line):
        group = await line.take()
        line.finished(len(group))
        groups.append(group)
    return groups


async def test_what_is_small_goes_together_in_the_order_it_came():
    line = Line[str]()
    for number in range(GROUP + 1):
        line.put(str(number), 1)
    first, second = await taken(line)
    assert first == [str(number) for number in range(GROUP)]
    assert second == [str(GROUP)]


async def test_a_group_that_is_about_many_rows_takes_no_more():
    line = Line[str]()
    for name in "abcdefgh":
        line.put(name, ALONE - 1)
    assert await taken(line) == [list("abcde"), list("fgh")]
    assert (ALONE - 1) * 4 < HEAVY <= (ALONE - 1) * 5


async def test_of_calls_for_thousands_nobody_small_waits_for_more_than_one():
    line = Line[str]()
    for name in ("thousands 1", "thousands 2", "thousands 3"):
        line.put(name, ALONE)
    for name in "ab":
        line.put(name, 1)
    assert await line.take() == ["a", "b"]
    line.put("c", 1)
    assert await line.take() == ["thousands 1"]
    assert await line.take() == ["c"]
    assert await line.take() == ["thousands 2"]
    assert await line.take() == ["thousands 3"]


async def test_those_for_thousands_have_their_turn_however_much_small_comes():
    line = Line[str]()
    line.put("thousands", ALONE)
    groups = []
    for number in range(3):
        line.put(str(number), 1)
        groups.append(await line.take())
    assert groups == [["0"], ["thousands"], ["1", "2"]]


async def test_whoever_waits_for_some_gets_it_and_whoever_waits_for_none_is_told():
    line = Line[str]()
    waiting = asyncio.create_task(line.take())
    await asyncio.sleep(0)
    line.put("a", 1)
    assert await waiting == ["a"]
    emptied = asyncio.create_task(line.empty())
    await asyncio.sleep(0)
    assert not emptied.done(), "taken is not yet answered"
    line.finished(1)
    await emptied


async def test_those_that_may_come_together_are_waited_for_and_nobody_longer_than_that():
    line = Line[str]()
    line.put("a", 1)
    waiting = asyncio.create_task(line.take(expected=3, patience=60))
    for name in "bc":
        await asyncio.sleep(0)
        assert not waiting.done()
        line.put(name, 1)
    assert await waiting == ["a", "b", "c"]


async def test_those_that_do_not_come_are_waited_for_only_so_long():
    line = Line[str]()
    line.put("a", 1)
    assert await line.take(expected=2, patience=0.001) == ["a"]
    line.put("b", 1)
    assert await line.take() == ["b"]


async def test_there_is_room_for_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line_module, "WAITING", 2)
    line = Line[str]()
    line.put("a", 1)
    line.put("b", ALONE)
    with pytest.raises(Full):
        line.put("c", 1)
