"""For which EVSEs a key is good: never for one that only looks like it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import MalformedEvseId
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.scope import EVERYTHING, Scope
from tests.unit.builders import evse


def named(text: str, number: int, location: str | None = "LOC1") -> Evse:
    """The EVSE with this EVSE ID, as it is registered."""
    one = parse_evse_id(text)
    return msgspec.structs.replace(
        evse(location=location), id=number, evse_id=text, key=one.key, operator=one.operator, party=one.party
    )


NEAR = [
    named(text, number)
    for number, text in enumerate(
        [
            "DE*SPI*E12",
            "DE*SPI*E123*1",
            "DE*SPI*E1*23",
            "DE*SPI*E12*3",
            "DESPIE12*31",
            "DE*SPJ*E12",
            "DE*SPI*E1",
        ],
        1,
    )
]


def test_an_evse_is_covered_by_itself_and_by_no_other_that_is_spelled_nearly_so():
    for one in NEAR:
        assert [other for other in NEAR if Scope(evses=(one.id,)).covers(other)] == [one]


@pytest.mark.parametrize(
    "near", ["DESP", "DESPIE", "despi", "DE*SPI", "DESP\u0130", "DESP\u0131", "DE\uff33PI", "", "%"]
)
def test_an_operator_is_no_prefix_no_pattern_and_no_other_case(near: str):
    assert Scope(operators=("DESPI",)).covers(NEAR[0])
    assert not Scope(operators=(near,)).covers(NEAR[0])


def test_what_is_no_ascii_never_comes_as_far_as_a_scope():
    for written in ("DE*SP\u0131*E12", "DE*\uff33PI*E12", "DE*SPI*E1\uff12", "DE*SPI*E12\n", "\u0130E*SPI*E12"):
        with pytest.raises(MalformedEvseId):
            parse_evse_id(written)


def test_a_site_is_country_party_and_location_together():
    site = Scope(sites=(("DE", "SPI", "LOC1"),))
    assert site.covers(named("DE*SPI*E12", 1))
    for other in (
        named("DE*SPI*E12", 1, "LOC12"),
        named("DE*SPI*E12", 1, "loc1"),
        named("DE*SPI*E12", 1, None),
        named("DE*SPJ*E12", 1),
        msgspec.structs.replace(named("DE*SPI*E12", 1), country="AT"),
    ):
        assert not site.covers(other)


def test_nothing_said_is_everything_and_says_so():
    assert EVERYTHING.is_everything
    assert all(EVERYTHING.covers(one) for one in NEAR)
    for scope in (Scope(operators=("DESPI",)), Scope(sites=(("DE", "SPI", "LOC1"),)), Scope(evses=(1,))):
        assert not scope.is_everything


operators = st.lists(st.sampled_from(["DESPI", "DESPJ", "DEABC"]), max_size=2).map(tuple)
sites = st.lists(
    st.tuples(st.just("DE"), st.sampled_from(["SPI", "SPJ"]), st.sampled_from(["LOC1", "LOC2"])), max_size=2
).map(tuple)
scopes = st.builds(Scope, operators=operators, sites=sites, evses=st.lists(st.integers(1, 4), max_size=2).map(tuple))
evses = st.builds(
    named,
    st.sampled_from(["DE*SPI*E1", "DE*SPJ*E1", "DE*ABC*E1"]),
    st.integers(1, 4),
    st.sampled_from(["LOC1", "LOC2", None]),
)


@given(scopes, scopes, evses)
def test_a_scope_that_includes_another_covers_all_that_the_other_does(ours: Scope, theirs: Scope, one: Evse):
    if ours.includes(theirs) and theirs.covers(one):
        assert ours.covers(one)


@given(scopes, scopes)
def test_including_is_an_order(ours: Scope, theirs: Scope):
    assert ours.includes(ours)
    assert EVERYTHING.includes(ours)
    assert ours.includes(EVERYTHING) is ours.is_everything
    if ours.includes(theirs) and theirs.includes(ours):
        assert (set(ours.operators), set(ours.sites), set(ours.evses)) == (
            set(theirs.operators),
            set(theirs.sites),
            set(theirs.evses),
        )
