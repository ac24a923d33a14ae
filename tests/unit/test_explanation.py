"""Why it is shown, and why not: one verdict each, never at odds with `present`."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.explained import Known
from app.domain.explanation import Change, Judged, Record, Tense, Verdict, beside, completed, judged, shown_since
from app.domain.presentation import Actual, Gate, Presentation, applies, present, rank
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, evse, temporary_status

KEPT = timedelta(days=90)
AVAILABLE = Actual(ActualStatus.AVAILABLE)
CHARGING = Actual(ActualStatus.CHARGING)
IN_EFFECT = {Verdict.SHOWN, Verdict.GATE, Verdict.NOT_IDLE, Verdict.OUTRANKED}


def verdicts(
    *ones: TemporaryStatus, actual: Actual = AVAILABLE, deployment: DeploymentState = DeploymentState.PRODUCTION
) -> dict[int, Verdict]:
    return {one.one.id: one.verdict for one in verdicts_of(ones, actual, deployment, 30)}


def verdicts_of(
    ones: tuple[TemporaryStatus, ...], actual: Actual, deployment: DeploymentState, minute: float
) -> list[Judged]:
    live = [one for one in ones if one.ended_at is None]
    return judged(ones, actual, present(deployment, actual, live, at(minute)), at(minute))


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (temporary_status(0, 60), Verdict.SHOWN),
        (temporary_status(30, None), Verdict.SHOWN),
        (temporary_status(0, 30), Verdict.OVER),
        (temporary_status(31, 60), Verdict.NOT_BEGUN),
        (temporary_status(0, 60, ended_at=20), Verdict.ENDED_EARLY),
        (temporary_status(0, None, ended_at=20), Verdict.ENDED_EARLY),
        (temporary_status(0, 20, ended_at=20), Verdict.OVER),
        (temporary_status(0, 20, ended_at=25), Verdict.OVER),
        (temporary_status(10, 60, ended_at=5), Verdict.NEVER_BEGAN),
        (temporary_status(40, 60, ended_at=5), Verdict.NEVER_BEGAN),
        # By a clock that was ahead: it was ended, whatever time that is said to have been.
        (temporary_status(0, 60, ended_at=50), Verdict.ENDED_EARLY),
        (temporary_status(0, 60, applies_when=AppliesWhen.IDLE), Verdict.SHOWN),
    ],
)
def test_one_alone_is_shown_or_it_is_not_its_time(one: TemporaryStatus, verdict: Verdict) -> None:
    assert verdicts(one) == {1: verdict}


def test_the_weaker_is_outranked_by_the_one_that_is_shown() -> None:
    strong, weak = temporary_status(number=1, kind=Kind.MAINTENANCE), temporary_status(number=2, kind=Kind.RESERVED)
    found = verdicts_of((weak, strong), AVAILABLE, DeploymentState.PRODUCTION, 30)
    assert found == [Judged(weak, Verdict.OUTRANKED, strong), Judged(strong, Verdict.SHOWN)]


def test_one_for_an_idle_charger_does_not_show_while_it_charges_and_outranks_nothing() -> None:
    idle = temporary_status(number=1, kind=Kind.MAINTENANCE, applies_when=AppliesWhen.IDLE)
    weak = temporary_status(number=2, kind=Kind.RESERVED)
    assert verdicts(idle, weak, actual=CHARGING) == {1: Verdict.NOT_IDLE, 2: Verdict.SHOWN}
    assert verdicts(idle, weak) == {1: Verdict.SHOWN, 2: Verdict.OUTRANKED}


def test_behind_the_gate_nothing_is_shown_and_what_is_not_in_effect_still_says_why() -> None:
    found = verdicts(temporary_status(number=1), temporary_status(40, number=2), deployment=DeploymentState.STOCK)
    assert found == {1: Verdict.GATE, 2: Verdict.NOT_BEGUN}


MINUTE = st.integers(0, 12)


@st.composite
def windows(draw: st.DrawFn) -> tuple[TemporaryStatus, ...]:
    def one(number: int) -> TemporaryStatus:
        begin = draw(MINUTE)
        end = draw(st.none() | st.integers(begin + 1, 14))
        return temporary_status(
            begin,
            end,
            number=number,
            kind=draw(st.sampled_from(Kind)),
            applies_when=draw(st.sampled_from(AppliesWhen)),
            ended_at=draw(st.none() | MINUTE),
        )

    return tuple(one(number) for number in range(1, draw(st.integers(0, 5)) + 1))


@st.composite
def chargers(draw: st.DrawFn) -> Actual:
    status = draw(st.sampled_from([ActualStatus.AVAILABLE, ActualStatus.CHARGING, ActualStatus.UNKNOWN]))
    stale = draw(st.none() | MINUTE)
    return Actual(status, None if stale is None else at(stale))


@given(windows(), chargers(), st.sampled_from(DeploymentState), MINUTE)
@settings(max_examples=150, deadline=None)
def test_each_gets_one_verdict_and_the_one_shown_is_the_one_that_present_names(
    ones: tuple[TemporaryStatus, ...], actual: Actual, deployment: DeploymentState, minute: int
) -> None:
    found = verdicts_of(ones, actual, deployment, minute)
    presentation = present(deployment, actual, [one for one in ones if one.ended_at is None], at(minute))
    assert [one.one for one in found] == list(ones)
    assert [one.one.id for one in found if one.verdict is Verdict.SHOWN] == [
        one for one in [presentation.because] if one is not None
    ]
    for one in found:
        in_effect = one.one.ended_at is None and one.one.is_active(at(minute))
        assert (one.verdict in IN_EFFECT) is in_effect
        assert one.verdict is not Verdict.UNRECORDED
        assert (one.by is not None) is (one.verdict is Verdict.OUTRANKED)
        if one.by is not None:
            assert one.by.id == presentation.because
            assert rank(one.by) < rank(one.one)
        if one.verdict is Verdict.NOT_IDLE:
            assert not applies(one.one, actual.at(at(minute)))
        assert (one.verdict is Verdict.GATE) <= (deployment is not DeploymentState.PRODUCTION)


@given(windows(), chargers(), MINUTE)
@settings(max_examples=150, deadline=None)
def test_since_is_the_last_time_at_which_the_answer_changed(
    ones: tuple[TemporaryStatus, ...], actual: Actual, minute: int
) -> None:
    live = [one for one in ones if one.ended_at is None]

    def answer(tick: int) -> tuple[object, int | None]:
        found = present(DeploymentState.PRODUCTION, actual, live, at(tick))
        return type(found.what), found.because or hash(found.what)

    changed = [tick for tick in range(minute + 1) if answer(tick) != answer(tick - 1)]
    found = shown_since(live, actual, present(DeploymentState.PRODUCTION, actual, live, at(minute)), at(minute))
    if changed:
        assert found == at(changed[-1])
    else:
        assert found is None or answer(minute)[1] == answer(-1)[1]


def test_beside_those_in_effect_only_the_nearest_are_kept_and_the_others_counted() -> None:
    ones = [temporary_status(100 + number, 200 + number, number=number) for number in range(1, 16)]
    ones += [temporary_status(-100 - number, -50 - number, number=100 + number) for number in range(12)]
    ones += [temporary_status(0, 60, number=200), temporary_status(0, 50, number=201)]
    kept, left_out = beside(verdicts_of(tuple(ones), AVAILABLE, DeploymentState.PRODUCTION, 30))
    assert [one.one.id for one in kept] == [200, 201, *range(1, 11), *range(100, 110)]
    assert left_out == 7


# The past


def change(minute: float, after: object, before: object = ActualStatus.AVAILABLE, **more: object) -> Change:
    said = {"version": 2, "because": None, "until": None} | more
    return Change(at=at(minute), before=before, after=after, **said)  # type: ignore[arg-type]


def record(**said: object) -> Record:
    nothing = {"latest": None, "turned": None, "following": None, "turns": None, "computed": True}
    stored = {"stored": Presentation(ActualStatus.AVAILABLE), "last_updated": at(0)}
    return Record(**(nothing | stored | said))  # type: ignore[arg-type]


def explained(minute: float, now: float, *ones: TemporaryStatus, **said: object) -> Known:
    return Known(
        evse=evse(),
        temporary_statuses=ones,
        seen={one.id for one in ones},
        record=record(**said),
        at=at(minute),
        now=at(now),
        max_age=None,
        kept=KEPT,
    )


def test_the_record_counts_where_it_differs_from_what_is_known_today() -> None:
    line = change(0, Kind.BLOCKED, because=7)
    one = temporary_status(0, 60, number=8, kind=Kind.COMMISSIONING)
    found = explained(30, 40, one, latest=line, turned=line).explained()
    assert (found.tense, found.presentation, found.since) == (Tense.PAST, Presentation(Kind.BLOCKED, 7), at(0))
    assert [one.verdict for one in found.verdicts] == [Verdict.UNRECORDED]


def test_where_one_goes_on_for_another_of_its_kind_it_is_named_and_said_so() -> None:
    line = change(0, Kind.BLOCKED, because=1)
    ones = [temporary_status(0, None, number=1, ended_at=10), temporary_status(5, None, number=2)]
    found = explained(30, 40, *ones, latest=line, turned=line).explained()
    assert found.presentation == Presentation(Kind.BLOCKED, 2)
    assert "names temporary status 1; 2 is of the same kind" in found.notes[0]
    assert completed(Presentation(Kind.RESERVED, 1), ones, at(30)) == Presentation(Kind.RESERVED, 1)


def test_what_was_shown_before_the_first_line_that_is_left_is_known_only_while_all_lines_are_kept() -> None:
    following = change(100, Kind.BLOCKED, before=ActualStatus.CHARGING, because=1)
    beginning = -KEPT.total_seconds() / 60 + 200  # from when on all lines are kept, at minute 200
    recent = explained(50, 200, following=following, turns=following).explained()
    assert recent.presentation == Presentation(ActualStatus.CHARGING)
    assert recent.until == at(100)
    for minute, known in ((beginning, True), (beginning - 1, False)):
        gone = explained(minute, 200, following=following, turns=following, last_updated=at(150)).explained()
        assert (gone.presentation is not None) is known
    assert "are not kept" in gone.notes[0]


def test_without_any_line_what_is_stored_is_good_since_it_was_last_updated() -> None:
    long_ago = -2 * KEPT.total_seconds() / 60
    quiet = explained(long_ago + 1, 0, last_updated=at(long_ago))
    old = msgspec.structs.replace(evse(), created_at=at(3 * long_ago))
    quiet = msgspec.structs.replace(quiet, evse=old)
    assert quiet.explained().presentation == Presentation(ActualStatus.AVAILABLE)
    assert quiet.explained().since == at(long_ago)
    assert msgspec.structs.replace(quiet, at=at(long_ago - 1)).explained().presentation is None


def test_before_it_was_registered_nothing_is_known() -> None:
    found = explained(-(10**6), 0, following=change(0, ActualStatus.AVAILABLE, before=Gate.WITHHELD)).explained()
    assert found.presentation is None
    assert found.notes == ["The EVSE was not registered yet."]
