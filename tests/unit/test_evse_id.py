import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedEvseId
from app.domain.evse_id import LONGEST, Form, named, parse_evse_id

LONGEST_ISO = "DE*ABC*E" + "1" * 30
LONGEST_DIN = "+490*810*" + "1" * 32

INSTANCES = st.text("0A*", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "form", "operator", "key"),
    [
        pytest.param("DE*ABC*E1234*1", Form.ISO, "DEABC", "DEABCE12341", id="ISO with separators"),
        pytest.param("DEABCE12341", Form.ISO, "DEABC", "DEABCE12341", id="ISO without"),
        pytest.param("DEABC*E12341", Form.ISO, "DEABC", "DEABCE12341", id="ISO with the second one only"),
        pytest.param("DE*ABCE12341", Form.ISO, "DEABC", "DEABCE12341", id="ISO with the first one only"),
        pytest.param("de*abc*e1234*1", Form.ISO, "DEABC", "DEABCE12341", id="ISO in lower case"),
        pytest.param("DE*8AC*E1", Form.ISO, "DE8AC", "DE8ACE1", id="a party with a digit"),
        pytest.param("DE*EEE*EE1", Form.ISO, "DEEEE", "DEEEEEE1", id="E everywhere"),
        pytest.param("+49*810*000*438", Form.DIN, "49*810", "49*810*000*438", id="DIN with plus"),
        pytest.param("49*810*000*438", Form.DIN, "49*810", "49*810*000*438", id="DIN without plus"),
        pytest.param("+1*810*7", Form.DIN, "1*810", "1*810*7", id="the shortest country code"),
        pytest.param(LONGEST_ISO, Form.ISO, "DEABC", "DEABCE" + "1" * 30, id="the longest ISO"),
        pytest.param(LONGEST_DIN, Form.DIN, "490*810", "490*810*" + "1" * 32, id="the longest DIN"),
    ],
)
def test_both_forms_are_read(text: str, form: Form, operator: str, key: str) -> None:
    evse_id = parse_evse_id(text)

    assert evse_id.written == text
    assert (evse_id.form, evse_id.operator, evse_id.key) == (form, operator, key)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("DE*ABC*E", id="ISO without an instance"),
        pytest.param("DE*ABC*C1", id="a contract id"),
        pytest.param("DE*ABC*1", id="no E"),
        pytest.param("DE*ABC", id="an operator id"),
        pytest.param("DE*AB*E1", id="a party of two"),
        pytest.param("D1*ABC*E1", id="a digit in the country"),
        pytest.param("DE**ABC*E1", id="a separator too many"),
        pytest.param("DE-ABC-E1", id="hyphens"),
        pytest.param("DE*ABC*E1_2", id="an underscore"),
        pytest.param("DE ABC E1", id="spaces"),
        pytest.param(" DE*ABC*E1", id="a leading space"),
        pytest.param("DE*ABC*E1\n", id="ISO with a trailing newline"),
        pytest.param("+49*810*000\n", id="DIN with a trailing newline"),
        pytest.param("DE*ABC*E1\N{FULLWIDTH DIGIT TWO}", id="ISO with a full-width digit"),
        pytest.param("+49*810*00\N{FULLWIDTH DIGIT TWO}", id="DIN with a full-width digit"),
        pytest.param("DE*ABC*E1\N{ARABIC-INDIC DIGIT TWO}", id="an Arabic digit"),
        pytest.param("DE*ABC*E\N{LATIN SMALL LETTER DOTLESS I}", id="dotless i, whose capital is I"),
        pytest.param("DE*AB\N{LATIN SMALL LETTER LONG S}*E1", id="long s, whose capital is S"),
        pytest.param("DE*ABC*E\N{LATIN SMALL LETTER SHARP S}", id="sharp s, whose capital is SS"),
        pytest.param("DE*ABC*E\N{LATIN SMALL LIGATURE FF}", id="a ligature, whose capital is FF"),
        pytest.param("DE*ABC*E\N{KELVIN SIGN}", id="the Kelvin sign, whose small letter is k"),
        pytest.param("+49810000438", id="DIN without separators"),
        pytest.param("+4900*810*0", id="a country code of four"),
        pytest.param("+49*81*0", id="a DIN party of two"),
        pytest.param("+49*810*", id="DIN without an instance"),
        pytest.param("+49*810*A", id="a letter in a DIN instance"),
        pytest.param("++49*810*0", id="two plus signs"),
        pytest.param("+DE*ABC*E1", id="a plus before ISO"),
        pytest.param(LONGEST_ISO + "1", id="ISO a character too long"),
        pytest.param(LONGEST_DIN + "1", id="DIN a character too long"),
    ],
)
def test_what_is_no_evse_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedEvseId) as refusal:
        parse_evse_id(text)

    assert refusal.value.field == "evseId"


