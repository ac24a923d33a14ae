"""An OCPI partner as an operator types it in."""

from typing import Any

import msgspec
import pytest

from app.channels.ocpi.channel import OcpiChannel
from app.domain.errors import InvalidPartner
from app.domain.partner import Audience
from tests.contract.ocpi.given import CONFIGURATION, TOKEN


def test_the_least_that_is_needed_gets_the_defaults() -> None:
    accepted = OcpiChannel().accept(CONFIGURATION)
    assert accepted.configuration["version"] == "2.2.1"
    assert accepted.configuration["url"] == CONFIGURATION["url"]
    assert accepted.audience == Audience()
    assert accepted.tells_fleet is False


def test_the_token_is_a_secret_and_stands_nowhere_else() -> None:
    accepted = OcpiChannel().accept(CONFIGURATION)
    assert accepted.secrets["token"] == TOKEN
    assert TOKEN not in str(accepted.configuration)


def test_a_token_for_pulling_is_made_where_none_is_given_and_is_a_secret_too() -> None:
    made = [OcpiChannel().accept(CONFIGURATION) for _ in range(2)]
    tokens = [one.secrets["pullToken"] for one in made]
    assert tokens[0] != tokens[1]
    assert all(len(one) >= 32 for one in tokens)
    assert made[0].issued(CONFIGURATION) == {"pullToken": tokens[0]}
    given = OcpiChannel().accept({**CONFIGURATION, "pullToken": tokens[0]})
    assert given.issued({**CONFIGURATION, "pullToken": tokens[0]}) == {}
    assert given.caller == made[0].caller != made[1].caller
    assert tokens[0] not in f"{given.configuration} {given.caller}"


def test_a_partner_that_only_pulls_has_neither_address_nor_token() -> None:
    neither = {name: value for name, value in CONFIGURATION.items() if name not in {"url", "token"}}
    assert set(OcpiChannel().accept(neither).secrets) == {"pullToken"}
    for alone, missing in (("url", "token"), ("token", "url")):
        with pytest.raises(InvalidPartner) as wrong:
            OcpiChannel().accept({**neither, alone: CONFIGURATION[alone]})
        assert wrong.value.field == f"configuration.{missing}"


@pytest.mark.parametrize("token", ["fifteen-letters", "with a blank in it", "x" * 65, ""])
def test_a_token_for_pulling_that_could_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(InvalidPartner) as wrong:
        OcpiChannel().accept({**CONFIGURATION, "pullToken": token})
    assert wrong.value.field == "configuration.pullToken"
    assert not token or token not in str(wrong.value)


def test_a_schedule_is_told_only_where_it_is_asked_for() -> None:
    assert not OcpiChannel().accept(CONFIGURATION).gets_schedule
    assert OcpiChannel().accept({**CONFIGURATION, "schedule": True}).gets_schedule


def test_what_was_accepted_is_accepted_again_after_a_round_through_json() -> None:
    accepted = OcpiChannel().accept({**CONFIGURATION, "operators": ["DE*XPO"], "mapping": {"BLOCKED": "CHARGING"}})
    stored = msgspec.json.decode(msgspec.json.encode({**accepted.configuration, **accepted.secrets}))
    assert OcpiChannel().accept(stored) == accepted


def test_the_audience_and_the_initial_push_are_taken_out() -> None:
    accepted = OcpiChannel().accept(
        {**CONFIGURATION, "operators": ["DE*XPO", "+49*810"], "locations": ["XPO-LARKENAU"], "initialPush": True}
    )
    assert accepted.audience == Audience(("DE*XPO", "+49*810"), ("XPO-LARKENAU",))
    assert accepted.tells_fleet is True


@pytest.mark.parametrize(
    "different",
    [
        {"url": "http://127.0.0.1:8080/ocpi/"},
        {"url": "https://[::1]/locations"},
        {"url": "https://emsp.example"},
        {"token": "~" * 64},
        {"fromCountryCode": "nl", "fromPartyId": "h8b"},
        {"uidInPatch": True},
        {"mapping": {"MAINTENANCE": "OUTOFORDER", "actual.UNKNOWN": "INOPERATIVE"}},
    ],
    ids=str,
)
def test_this_is_accepted(different: dict[str, Any]) -> None:
    accepted = OcpiChannel().accept({**CONFIGURATION, **different})
    for field, value in different.items():
        assert {**accepted.configuration, **accepted.secrets}[field] == value


