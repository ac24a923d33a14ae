"""A Hubject partner's certificates: added, renewed and taken away over the API, with the key never coming back."""

from typing import Any

import httpx
import trustme

from tests.contract.oicp.issuing import encrypted
from tests.contract.oicp.tls_hub import identity, pem
from tests.integration.api.calls import PARTNERS, Client, get, good, refusal

PLAIN = {"baseUrl": "https://127.0.0.1:9", "operatorId": "DE*ABC"}
AUTHORITY = trustme.CA()
HUB = f"{PARTNERS}/hub"


def known_by(name: str) -> dict[str, str]:
    return identity(AUTHORITY.issue_cert(common_name=name))


async def add(admin: Client, **more: Any) -> httpx.Response:
    return await admin.post(PARTNERS, json={"name": "hub", "channel": "oicp", "configuration": {**PLAIN, **more}})


async def change(admin: Client, **more: Any) -> httpx.Response:
    return await admin.patch(HUB, json={"configuration": {**PLAIN, **more}})


async def test_certificates_are_shown_with_their_line_breaks_and_the_key_is_not(admin: Client) -> None:
    given = {**encrypted(known_by("one"), "open sesame"), "caBundle": pem(AUTHORITY.cert_pem)}
    added = await add(admin, **given)

    assert good(added)["issued"] is None
    for answer in (added, await admin.get(HUB), await admin.get(PARTNERS), await admin.patch(HUB, json={})):
        good(answer)
        assert "KEY" not in answer.text
        assert given["clientKey"].splitlines()[1] not in answer.text
        assert "sesame" not in answer.text
    shown = (await get(admin, HUB))["configuration"]
    assert {field: shown[field] for field in ("clientCertificate", "caBundle")} == {
        "clientCertificate": given["clientCertificate"],
        "caBundle": given["caBundle"],
    }


async def test_a_certificate_is_renewed_with_its_key_and_the_key_stays_where_it_is_left_out(admin: Client) -> None:
    old, new = encrypted(known_by("old"), "open sesame"), known_by("new")
    good(await add(admin, **old))

    kept = {"clientCertificate": old["clientCertificate"]}
    assert good(await change(admin, operatorName="ABC", **kept))["configuration"]["operatorName"] == "ABC"
    refusal(await change(admin, clientCertificate=new["clientCertificate"]), 422, pointer="/configuration/clientKey")
    refusal(await change(admin, **new), 422, pointer="/configuration/clientKeyPassword")
    good(await change(admin, **new, clientKeyPassword=None))
    good(await change(admin, clientCertificate=new["clientCertificate"]))


async def test_certificates_are_taken_away_by_null(admin: Client) -> None:
    good(await add(admin, **known_by("one")))

    refusal(await change(admin), 422, pointer="/configuration/clientCertificate")
    assert good(await change(admin, clientKey=None))["configuration"]["clientCertificate"] is None
    good(await change(admin))
