"""Saying what was claimed: in the partner's words, only what it could notice, and only while the claim is ours."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from app.channels.channel import Bundles, Connection, Message
from app.channels.outcomes import Delivered, Outcome, Rejected, Unknown
from app.clock import Clock
from app.schedule.claiming import Ready
from app.schedule.decisions import Claim, Limits, Told, needs_sending
from app.schedule.settling import Done
from app.store.deliveries import Attempt

log = structlog.get_logger(__name__)


class Teller:
    """Says claims over one connection to one partner."""

    def __init__(self, name: str, connection: Connection, clock: Clock, limits: Limits) -> None:
        self._name = name
        self._connection = connection
        self._clock = clock
        self._limits = limits

    async def say(self, ready: Sequence[Ready]) -> list[Done | Claim]:
        """Say these claims in one request, and return what came of each, or itself where it was not used."""
        finished: list[Done | Claim] = []
        to_be_said: list[tuple[Ready, Message]] = []
        for one in ready:
            message = self._translated(one)
            if isinstance(message, Done):
                finished.append(message)
            elif one.succeeded or message.content is None or not needs_sending(one.claim.delivery, _told(one, message)):
                finished.append(Done(one.claim, _told(one, message), Delivered(), None))
            elif self._is_too_late(one):
                finished.append(one.claim)
            else:
                to_be_said.append((one, message))
        if to_be_said:
            finished += await self._said(to_be_said)
        return finished

    def _translated(self, ready: Ready) -> Message | Done:
        try:
            return self._connection.translate(ready.notice)
        except Exception as error:
            log.exception("a channel cannot say what is shown, which it always should", partner=self._name)
            rejected = Rejected(f"{type(error).__name__}: {error}")
            return Done(ready.claim, Told(ready.notice.version, ""), rejected, None)

    def _is_too_late(self, ready: Ready) -> bool:
        """Whether a claim was held up so long that another may own the row by the time the request is through.

        By both clocks: one may be stepped back, the other stands still while the machine sleeps.
        """
        held = max(self._clock.now() - ready.claim.at, timedelta(seconds=self._clock.monotonic() - ready.ticked))
        # No request takes longer than a third of the lease, and none is followed by more than one.
        return held > self._limits.lease / 3

    async def _said(self, pairs: Sequence[tuple[Ready, Message]]) -> list[Done | Claim]:
        began = self._clock.monotonic()
        outcomes = await self._outcomes([message for _, message in pairs])
        took_ms = round((self._clock.monotonic() - began) * 1000)
        at = self._clock.now()
        return [
            Done(ready.claim, _told(ready, message), outcome, _attempt(ready, message, outcome, at, took_ms))
            for (ready, message), outcome in zip(pairs, outcomes, strict=True)
        ]

    async def _outcomes(self, messages: list[Message]) -> list[Outcome]:
        try:
            if len(messages) > 1 and isinstance(self._connection, Bundles):
                return await _together(self._connection, messages)
            return [await self._connection.deliver(message) for message in messages]
        except Exception as error:
            log.exception("a channel raised, which it never should", partner=self._name)
            return [Unknown(f"{type(error).__name__}: {error}") for _ in messages]


async def _together(connection: Bundles, messages: Sequence[Message]) -> list[Outcome]:
    outcomes = await connection.deliver_together(messages)
    if len(outcomes) != len(messages):
        raise ValueError(f"{len(outcomes)} outcomes of {len(messages)} messages")
    return outcomes


def _told(ready: Ready, message: Message) -> Told:
    return Told(ready.notice.version, message.digest, ready.notice.evse.address)


def _attempt(ready: Ready, message: Message, outcome: Outcome, at: datetime, took_ms: int) -> Attempt:
    delivery = ready.claim.delivery
    return Attempt(
        at=at,
        partner=delivery.partner,
        evse=delivery.evse,
        aspect=delivery.aspect,
        version=ready.notice.version,
        said=message.said,
        outcome=type(outcome).__name__,
        answer=outcome.detail if isinstance(outcome, Delivered) else outcome.reason,
        reference=outcome.reference,
        took_ms=took_ms,
        delay_ms=_delay_ms(ready, at) if isinstance(outcome, Delivered) else None,
    )


def _delay_ms(ready: Ready, answered_at: datetime) -> int | None:
    """From when it came to be shown; `None` where the partner knew the version, or nothing of the EVSE before."""
    known = ready.claim.delivery.acked
    if known is None or known >= ready.notice.version:
        return None
    return max(round((answered_at - ready.notice.last_updated) / timedelta(milliseconds=1)), 0)
