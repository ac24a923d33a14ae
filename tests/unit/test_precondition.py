import pytest

from app.domain.errors import PreconditionFailed
from app.domain.precondition import UNCONDITIONAL, Precondition, Tags, tag_of
from app.domain.temporary_status import TemporaryStatus
from tests.unit.builders import at, temporary_status

ONE = temporary_status(10, 40, number=7)
ANY = Tags(any=True)
THIS = Tags(strong=frozenset({"7.1.active"}))
WEAKLY = Tags(weak=frozenset({"7.1.active"}))
OTHER = Tags(strong=frozenset({"7.2.active", "8.1.active", "*"}))


def test_a_tag_is_another_one_once_it_begins_and_once_it_is_over() -> None:
    assert [tag_of(ONE, at(minute)) for minute in (9, 10, 39, 40)] == [
        "7.1.planned",
        "7.1.active",
        "7.1.active",
        "7.1.ended",
    ]


@pytest.mark.parametrize(
    ("condition", "there", "not_there"),
    [
        (UNCONDITIONAL, True, True),
        (Precondition(matches=ANY), True, False),
        (Precondition(matches=THIS), True, False),
        (Precondition(matches=WEAKLY), False, False),
        (Precondition(matches=OTHER), False, False),
        (Precondition(matches=Tags()), False, False),
        (Precondition(matches_none=ANY), False, True),
        (Precondition(matches_none=THIS), False, True),
        (Precondition(matches_none=WEAKLY), False, True),
        (Precondition(matches_none=OTHER), True, True),
        (Precondition(THIS, OTHER), True, False),
        (Precondition(THIS, THIS), False, False),
    ],
)
@pytest.mark.parametrize("one", [ONE, None])
def test_a_condition_holds_or_the_call_is_refused(
    condition: Precondition, there: bool, not_there: bool, one: TemporaryStatus | None
) -> None:
    if there if one else not_there:
        condition.demand(one, at(20))
    else:
        with pytest.raises(PreconditionFailed) as refusal:
            condition.demand(one, at(20))
        if one is None:
            assert str(refusal.value) == "If-Match does not fit: there is none"
