"""In what a view by push and a view by pull differ, in words."""

from typing import Any

import pytest

from app.channels.ocpi.emsp_history import history_faults, merged
from app.channels.ocpi.emsp_view import View, compare
from tests.contract.ocpi.sending import KEY, a_period, at, sending, whole_evse, whole_location


def a_view(*evses: dict[str, Any]) -> View:
    keys = {f"XPO-LARKENAU/{one['uid']}": one for one in evses}
    return View.of({"XPO-LARKENAU": whole_location(second=9)}, keys, dict.fromkeys(keys, "XPO-LARKENAU"))


LONGER = [a_period(end=None)]
UNTIL_LATER = "INOPERATIVE 2026-11-21T09:00:00Z.."


@pytest.mark.parametrize(
    ("pushed", "pulled", "differences"),
    [
        ({}, {}, []),
        ({"status": "BLOCKED"}, {}, [f"{KEY}: BLOCKED by push, AVAILABLE by pull"]),
        (
            {"status_schedule": [a_period()]},
            {"status_schedule": LONGER},
            [f"{KEY}: announced by push INOPERATIVE 2026-11-21T09:00:00Z..2026-11-21T10:00:00Z, by pull {UNTIL_LATER}"],
        ),
        (
            {},
            {"status_schedule": LONGER},
            [f"{KEY}: announced by push nothing, by pull {UNTIL_LATER}"],
        ),
        ({"status_schedule": []}, {"status_schedule": None}, []),
        (
            {"status_schedule": [a_period()]},
            {"status_schedule": [{**a_period(), "period_begin": "2026-11-21T09:00:00.000Z"}]},
            [],
        ),
        ({"last_updated": at(1)}, {"last_updated": at(2)}, []),
        (
            {"last_updated": at(2)},
            {"last_updated": at(1)},
            [f"{KEY}: changed at {at(2)} by push, at {at(1)} by pull: older"],
        ),
        ({"floor_level": "1"}, {"floor_level": "2"}, []),
    ],
)
def test_what_a_driver_would_be_told_differently_is_named(
    pushed: dict[str, Any], pulled: dict[str, Any], differences: list[str]
) -> None:
    assert compare(a_view(whole_evse(**pushed)), a_view(whole_evse(**pulled))) == differences


def test_what_only_one_side_has_is_named() -> None:
    removed = whole_evse(uid="gone", status="REMOVED")
    both, one = a_view(whole_evse(), removed), a_view(whole_evse())
    assert compare(both, one) == ["XPO-LARKENAU/gone: REMOVED, but not there by pull"]
    assert compare(one, both) == ["XPO-LARKENAU/gone: REMOVED, but not there by push"]
    assert compare(both, one, only=[KEY]) == []
    assert compare(both, one, only=["XPO-LARKENAU/never"]) == ["XPO-LARKENAU/never: not there at all"]


def test_schedules_may_be_left_aside_and_whole_evses_compared() -> None:
    pushed = a_view(whole_evse(status_schedule=LONGER, floor_level="1", images=[]))
    pulled = a_view(whole_evse(floor_level="2"))
    assert compare(pushed, pulled, schedules=False) == []
    assert compare(pushed, pulled, schedules=False, whole=True) == [
        f"{KEY}: another floor_level",
        f"{KEY}: another images",
    ]


def test_of_an_evse_that_was_never_put_whole_only_what_was_told_is_compared() -> None:
    patched = {"uid": "1001-1", "status": "AVAILABLE", "last_updated": at(0)}
    assert compare(a_view(patched), a_view(whole_evse()), whole=True) == []


async def test_a_view_stays_as_it_was_when_more_is_pushed() -> None:
    async with sending() as sender:
        await sender.put_location(0)
        await sender.put_evse(1)
        view = sender.emsp.view()
        await sender.patch(2, status="BLOCKED")
        assert view.shown == {KEY: "AVAILABLE"}
        assert view.locations["XPO-LARKENAU"]["last_updated"] == at(1)
        assert (view.latest, sender.emsp.view().latest) == (at(1), at(2))
        assert compare(view, sender.emsp.view()) == [f"{KEY}: AVAILABLE by push, BLOCKED by pull"]


def test_names_with_slashes_in_them_stay_apart() -> None:
    locations = {name: whole_location(second=1, id=name) for name in ("A", "A/B")}
    both = View.of(locations, {"A/1": whole_evse(), "A/B/1": whole_evse()}, {"A/1": "A", "A/B/1": "A/B"})
    of_a = View.of({"A": locations["A"]}, {"A/1": whole_evse(second=1, status="BLOCKED")}, {"A/1": "A"})
    assert merged(both, of_a).shown == {"A/1": "BLOCKED", "A/B/1": "AVAILABLE"}
    assert [one for one in history_faults(both, of_a) if "vanished" in one] == []
