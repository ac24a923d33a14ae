"""The contract as others hold us to it: a tester that makes calls up from the document, and a client made from it."""

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.e2e.serving_process import ServingProcess, admin_key, calling

DOCUMENT: Final = Path(__file__).parents[2] / "openapi" / "openapi.json"
#: With the tools that were installed beside this Python.
PATH: Final = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
#: What makes sense only the service knows, so what the schema allows may be refused. And where each of many is judged
#: by itself, one that cannot be read refuses nothing but itself.
_CONFIGURATION: Final = """
[checks]
positive_data_acceptance.enabled = false

[[operations]]
include-path-regex = "^/v2/(actual-statuses|temporary-evse-statuses/batch)$"
checks.negative_data_rejection.enabled = false
"""


class Served:
    """A service with some EVSEs, and a key for it."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key


@pytest.fixture
async def served(embedded_url: str, tmp_path: Path) -> AsyncGenerator[Served]:
    serving = ServingProcess(embedded_url, tmp_path / "serve.log")
    await serving.start()
    key = await admin_key(embedded_url)
    async with calling(serving.url, key) as api:
        for number in range(1001, 1004):
            path = f"/v2/evses/DE*XPO*E{number}*1"
            body = {"deploymentState": "PRODUCTION", "locationId": "LOC1", "countryCode": "DE", "partyId": "XPO"}
            assert (await api.put(path, json=body)).status_code == 201
    yield Served(serving.url, key)
    await serving.stop()


async def ran(*words: str, cwd: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"NO_COLOR": "1", "PATH": PATH},
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def test_no_call_that_can_be_made_up_breaks_it_or_is_answered_with_what_is_not_in_the_document(
    served: Served, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(_CONFIGURATION)
    code, printed = await ran(
        *("schemathesis", "run", f"{served.url}/openapi/openapi.json"),
        *("--header", f"Authorization: Bearer {served.key}"),
        *("--max-examples", "4", "--seed", "1"),
        # Not what would take the key away that all is called with; the rights have a matrix of their own.
        *("--exclude-path-regex", "^/v2/(keys|events)"),
        cwd=tmp_path,
    )
    assert code == 0, printed


async def test_a_client_made_from_the_document_plans_a_window(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed = await ran(
        *("openapi-python-client", "generate", "--path", str(DOCUMENT)),
        *("--output-path", str(tmp_path / "made"), "--meta", "none", "--overwrite"),
        cwd=tmp_path,
    )
    assert code == 0, printed
    assert "WARNING" not in printed.upper(), printed
    monkeypatch.syspath_prepend(str(tmp_path))

    def module(name: str) -> Any:
        return importlib.import_module(f"made.{name}")

    models = module("models")
    made = module("client").AuthenticatedClient(base_url=served.url, token=served.key)
    plan = module("api.temporary_statuses.plan_temporary_status")
    wanted = models.NewTemporaryStatus(
        evse_id="DE*XPO*E1001*1", temporary_status=models.Kind.MAINTENANCE, reason="made by a machine"
    )
    async with made as client:
        answer = await plan.asyncio_detailed(client=client, body=wanted)
        assert answer.status_code == 201
        assert answer.parsed.state == models.State.ACTIVE
        assert answer.parsed.shown["oicp"].status == "OutOfService"

        listing = module("api.temporary_statuses.list_temporary_statuses")
        assert [one.id for one in (await listing.asyncio(client=client))] == [answer.parsed.id]

        refused = await plan.asyncio_detailed(
            client=client, body=wanted.__class__("DE*XPO*E9999*1", models.Kind.BLOCKED)
        )
        assert (refused.status_code, refused.parsed.type_) == (404, "urn:evse-status:problem:evse-not-found")


async def test_every_example_can_be_sent(served: Served) -> None:
    document = msgspec.json.decode(DOCUMENT.read_bytes())
    async with calling(served.url, served.key) as api:
        made = (await api.post("/v2/temporary-evse-statuses", json=WINDOW)).json()["id"]
        key = (await api.post("/v2/keys", json={"name": "other", "role": "reader"})).json()["id"]
        filled = {"id": made, "keyId": key, "evseId": "DE*XPO*E1002*1", "name": "app"}
        refused = []
        for path, operations in sorted(document["paths"].items()):
            for method, operation in sorted(operations.items(), reverse=True):
                content = operation.get("requestBody", {"content": {}})["content"].get("application/json", {})
                for name, example in content.get("examples", {}).items():
                    answer = await api.request(method, path.format(**filled, ref=name), json=example["value"])
                    if not answer.is_success and operation["operationId"] not in MEANT_FOR_OTHERS:
                        refused.append((operation["operationId"], name, answer.text))
        assert refused == []


WINDOW: Final = {"evseId": "DE*XPO*E1001*1", "temporaryStatus": "MAINTENANCE"}
#: Needs a partner at Hubject whose statuses are all ours.
MEANT_FOR_OTHERS: Final = {"askForFullLoad"}
