"""Clients of the API, as there are many: they ask any replica, ask another one where there is no answer, and go on."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from app.clock import SystemClock
from app.domain.instant import rfc3339
from tests.e2e.serving_process import calling
from tests.trouble.ledger import Ledger
from tests.trouble.truth import ACTUAL, TEMPORARY

_PATIENCE: Final = 0.8  #: seconds a client waits for an answer
_LONG: Final = timedelta(hours=1)
_SHORT: Final = 2.5  #: seconds that a short window lasts at the most, and that one may lie ahead
_RENEWED: Final = 2.0  #: seconds for which a renewal holds


class Client:
    """One client. It alone reports and deploys the EVSEs in `own`; it plans for all in `sites`."""

    def __init__(
        self, name: str, dice: random.Random, ledger: Ledger, *, own: Sequence[str], sites: Sequence[str]
    ) -> None:
        self.requests = 0
        self._name = name
        self._dice = dice
        self._ledger = ledger
        self._own = own
        self._sites = sites
        self._clock = SystemClock()
        self._replicas: list[httpx.AsyncClient] = []
        self._open: list[int] = []  #: windows of ours that go on until we end them
        self._observed: datetime | None = None
        self._closing = False
        self._tag = 0

    async def run(self, urls: Sequence[str], key: str) -> None:
        """Ask for this and that until told to stop; then finish what was begun, for which somebody must answer."""
        self._closing = False
        async with AsyncExitStack() as stack:
            self._replicas = [await stack.enter_async_context(calling(url, key, patience=_PATIENCE)) for url in urls]
            while not self._closing:
                await self._act()
                await asyncio.sleep(self._dice.uniform(0.0, 0.15))
            for evse_id in self._own:
                await self._flicker(evse_id)

    def stop(self) -> None:
        self._closing = True

    async def _act(self) -> None:
        acts = {self._plan: 9, self._renew: 4, self._change: 3, self._end: 4, self._report: 4, self._deploy: 1}
        await self._dice.choices(list(acts), weights=list(acts.values()))[0]()

    async def _plan(self) -> None:
        now = self._clock.now()
        begin = self._dice.choice([None, now + timedelta(seconds=self._dice.uniform(0.1, _SHORT))])
        lasts = self._dice.choice([self._seconds(), self._seconds(), self._seconds(), _LONG, None])
        goes_on = lasts is None or lasts == _LONG
        body = {
            "evseId": self._dice.choice(self._sites),
            # What goes on is weak, lest it hides all that comes and goes.
            "temporaryStatus": self._dice.choice(["BLOCKED", "RESERVED"] if goes_on else list(TEMPORARY)),
            "appliesWhen": self._dice.choice(["always", "always", "idle"]),
            "reason": self._new_tag(),
            "validFrom": None if begin is None else rfc3339(begin),
            "validTo": None if lasts is None else rfc3339((begin or now) + lasts),
        }
        answer, doubts = await self._ask("POST", "", body)
        if not _is_too_late(answer):
            _must_be(answer, 201)
            self._ledger.created(_written(answer), doubts=doubts)
            if goes_on:
                self._open.append(answer.json()["id"])

    async def _flicker(self, evse_id: str) -> None:
        """Something that is said at once and taken back at once: what is told late is then told too late."""
        until = self._clock.now() + timedelta(seconds=self._dice.uniform(0.3, 0.9))
        body = {
            "evseId": evse_id,
            "temporaryStatus": "COMMISSIONING",
            "reason": self._new_tag(),
            "validTo": rfc3339(until),
        }
        answer, doubts = await self._ask("POST", "", body)
        if not _is_too_late(answer):
            _must_be(answer, 201)
            self._ledger.created(_written(answer), doubts=doubts)

    async def _renew(self) -> None:
        """A sensor's lease: in force for as long as it is renewed."""
        number = self._dice.randrange(len(self._own))
        ref = f"{self._name}-bay-{number}"
        until = self._clock.now() + timedelta(seconds=_RENEWED)
        body = {"evseId": self._own[number], "temporaryStatus": "BLOCKED", "reason": ref, "validTo": rfc3339(until)}
        answer, doubts = await self._ask("PUT", f"/by-ref/{ref}", body)
        if doubts:
            self._ledger.renewal_in_doubt(ref, rfc3339(until), doubts)
        if not _is_too_late(answer):
            _must_be(answer, 200, 201)
            self._ledger.renewed(_written(answer))

    async def _change(self) -> None:
        if not self._open:
            return
        until = self._clock.now() + _LONG + timedelta(seconds=self._dice.randrange(1000))
        answer, doubts = await self._ask("PATCH", f"/{self._dice.choice(self._open)}", {"validTo": rfc3339(until)})
        _must_be(answer, 200)
        self._ledger.changed(_written(answer), doubts=doubts)

    async def _end(self) -> None:
        if not self._open:
            return
        number = self._open.pop(self._dice.randrange(len(self._open)))
        answer, doubts = await self._ask("DELETE", f"/{number}")
        _must_be(answer, 204)
        self._ledger.ended(number, doubts=doubts)

    async def _report(self) -> None:
        evse_id, status = self._dice.choice(self._own), self._dice.choice(list(ACTUAL))
        now = self._clock.now()
        # A backend says when it saw it, and never the same instant twice.
        self._observed = now if self._observed is None else max(now, self._observed + timedelta(milliseconds=1))
        body = {"status": status, "observedAt": rfc3339(self._observed)}
        answer, doubts = await self._send("PUT", f"/v2/evses/{evse_id}/actual-status", body)
        _must_be(answer, 200)
        self._ledger.doubts += doubts
        self._ledger.actual[evse_id] = status

    async def _deploy(self) -> None:
        evse_id, state = (
            self._dice.choice(self._own),
            self._dice.choice(["PRODUCTION", "PRODUCTION", "DEPRECATED", "STOCK"]),
        )
        answer, doubts = await self._send("PUT", f"/v2/evses/{evse_id}", {"deploymentState": state})
        _must_be(answer, 200)
        self._ledger.deployed(evse_id, state, doubts=doubts)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[httpx.Response, int]:
        return await self._send(method, f"/v2/temporary-evse-statuses{path}", body)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[httpx.Response, int]:
        """Ask one replica, and the next where none answers; count after how many askings the answer was in doubt."""
        doubts = 0
        while True:
            self.requests += 1
            if body is not None and "reason" in body:
                self._ledger.asked(body["reason"])
            try:
                answer = await self._dice.choice(self._replicas).request(method, path, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                await asyncio.sleep(0.05)
            except httpx.TransportError:
                doubts += 1
            else:
                return answer, doubts

    def _seconds(self) -> timedelta:
        return timedelta(seconds=self._dice.uniform(0.3, _SHORT))

    def _new_tag(self) -> str:
        self._tag += 1
        return f"{self._name} {self._tag}"


def short_ones_are_over() -> timedelta:
    """How long after the last request every short window has ended."""
    return timedelta(seconds=2 * _SHORT)


def _written(answer: httpx.Response) -> dict[str, Any]:
    view: dict[str, Any] = answer.json()
    return view


def _is_too_late(answer: httpx.Response) -> bool:
    """Tell whether it took so long to find somebody who answers that the window is over."""
    return answer.status_code == 422 and answer.json()["type"].endswith("already-over")


def _must_be(answer: httpx.Response, *expected: int) -> None:
    assert answer.status_code in expected, f"{answer.request.method} {answer.request.url}: {answer.text}"
