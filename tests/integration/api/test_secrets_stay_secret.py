"""A key, or a partner's secret, stands in the one answer that shows it, and nowhere else whatever is done with it."""

import json
from typing import Any

from structlog.testing import capture_logs

from app.service import Service
from app.store.tables import metadata
from tests.builders import stored
from tests.integration.api.calls import (
    EVSE,
    EVSES,
    PARTNERS,
    STATUSES,
    Client,
    NewClient,
    good,
    plan,
    refusal,
    register,
)

KEYS = "/v2/keys"


async def test_no_secret_is_in_the_log_in_an_answer_or_in_the_database(
    admin: Client, client: NewClient, service: Service
) -> None:
    answers: list[str] = []
    with capture_logs() as logs:
        await register(admin)
        asked = {"name": "bays", "preset": "sensor", "rights": {"scope": {"everywhere": True}}}
        made = good(await admin.post(KEYS, json=asked))
        partner = {"name": "app", "channel": "driver_app", "configuration": {"url": "http://127.0.0.1:9/hook"}}
        issued = good(await admin.post(PARTNERS, json=partner))["issued"]["secret"]
        sensor = await client(key=made["key"])
        await plan(sensor, validTo="2026-03-01T09:00:00Z")
        rotated = good(await admin.post(f"{KEYS}/{made['id']}/rotate", json={}))
        secrets = {made["key"], rotated["key"], issued}
        wrong = made["key"][:-1] + ("x" if made["key"][-1] != "x" else "y")

        for key in (wrong, rotated["key"], made["key"]):
            stranger = await client(key=key)
            answers += [
                (await stranger.get(EVSES)).text,
                (await stranger.get(f"{EVSES}/{EVSE}", params={"key": key})).text,
                (await stranger.get(f"{STATUSES}/{key}")).text,
                (await stranger.post(STATUSES, content=b"{" + key.encode())).text,
            ]
        for path in (
            KEYS,
            f"{KEYS}/{made['id']}",
            PARTNERS,
            f"{PARTNERS}/app",
            f"{PARTNERS}/app/attempts",
            "/health/ready",
        ):
            answers.append((await admin.get(path)).text)
        refusal(await admin.post(PARTNERS, json=partner), 409)
        answers.append((await admin.post(f"{KEYS}/{made['id']}/panic", json={})).text)
        refusal(await sensor.get(EVSES), 401, "unauthenticated")
        await service.key_uses.write()

    kept: dict[str, Any] = {table: await stored(service.database, table) for table in metadata.tables}
    assert kept["api_key"]
    assert kept["attempt"] is not None
    for place, text in {
        "the log": json.dumps(logs, default=str),
        "an answer": "\n".join(answers),
        "the database": json.dumps(kept, default=str),
    }.items():
        for secret in secrets:
            # The part that opens something: the id of a key is meant to be seen.
            assert secret.rpartition("_")[2] not in text, f"{place} has it"
