"""Whoever has a scoped key tries whatever calls there are, in any order; what is stored stays inside its rights.

The judge knows the rights in its own words and looks at the rows: it asks none of the code that decides.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, cast

import httpx
from cryptography.fernet import Fernet
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from pydantic import SecretStr

from app.domain.api_key import ApiKey, digest_of, new_key
from app.domain.instant import rfc3339
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import Kind
from app.main import create_app
from app.service import Service
from app.settings import Settings
from app.store import keys
from tests.builders import register, stored
from tests.clock import FrozenClock

Fresh: TypeAlias = Callable[[], AbstractAsyncContextManager[str]]

STATUSES: Final = "/v2/temporary-evse-statuses"
MINUTE: Final = timedelta(minutes=1)
WITHIN: Final = 5 * MINUTE
HANDFUL: Final = 2
_SECRET: Final = Fernet.generate_key().decode("ascii")

#: The fleet, with sites: near misses of one another, two operators, and two sites of the same name.
FLEET: Final = {
    "DE*ABC*E12": "LOC1",
    "DE*ABC*E123*1": "LOC1",
    "DE*ABC*E1*23": "LOC1",
    "DE*ABC*E12*3": "LOC2",
    "DE*ABC*E1": "LOC1",
    "DE*ABC*E2": "LOC1",
    "DE*ABD*E12": "LOC1",
    "DE*ABD*E1*23": "LOC1",
}
#: How somebody may write them: as registered, without separators, in another case; and what nobody registered.
WRITTEN: Final = [*FLEET, "DEABCE123", "de*abc*e12", "DEABCE1", "DE*ABC*E9"]

#: Scopes, and the EVSEs that they mean.
SCOPES: Final[list[tuple[Callable[[dict[str, int]], Scope], set[str]]]] = [
    (lambda _: Scope(operators=("DEABC",)), {one for one in FLEET if "ABC" in one}),
    (
        lambda _: Scope(sites=(("DE", "ABC", "LOC1"),)),
        {one for one, at in FLEET.items() if "ABC" in one and at == "LOC1"},
    ),
    (lambda ids: Scope(evses=(ids["DE*ABC*E12"],)), {"DE*ABC*E12"}),
    (
        lambda ids: Scope(evses=(ids["DE*ABC*E1*23"],), sites=(("DE", "ABD", "LOC1"),)),
        {"DE*ABC*E1*23", "DE*ABD*E12", "DE*ABD*E1*23"},
    ),
]

begins = st.sampled_from([None, None, -60, 0, 1, 4, 6, 30, 59, 60, 61, 90, 60 * 24])
#: How long after its beginning, or after now, it ends.
lengths = st.sampled_from([None, 1, 5, 29, 30, 31, 60, 61, 121, -1])
#: Most often what fits the key, or hardly any call would come through.
kinds = st.sampled_from([*range(8), *(kind.value for kind in Kind)])
written = st.sampled_from([*range(24), *WRITTEN])
refs = st.sampled_from(["a", "b", "c"])
_OWN: Final = 8
nth = st.integers(0, _OWN + 1)
limits = st.fixed_dictionaries(
    {
        "kinds": st.lists(st.sampled_from(Kind), min_size=1, unique=True).map(tuple),
        "longest": st.sampled_from([None, 30 * MINUTE, 60 * MINUTE]),
        "furthest": st.sampled_from([None, 0 * MINUTE, 60 * MINUTE]),
        "most_active": st.sampled_from([None, 1, 2, 3]),
        "open_ended": st.booleans(),
        "final_cancel": st.booleans(),
    }
)


class ScopedKeyMachine(RuleBasedStateMachine):
    """A service, its API, and two keys: the one that tries everything, and one of operations beside it."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self._fresh = fresh
        self._own = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._clock = FrozenClock()

    @initialize(
        role=st.sampled_from([Role.CLIENT, Role.INGEST, Role.TECHNICIAN]),
        limits=limits,
        scope=st.sampled_from(range(len(SCOPES))),
    )
    def opens(self, role: Role, limits: dict[str, Any], scope: int) -> None:
        self._role = role
        if role is Role.INGEST:
            limits["kinds"] = (Kind.BLOCKED, *limits["kinds"])  # or it could say nothing at all
        self._limits = limits
        self._reach = SCOPES[scope][1]
        self._do(self._open(SCOPES[scope][0]))

    @rule(
        evse=written,
        kind=kinds,
        begin=begins,
        length=lengths,
        by_operations=st.sampled_from([False, False, False, True]),
    )
    def plans(
        self, evse: str | int, kind: str | int, begin: int | None, length: int | None, by_operations: bool
    ) -> None:
        client = self._operations if by_operations else self._client
        self._do(self._call(client, "POST", STATUSES, json=self._asked(evse, kind, begin, length)))

    @rule(evse=st.integers(0, 7), kind=st.integers(0, 7), length=st.sampled_from([1, 29, 30]))
    def plans_what_it_may(self, evse: int, kind: int, length: int) -> None:
        self._do(self._call(self._client, "POST", STATUSES, json=self._asked(evse, kind, None, length)))

    @rule(kind=kinds, begin=begins, length=lengths, in_one_call=st.booleans())
    def plans_everywhere_at_once(
        self, kind: str | int, begin: int | None, length: int | None, in_one_call: bool
    ) -> None:
        async def all_at_once() -> None:
            bodies = [self._asked(evse, kind, begin, length) for evse in WRITTEN]
            if in_one_call:
                await self._call(self._client, "POST", f"{STATUSES}/batch", json={"items": bodies})
                return
            await asyncio.gather(*(self._call(self._client, "POST", STATUSES, json=one) for one in bodies))

        self._do(all_at_once())

    @rule(
        ref=refs,
        evse=written,
        kind=kinds,
        begin=begins,
        length=lengths,
        version=st.sampled_from([None, None, None, 0, 1, 2]),
    )
    def plans_by_reference(
        self, ref: str, evse: str | int, kind: str | int, begin: int | None, length: int | None, version: int | None
    ) -> None:
        asked = self._asked(evse, kind, begin, length) | ({} if version is None else {"sourceVersion": version})
        self._do(self._call(self._client, "PUT", f"{STATUSES}/by-ref/{ref}", json=asked))

    @precondition(lambda self: self._made[0])
    @rule(number=nth, kind=st.none() | kinds, begin=begins, length=lengths, opens_the_end=st.booleans())
    def changes(
        self, number: int, kind: str | int | None, begin: int | None, length: int | None, opens_the_end: bool
    ) -> None:
        different: dict[str, Any] = {} if kind is None else {"temporaryStatus": self._kind(kind)}
        if begin is not None:
            different["validFrom"] = self._time(begin)
        if length is not None or opens_the_end:
            different["validTo"] = self._end(begin, length)
        self._do(self._call(self._client, "PATCH", f"{STATUSES}/{self._id(number)}", json=different))

    @precondition(lambda self: self._made[0])
    @rule(number=st.integers(0, 2), length=st.sampled_from([None, 1, 29, 30, 31, 60, 61, 90]))
    def renews(self, number: int, length: int | None) -> None:
        asked = {"validTo": self._end(None, length)}
        self._do(self._call(self._client, "PATCH", f"{STATUSES}/{self._id(number)}", json=asked))

    @precondition(lambda self: self._made[0])
    @rule(number=st.integers(0, 4), begin=st.sampled_from([0, 1, 6, 30, 59, 60, 61]))
    def moves_what_is_planned(self, number: int, begin: int) -> None:
        asked = {"validFrom": self._time(begin), "validTo": self._end(begin, 30)}
        self._do(self._call(self._client, "PATCH", f"{STATUSES}/{self._id(number)}", json=asked))

    @rule(
        ref=refs, evse=st.integers(0, 2), kind=st.integers(0, 2), begin=st.sampled_from([None, 1, 60]), length=lengths
    )
    def keeps_a_lease(self, ref: str, evse: int, kind: int, begin: int | None, length: int | None) -> None:
        asked = self._asked(evse, kind, begin, length)
        self._do(self._call(self._client, "PUT", f"{STATUSES}/by-ref/{ref}", json=asked))

    @rule(evse=st.integers(0, 7), begin=st.sampled_from([1, 5, 59, 60]))
    def plans_ahead(self, evse: int, begin: int) -> None:
        self._do(self._call(self._client, "POST", STATUSES, json=self._asked(evse, 0, begin, 30)))

    @precondition(lambda self: self._made[0])
    @rule(number=nth)
    def ends(self, number: int) -> None:
        self._do(self._call(self._client, "DELETE", f"{STATUSES}/{self._id(number)}"))

    @rule(ref=refs)
    def ends_by_reference(self, ref: str) -> None:
        self._do(self._call(self._client, "DELETE", f"{STATUSES}/by-ref/{ref}"))

    @rule(evse=written)
    def ends_on_an_evse(self, evse: str | int) -> None:
        query = {"evseId": self._evse(evse), "includePlanned": "true"}
        self._do(self._call(self._client, "DELETE", STATUSES, params=query))

    @rule(minutes=st.sampled_from([1, 5, 6, 29, 60, 61]))
    def time_passes(self, minutes: int) -> None:
        self._clock.advance(minutes * MINUTE)
        self._do(self._nothing())

    def teardown(self) -> None:
        self._loop.run_until_complete(self._own.aclose())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    # How it happens

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(work)
        self._loop.run_until_complete(self._judge())

    async def _open(self, scope: Callable[[dict[str, int]], Scope]) -> None:
        url = await self._own.enter_async_context(self._fresh())
        settings = Settings(
            database_url=url,
            secret_key=SecretStr(_SECRET),
            brake_handful=HANDFUL,
            brake_site_share=0.4,
            brake_operator_share=0.4,
        )
        self._service = Service(settings, clock=self._clock)
        await self._own.enter_async_context(self._service.running())
        app = create_app(self._service, opens=False)
        ids = {
            evse: (await register(self._service.writer, evse, location=location)).id for evse, location in FLEET.items()
        }
        self._names = {number: evse for evse, number in ids.items()}
        rights = Rights(scope=scope(ids), **self._limits)
        self._mine, self._client = await self._holder(app, self._role, rights)
        _, self._operations = await self._holder(app, Role.OPERATIONS, Rights())
        self._others: dict[int, dict[str, Any]] = {}
        self._made: tuple[list[int], list[int]] = ([], [])

    async def _holder(self, app: Any, role: Role, rights: Rights) -> tuple[str, httpx.AsyncClient]:
        key_id, key = new_key()
        at = self._clock.now()
        made = ApiKey(
            id=key_id, name="x", role=role, digest=digest_of(key), created_by="cli", created_at=at, rights=rights
        )
        async with self._service.database.write() as connection:
            await keys.add(connection, made)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, app)),
            base_url="http://evse-status.test",
            headers={"Authorization": f"Bearer {key}"},
        )
        return key_id, await self._own.enter_async_context(client)

    async def _call(self, client: httpx.AsyncClient, method: str, path: str, **asked: Any) -> None:
        answer = await client.request(method, path, **asked)
        assert answer.status_code < 500, answer.text
        if answer.status_code in {200, 201} and method in {"POST", "PUT"}:
            answered = answer.json().get("items", [answer.json()])
            made = [one["id"] for one in answered if one["id"] is not None]
            self._made[client is self._operations].extend(made)

    async def _nothing(self) -> None: ...

    def _asked(self, evse: str | int, kind: str | int, begin: int | None, length: int | None) -> dict[str, Any]:
        asked = {"evseId": self._evse(evse), "temporaryStatus": self._kind(kind)}
        times = {"validFrom": self._time(begin), "validTo": self._end(begin, length)}
        return asked | {name: value for name, value in times.items() if value is not None}

    def _evse(self, evse: str | int) -> str:
        return evse if isinstance(evse, str) else sorted(self._reach)[evse % len(self._reach)]

    def _id(self, number: int) -> int:
        """One of the last that were made: most often one of its own."""
        made = self._made[number >= _OWN]
        return made[-1 - number % len(made)] if made else number

    def _kind(self, kind: str | int) -> str:
        return kind if isinstance(kind, str) else self._limits["kinds"][kind % len(self._limits["kinds"])]

    def _time(self, minutes: int | None) -> str | None:
        return None if minutes is None else rfc3339(self._clock.now() + minutes * MINUTE)

    def _end(self, begin: int | None, length: int | None) -> str | None:
        return None if length is None else self._time(max(begin or 0, 0) + length)

    # The judge

    async def _judge(self) -> None:
        now = self._clock.now()
        rows = await stored(self._service.database, "temporary_status")
        live = [row for row in rows if row["ended_at"] is None and (row["valid_to"] is None or row["valid_to"] > now)]
        mine = [row for row in live if row["created_by"] == self._mine]
        for row in mine:
            self._inside_its_rights(row, now)
        self._not_too_many(mine)
        self._not_too_much_at_once([row for row in rows if row["created_by"] == self._mine and row["ended_at"] is None])
        self._others_are_left_alone([row for row in rows if row["created_by"] != self._mine])

    def _inside_its_rights(self, row: dict[str, Any], now: datetime) -> None:
        begin, end = row["valid_from"], row["valid_to"]
        limits = self._limits
        assert self._names[row["evse"]] in self._reach, row
        assert Kind(row["kind"]) in limits["kinds"], row
        assert self._role is not Role.INGEST or row["kind"] == "BLOCKED", row
        assert end is not None or (limits["open_ended"] and limits["longest"] is None), row
        if end is not None and limits["longest"] is not None:
            assert end - max(begin, now) <= limits["longest"], row
        if limits["furthest"] is not None:
            assert begin - now <= limits["furthest"], row

    def _not_too_many(self, mine: list[dict[str, Any]]) -> None:
        if (most := self._limits["most_active"]) is None:
            return
        for at in {row["valid_from"] for row in mine}:
            active = [
                row for row in mine if row["valid_from"] <= at and (row["valid_to"] is None or at < row["valid_to"])
            ]
            assert len(active) <= most, active

    def _not_too_much_at_once(self, mine: list[dict[str, Any]]) -> None:
        """Within any five minutes no more of a site or an operator begins to be overridden than the brake allows."""
        for group in {self._site(one) for one in FLEET} | {one[:6] for one in FLEET}:
            members = {one for one in FLEET if group in {self._site(one), one[:6]}}
            begun = [(row["valid_from"], row["evse"]) for row in mine if self._names[row["evse"]] in members]
            for first, _ in begun:
                together = {evse for begin, evse in begun if first <= begin <= first + WITHIN}
                assert len(together) <= max(HANDFUL, int(0.4 * len(members))), (group, together)

    def _site(self, evse: str) -> str:
        return f"{evse[:6]}/{FLEET[evse]}"

    def _others_are_left_alone(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            known = self._others.setdefault(row["id"], row)
            if row != known:
                assert self._role is Role.TECHNICIAN, (known, row)
                assert known["kind"] == "MAINTENANCE", (known, row)
                assert self._names[row["evse"]] in self._reach, (known, row)
                self._others[row["id"]] = row
