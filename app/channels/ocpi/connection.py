"""One partner's Locations receiver: what is said to it, step by step, and what comes of it.

Where the EVSE has moved, that it is gone from where it was. Then a PATCH. A partner that lacks the EVSE is given it
whole, and one that lacks the location that first. Spec: OCPI 2.2.1 mod_locations, eMSP interface (Receiver).
"""

import asyncio
from base64 import b64encode
from collections import Counter
from typing import Final

import msgspec

from app.channels.channel import Means, Message
from app.channels.ocpi.addressing import Former, evse_url, former_url, location_url, unaddressed
from app.channels.ocpi.answers import is_lacking, judge
from app.channels.ocpi.partner_release import release_of
from app.channels.ocpi.release import Party
from app.channels.ocpi.saying import Saying, saying
from app.channels.ocpi.settings import OcpiSettings
from app.channels.ocpi.status import Status
from app.channels.outcomes import Apart, Delivered, Outcome, Rejected, Unknown
from app.channels.transport import Answer, Transport
from app.domain.delivery import Notice
from app.domain.evse import Evse

IN_FLIGHT: Final = 32


class OcpiConnection:
    """Says at most two requests for each message, as a claim must outlast them; what is left is said right after."""

    def __init__(self, settings: OcpiSettings, means: Means) -> None:
        self._settings = settings
        self._release = release_of(settings)
        self._authorization = f"Token {_written(settings.token or '', in_base64=self._release.base64_token)}"
        self._clock = means.clock
        self._transport = Transport(in_flight=IN_FLIGHT, timeout=means.timeout)
        self._lacking: set[str] = set()  #: URLs of locations that the partner has shown not to have
        self._locks: dict[str, asyncio.Lock] = {}  #: so that a location is told once, however many EVSEs wait for it
        self._told: Counter[str] = Counter()  #: how often each location was told, whatever came of it

    def translate(self, notice: Notice) -> Message:
        """Say it in the partner's words. The digest leaves `last_updated` out, as it moves with every version."""
        said = saying(self._release, self._settings, notice)
        if self._settings.url is None:
            return Message(said.said, said.digest, None)  # it learns of everything when it pulls
        return Message(said.said, said.digest, said)

    async def deliver(self, message: Message) -> Outcome:
        said: Saying = message.content
        if (old := said.moved_from) is not None:
            return await self._leave(said, old)
        if (nowhere := unaddressed(said.notice.evse)) is not None:
            # Not parked: no version of the presented status will come with the location that is missing.
            return Rejected(nowhere.reason, retry_slowly=True, asked=False)
        url, at = evse_url(self._url, said.notice.evse), location_url(self._url, said.notice.evse)
        lacks_location = at in self._lacking and not said.removal
        if (said.whole or lacks_location) and (body := said.evse(self._release)) is not None:
            if lacks_location:
                return await self._after_location(said, at, url, body)
            outcome = await self._offer_whole(said, at, url, body)
            if not isinstance(outcome, Rejected):
                return outcome
            # It does not take this EVSE whole, as it is or at all. It is to have the news for all that.
        outcome = await self._patch(said, url)
        if not is_lacking(outcome) or said.whole or (body := said.evse(self._release)) is None:
            return outcome
        return await self._offer_whole(said, at, url, body)

    async def close(self) -> None:
        await self._transport.close()

    async def _leave(self, said: Saying, old: str) -> Outcome:
        """Say that the EVSE is gone from where it was. The rest waits for the next claim: it may take two requests."""
        former = Former.read(old)
        uid = former.uid if self._settings.uid_in_patch else None
        body = self._release.status_patch(uid, Status.REMOVED, said.notice.last_updated)
        url = former_url(self._url, old)
        outcome = await self._request("PATCH", url, Party(former.country, former.party), body, removal=True)
        if isinstance(outcome, Delivered):
            return Apart(f"first it is gone from {old}: {outcome.detail}", left=old)
        return outcome

    async def _after_location(self, said: Saying, at: str, url: str, body: bytes) -> Outcome:
        """PUT the EVSE, and before it the location that the partner lacks."""
        lock = self._locks.setdefault(at, asyncio.Lock())
        waits = lock.locked()
        async with lock:
            if at in self._lacking:
                if waits:  # whoever told it before us was not heard; we have no time left to wait for an answer as well
                    return Apart("its location was not told yet")
                return await self._with_location(said, at, url, body)
        return await self._offer_whole(said, at, url, body)

    async def _with_location(self, said: Saying, at: str, url: str, body: bytes) -> Outcome:
        location = said.location(self._release)
        if location is None:
            self._lacking.discard(at)
            return Rejected("it does not know the location, which was never imported here", retry_slowly=True)
        told = await self._send("PUT", at, said, location)
        # Whatever came of it: that it is lacking is to be found out anew, or one that has it by then would lose it.
        self._lacking.discard(at)
        self._told[at] += 1
        if isinstance(told, Unknown):
            return _disturbing(told)
        if not isinstance(told, Delivered):
            return told
        return _disturbing(await self._put(said, url, body))

    async def _offer_whole(self, said: Saying, at: str, url: str, body: bytes) -> Outcome:
        told_before = self._told[at]
        outcome = await self._put(said, url, body)
        if is_lacking(outcome) and said.notice.location is not None:
            lock = self._locks.get(at)
            if not (lock is not None and lock.locked()) and self._told[at] == told_before:
                self._lacking.add(at)  # unless it was told while we asked: then the answer is about before
            return Apart(f"its location is told first: {_reason(outcome)}")
        return outcome

    async def _put(self, said: Saying, url: str, body: bytes) -> Outcome:
        outcome = await self._send("PUT", url, said, body)
        return msgspec.structs.replace(outcome, whole=True) if isinstance(outcome, Delivered) else outcome

    async def _patch(self, said: Saying, url: str) -> Outcome:
        return await self._send("PATCH", url, said, said.patch(self._release, with_uid=self._settings.uid_in_patch))

    async def _send(self, method: str, url: str, said: Saying, body: bytes) -> Outcome:
        return await self._request(method, url, _party(said.notice.evse), body, removal=said.removal)

    async def _request(self, method: str, url: str, party: Party, body: bytes, *, removal: bool) -> Outcome:
        sender = self._settings.sender or party
        headers = self._release.headers(self._authorization, sender, self._settings.receiver)
        sent = await self._transport.send(method, url, headers=headers, body=body)
        if isinstance(sent, Answer):
            return judge(sent, removal=removal, now=self._clock.now())
        return sent

    @property
    def _url(self) -> str:
        return self._settings.url or ""


def _written(token: str, *, in_base64: bool) -> str:
    # The specification's own samples encode a newline with the token; it does not belong there.
    return b64encode(token.encode()).decode() if in_base64 else token


def _party(evse: Evse) -> Party:
    return Party(evse.country, evse.party)


def _reason(outcome: Outcome) -> str:
    return outcome.reason if isinstance(outcome, Rejected) else ""


def _disturbing(outcome: Outcome) -> Outcome:
    """Note that what the partner has of the other EVSEs at this location may be gone.

    A PUT replaces, and what it leaves out is empty afterwards: should the partner have had the location after all, for
    another replica told it at the same time, then it has lost its EVSEs.
    """
    return msgspec.structs.replace(outcome, disturbs=True)
