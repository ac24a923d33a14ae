"""The tables. Shapes only: a `table=True` model checks nothing, the rules live in the domain and at the API's edge."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel
from sqlmodel.sql.sqltypes import UTCDateTime

from app.domain.delivery import Aspect
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.store.instants import Instant

# Named, so that a migration on SQLite can find a constraint again. Set before the first table.
metadata = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives out rising keys by itself only for a column that is literally INTEGER.
BigKey = BigInteger().with_variant(Integer(), "sqlite")


def _one_of(column: str, members: type[Enum]) -> CheckConstraint:
    values = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def _key() -> Any:
    return Field(default=None, sa_column=Column(BigKey, primary_key=True, autoincrement=True))


def _evse(*, primary: bool = False) -> Any:
    return Field(sa_type=BigKey, foreign_key="evse.id", primary_key=primary)


def _filled(default: str) -> Any:
    """A column that came later, and what older rows have in it."""
    return Field(sa_column_kwargs={"server_default": text(default)})


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


class EvseRow(SQLModel, table=True):
    """The registered EVSEs."""

    __tablename__ = "evse"
    __table_args__ = (
        Index("uq_evse_country_party_uid", "country", "party", "uid", unique=True),
        _partial("uq_evse_evse_id", "evse_id", where="deployment_state <> 'DEPRECATED'", unique=True),
        Index("ix_evse_evse_id_key", "evse_id_key"),
        Index("ix_evse_location_country_party", "location", "country", "party"),
        # For lists, which go by the key: what is rarely said of many, and then a page of it.
        Index("ix_evse_operator_id", "operator", "id"),
        Index("ix_evse_deployment_state_id", "deployment_state", "id"),
        Index("ix_evse_actual_status_id", "actual_status", "id"),
        Index("ix_evse_updated_at", "updated_at"),
        _partial("ix_evse_operator", "operator", where="deployment_state = 'PRODUCTION'"),
        _one_of("deployment_state", DeploymentState),
        _one_of("actual_status", ActualStatus),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    country: str
    party: str
    uid: str
    evse_id: str | None = None
    evse_id_key: str | None = None
    operator: str
    location: str | None = None
    deployment_state: str
    actual_status: str
    reported_status: str | None = None
    observed_at: datetime | None = None
    ocpi_object: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    created_by: str
    created_at: datetime
    updated_at: datetime
    ocpi_version: str | None = None
    object_changed_at: datetime | None = None


class LocationRow(SQLModel, table=True):
    """Where EVSEs stand, as imported and without them; an EVSE refers to it by country, party and location id."""

    __tablename__ = "location"
    __table_args__ = (
        Index("uq_location_country_party_location", "country", "party", "location", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    country: str
    party: str
    location: str
    ocpi_object: dict[str, Any] = Field(sa_type=JSON)
    ocpi_version: str
    changed_at: datetime
    created_by: str
    created_at: datetime
    vacated: bool = _filled("false")  #: whether an EVSE that partners may have found there has left


class TemporaryStatusRow(SQLModel, table=True):
    """The windows, as they were asked for. Ending one deletes nothing."""

    __tablename__ = "temporary_status"
    __table_args__ = (
        _partial("ix_temporary_status_live", "evse", "valid_to", where="ended_at IS NULL"),
        _partial(
            "uq_temporary_status_ref",
            "created_by",
            "ref",
            where="ref IS NOT NULL AND ended_at IS NULL",
            unique=True,
        ),
        Index("ix_temporary_status_evse_id", "evse", "id"),
        Index("ix_temporary_status_created_by_ref", "created_by", "ref", "id"),
        Index("ix_temporary_status_created_by_id", "created_by", "id"),
        _partial("ix_temporary_status_created_by_live", "created_by", "valid_to", where="ended_at IS NULL"),
        # SQLite has no booleans, and takes the index only for what is written as queries write it.
        Index(
            "ix_temporary_status_braked",
            "operator",
            "valid_from",
            sqlite_where=text("braked = 1 AND ended_at IS NULL"),
            postgresql_where=text("braked AND ended_at IS NULL"),
        ),
        _partial("ix_temporary_status_batch", "batch", "id", where="batch IS NOT NULL"),
        _partial("ix_temporary_status_ref_id", "ref", "id", where="ref IS NOT NULL"),
        Index("ix_temporary_status_operator_id", "operator", "id"),
        Index("ix_temporary_status_kind_id", "kind", "id"),
        Index("ix_temporary_status_updated_at", "updated_at"),
        # With the ends, so that what was over by then is passed by without a look at its row.
        Index("ix_temporary_status_span_id", "span", "id", "valid_from", "valid_to", "ended_at"),
        _one_of("kind", Kind),
        _one_of("applies_when", AppliesWhen),
        CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name="interval"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    evse: int = _evse()
    operator: str
    kind: str
    valid_from: datetime
    valid_to: datetime | None = None
    applies_when: str
    reason: str | None = Field(default=None, sa_type=Text)
    ref: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime
    revision: int
    ended_at: datetime | None = None
    ended_by: str | None = None
    end_reason: str | None = None
    braked: bool = _filled("false")  #: whether a key below operations made it
    batch: str | None = None  #: the call that planned it together with others
    span: int = _filled("0")  #: when and how long it can be in effect, see `store/spans.py`; 0: nobody knows


class PresentedRow(SQLModel, table=True):
    """What is shown for each EVSE, and when to look again (`recheck_at`, the only cursor of the clockwork)."""

    __tablename__ = "presented"
    __table_args__ = (
        _partial("ix_presented_recheck_at", "recheck_at", where="recheck_at IS NOT NULL"),
        Index("ix_presented_what_evse", "what", "evse"),
        Index("ix_presented_last_updated", "last_updated"),
    )

    evse: int = _evse(primary=True)
    what: str  #: such as `kind:MAINTENANCE`, `actual:AVAILABLE` or `gate:WITHHELD`
    because: int | None = Field(default=None, sa_type=BigKey)
    until: datetime | None = None
    version: int
    last_updated: datetime
    recheck_at: datetime | None = None
    announced: list[Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    #: The versions at which what is shown, or until when, last changed, and what is announced.
    status_version: int = _filled("0")
    schedule_version: int = _filled("0")


class PresentedChangeRow(SQLModel, table=True):
    """What was shown when: append-only, the event stream and the record."""

    __tablename__ = "presented_change"
    __table_args__ = (
        Index("ix_presented_change_evse_version", "evse", "version"),
        Index("ix_presented_change_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    at: datetime
    evse: int = _evse()
    operator: str
    version: int
    from_what: str
    to_what: str
    because: int | None = Field(default=None, sa_type=BigKey)
    until: datetime | None = None


class PartnerRow(SQLModel, table=True):
    """The receivers."""

    __tablename__ = "partner"
    __table_args__ = (
        Index("uq_partner_name", "name", unique=True),
        Index("uq_partner_exclusive", "exclusive", unique=True),
        Index("uq_partner_caller", "caller", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    name: str
    channel: str
    configuration: dict[str, Any] = Field(sa_type=JSON)
    secrets: str = Field(sa_type=Text)  #: encrypted, see `store/secrets.py`
    filter: dict[str, Any] = Field(sa_type=JSON)
    tells_fleet: bool
    exclusive: str | None = None
    generation: int
    introduced: int
    revision: int
    paused: bool
    failures: int
    refused: bool
    failed_at: datetime | None = None
    hold_until: datetime | None = None
    last_error: str | None = Field(default=None, sa_type=Text)
    last_success_at: datetime | None = None
    lane_token: str | None = None
    lane_lease_until: datetime | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime
    gets_schedule: bool = _filled("false")
    caller: str | None = None  #: the digest of the token with which it may ask us


class DeliveryRow(SQLModel, table=True):
    """What each partner is owed: a row per partner, EVSE and aspect at most, however long a partner was away."""

    __tablename__ = "delivery"
    __table_args__ = (
        _partial("ix_delivery_owed", "partner", "next_at", "evse", where="next_at IS NOT NULL"),
        # SQLite has no booleans, and takes the index only for what is written as queries write it.
        Index("ix_delivery_suspect", "partner", sqlite_where=text("suspect = 1"), postgresql_where=text("suspect")),
        _partial("ix_delivery_rejected", "partner", where="rejected_version IS NOT NULL"),
        Index("ix_delivery_evse", "evse"),
        _one_of("aspect", Aspect),
    )

    partner: int = Field(sa_type=BigKey, foreign_key="partner.id", ondelete="CASCADE", primary_key=True)
    evse: int = _evse(primary=True)
    aspect: str = Field(primary_key=True)
    want: int
    acked: int | None = None
    acked_digest: str | None = None
    acked_at: datetime | None = None
    shared_at: datetime
    generation: int
    in_flight: bool
    suspect: bool
    confirm_at: datetime | None = None
    rejected_version: int | None = None
    lease_until: datetime | None = None
    token: str | None = None
    attempts: int
    next_at: datetime | None = None
    last_error: str | None = Field(default=None, sa_type=Text)
    told_at: str | None = None  #: an address, not a time


class FullLoadRow(SQLModel, table=True):
    """How replacing everything at once stands, for partners where that is for us to do."""

    __tablename__ = "full_load"

    partner: int = Field(sa_type=BigKey, foreign_key="partner.id", ondelete="CASCADE", primary_key=True)
    settled_at: datetime
    asked_at: datetime | None = None
    asked_by: str | None = None
    forced: bool
    began_at: datetime | None = None
    next_at: datetime | None = None
    tries: int
    accepted_at: datetime | None = None
    accepted_count: int | None = None
    doubtful_until: datetime | None = None
    last_error: str | None = Field(default=None, sa_type=Text)


class AttemptRow(SQLModel, table=True):
    """What was sent to whom and what the partner said, kept for a while."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index("ix_attempt_partner", "partner", "id"),
        Index("ix_attempt_at", "at"),
        Index("ix_attempt_evse_partner", "evse", "partner", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    at: datetime
    partner: int = Field(sa_type=BigKey, foreign_key="partner.id", ondelete="CASCADE")
    evse: int = _evse()
    aspect: str
    version: int
    said: str  #: what we told, in the partner's word
    outcome: str
    answer: str | None = Field(default=None, sa_type=Text)
    reference: str | None = None  #: the partner's own number of the request
    took_ms: int
    delay_ms: int | None = None  #: from when it came to be shown to the answer, of what was news to the partner


class ApiKeyRow(SQLModel, table=True):
    """Who may call. The key itself is never stored, only its digest."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    name: str
    role: str
    digest: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    last_used_from: str | None = None
    rights: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    rotated_at: datetime | None = None
    previous_digest: str | None = None
    previous_until: datetime | None = None
    previous_used_at: datetime | None = None


class BrakeRow(SQLModel, table=True):
    """How the brake of an operator or a site stands: locked by whoever counts there, so that nobody counts at once."""

    __tablename__ = "brake"

    name: str = Field(primary_key=True)
    operator: str | None = None
    country: str | None = None
    party: str | None = None
    location: str | None = None
    tripped_at: datetime | None = None
    tripped_by: str | None = None
    evses: int
    of: int
    refused: int
    held: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))  #: by key, since and until when
    lifted_until: datetime | None = None
    lifted_by: str | None = None


class ReferenceRow(SQLModel, table=True):
    """What is the newest that a key's owner said under a reference, and whether it was cancelled."""

    __tablename__ = "reference"
    __table_args__ = (
        Index("uq_reference_owner_ref", "owner", "ref", unique=True),
        Index("ix_reference_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    owner: str
    ref: str
    at: datetime
    source_version: int | None = Field(default=None, sa_type=BigInteger)
    source_updated_at: datetime | None = None
    cancelled_at: datetime | None = None
    blind: bool  #: whether the cancel said no version


class IdempotencyRow(SQLModel, table=True):
    """What was answered to a call with an Idempotency-Key."""

    __tablename__ = "idempotency"
    __table_args__ = (
        Index("uq_idempotency_owner_key", "owner", "key", unique=True),
        Index("ix_idempotency_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    owner: str
    key: str
    at: datetime
    digest: str
    status: int
    answer: str = Field(sa_type=Text)


class AuditRow(SQLModel, table=True):
    """Who changed what: append-only."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at"),
        Index("ix_audit_actor_id", "actor", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int = _key()
    at: datetime
    actor: str
    action: str
    subject: str
    operator: str | None = None


class ChoreRow(SQLModel, table=True):
    """Housekeeping is due because a row here says when it last ran."""

    __tablename__ = "chore"

    name: str = Field(primary_key=True)
    last_run_at: datetime
    token: str | None = None  #: who is at it
    lease_until: datetime | None = None


for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, UTCDateTime):
            _column.type = Instant()
