"""The OpenAPI document that clients are made from."""

from typing import Any

import pytest
from litestar import Litestar

from tests.integration.api.calls import Client


@pytest.fixture
def database_url(embedded_url: str) -> str:
    """On SQLite alone: what is asked here does not know the database."""
    return embedded_url


METHODS = {"get", "put", "post", "patch", "delete"}
#: What both lists are filtered by.
COMMON = {
    *("evseId", "locationId", "countryCode", "partyId", "operator", "temporaryStatus", "activeAt", "endingWithin"),
    *("createdBy", "updatedSince", "limit", "cursor"),
}
EXPECTED = {
    ("get", "/v2/temporary-evse-statuses"): COMMON | {"activeOnly", "state", "from", "to", "ref", "batchId"},
    ("delete", "/v2/temporary-evse-statuses"): {"evseId", "temporaryStatus", "includePlanned"},
    ("delete", "/v2/temporary-evse-statuses/by-ref/{ref}"): {"sourceVersion", "sourceUpdatedAt"},
    ("delete", "/v2/temporary-evse-statuses/batch/{batchId}"): {"dryRun"},
    ("get", "/v2/evses/{evseId}/explanation"): {"at"},
    ("get", "/v2/events"): {"evseId", "locationId", "operator", "snapshot", "lastEventId", "closeAfter"},
    ("get", "/v2/evses"): COMMON | {"deploymentState", "actualStatus", "presented"},
    ("get", "/v2/partners/{name}/deliveries"): {"owedOnly", "limit", "cursor"},
    ("get", "/v2/partners/{name}/attempts"): {"limit"},
}


@pytest.fixture
async def document(anonymous: Client) -> dict[str, Any]:
    answer = await anonymous.get("/openapi/openapi.json")
    assert answer.status_code == 200
    read: dict[str, Any] = answer.json()
    return read


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


async def test_every_operation_has_an_id_of_its_own(document: dict[str, Any]) -> None:
    found = [operation.get("operationId") for operation in operations(document).values()]
    assert all(found)
    assert len(set(found)) == len(found) >= 24


async def test_every_route_is_in_it(document: dict[str, Any], app: Litestar) -> None:
    routes = {
        (method.lower(), route.path.replace(":str}", "}"))
        for route in app.routes
        for method in route.methods
        if method != "OPTIONS" and not route.path.startswith("/openapi")
    }
    assert set(operations(document)) == routes


async def test_query_parameters_are_named_as_clients_know_them(document: dict[str, Any]) -> None:
    found = {
        key: {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for key, operation in operations(document).items()
    }
    assert {key: names for key, names in found.items() if names} == EXPECTED


async def test_path_parameters_are_those_of_the_path(document: dict[str, Any], subtests: pytest.Subtests) -> None:
    for (method, path), operation in operations(document).items():
        with subtests.test(f"{method} {path}"):
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
            assert [f"{{{name}}}" in path for name in names] == [True] * path.count("{")


async def test_fields_are_camel_case(document: dict[str, Any]) -> None:
    fields = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    assert {"evseId", "temporaryStatus", "validFrom", "validTo", "appliesWhen"} <= fields
    assert not {name for name in fields if "_" in name}


async def test_what_needs_a_key_says_so_and_which_problems_it_answers(
    document: dict[str, Any], subtests: pytest.Subtests
) -> None:
    for (method, path), operation in operations(document).items():
        if path.startswith("/health"):
            continue
        with subtests.test(f"{method} {path}"):
            assert operation["security"] == [{"key": []}]
            assert {"400", "401", "403"} <= set(operation["responses"])
            if "requestBody" in operation:
                assert {"413", "415"} <= set(operation["responses"])
                assert list(operation["requestBody"]["content"]) == ["application/json"]
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]


async def test_readiness_says_that_it_may_be_unready(document: dict[str, Any]) -> None:
    answers = operations(document)["get", "/health/ready"]["responses"]
    assert answers.keys() == {"200", "503"}
    assert answers["503"]["content"] == answers["200"]["content"]


async def test_patterns_are_those_of_json_schema(document: dict[str, Any]) -> None:
    r"""A `\Z` means the letter there."""
    assert r"\Z" not in str(document)


async def test_what_a_parameter_may_be_at_most_is_said_where_it_may_be_left_out(document: dict[str, Any]) -> None:
    found = {
        (key, one["name"]): one["schema"]
        for key, operation in operations(document).items()
        for one in operation.get("parameters", [])
    }
    assert found[("get", "/v2/evses"), "locationId"]["maxLength"] == 36
    assert found[("get", "/v2/temporary-evse-statuses"), "evseId"]["maxItems"] == 100
    cancel = found[("delete", "/v2/temporary-evse-statuses/by-ref/{ref}"), "sourceVersion"]
    assert cancel["maximum"] == 2**53 - 1


async def test_headers_of_answers_are_where_they_are_sent(document: dict[str, Any]) -> None:
    """A header without a schema is none by OpenAPI, and makers of clients leave it out."""
    found = {
        (*key, status): response.get("headers", {})
        for key, operation in operations(document).items()
        for status, response in operation["responses"].items()
    }
    ref = "/v2/temporary-evse-statuses/by-ref/{ref}"
    for status, method in (("201", "put"), ("200", "put"), ("304", "get")):
        assert "ETag" in found[method, ref, status]
    assert "Link" in found["get", "/v2/evses", "200"]
    assert "Link" in found["get", "/v2/temporary-evse-statuses", "200"]
    assert "Retry-After" in found["get", "/v2/events", "429"]
    assert all("schema" in header for headers in found.values() for header in headers.values())


async def test_a_refusal_of_what_cannot_be_read_names_each_type_that_it_may_have(document: dict[str, Any]) -> None:
    answers = operations(document)["get", "/v2/evses/{evseId}/explanation"]["responses"]["400"]
    assert set(answers["content"]["application/problem+json"]["examples"]) == {
        *("malformed", "malformed-value", "malformed-time", "malformed-evse-id"),
    }


async def test_a_refusal_of_many_has_items_only_where_they_were_judged(document: dict[str, Any]) -> None:
    assert "items" not in document["components"]["schemas"]["RefusedBatch"]["required"]
    answer = operations(document)["post", "/v2/temporary-evse-statuses/batch"]["responses"]["409"]
    examples = answer["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"batch-refused", "ambiguous-location"}