@pytest.mark.parametrize(
    ("length", "why"),
    [
        pytest.param(LONGEST, "not an EVSE ID", id="48 characters are looked at"),
        pytest.param(LONGEST + 1, "at most 48", id="49 are not"),
        pytest.param(1_000_000, "at most 48", id="nor is a megabyte"),
    ],
)
def test_the_length_is_checked_first(length: int, why: str) -> None:
    with pytest.raises(MalformedEvseId, match=why):
        parse_evse_id("DE*ABC*E".ljust(length, "1"))


REGISTERED = ["DE*ABC*E1*23", "DE*ABC*E12*3", "DE*ABC*E45*6", "+49*810*000*438", "+49*810*0004*38"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        pytest.param("DE*ABC*E1*23", ["DE*ABC*E1*23"], id="as registered"),
        pytest.param("de*abc*e1*23", ["DE*ABC*E1*23"], id="in another case"),
        pytest.param("DEABCE1*23", ["DE*ABC*E1*23"], id="without the separators of the operator"),
        pytest.param("DE*ABC*E12*3", ["DE*ABC*E12*3"], id="the other charger"),
        pytest.param("DE*ABC*E123", ["DE*ABC*E1*23", "DE*ABC*E12*3"], id="ambiguous without separators"),
        pytest.param("DEABCE123", ["DE*ABC*E1*23", "DE*ABC*E12*3"], id="ambiguous without any"),
        pytest.param("DEABCE456", ["DE*ABC*E45*6"], id="without any, but only one fits"),
        pytest.param("deabce456", ["DE*ABC*E45*6"], id="that in lower case"),
        pytest.param("DE*ABC*E4*56", [], id="separators elsewhere"),
        pytest.param("DE*ABC*E456*", [], id="a separator too many"),
        pytest.param("DE*ABC*E789", [], id="not registered"),
        pytest.param("DE*ABD*E456", [], id="another party"),
        pytest.param("+49*810*000*438", ["+49*810*000*438"], id="DIN as registered"),
        pytest.param("49*810*000*438", ["+49*810*000*438"], id="DIN without plus"),
        pytest.param("49*810*000438", [], id="DIN never without separators"),
    ],
)
def test_a_written_form_names_what_it_may_mean(written: str, found: list[str]) -> None:
    assert named(parse_evse_id(written), REGISTERED) == found


@pytest.mark.parametrize("written", ["DE*ABC*E123", "de*abc*e123"])
def test_a_registered_form_that_is_written_out_is_never_ambiguous(written: str) -> None:
    registered = ["DE*ABC*E1*23", "DE*ABC*E123", "DE*ABC*E12*3"]

    assert named(parse_evse_id(written), registered) == ["DE*ABC*E123"]


def test_nothing_registered_means_nothing_named() -> None:
    assert named(parse_evse_id("DE*ABC*E1"), []) == []


def test_any_iterable_of_registered_forms_will_do() -> None:
    assert named(parse_evse_id("DEABCE456"), iter(REGISTERED)) == ["DE*ABC*E45*6"]


@given(instance=INSTANCES)
def test_without_separators_every_registered_form_may_be_meant(instance: str) -> None:
    registered = parse_evse_id(f"DE*ABC*E{instance}")
    if bare := instance.replace("*", ""):
        assert parse_evse_id(f"DEABCE{bare}").may_mean(registered)


@given(one=INSTANCES.filter(lambda text: "*" in text), other=INSTANCES)
def test_with_separators_only_the_same_instance_is_meant(one: str, other: str) -> None:
    written, registered = parse_evse_id(f"DEABCE{one}"), parse_evse_id(f"DE*ABC*E{other}")

    assert written.may_mean(registered) is (one == other)


@given(one=st.text("0*", min_size=1, max_size=6), other=st.text("0*", min_size=1, max_size=6))
def test_in_din_the_separators_always_count(one: str, other: str) -> None:
    written, registered = parse_evse_id(f"49*810*{one}"), parse_evse_id(f"+49*810*{other}")

    assert written.may_mean(registered) is (one == other)


@given(text=st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        evse_id = parse_evse_id(text)
    except MalformedEvseId:
        return
    assert evse_id.key.isascii()
