"""What every channel is: a translator into one kind of partner's words, and an honest messenger."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from app.channels.outcomes import Outcome, Replaced
from app.clock import Clock
from app.domain.daily import Daily
from app.domain.delivery import Notice
from app.domain.partner import Audience, Partner
from app.domain.presentation import What


class Message(msgspec.Struct, frozen=True):
    """A notice in the partner's words.

    `said` is the status in them, for people to read. `digest` is equal for messages that the partner could not tell
    apart (it leaves versions and times out). `content` is the channel's own; `None` where nothing is to be sent, as
    the partner comes and asks by itself.
    """

    said: str
    digest: str
    content: Any


class Lane(msgspec.Struct, frozen=True):
    """How many requests may be under way at one partner. `exclusive`: one in all, across every replica."""

    in_flight: int
    exclusive: bool = False


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A checked configuration, taken apart into what may be shown and what must be encrypted.

    `exclusive` names what only one partner may serve, as two lanes to it would run side by side. `caller` is the
    digest of the token with which the partner may ask us. `timeout` is in seconds, where it has one of its own.
    """

    configuration: dict[str, Any]
    secrets: dict[str, Any]
    audience: Audience
    tells_fleet: bool
    gets_schedule: bool = False
    exclusive: str | None = None
    caller: str | None = None
    timeout: float | None = None

    def as_partner(self, name: str, channel: str, by: str, at: datetime) -> Partner:
        """Make the partner that is to be added; the store gives it its key."""
        return Partner(
            id=0,
            name=name,
            channel=channel,
            configuration=self.configuration,
            secrets=self.secrets,
            audience=self.audience,
            tells_fleet=self.tells_fleet,
            gets_schedule=self.gets_schedule,
            exclusive=self.exclusive,
            caller=self.caller,
            created_by=by,
            created_at=at,
            updated_at=at,
        )

    def reconfigured(self, old: Partner) -> Partner:
        """Return a partner with this configuration instead of its own."""
        return msgspec.structs.replace(
            old,
            configuration=self.configuration,
            secrets=self.secrets,
            audience=self.audience,
            tells_fleet=self.tells_fleet,
            gets_schedule=self.gets_schedule,
            exclusive=self.exclusive,
            caller=self.caller,
        )

    def issued(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The secrets that were made here and not typed in: they are shown once."""
        return {field: secret for field, secret in self.secrets.items() if field not in raw}


class Means(msgspec.Struct, frozen=True):
    """What a connection works with.

    `timeout` is in seconds, for a whole request from connecting to the last byte, where the partner has none of its
    own; none may be longer than `longest`, as a claim must outlast its requests.
    """

    clock: Clock
    timeout: float = 10.0
    longest: float = 60.0

    def limited(self, own: float | None) -> float:
        """Return the timeout for a partner that asks for `own`."""
        return min(self.timeout if own is None else own, self.longest)


class Connection(Protocol):
    """A channel opened towards one partner as it is configured now."""

    def translate(self, notice: Notice) -> Message:
        """Say the presentation in the partner's words. Pure and total: never raises, never waits.

        A `Gate` means that the EVSE was shared with the partner and no longer is: say that it is gone.
        """
        ...

    async def deliver(self, message: Message) -> Outcome:
        """Hand over what `translate` made, at most once. Never raises for anything that the partner did."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Bundles(Protocol):
    """A connection that can hand over several messages in one request, where one at a time would take too long."""

    @property
    def largest_bundle(self) -> int: ...

    async def deliver_together(self, messages: Sequence[Message]) -> list[Outcome]:
        """Hand over as many of them as one request can hold, and say what came of each, in their order.

        Those that could not go along are `Apart`. All of them are where the partner refused the bundle without saying
        for which: then smaller ones have to be tried.
        """
        ...


@runtime_checkable
class Replaces(Protocol):
    """A connection that can replace everything that the partner has of us at once."""

    @property
    def daily(self) -> Daily | None:
        """When that is to be done; `None` where others have a share in it, so that it must never be."""
        ...

    async def replace_all(self, messages: Sequence[Message]) -> Replaced:
        """Replace everything by these, in one request. What none of them is about is gone afterwards."""
        ...


@runtime_checkable
class Channel(Protocol):
    """One kind of partner. Adding one is adding a folder and a line in the register."""

    @property
    def name(self) -> str:
        """The channel's name in the API, the command line and the database: `driver_app`, `oicp`, `ocpi`."""
        ...

    @property
    def lane(self) -> Lane: ...

    @property
    def knows_evse_ids_only(self) -> bool:
        """Whether the partner tells EVSEs apart by EVSE ID alone, so that two that had the same one are one to it."""
        ...

    @property
    def announces(self) -> bool:
        """Whether planned temporary statuses are told in advance, in requests that follow each other for each EVSE."""
        ...

    @property
    def needs_locations(self) -> bool:
        """Whether partners may have to be told of locations before they can be told of EVSEs there."""
        ...

    @property
    def others_write_too(self) -> bool:
        """Whether somebody else may overwrite at the partner what we tell it, such as the CPO's own backend."""
        ...

    def shows(self, what: What) -> str | None:
        """The status that the channel shows by default, in its own words; `None` where it is withheld."""
        ...

    def accept(self, raw: Mapping[str, Any]) -> Accepted:
        """Check a partner's configuration as it was typed in, filling in defaults and making secrets where asked.

        Raises:
            InvalidPartner: it does not fit, with the field at fault.
        """
        ...

    def daily(self, partner: Partner) -> Daily | None:
        """When everything that this partner, with its secrets, has of us is replaced; `None` where it never may be."""
        ...

    def concerns(self, partner: Partner, at: datetime) -> list[str]:
        """Say what is going to keep this partner from being told, as seen at `at` (UTC): a certificate that runs out.

        In whole sentences for whoever runs the service; nothing is asked of the partner, which may come here without
        its secrets. Never raises.
        """
        ...

    def connect(self, partner: Partner, means: Means) -> Connection: ...