@pytest.mark.parametrize(
    ("different", "field", "advice"),
    [
        ({"url": "ftp://emsp.example/"}, "url", "http or https"),
        ({"url": "emsp.example/locations"}, "url", "http or https"),
        ({"url": "https:///locations"}, "url", "http or https"),
        ({"url": "https://emsp.example:70000/"}, "url", "http or https"),
        ({"url": "https://[::1/"}, "url", "http or https"),
        ({"url": "https://emsp.example/loc ations"}, "url", "without blanks"),
        ({"url": "https://emsp.example/\n"}, "url", "without blanks"),
        ({"url": "https://émsp.example/"}, "url", "ASCII"),
        ({"url": "https://emsp.example/" + "x" * 255}, "url", "at most 255"),
        ({"url": "https://me:secret@emsp.example/"}, "url", "no user and password"),
        ({"url": "https://emsp.example/?key=1"}, "url", "no query"),
        ({"url": "https://emsp.example/#top"}, "url", "no query and no fragment"),
        ({"url": "https://emsp.example/?"}, "url", "no query"),
        ({"url": "https://emsp.example/a/../b"}, "url", "exactly as it advertises it"),
        ({"token": ""}, "token", "1 to 64"),
        ({"token": "x" * 65}, "token", "1 to 64"),
        ({"token": "two words"}, "token", "without blanks"),
        ({"token": "ends-with-newline\n"}, "token", "without blanks"),
        ({"token": "schlüssel"}, "token", "ASCII"),
        ({"countryCode": "DEU"}, "countryCode", "two letters"),
        ({"partyId": "EM"}, "partyId", "three letters or digits"),
        ({"fromCountryCode": "DE"}, "fromPartyId", "both"),
        ({"fromPartyId": "XPO"}, "fromCountryCode", "both"),
        ({"fromCountryCode": "DE", "fromPartyId": "XP*"}, "fromPartyId", "three letters"),
        ({"version": "2.3.1"}, "version", "Invalid enum value"),
        ({"operators": ["nobody"]}, "operators", "'nobody' is no operator id"),
        ({"operators": "DE*XPO"}, "operators", "Expected `array`"),
        ({"initialPush": "yes"}, "initialPush", "Expected `bool`"),
        ({"mapping": {"OUT_OF_ORDER": "BLOCKED"}}, "mapping", "is not one of COMMISSIONING, MAINTENANCE"),
        ({"mapping": {"AVAILABLE": "BLOCKED"}}, "mapping", "actual.AVAILABLE"),
        ({"mapping": {"actual.REMOVED": "BLOCKED"}}, "mapping", "is not one of"),
        ({"mapping": {"BLOCKED": "Occupied"}}, "mapping", "'Occupied', for BLOCKED, is not one of AVAILABLE"),
        ({"mapping": {"BLOCKED": "REMOVED"}}, "mapping", "'REMOVED', for BLOCKED, is not one of"),
    ],
    ids=lambda one: str(one)[:60],
)
def test_this_is_refused_with_the_field_and_what_to_enter(different: dict[str, Any], field: str, advice: str) -> None:
    with pytest.raises(InvalidPartner, match=r".") as refused:
        OcpiChannel().accept({**CONFIGURATION, **different})
    assert refused.value.field == f"configuration.{field}"
    assert advice in str(refused.value)
    if field == "token" and different["token"]:
        assert different["token"] not in str(refused.value), "a refusal must not repeat the token"


@pytest.mark.parametrize("missing", ["url", "token", "countryCode", "partyId"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(InvalidPartner, match=missing):
        OcpiChannel().accept({field: value for field, value in CONFIGURATION.items() if field != missing})


def test_a_field_that_nobody_knows_is_named() -> None:
    with pytest.raises(InvalidPartner, match="uidInPut"):
        OcpiChannel().accept({**CONFIGURATION, "uidInPut": True})
