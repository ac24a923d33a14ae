import pytest

from app.domain.errors import MalformedEvseId
from app.domain.evse_id import operator_key
from app.domain.partner import Audience, Partner
from tests.unit.builders import at, evse


@pytest.mark.parametrize(
    ("written", "key"),
    [
        pytest.param("DE*ABC", "DEABC", id="ISO with separator"),
        pytest.param("DEABC", "DEABC", id="ISO without"),
        pytest.param("de*abc", "DEABC", id="lower case"),
        pytest.param("+49*810", "49*810", id="DIN with plus"),
        pytest.param("49*810", "49*810", id="DIN without plus"),
    ],
)
def test_an_operator_id_is_found_however_it_is_written(written: str, key: str) -> None:
    assert operator_key(written) == key


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("DE", id="a country alone"),
        pytest.param("DE*AB", id="a party of two"),
        pytest.param("DE*ABC\n", id="a trailing newline"),
        pytest.param("D\N{LATIN SMALL LETTER LONG S}*ABC", id="long s"),
        pytest.param("+49810", id="DIN without separator"),
        pytest.param("DE*ABC*E1", id="a whole EVSE ID"),
        pytest.param("DE*ABCE1", id="a whole EVSE ID without the second separator"),
        pytest.param("+49*810*000", id="a whole DIN EVSE ID"),
    ],
)
def test_what_is_no_operator_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedEvseId):
        operator_key(text)


@pytest.mark.parametrize(
    ("audience", "included"),
    [
        pytest.param(Audience(), True, id="asks nothing"),
        pytest.param(Audience(operators=("DE*ABC",)), True, id="its operator"),
        pytest.param(Audience(operators=("DE*XYZ", "deabc")), True, id="its operator among others"),
        pytest.param(Audience(operators=("DE*XYZ",)), False, id="another operator"),
        pytest.param(Audience(locations=("LOC1",)), True, id="its location"),
        pytest.param(Audience(locations=("LOC2",)), False, id="another location"),
        pytest.param(Audience(("DE*ABC",), ("LOC2",)), False, id="its operator but another location"),
        pytest.param(Audience(("DE*XYZ",), ("LOC1",)), False, id="its location but another operator"),
        pytest.param(Audience(("DE*ABC",), ("LOC1",)), True, id="both"),
    ],
)
def test_a_partner_gets_the_evses_that_pass_both_filters(audience: Audience, included: bool) -> None:
    assert audience.includes(evse(operator="DEABC", location="LOC1")) is included


def test_an_evse_without_a_location_passes_no_filter_of_locations() -> None:
    assert not Audience(locations=("LOC1",)).includes(evse(location=None))
    assert Audience().includes(evse(location=None))


def a_partner(**secrets: str) -> Partner:
    return Partner(
        id=1,
        name="The app",
        channel="driver_app",
        configuration={"url": "http://127.0.0.1"},
        secrets=secrets,
        created_by="the-key",
        created_at=at(0),
        updated_at=at(0),
    )


def test_a_new_partner_is_in_its_first_generation_and_nothing_holds_it_back() -> None:
    new = a_partner()

    assert (new.generation, new.revision, new.failures, new.paused, new.hold_until) == (1, 1, 0, False, None)


def test_a_channel_finds_the_secrets_in_their_places() -> None:
    assert a_partner(token="s3cret").with_secrets().configuration == {"url": "http://127.0.0.1", "token": "s3cret"}


def test_a_secret_never_ends_up_in_a_log() -> None:
    assert (
        repr(a_partner(token="s3cret"))
        == str(a_partner(token="s3cret").with_secrets())
        == "Partner('The app', 'driver_app')"
    )
