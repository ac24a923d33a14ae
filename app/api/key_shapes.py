"""API keys as they are asked for and answered; never their digests, and the key itself once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from litestar.params import PathParameter
from msgspec import UNSET, Meta, UnsetType

from app.api.shapes import Asked, AskedTime, EvseIdText, Told, ToldTime, instant_in, told
from app.domain.api_key import ApiKey, KeyState
from app.domain.duration import iso_duration, parse_duration
from app.domain.errors import MalformedValue
from app.domain.evse_id import operator_name
from app.domain.granting import LONGEST_NAME, MOST_NETWORKS, WantedRights
from app.domain.presets import Preset
from app.domain.principal import Role
from app.domain.rights import Rights
from app.domain.scope import Scope
from app.domain.status import Kind

KeyIdInPath = Annotated[str, PathParameter(name="keyId", description="the public id, which stands inside the key")]
KeyName = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME, description="who uses it, for people")]
OperatorId = Annotated[str, Meta(max_length=10, examples=["DE*ABC", "+49*810"])]
AskedDuration = Annotated[
    str, Meta(max_length=30, description="ISO 8601", examples=["PT12H"], extra_json_schema={"format": "duration"})
]
ToldDuration = Annotated[str, Meta(examples=["PT12H"], extra_json_schema={"format": "duration"})]


class SiteShape(Asked):
    """A location of a party, as in OCPI."""

    country_code: Annotated[str, Meta(min_length=2, max_length=2)]
    party_id: Annotated[str, Meta(min_length=3, max_length=3)]
    location_id: Annotated[str, Meta(min_length=1, max_length=36)]


class AskedScope(Asked):
    """The EVSEs of these operators, at these sites, and these; or all there are, where `everywhere` is true."""

    everywhere: bool = False
    operators: Annotated[list[OperatorId], Meta(max_length=100)] = []
    sites: Annotated[list[SiteShape], Meta(max_length=500)] = []
    evses: Annotated[list[EvseIdText], Meta(max_length=500)] = []


class AskedRights(Asked):
    """The limits of a key: what is left out is as usual, or stays; null is no limit. A scope is replaced whole.

    `longest` is how long after its beginning a temporary status may end, or after now once it has begun; with it no
    end is left open. `furthest` is how far ahead it may begin; `mostActive` how many may be in effect at one instant.
    With `finalCancel` a reference that was cancelled without a source version stays so for a day, whatever comes.
    `networks` are those that calls may come from; any, where there are none. `rate` is calls a minute, in each process.
    """

    scope: AskedScope | UnsetType = UNSET
    kinds: list[Kind] | UnsetType = UNSET
    longest: AskedDuration | None | UnsetType = UNSET
    furthest: AskedDuration | None | UnsetType = UNSET
    most_active: Annotated[int, Meta(ge=1, le=1_000_000)] | None | UnsetType = UNSET
    open_ended: bool | UnsetType = UNSET
    final_cancel: bool | UnsetType = UNSET
    networks: Annotated[list[str], Meta(max_length=MOST_NETWORKS, examples=[["192.0.2.0/24"]])] | UnsetType = UNSET
    rate: Annotated[int, Meta(ge=1, le=1_000_000)] | None | UnsetType = UNSET

    def wanted(self, scope: Scope | UnsetType) -> WantedRights:
        return WantedRights(
            scope=scope,
            kinds=UNSET if self.kinds is UNSET else tuple(self.kinds),
            longest=_duration_in(self.longest, "rights.longest"),
            furthest=_duration_in(self.furthest, "rights.furthest"),
            most_active=self.most_active,
            open_ended=self.open_ended,
            final_cancel=self.final_cancel,
            networks=UNSET if self.networks is UNSET else tuple(self.networks),
            rate=self.rate,
        )


class NewKey(Asked):
    """A key to be made by what it is for (`preset`) or by its bare `role`, one of the two.

    A key below operations that is no reader's needs a `rights.scope`. `expiresAt` left out is in a year, but for an
    admin's; null is never.
    """

    name: KeyName
    preset: Preset | None = None
    role: Role | None = None
    rights: AskedRights | None = None
    expires_at: AskedTime | None | UnsetType = UNSET


class KeyChanges(Asked):
    """What is to be different; left out means unchanged, `expiresAt: null` means never."""

    name: KeyName | UnsetType = UNSET
    rights: AskedRights | UnsetType = UNSET
    expires_at: AskedTime | None | UnsetType = UNSET


class Rotation(Asked):
    """For how long the secret before stays good: a day unless otherwise said, `PT0S` not at all."""

    overlap: AskedDuration = "P1D"

    def duration(self) -> timedelta:
        return _parsed(self.overlap, "overlap")


class ScopeView(Told):
    """The EVSEs that a key is for; `everywhere` where it is for all."""

    everywhere: bool
    operators: list[str]
    sites: list[SiteShape]
    evses: list[str]


class RightsView(Told):
    """The limits of a key; null is none."""

    scope: ScopeView
    kinds: list[Kind]
    longest: ToldDuration | None
    furthest: ToldDuration | None
    most_active: int | None
    open_ended: bool
    final_cancel: bool
    networks: list[str]
    rate: int | None


class KeyView(Told):
    """An API key, without the key itself.

    Until `previousUntil` the secret before the last rotation is good as well; it was last used at `previousUsedAt`,
    null: not since then. When and from where a key was last used is some seconds behind.
    """

    id: str
    name: str
    role: Role
    state: KeyState
    rights: RightsView
    created_by: str
    created_at: ToldTime
    expires_at: ToldTime | None
    revoked_at: ToldTime | None
    rotated_at: ToldTime | None
    previous_until: ToldTime | None
    previous_used_at: ToldTime | None
    last_used_at: ToldTime | None
    last_used_from: str | None


class IssuedKey(KeyView):
    """A key that was made just now: `key` is shown this once."""

    key: str


class TouchedView(Told):
    """Something that a key did to what is not its own, and that is not undone."""

    at: ToldTime
    action: str
    subject: str


class PanicView(Told):
    """How many temporary statuses of the key were ended, and what else it did: the latest 100, newest first."""

    ended: int
    touched: list[TouchedView]


def expiry_in(expires_at: str | None | UnsetType) -> datetime | None | UnsetType:
    return instant_in(expires_at, "expiresAt") if isinstance(expires_at, str) else expires_at


def key_view(key: ApiKey, at: datetime, names: Mapping[int, str]) -> KeyView:
    """A key as it stands at `at`; `names` are those of the EVSEs in its scope."""
    return KeyView(**_fields(key, at, names))


def issued_view(key: ApiKey, secret: str, at: datetime, names: Mapping[int, str]) -> IssuedKey:
    """A key as it stands at `at`, with the key itself."""
    return IssuedKey(**_fields(key, at, names), key=secret)


def _fields(key: ApiKey, at: datetime, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "state": key.state(at),
        "rights": _rights_view(key.rights, names),
        "created_by": key.created_by,
        "created_at": told(key.created_at),
        "expires_at": told(key.expires_at),
        "revoked_at": told(key.revoked_at),
        "rotated_at": told(key.rotated_at),
        "previous_until": told(key.previous_until) if key.overlaps(at) else None,
        "previous_used_at": told(key.previous_used_at),
        "last_used_at": told(key.last_used_at),
        "last_used_from": key.last_used_from,
    }


def _rights_view(rights: Rights, names: Mapping[int, str]) -> RightsView:
    scope = rights.scope
    return RightsView(
        scope=ScopeView(
            everywhere=scope.is_everything,
            operators=[operator_name(one) for one in scope.operators],
            sites=[SiteShape(*one) for one in scope.sites],
            evses=[names.get(one, f"#{one}") for one in scope.evses],
        ),
        kinds=list(rights.kinds),
        longest=None if rights.longest is None else iso_duration(rights.longest),
        furthest=None if rights.furthest is None else iso_duration(rights.furthest),
        most_active=rights.most_active,
        open_ended=rights.open_ended,
        final_cancel=rights.final_cancel,
        networks=list(rights.networks),
        rate=rights.rate,
    )


def _duration_in(text: str | None | UnsetType, field: str) -> timedelta | None | UnsetType:
    return _parsed(text, field) if isinstance(text, str) else text


def _parsed(text: str, field: str) -> timedelta:
    try:
        return parse_duration(text)
    except MalformedValue as error:
        raise MalformedValue(str(error), field=field) from None
