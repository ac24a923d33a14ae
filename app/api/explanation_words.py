"""Explanations in words, for people. Times in them are RFC 3339, UTC."""

from collections.abc import Callable, Mapping
from typing import assert_never

from app.domain.explained import Charger
from app.domain.explanation import Judged, Tense, Verdict
from app.domain.instant import rfc3339
from app.domain.presentation import Gate, Presentation
from app.domain.principal import COMMAND_LINE
from app.domain.status import ActualStatus, Kind
from app.domain.temporary_status import TemporaryStatus

Seen = Callable[[TemporaryStatus], bool]


def verdict_in_words(judged: Judged, tense: Tense, charger: Charger, seen: Seen, names: Mapping[str, str]) -> str:
    """Say why a temporary status is shown or not; `names` are those of keys, by id."""
    one = judged.one
    match judged.verdict:
        case Verdict.SHOWN:
            return "shown"
        case Verdict.OUTRANKED:
            return _outranked(judged, seen)
        case Verdict.NOT_IDLE:
            verb = "was" if tense is Tense.PAST else "is"
            return f"applies only while the charger is idle, and it {verb} {charger.status}"
        case Verdict.GATE:
            past = "nothing was shared of the EVSE then"
            return f"in effect, but {past if tense is Tense.PAST else 'the EVSE is not in production'}"
        case Verdict.NOT_BEGUN:
            return f"begins {rfc3339(one.interval.begin)}"
        case Verdict.OVER:
            return f"over since {rfc3339(one.interval.end)}" if one.interval.end else "over"
        case Verdict.ENDED_EARLY:
            return f"ended early, {_ended(one, names)}"
        case Verdict.NEVER_BEGAN:
            return f"ended before it began, {_ended(one, names)}"
        case Verdict.UNRECORDED:
            return "by what is known of it today it was in effect; the record of then shows something else"
        case _:
            assert_never(judged.verdict)


def why_was_shown(recalled: Presentation, shown: TemporaryStatus | None, reported: str | None, seen: Seen) -> str:
    """Say what the record knows of why; `shown` is the temporary status behind it, `reported` the charger's word."""
    match recalled.what:
        case Gate.WITHHELD:
            return "nothing was shared: the EVSE was not in production, or had just been registered"
        case Gate.REMOVED:
            return "the EVSE was deprecated: removed"
        case Kind():
            if shown is None or not seen(shown):
                return f"a temporary status ({recalled.what})"
            reason = f": {shown.reason}" if shown.reason else ""
            return f"temporary status {shown.id} ({shown.kind}){reason}"
        case ActualStatus.UNKNOWN:
            return "nothing was known of the charger, or its last report was too old to be believed"
        case ActualStatus():
            return (
                f"the charger's own status was {recalled.what}"
                if reported is None
                else f"the charger reported {reported}"
            )


def _outranked(judged: Judged, seen: Seen) -> str:
    by = judged.by
    if by is None or not seen(by):
        return "outranked by another one" if by is None else f"outranked by another one ({by.kind})"
    if by.kind is not judged.one.kind:
        return f"outranked by {by.id} ({by.kind})"
    return f"outranked by {by.id}, of its kind the one that ends last"


def _ended(one: TemporaryStatus, names: Mapping[str, str]) -> str:
    when = "" if one.ended_at is None else rfc3339(one.ended_at)
    by = one.ended_by or ""
    who = "the command line" if by == COMMAND_LINE.id else names.get(by, by)
    return f"{when} by {who}"
