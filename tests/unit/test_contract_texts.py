"""What the OpenAPI document says for people: everything is described, and described truly."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.document.completing import operations
from app.api.document.examples import EXAMPLES
from app.api.document.fields import FIELDS
from app.api.document.introduction import TAGS
from app.cli.openapi import document
from app.domain.errors import MalformedEvseId
from app.domain.evse_id import PATTERN, parse_evse_id


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(document())
    return read


def ours(contract: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The shapes of the API, without those of the CloudEvents that are sent."""
    yield from ((name, one) for name, one in contract["components"]["schemas"].items() if name != "CloudEvent")


def test_every_field_says_what_it_means(contract: dict[str, Any]) -> None:
    silent = [
        f"{name}.{field}"
        for name, schema in ours(contract)
        for field, value in schema.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []


def test_every_shape_says_what_it_is(contract: dict[str, Any]) -> None:
    assert [name for name, schema in ours(contract) if not schema.get("description")] == []


def test_every_parameter_says_what_it_means(contract: dict[str, Any]) -> None:
    silent = [
        f"{operation['operationId']} {one['name']}"
        for operation in operations(contract)
        for one in operation.get("parameters", [])
        if not one.get("description")
    ]
    assert silent == []


def test_every_operation_has_a_summary_for_people_and_a_group_that_is_explained(contract: dict[str, Any]) -> None:
    for operation in operations(contract):
        assert re.fullmatch(r"[A-Z].{9,200}[^.]", operation["summary"]), operation["operationId"]
        assert set(operation["tags"]) <= set(TAGS), operation["operationId"]
    assert [one["name"] for one in contract["tags"]] == list(TAGS)


def test_no_word_is_kept_for_a_field_that_there_is_not(contract: dict[str, Any]) -> None:
    fields = {field for _, schema in ours(contract) for field in schema.get("properties", {})}
    exact = {f"{name}.{field}" for name, schema in ours(contract) for field in schema.get("properties", {})}
    assert [key for key in FIELDS if key not in fields | exact] == []


def test_every_body_has_an_example(contract: dict[str, Any]) -> None:
    bodies = {operation["operationId"] for operation in operations(contract) if "requestBody" in operation}
    assert bodies == set(EXAMPLES)


def test_what_refuses_unknown_fields_says_so(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    assert schemas["NewTemporaryStatus"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["TemporaryStatusView"], "what is told may grow"


def test_the_webhook_is_in_it_with_the_shape_that_is_sent(contract: dict[str, Any]) -> None:
    webhook = contract["webhooks"]["evse.status.presented"]["post"]
    content = webhook["requestBody"]["content"]["application/cloudevents+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/CloudEvent"}
    assert set(contract["components"]["schemas"]["Presented"]["properties"]) == {
        *("evseId", "status", "temporaryStatus", "until", "version", "lastUpdated")
    }


def test_a_parameter_that_may_be_left_out_is_not_null(contract: dict[str, Any]) -> None:
    for operation in operations(contract):
        for one in operation.get("parameters", []):
            assert {"type": "null"} not in one["schema"].get("oneOf", []), (operation["operationId"], one["name"])


PIECES = st.sampled_from(["DE", "de", "*", "ABC", "a1c", "E", "e", "1", "+49", "810", "1234", "", "\n", " ", "é"])


@given(st.lists(PIECES, max_size=8).map("".join) | st.from_regex(PATTERN, fullmatch=True))
def test_the_pattern_of_evse_ids_says_what_is_accepted(text: str) -> None:
    try:
        parse_evse_id(text)
    except MalformedEvseId:
        accepted = False
    else:
        accepted = True
    assert accepted == bool(re.search(PATTERN, text))
