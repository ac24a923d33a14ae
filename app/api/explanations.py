"""Why an EVSE is shown as it is, was or will be, and what each partner was told of it."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.context import Context
from app.api.explaining import api_name, why_shown
from app.api.explanation_shapes import (
    ChannelExplained,
    ChargerExplained,
    Considered,
    Explanation,
    NextChange,
    PartnerExplained,
    PartnerTold,
    Reason,
)
from app.api.explanation_words import Seen, verdict_in_words, why_was_shown
from app.api.guards import needs
from app.api.problems import refuses
from app.api.shapes import DATE_TIME, EvseIdInPath, instant_in, told
from app.domain import errors
from app.domain.evse import Evse
from app.domain.evse_id import parse_evse_id
from app.domain.explained import Explained, Known
from app.domain.explanation import Judged, Tense, beside, may_differ
from app.domain.instant import rfc3339
from app.domain.knowing import Knows, knows, why_not
from app.domain.partner import Partner, Standing
from app.domain.permission import Action, Allowed, Call, OfKey, may
from app.domain.presentation import Gate, Presentation
from app.domain.principal import Principal
from app.domain.status import ActualStatus, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store import explanations as store
from app.store import keys, partners, reading
from app.store.commands.asking import sees, sees_on

Context_ = NamedDependency[Context]
Principal_ = NamedDependency[Principal]


class Explanations(Controller):
    """`/v2/evses/{evseId}/explanation`."""

    path = "/v2/evses"
    tags = ["EVSEs"]

    @get(
        "/{evseId:str}/explanation",
        operation_id="explainEvse",
        opt=needs(Action.SEE_EVSES),
        responses=refuses(errors.MalformedInstant, errors.EvseNotFound, errors.AmbiguousEvse, body=False),
    )
    async def explain(
        self,
        evse_id: EvseIdInPath,
        context: Context_,
        principal: Principal_,
        at: Annotated[
            str | None,
            QueryParameter(
                description="the instant to explain, RFC 3339 with an offset (`+` written as `%2B`); left out, now",
                schema_extra=DATE_TIME,
            ),
        ] = None,
    ) -> Explanation:
        """Explain why an EVSE is shown as it is, or was or will be at some instant, and to whom.

        What is shown now is derived from what is known now; for an instant ahead it is assumed that the charger goes on
        as it is and that nobody plans anything more. For a past instant the record counts, which is kept for
        `EVSE_STATUS_CHANGES_KEPT`. What partners were told stands beside it for keys that may look at partners.
        """
        now = context.clock.now()
        asked = now if at is None else instant_in(at, "at")
        async with context.database.read() as connection:
            evse = await reading.evse_named(connection, parse_evse_id(evse_id), sees(principal, Action.SEE_EVSES))
            return await _explanation(connection, evse, asked, now, context, principal)


async def _explanation(
    connection: AsyncConnection, evse: Evse, at: datetime, now: datetime, context: Context, principal: Principal
) -> Explanation:
    record = await store.record(connection, evse.id, at)
    considered = await store.considered(connection, evse.id, at, now)
    seen = sees_on(principal, evse)
    explained = Known(
        evse=evse,
        temporary_statuses=considered,
        seen={one.id for one in considered if seen(one)},
        record=record,
        at=at,
        now=now,
        max_age=context.settings.actual_status_max_age,
        kept=context.settings.changes_kept,
    ).explained()
    known = {one.id: one for one in considered}
    named = {one.because for one in (explained.presentation, explained.then) if one is not None and one.because}
    if missing := sorted(named - known.keys()):
        known |= {one.id: one for one in await store.temporary_statuses(connection, missing)}
    kept, left_out = beside([one for one in explained.verdicts if seen(one.one)])
    answer = _Answer(context, evse, at, explained, known, seen, await _names(connection, principal, kept))
    return Explanation(
        evse_id=evse.evse_id,
        at=rfc3339(at),
        answered_at=rfc3339(now),
        tense=explained.tense,
        known=explained.presentation is not None,
        presented=answer.presented(),
        because=answer.because(explained.presentation, now_or_later=explained.tense is not Tense.PAST),
        charger=answer.charger(),
        temporary_statuses=[answer.considered(one) for one in kept],
        left_out=left_out,
        next_change=answer.next_change(),
        notes=explained.notes,
        partners=await _partners(connection, evse, at, record.last_updated, explained.tense, principal),
    )


async def _names(connection: AsyncConnection, principal: Principal, kept: Collection[Judged]) -> dict[str, str]:
    """The names of the keys that made and ended them, of those that `principal` may look at."""
    ids = {by for one in kept for by in (one.one.created_by, one.one.ended_by) if by is not None}
    found = await keys.find_many(connection, ids) if ids else {}
    return {
        key_id: key.name
        for key_id, key in found.items()
        if isinstance(may(principal, Action.SEE_KEYS, OfKey(key)), Allowed)
    }


class _Answer:
    """Says what was found in the words of the API, as far as the key may see it."""

    def __init__(
        self,
        context: Context,
        evse: Evse,
        at: datetime,
        explained: Explained,
        known: Mapping[int, TemporaryStatus],
        seen: Seen,
        names: Mapping[str, str],
    ) -> None:
        self._context = context
        self._evse = evse
        self._at = at
        self._explained = explained
        self._known = known
        self._seen = seen
        self._names = names

    def presented(self) -> dict[str, ChannelExplained]:
        found = self._explained
        since, until = told(found.since), told(found.until)
        return {
            name: ChannelExplained(status=status, since=since, until=until)
            for name, status in self._shows(found.presentation).items()
        }

    def because(self, presentation: Presentation | None, *, now_or_later: bool) -> Reason:
        if presentation is None:
            return Reason(words="not known any more" if self._at >= self._evse.created_at else "not registered yet")
        what = presentation.what
        shown = None if presentation.because is None else self._known.get(presentation.because)
        if now_or_later:
            words = why_shown(self._evse, presentation, self._known.values(), self._seen)
        else:
            is_it = presentation is self._explained.presentation
            reported = self._evse.reported if is_it and self._explained.charger.last_report else None
            words = why_was_shown(presentation, shown, reported, self._seen)
        return Reason(
            words=words,
            temporary_status_id=shown.id if shown is not None and self._seen(shown) else None,
            temporary_status=what if isinstance(what, Kind) else None,
            actual_status=what if isinstance(what, ActualStatus) else None,
            gate=what if isinstance(what, Gate) else None,
        )

    def charger(self) -> ChargerExplained:
        charger, evse = self._explained.charger, self._evse
        stale_from = evse.actual(self._context.settings.actual_status_max_age).stale_from
        return ChargerExplained(
            actual_status=charger.status,
            reported=evse.reported if charger.last_report else None,
            observed_at=told(evse.observed_at) if charger.last_report else None,
            stale_from=told(stale_from) if charger.last_report else None,
            stale=charger.stale,
            assumed=self._explained.tense is Tense.FUTURE,
        )

    def considered(self, judged: Judged) -> Considered:
        one, by = judged.one, judged.by
        words = verdict_in_words(judged, self._explained.tense, self._explained.charger, self._seen, self._names)
        return Considered(
            id=one.id,
            temporary_status=one.kind,
            valid_from=rfc3339(one.interval.begin),
            valid_to=told(one.interval.end),
            applies_when=one.applies_when,
            reason=one.reason,
            created_by=one.created_by,
            created_by_name=self._names.get(one.created_by),
            created_at=rfc3339(one.created_at),
            ended_at=told(one.ended_at),
            ended_by=one.ended_by,
            ended_by_name=None if one.ended_by is None else self._names.get(one.ended_by),
            end_reason=one.end_reason,
            verdict=judged.verdict,
            outranked_by=by.id if by is not None and self._seen(by) else None,
            changed_since=self._explained.tense is Tense.PAST and may_differ(one, self._at),
            words=words,
        )

    def next_change(self) -> NextChange | None:
        found = self._explained
        if found.then is None or found.until is None:
            return None
        derived = found.tense is not Tense.PAST
        return NextChange(
            at=rfc3339(found.until),
            presented=self._shows(found.then),
            because=self.because(found.then, now_or_later=derived),
        )

    def _shows(self, presentation: Presentation | None) -> dict[str, str | None]:
        return {
            api_name(name): None if presentation is None else channel.shows(presentation.what)
            for name, channel in self._context.channels.items()
        }


async def _partners(
    connection: AsyncConnection, evse: Evse, at: datetime, last_updated: datetime, tense: Tense, principal: Principal
) -> list[PartnerExplained] | None:
    if not isinstance(may(principal, Action.SEE_PARTNERS, Call()), Allowed):
        return None
    everybody = await partners.all_partners(connection)
    owed = await store.deliveries(connection, evse.id)
    said = await store.told(connection, evse.id, at)
    answer = []
    for one in everybody:
        taken, tried = said.get(one.id, (None, None))
        delivery = owed.get(one.id)
        now = tense is not Tense.PAST
        far = knows(one, evse, delivery)
        behind = delivery if now and far in {Knows.OWED, Knows.PARKED} else None
        answer.append(
            PartnerExplained(
                name=one.name,
                channel=api_name(one.channel),
                told=_told(taken),
                last_attempt=_told(tried),
                state=one.standing if now else None,
                knows=far if now else None,
                why_not=why_not(one, evse, delivery) if now else "",
                acknowledged_at=told(delivery.acked_at) if now and delivery is not None else None,
                owed_since=None if behind is None else rfc3339(max(last_updated, behind.shared_at)),
                next_try_at=None if behind is None else told(_next_try(one, behind.next_at)),
            )
        )
    return answer


def _next_try(partner: Partner, next_at: datetime | None) -> datetime | None:
    if partner.standing is Standing.PAUSED or next_at is None:
        return None
    return next_at if partner.hold_until is None else max(next_at, partner.hold_until)


def _told(one: store.Told | None) -> PartnerTold | None:
    if one is None:
        return None
    return PartnerTold(
        at=rfc3339(one.at),
        said=one.said,
        version=one.version,
        outcome=one.outcome,
        answer=one.answer,
        reference=one.reference,
    )
