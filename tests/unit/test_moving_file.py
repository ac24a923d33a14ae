"""The file of an export: where it is wrong, the line and the field are named."""

import io
import json
from typing import Any

import pytest

from app.cli.moving_file import FileUnreadable, read_header, records

HEADER: dict[str, Any] = {
    "format": "evse-status-export",
    "version": 1,
    "exportedAt": "",
    "program": "",
    "source": "api",
}
EVSE: dict[str, Any] = {
    "type": "evse",
    "countryCode": "DE",
    "partyId": "ABC",
    "uid": "1",
    "evseId": "DE*ABC*E1",
    "deploymentState": "PRODUCTION",
    "actualStatus": "AVAILABLE",
}
TEMPORARY: dict[str, Any] = {
    "type": "temporaryStatus",
    "countryCode": "DE",
    "partyId": "ABC",
    "uid": "1",
    "evseId": "DE*ABC*E1",
    "id": 7,
    "temporaryStatus": "BLOCKED",
    "validFrom": "2099-01-01T00:00:00Z",
    "createdBy": "k1",
    "createdAt": "2026-01-01T00:00:00Z",
}
END: dict[str, Any] = {"type": "end", "counts": {"locations": 0, "evses": 1, "temporaryStatuses": 1}}

DEEP = "[" * 100_000 + "]" * 100_000


def read(*lines: dict[str, Any] | str) -> list[int]:
    texts = (one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    file = io.BytesIO("".join(texts).encode())
    read_header(file)
    return [number for number, _ in records(file)]


def test_a_whole_file_is_read_line_by_line():
    assert read(HEADER, EVSE, TEMPORARY, END) == [2, 3]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([""], "line 1: not an export"),
        (["[]\n"], "line 1: not an export"),
        ([HEADER | {"format": "other"}], "line 1: not an export"),
        ([HEADER | {"version": 2}], "line 1, /version: 2"),
        ([HEADER], "line 1: the end is missing"),
        ([HEADER, EVSE, TEMPORARY], "line 3: the end is missing"),
        ([HEADER, EVSE, json.dumps(TEMPORARY)[:40]], "line 3: not a JSON value, or cut off"),
        ([HEADER, EVSE, END], "line 3, /counts: not what is in the file"),
        ([HEADER, EVSE, TEMPORARY, END, EVSE], "line 5: something follows the end"),
        ([HEADER, TEMPORARY, END], "line 2, /uid: not the EVSE before it"),
        ([HEADER, EVSE, TEMPORARY | {"uid": "2"}, END], "line 3, /uid: not the EVSE before it"),
        ([HEADER, EVSE | {"type": "partner"}, END], "line 2, /type"),
        ([HEADER, EVSE | {"colour": "red"}, END], "line 2, /colour"),
        ([HEADER, EVSE | {"evseId": "nonsense"}, END], "line 2, /evseId: not an EVSE ID"),
        ([HEADER, EVSE | {"uid": ""}, END], "line 2, /uid"),
        ([HEADER, EVSE | {"uid": "1\0"}, END], "line 2, /uid: control characters"),
        ([HEADER, EVSE | {"uid": "1" * 256}, END], "line 2, /uid"),
        ([HEADER, EVSE | {"reported": "Fine"}, END], "line 2, /reported: not a status"),
        ([HEADER, EVSE | {"observedAt": "yesterday"}, END], "line 2, /observedAt: not an RFC 3339 time"),
        ([HEADER, EVSE | {"ocpiObject": {}}, END], "line 2, /ocpiVersion"),
        ([HEADER, EVSE, TEMPORARY | {"temporaryStatus": "GONE"}, END], "line 3, /temporaryStatus"),
        (
            [HEADER, EVSE, TEMPORARY | {"validTo": "2098-01-01T00:00:00Z"}, END],
            "line 3, /validTo: validTo must be after",
        ),
        ([HEADER, EVSE, TEMPORARY | {"reason": "x" * 501}, END], "line 3, /reason"),
        ([HEADER, EVSE, TEMPORARY | {"reason": "\u202eevil"}, END], "line 3, /reason"),
        ([HEADER, EVSE, TEMPORARY | {"id": 2**63}, END], "line 3, /id"),
        ([HEADER, EVSE, TEMPORARY | {"createdBy": "k\0"}, END], "line 3, /createdBy: control characters"),
        ([HEADER, EVSE, TEMPORARY | {"createdBy": "k" * 256}, END], "line 3, /createdBy"),
        ([HEADER, EVSE, TEMPORARY | {"evseId": "nonsense"}, END], "line 3, /evseId: not an EVSE ID"),
        ([HEADER, json.dumps(EVSE)[:-1] + ', "ocpiObject": {"a": ' + DEEP + "}}\n"], "line 2: nested too deeply"),
        (['{"format": ' + DEEP + "}\n"], "line 1: not an export"),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_field(lines: list[Any], says: str):
    with pytest.raises(FileUnreadable) as refused:
        read(*lines)
    assert str(refused.value).startswith(says)


def test_the_edges_of_what_fits_are_read():
    widest = TEMPORARY | {"uid": "1" * 255, "reason": "x" * 500, "id": 2**63 - 1}
    assert read(HEADER, EVSE | {"uid": "1" * 255}, widest, END) == [2, 3]


@pytest.mark.parametrize("line", [{"type": "\x1b]0;x\x07"}, EVSE | {"\x1b[31m": 1}, EVSE | {"deploymentState": "\x1b"}])
def test_what_a_file_says_commands_no_terminal(line: dict[str, Any]):
    with pytest.raises(FileUnreadable) as refused:
        read(HEADER, line)
    assert str(refused.value).isprintable()
