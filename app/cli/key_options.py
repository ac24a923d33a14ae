"""The options that say what an API key is good for, and what they mean."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click
import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from app.cli.durations import Duration
from app.domain.errors import DomainError
from app.domain.granting import WantedRights
from app.domain.instant import instant, parse_instant
from app.domain.principal import COMMAND_LINE
from app.domain.scope import EVERYTHING, Scope, Site
from app.domain.status import Kind
from app.store.key_scopes import scope_of, sites_called

Command = TypeVar("Command", bound=Callable[..., Any])

_NONE: Final = "none"
_ANY: Final = "any"
_NEVER: Final = "never"
_PARTS_OF_A_SITE: Final = 3


class Limit(click.ParamType[Any]):
    """What another type takes, or `none` for no limit."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self._inner = inner
        self.name = f"{inner.name}|{_NONE}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return _NONE if value == _NONE else self._inner.convert(value, param, ctx)


class Expiry(click.ParamType[Any]):
    """A duration from now, an RFC 3339 time, or `never`."""

    name = "duration|time|never"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str) or value == _NEVER:
            return value
        if value[:4].isdigit() and value[4:5] == "-":
            try:
                return parse_instant(value)
            except DomainError as error:
                self.fail(str(error), param, ctx)
        try:
            return Duration().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}; or a time such as 2026-12-31T18:00:00Z, or {_NEVER}", param, ctx)


class AskedRights(msgspec.Struct, kw_only=True, frozen=True):
    """What the options said, as click hands it over: `None` and nothing where one was left out."""

    operator: Sequence[str]
    site: Sequence[str]
    evse: Sequence[str]
    everywhere: bool
    kind: Sequence[str]
    longest: timedelta | str | None
    furthest: timedelta | str | None
    most_active: int | str | None
    open_ended: bool | None
    final_cancel: bool | None
    network: Sequence[str]
    rate: int | str | None

    @property
    def is_silent(self) -> bool:
        said = msgspec.structs.asdict(self) | {"everywhere": self.everywhere or None}
        return all(value is None or value == () for value in said.values())

    async def wanted(self, connection: AsyncConnection) -> WantedRights:
        """Look up what is named.

        Raises:
            DomainError: there is no such thing, or several.
        """
        if _ANY in self.network and len(self.network) > 1:
            raise click.UsageError("give --network any, or the networks")
        return WantedRights(
            scope=await self._scope(connection),
            kinds=tuple(map(Kind, self.kind)) or UNSET,
            longest=_limit(self.longest),
            furthest=_limit(self.furthest),
            most_active=_limit(self.most_active),
            open_ended=UNSET if self.open_ended is None else self.open_ended,
            final_cancel=UNSET if self.final_cancel is None else self.final_cancel,
            networks=() if _ANY in self.network else tuple(self.network) or UNSET,
            rate=_limit(self.rate),
        )

    async def _scope(self, connection: AsyncConnection) -> Scope | UnsetType:
        somewhere = self.operator or self.site or self.evse
        if self.everywhere and somewhere:
            raise click.UsageError("give --everywhere, or --operator, --site and --evse")
        if self.everywhere:
            return EVERYTHING
        if not somewhere:
            return UNSET
        sites = [await _site(connection, one) for one in self.site]
        return await scope_of(connection, COMMAND_LINE, self.operator, sites, self.evse)


def rights_options(command: Command) -> Command:
    """Give a command the options of a key's rights."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def expiry(asked: datetime | timedelta | str | None, at: datetime) -> datetime | None | UnsetType:
    """When a key expires, by what --expires said; `UNSET` where it was left out."""
    match asked:
        case None:
            return UNSET
        case timedelta():
            return instant(at + asked)
        case datetime():
            return asked
        case _:
            return None


def _limit(value: Any) -> Any:
    return UNSET if value is None else None if value == _NONE else value


async def _site(connection: AsyncConnection, written: str) -> Site:
    parts = written.split("/", _PARTS_OF_A_SITE - 1)
    if len(parts) == _PARTS_OF_A_SITE:
        country, party, location = parts
        return (country, party, location)
    found = await sites_called(connection, written)
    if not found:
        raise click.ClickException(f"no location {written} is known; write it as DE/ABC/{written}")
    if len(found) > 1:
        which = " or ".join("/".join(one) for one in found)
        raise click.ClickException(f"there are several locations {written}: write {which}")
    return found[0]


_OPTIONS: Final = (
    click.option("--operator", multiple=True, metavar="DE*ABC", help="Good for this operator's EVSEs; repeatable."),
    click.option(
        "--site",
        multiple=True,
        metavar="DE/ABC/LOC1",
        help="Good for the EVSEs of this location; repeatable. LOC1 alone where only one party has it.",
    ),
    click.option("--evse", multiple=True, metavar="EVSE-ID", help="Good for this registered EVSE; repeatable."),
    click.option("--everywhere", is_flag=True, help="Good for all EVSEs that there are."),
    click.option(
        "--kind",
        multiple=True,
        type=click.Choice([kind.value for kind in Kind], case_sensitive=False),
        help="It may say this; repeatable.",
    ),
    click.option(
        "--longest",
        type=Limit(Duration()),
        help="How long after its beginning, or after now, one may end: 12h, or none.",
    ),
    click.option("--furthest", type=Limit(Duration()), help="How far ahead it may begin: 90d, or none."),
    click.option("--most-active", type=Limit(click.IntRange(1)), help="How many may be in effect at once, or none."),
    click.option(
        "--open-ended/--no-open-ended", default=None, help="Whether the end may be left open; not with --longest."
    ),
    click.option(
        "--final-cancel/--no-final-cancel",
        default=None,
        help="Whether a reference cancelled without a version stays so for a day.",
    ),
    click.option(
        "--network",
        multiple=True,
        metavar="CIDR",
        help="Calls come from here only; repeatable. any: from anywhere.",
    ),
    click.option("--rate", type=Limit(click.IntRange(1)), help="Calls a minute in each process, or none."),
)
