"""What a new key is good for when little is said, and what can be said of it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from app.domain.errors import MalformedValue
from app.domain.granting import WantedRights, changed_rights, good_expiry, good_name, new_rights
from app.domain.permission import KINDS, ROLES, Action
from app.domain.presets import BARE, PRESETS, YEAR, Preset
from app.domain.principal import TRUSTED, Role
from app.domain.rights import UNLIMITED, Rights
from app.domain.scope import EVERYTHING, Scope
from app.domain.status import Kind

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
HERE = Scope(operators=("DEABC",))


@pytest.mark.parametrize("preset", Preset)
def test_no_preset_promises_what_its_role_may_never_say(preset: Preset):
    terms = PRESETS[preset]
    assert set(terms.rights.kinds) <= KINDS[terms.role]
    assert terms.lifetime == YEAR


@pytest.mark.parametrize("role", Role)
def test_a_bare_role_is_that_role_and_limited_below_operations(role: Role):
    terms = BARE[role]
    assert terms.role is role
    braked = role in ROLES[Action.PLAN] - TRUSTED
    assert (terms.rights.most_active is not None) is braked
    assert terms.rights.open_ended is not braked
    assert (terms.lifetime is None) is (role is Role.ADMIN)


def test_a_sensor_can_only_block_and_only_for_a_lease():
    rights = PRESETS[Preset.SENSOR].rights
    assert PRESETS[Preset.SENSOR].role is Role.INGEST
    assert (rights.kinds, rights.longest, rights.furthest) == ((Kind.BLOCKED,), timedelta(hours=12), timedelta(hours=1))
    assert not rights.open_ended


def test_clients_of_other_platforms_may_leave_the_end_open():
    assert PRESETS[Preset.COMPATIBLE].role is Role.CLIENT
    assert PRESETS[Preset.COMPATIBLE].rights.open_ended
    assert PRESETS[Preset.COMPATIBLE].rights.kinds == tuple(Kind)


@pytest.mark.parametrize("role", Role)
def test_whoever_writes_and_is_braked_must_be_told_where_it_may(role: Role):
    if role in {Role.CLIENT, Role.INGEST, Role.TECHNICIAN}:
        with pytest.raises(MalformedValue, match="everywhere") as refused:
            new_rights(role, BARE[role].rights, WantedRights())
        assert refused.value.field == "rights.scope"
    else:
        assert new_rights(role, BARE[role].rights, WantedRights()).scope == EVERYTHING
    assert new_rights(role, BARE[role].rights, WantedRights(scope=EVERYTHING)).scope == EVERYTHING
    assert new_rights(role, BARE[role].rights, WantedRights(scope=HERE)).scope == HERE


def test_what_is_not_said_stays_and_none_lifts_a_limit():
    old = Rights(scope=HERE, kinds=(Kind.BLOCKED,), longest=timedelta(hours=1), rate=5, open_ended=False)
    assert changed_rights(Role.CLIENT, old, WantedRights()) == old
    new = changed_rights(Role.CLIENT, old, WantedRights(longest=None, rate=7, kinds=(Kind.RESERVED, Kind.BLOCKED)))
    assert new == msgspec.structs.replace(old, longest=None, rate=7, kinds=(Kind.BLOCKED, Kind.RESERVED))


@pytest.mark.parametrize(
    ("role", "wanted", "field"),
    [
        (Role.CLIENT, WantedRights(longest=timedelta()), "rights.longest"),
        (Role.CLIENT, WantedRights(furthest=timedelta(seconds=-1)), "rights.furthest"),
        (Role.CLIENT, WantedRights(most_active=0), "rights.mostActive"),
        (Role.CLIENT, WantedRights(rate=0), "rights.rate"),
        (Role.CLIENT, WantedRights(kinds=()), "rights.kinds"),
        (Role.INGEST, WantedRights(kinds=(Kind.BLOCKED, Kind.RESERVED)), "rights.kinds"),
        (Role.READER, WantedRights(kinds=(Kind.BLOCKED,)), "rights.kinds"),
        (Role.CLIENT, WantedRights(networks=("192.0.2.0/24", "192.0.2.1/24")), "rights.networks[1]"),
        (Role.CLIENT, WantedRights(networks=("everywhere",)), "rights.networks[0]"),
        (Role.CLIENT, WantedRights(networks=("192.0.2.1",) * 51), "rights.networks"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(role: Role, wanted: WantedRights, field: str):
    with pytest.raises(MalformedValue) as refused:
        changed_rights(role, UNLIMITED, wanted)
    assert refused.value.field == field


def test_limits_at_their_edges_are_taken():
    wanted = WantedRights(
        longest=timedelta(seconds=1), furthest=timedelta(), most_active=1, rate=1, networks=("192.0.2.1",) * 50
    )
    rights = changed_rights(Role.CLIENT, UNLIMITED, wanted)
    assert (rights.longest, rights.furthest, rights.most_active) == (timedelta(seconds=1), timedelta(), 1)
    assert rights.networks == ("192.0.2.1/32",)


def test_a_name_is_for_people_and_fits_a_line():
    assert good_name("ä" * 100) == "ä" * 100
    for wrong in ("", " ", "a" * 101, "two\nlines", "\x1b[31m", "x\u202ey"):
        with pytest.raises(MalformedValue) as refused:
            good_name(wrong)
        assert refused.value.field == "name"


def test_a_key_expires_later_than_now_or_never():
    assert good_expiry(None, AT) is None
    assert good_expiry(AT + timedelta(milliseconds=1), AT) is not None
    with pytest.raises(MalformedValue):
        good_expiry(AT, AT)
