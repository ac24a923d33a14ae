"""Whatever is thrown at the API: never a fault of its own, and what is refused leaves no trace."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.service import Service
from tests.builders import stored
from tests.integration.api.calls import EVSE, EVSES, JSON, PARTNERS, REPORTS, STATUSES, Client, plan, refusal, register

quick = settings(
    deadline=None,  # the first request of a run compiles statements
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

words = st.sampled_from(
    [
        EVSE, "DE*ABC*E2", "deabce1", "BLOCKED", "reserved", "Maintenance", "always", "idle", "STOCK", "DEPRECATED",
        "Charging", "REMOVED", "2026-03-01T09:00:00Z", "2026-03-01T23:00:00+05:30", "2026-03-01T09:00:00",
        "9999-12-31T23:59:59-01:00", "driver_app", "ocpi", "\x00", "\n", "",
    ]
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    [
        "evseId", "temporaryStatus", "validFrom", "validTo", "appliesWhen", "reason", "status", "observedAt", "uid",
        "deploymentState", "locationId", "countryCode", "partyId", "name", "channel", "configuration", "paused", "id",
        "items", "sourceVersion", "sourceUpdatedAt",
        "preset", "role", "rights", "scope", "longest", "networks", "expiresAt",
    ]
)  # fmt: skip
nearly_right = st.dictionaries(field_names, scalars | documents, max_size=6)
windows = st.fixed_dictionaries(
    {"evseId": st.just(EVSE), "temporaryStatus": st.sampled_from(["BLOCKED", "RESERVED"])},
    optional={"validFrom": scalars, "validTo": scalars, "appliesWhen": scalars, "reason": scalars},
)
batches = st.fixed_dictionaries({"items": st.lists(windows | nearly_right, max_size=3)})
bodies = st.binary(max_size=200) | (
    documents | nearly_right | windows | batches | st.lists(nearly_right, max_size=3)
).map(lambda document: json.dumps(document).encode())
TAKE_A_BODY = [
    ("POST", STATUSES),
    ("POST", f"{STATUSES}/batch"),
    ("PATCH", f"{STATUSES}/1"),
    ("PUT", f"{STATUSES}/by-ref/r"),
    ("PUT", f"{EVSES}/DE*ABC*E3"),
    ("PUT", f"{EVSES}/{EVSE}/actual-status"),
    ("POST", REPORTS),
    ("POST", PARTNERS),
    ("POST", "/v2/keys"),
    ("PATCH", "/v2/keys/nobody"),
]


async def traces(service: Service) -> list[Any]:
    tables = ("evse", "temporary_status", "partner", "audit")
    return [await stored(service.database, table) for table in tables]


@pytest.fixture
async def _planned(admin: Client) -> None:
    """There is an EVSE, and a temporary status with the id 1 on it."""
    await register(admin)
    assert (await plan(admin, EVSE, "RESERVED", validFrom="2026-03-02T08:00:00Z"))["id"] == 1


def judge(answer: httpx.Response) -> bool:
    """Tell whether it was refused, and check that a refusal is a proper one."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        refusal(answer, answer.status_code)
        return True
    return False


@pytest.mark.usefixtures("_planned")
@settings(quick, max_examples=120)
@given(call=st.sampled_from(TAKE_A_BODY), body=bodies)
async def test_any_body(admin: Client, service: Service, call: tuple[str, str], body: bytes) -> None:
    method, address = call
    before = await traces(service)
    if judge(await admin.request(method, address, content=body, headers=JSON)):
        assert await traces(service) == before


@settings(quick, max_examples=15)
@given(written=st.binary(min_size=1, max_size=20) | texts.filter(bool).map(str.encode))
async def test_any_address(admin: Client, service: Service, written: bytes) -> None:
    before = await traces(service)
    part = "".join(f"%{byte:02X}" for byte in written if byte != ord("/")) or "x"
    for address in (
        f"{STATUSES}/{part}",
        f"{STATUSES}/by-ref/{part}",
        f"{STATUSES}?evseId={part}",
        f"{STATUSES}?cursor={part}&state={part}",
        f"{EVSES}/{part}",
        f"{EVSES}?locationId={part}",
        f"{EVSES}?cursor={part}",
        f"{PARTNERS}/{part}",
        f"{PARTNERS}/{part}/deliveries?cursor={part}",
        f"/v2/keys/{part}",
    ):
        judge(await admin.get(address))
    judge(await admin.put(f"{EVSES}/{part}", json={"deploymentState": part}))
    header = written.replace(b"\r", b"").replace(b"\n", b"")
    judge(await admin.get(f"{STATUSES}/1", headers=[(b"If-None-Match", header)]))
    judge(await admin.delete(f"{STATUSES}/by-ref/x", headers=[(b"If-Match", header)]))
    judge(await admin.get(EVSES, headers=[(b"Authorization", b"Bearer " + header)]))
    assert await traces(service) == before


limits = st.dictionaries(
    st.sampled_from(
        ["scope", "kinds", "longest", "furthest", "mostActive", "openEnded", "finalCancel", "networks", "rate"]
    ),
    scalars
    | st.lists(scalars, max_size=3)
    | st.sampled_from(["PT1H", ["BLOCKED"], ["10.0.0.0/8"], {"everywhere": True}, {"operators": ["DE*ABC"]}])
    | st.dictionaries(st.sampled_from(["everywhere", "operators", "sites", "evses"]), scalars | st.lists(documents)),
    max_size=4,
)


@settings(quick, max_examples=80)
@given(rights=limits, role=st.sampled_from(["client", "ingest", "admin", "nobody"]), expires=scalars)
async def test_any_rights_of_a_key(
    admin: Client, service: Service, rights: dict[str, Any], role: str, expires: object
) -> None:
    asked = {"name": "x", "role": role, "rights": rights, "expiresAt": expires}
    before = await stored(service.database, "api_key")
    answer = await admin.post("/v2/keys", content=json.dumps(asked).encode(), headers=JSON)
    if judge(answer):
        assert await stored(service.database, "api_key") == before
    else:
        shown = answer.json()["rights"]
        again = await admin.patch(f"/v2/keys/{answer.json()['id']}", json={"rights": shown})
        assert again.json()["rights"] == shown  # what is told can be asked for
