"""A simulated eMSP that offers a Locations receiver and judges whatever comes in, for the demo and for tests.

Stricter than real ones: what is merely advised to clients is an error here. `judging.py`, `emsp_body.py` and
`emsp_schedule.py` judge a request by itself, `emsp_order.py` and `emsp_traffic.py` their sequence; `emsp_records.py`
is what it keeps; `pulling.py` is how it reads what the other side offers. This file puts it together, and misbehaves.
"""

from collections import Counter
from typing import Any, Final

from litestar import Litestar, Request, Response, route
from litestar.datastructures import State

from app.channels.faults import Faults
from app.channels.ocpi import emsp_answers
from app.channels.ocpi.emsp_answers import SUCCESS, Cut, Reply, while_connected
from app.channels.ocpi.emsp_behaviour import LATE, REQUEST_KINDS, Behaviour, RequestKind, Trouble
from app.channels.ocpi.emsp_body import Change, read_change
from app.channels.ocpi.emsp_late import LateChanges
from app.channels.ocpi.emsp_order import Order
from app.channels.ocpi.emsp_records import Received, Records, Requested
from app.channels.ocpi.emsp_refusals import refusal
from app.channels.ocpi.emsp_traffic import Traffic
from app.channels.ocpi.emsp_view import View
from app.channels.ocpi.judging import Asked, Expected, Wrong, judged
from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.pulling import Puller
from app.channels.ocpi.release import Party
from app.clock import Clock

__all__ = ["Behaviour", "Emsp", "Received", "Requested", "Trouble"]

PATH: Final = "/ocpi/emsp/{}/locations"  #: with the version in it
PARTY: Final = Party("DE", "EMS")
_METHODS: Final = ("GET", "PUT", "PATCH", "POST", "DELETE")


