"""The simulated Hubject counts by operator, and forgets after a minute."""

from datetime import UTC, datetime, timedelta

from app.channels.oicp.hub_traffic import Traffic

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


def test_two_forms_of_an_operator_id_share_one_turn():
    traffic = Traffic()
    with traffic.turn_of("DE*ABC") as first, traffic.turn_of("deabc") as second, traffic.turn_of("DE*XYZ") as other:
        assert (first, other) == (None, None)
        assert second == "a push of deabc while another one is under way"
    with traffic.turn_of("DE*ABC") as again:
        assert again is None


def test_a_call_is_forgotten_after_a_minute():
    traffic = Traffic()
    seconds = (0, 10, 59, 60, 61, 70)
    refused = [traffic.too_many("DE*ABC", NOW + timedelta(seconds=one), 2) is not None for one in seconds]
    assert refused == [False, False, True, False, True, False]


def test_calls_that_were_too_many_do_not_count_and_two_forms_of_an_id_are_one():
    traffic = Traffic()
    assert traffic.too_many("DE*ABC", NOW, 1) is None
    for _ in range(5):
        assert traffic.too_many("DEABC", NOW + timedelta(seconds=30), 1) == "more than 1 calls of DEABC within a minute"
    assert traffic.too_many("DE*XYZ", NOW, 1) is None
    assert traffic.too_many("DE*ABC", NOW + timedelta(seconds=60), 1) is None


def test_without_a_limit_there_is_never_too_much():
    traffic = Traffic()
    assert all(traffic.too_many("DE*ABC", NOW, None) is None for _ in range(5000))
