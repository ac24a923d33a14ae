"""Questions that come at the same time, answered by one look at the database."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar, cast

Asked = TypeVar("Asked", bound=Hashable)
Answer = TypeVar("Answer")

_AT_ONCE: Final = 2  #: looks: while the database works on one, the answers of another are handed out
_MOST: Final = 250  #: questions that one look answers, so that nobody waits for thousands


class Gathered(Generic[Asked, Answer]):
    """Asks the database for many at once, where each asks for one.

    A look serves only those who asked before it began, so that whoever asks sees all that was committed before. What a
    look costs by itself is shared by those whom it serves: the more ask, the less each costs.
    """

    def __init__(self, look: Callable[[Sequence[Asked]], Awaitable[Mapping[Asked, Answer]]]) -> None:
        self._look = look
        self._asked: dict[Asked, list[asyncio.Future[Answer | None]]] = {}
        self._looking: set[asyncio.Task[None]] = set()

    async def ask(self, what: Asked) -> Answer | None:
        """The answer, `None` where the look found none."""
        # One for each: a caller that gives up must not take the answer from the others.
        answer: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(what, []).append(answer)
        if len(self._looking) < _AT_ONCE:
            self._looking.add(asyncio.create_task(self._answer()))
        return await answer

    async def _answer(self) -> None:
        try:
            await self._answer_all()
        finally:
            # At once, and not when the task is told to be done: who asks in between would wait for nobody.
            self._looking.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _answer_all(self) -> None:
        while self._asked:
            asked = {what: self._asked.pop(what) for what in list(islice(self._asked, _MOST))}
            found: Mapping[Asked, Answer] = {}
            failure: Exception | None = None
            try:
                found = await self._look(list(asked))
            except Exception as error:  # noqa: BLE001 - each who asked gets it
                failure = error
            for what, answers in asked.items():
                for answer in answers:
                    if answer.done():
                        continue
                    if failure is None:
                        answer.set_result(found.get(what))
                    else:
                        answer.set_exception(failure)
