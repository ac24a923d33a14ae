"""The commands for people against a service that somebody serves, with a key."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner, Result

from app.cli import group
from tests.e2e.serving_process import ServingProcess, admin_key, calling

EVSE = "DE*ABC*E1"


async def test_the_commands_say_the_same_of_a_service_elsewhere(embedded_url: str, tmp_path: Path) -> None:
    key = await admin_key(embedded_url)
    serving = ServingProcess(embedded_url, tmp_path / "log")

    async def run(*words: str, with_key: str = key, code: int = 0) -> Result:
        there = ["--url", serving.url, "--key", with_key]
        result = await asyncio.to_thread(CliRunner().invoke, group, [*words, *there])
        assert result.exit_code == code, result.output
        return result

    assert "cannot be called" in (await run("list", code=1)).stderr
    await serving.start()
    try:
        async with calling(serving.url, key) as api:
            (await api.put(f"/v2/evses/{EVSE}", json={"deploymentState": "PRODUCTION"})).raise_for_status()
            done = json.loads((await run("set", EVSE, "BLOCKED", "--for", "2h", "-o", "json")).output)
            assert "is shown as OCCUPIED / Occupied / BLOCKED until" in (await run("explain", EVSE)).output
            there = (await api.get(f"/v2/temporary-evse-statuses/{done['id']}")).json()
        assert json.loads((await run("list", "-o", "json")).output) == [there]
        assert "is ended" in (await run("end", str(done["id"]))).output
        assert "not good" in (await run("list", with_key="nonsense", code=1)).stderr
        async with calling(serving.url, key) as api:
            partner = {"url": "http://127.0.0.1:9/hook"}
            added = {"name": "app", "channel": "driver_app", "configuration": partner}
            (await api.post("/v2/partners", json=added)).raise_for_status()
            while (await api.get("/v2/partners/app")).json()["state"] != "failing":  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
        sick = await run("doctor", code=1)
        assert "partner app: is failing, and 1 of 1 EVSEs are owed" in sick.output
        assert "needs doing: 1" in sick.output
    finally:
        await serving.stop()