class Emsp:
    """One eMSP. `url(base)` is the Locations receiver URL that it advertises when `app` listens at `base`.

    `shown` is what its drivers see, REMOVED ones too, and `schedules` what they see of the future; `received` every
    status it accepted, `requests` every right change that came, `wrong` what it had to object to, `unknown` the
    fields its version does not have. EVSEs are named `{location}/{uid}`. `passes` are the names of fields that may be
    sent though the version does not have them.

    It speaks one `version` of OCPI. `known` are the EVSEs it has; a PATCH of others is answered with 404, and only a
    PUT makes them known; `None` lets it take everything. `delay`, `slow_by` and `late_by` are seconds. `fault` is the
    trouble that every request gets, `faults` scripts and draws it, and `faults_of` does so for one kind of requests.
    """

    def __init__(
        self,
        clock: Clock,
        token: str,
        known: set[str] | None = None,
        delay: float = 0.0,
        *,
        party: Party = PARTY,
        version: str = "2.2.1",
        passes: set[str] | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.received: list[Received] = []
        self.requests: list[Requested] = []
        self.wrong: list[str] = []
        self.unknown: Counter[str] = Counter()
        self.faults = Faults[Trouble]()
        self.faults_of = {kind: Faults[Trouble]() for kind in REQUEST_KINDS}
        self.slow_by = 30.0
        self.late_by = 5.0
        self.known = None if known is None else set(known)
        self.delay = delay
        self.party = party
        self.passes = passes or set()
        self.behaviour = behaviour or Behaviour()
        self._clock = clock
        self._version = version
        self._objects = RELEASES[version].objects
        self._path = PATH.format(version)
        self._expected = Expected(version=version, token=token, receiver=party, path=self._path)
        self._records = Records()
        self._order = Order()
        self._traffic = Traffic()
        self._late = LateChanges(self._apply)
        handler = route([self._path, f"{self._path}/{{rest:path}}"], http_method=list(_METHODS), status_code=200)(
            _receive
        )
        self.app = Litestar([handler], state=State({"emsp": self}), openapi_config=None, logging_config=None)

    def url(self, base: str) -> str:
        return base + self._path

    @property
    def shown(self) -> dict[str, str]:
        return self._records.shown

    @property
    def schedules(self) -> dict[str, list[Any]]:
        return self._records.schedules

    @property
    def locations(self) -> dict[str, dict[str, Any]]:
        return self._records.locations

    @property
    def evses(self) -> dict[str, dict[str, Any]]:
        return self._records.evses

    @property
    def wiped(self) -> list[str]:
        """The EVSEs that went, each time, when their Location was PUT without them."""
        return self._records.wiped

    @property
    def fault(self) -> Trouble | None:
        return self.faults.always

    @fault.setter
    def fault(self, trouble: Trouble | None) -> None:
        self.faults.always = trouble

    @property
    def under_way(self) -> int:
        """The number of changes that came, and whose senders still wait for an answer."""
        return self._traffic.under_way

    @property
    def pending(self) -> int:
        """The number of changes that are still to be applied."""
        return len(self._late)

    def apply_pending(self) -> None:
        """Apply them now, in the order in which they came."""
        self._late.apply_all()

    async def settled(self) -> None:
        """Wait until no change is still to be applied."""
        await self._late.none_left()

    def view(self) -> View:
        """Return what was pushed."""
        return View.of(self._records.locations, self._records.evses, self._records.location_of)

    async def pull(
        self, url: str, token: str, *, since: View | None = None, limit: int | None = None, to: Party | None = None
    ) -> View:
        """Read what the side whose versions are at `url` offers: all of it, or what has changed `since`.

        Its faults are added to `wrong`. `to` is whom it asks, where the other side has several parties.

        Raises:
            PullFailed: it gave no answer to read.
        """
        async with Puller(self._version, self._objects, token, self.party, to=to, passes=self.passes) as puller:
            try:
                return await puller.pull(url, since=since, limit=limit)
            finally:
                self.wrong += puller.wrong

    def adopt(self, view: View) -> None:
        """Begin with what was pulled, as one does who is new: that is what it knows from now on."""
        self._records.adopt(view)
        if self.known is not None:
            self.known = set(view.evses)

    async def receive(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """Judge one request, apply it unless it is wrong or a fault forbids, and answer."""
        try:
            answer = await self._answer(request)
        except Wrong as wrong:
            self.wrong.append(f"{request.method} {_path(request)}: {wrong.what}")
            answer = Reply(wrong.http, wrong.ocpi, wrong.what)
        if not isinstance(answer, Reply):
            return answer
        party = self.party if self._expected.routes else None
        return emsp_answers.enveloped(answer, request, party, at=self._clock.now())

    async def _answer(self, request: Request[Any, Any, Any]) -> Reply | Response[Any]:
        asked = judged(
            self._expected,
            method=request.method,
            path=_path(request),
            query=request.scope["query_string"],
            headers=request.headers.multi_items(),
            body=await request.body(),
        )
        if self._traffic.used_before(asked.request_id):
            raise Wrong(f"X-Request-ID {asked.request_id} was used before", 200, 2001)
        if asked.method == "GET":
            return self._read(asked)
        change = read_change(self._version, self._objects, asked, self.passes)
        with self._traffic.turn_of(change.key) as wrong:
            if wrong is not None:
                raise Wrong(wrong, 200, 2001)
            return await self._change(change, request)

    def _read(self, asked: Asked) -> Reply | Response[Any]:
        trouble = self._trouble("GET")
        if (reply := emsp_answers.instead(trouble, self.behaviour.retry_after)) is not None:
            return reply
        stored = self._records.read(asked.address)
        return emsp_answers.UNKNOWN_LOCATION if stored is None else Reply(200, 1000, "Success", data=stored)

    async def _change(self, change: Change, request: Request[Any, Any, Any]) -> Reply | Response[Any]:
        if out_of_order := self._out_of_order(change):
            raise Wrong(out_of_order, 200, 2001)
        trouble = self._trouble(change.kind)
        self.requests.append(Requested(self._clock.now(), change.kind, change.key, change.body, trouble))
        self.unknown.update(change.unknown)
        await while_connected(request, self.delay)
        if (reply := emsp_answers.instead(trouble, self.behaviour.retry_after)) is not None:
            return reply
        if (no := refusal(change, self.behaviour, self._records, self.known)) is not None:
            return no
        if trouble in LATE:
            late = self._late.put_off(change, self.late_by)
            if trouble == "late-silent":
                await emsp_answers.wait_for(late.applied, request)
            return Reply(500, 3000, "Out of order") if trouble == "late-500" else Cut()
        self._apply(change)
        if trouble == "slow":
            await while_connected(request, self.slow_by)
        return Cut() if trouble == "cut" else SUCCESS

    def _out_of_order(self, change: Change) -> str | None:
        return self._order.broken_by(change.sayings())

    def _trouble(self, kind: RequestKind) -> Trouble | None:
        own = self.faults_of[kind]
        return self.faults.next() if own.silent else own.next()

    def _apply(self, change: Change) -> None:
        """Store it, and whom it concerns is known from now on; a Location that is PUT takes its EVSEs with it."""
        if self.behaviour.checks_order and self._records.has_newer(change):
            return
        self._records.apply(change)
        if self.known is not None and change.kind == "PUT location":
            self.known = {key for key in self.known if not key.startswith(f"{change.key}/")}
        now = self._clock.now()
        for key, evse in change.evses():
            if self.known is not None:
                self.known.add(key)
            if "status" in evse:
                self.received.append(Received(now, key, evse["status"], evse["last_updated"]))


async def _receive(request: Request[Any, Any, Any]) -> Response[Any]:
    emsp: Emsp = request.app.state.emsp
    return await emsp.receive(request)


def _path(request: Request[Any, Any, Any]) -> str:
    return request.scope["raw_path"].decode("ascii", "replace")
