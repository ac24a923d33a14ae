"""One frozen settings object, read once from the environment (`EVSE_STATUS_…`)."""

import math
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.domain.brake import Brake
from app.domain.status import ActualStatus

PREFIX: Final = "EVSE_STATUS_"


class Settings(BaseSettings):
    """Every setting, its default and its bounds. Times are ISO 8601 durations, such as `PT10S`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    database_url: str = Field(
        default="sqlite:///evse-status.db", description="`sqlite:///file` (embedded, one process) or `postgresql://…`"
    )
    transaction_pooling: bool = Field(
        default=False,
        description="`true` where a proxy that pools transactions, such as PgBouncer, stands before PostgreSQL",
    )
    stall: timedelta = Field(
        default=timedelta(seconds=1),
        gt=timedelta(0),
        le=timedelta(minutes=1),
        description="after what standstill PostgreSQL cuts a transaction off, so that a frozen process holds nobody up",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="32 bytes in URL-safe base64 that encrypt the partners' secrets; "
        "with an embedded database made and kept beside it",
    )
    actual_status_max_age: timedelta | None = Field(
        default=None, gt=timedelta(0), description="how long an actual status is believed; left out: until the next one"
    )
    occupied_means: ActualStatus = Field(
        default=ActualStatus.BLOCKED,
        description="what OCPP's `Occupied` says: `BLOCKED`, or `CHARGING` for OCPP 2.0.1 fleets",
    )
    request_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(seconds=60),
        description="for one request to a partner",
    )
    lease: timedelta = Field(
        default=timedelta(seconds=35),
        description="how long one process may own a delivery; more than 3 request timeouts",
    )
    settle: timedelta = Field(
        default=timedelta(seconds=90),
        le=timedelta(hours=1),
        description="after a request with unknown outcome, when the state is sent once more; more than the lease",
    )
    back_off_first: timedelta = Field(
        default=timedelta(seconds=1),
        gt=timedelta(0),
        description="the longest wait after the first failure at a partner",
    )
    back_off_longest: timedelta = Field(
        default=timedelta(minutes=5), gt=timedelta(0), le=timedelta(hours=1), description="the longest wait after many"
    )
    retry_slowly: timedelta = Field(
        default=timedelta(hours=6),
        gt=timedelta(0),
        le=timedelta(days=1),
        description="for what a partner does not know yet (404, 603)",
    )
    reassert_every: timedelta = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        le=timedelta(days=365),
        description="in what time everything that partners acknowledged is told once more, in case they lost it; what "
        "they were told within half of it has its turn in the next round; `PT0S`: never",
    )
    reassert_active_every: timedelta = Field(
        default=timedelta(hours=1),
        ge=timedelta(0),
        le=timedelta(days=365),
        description="in what time active temporary statuses are told once more where others may write as well "
        "(Hubject), in case they were overwritten; `PT0S`: never",
    )
    attempts_kept: timedelta = Field(
        default=timedelta(days=7), gt=timedelta(0), description="how long the log of attempts is kept"
    )
    changes_kept: timedelta = Field(
        default=timedelta(days=90), gt=timedelta(0), description="how long the record of what was shown is kept"
    )
    event_streams: int = Field(
        default=5000,
        ge=1,
        le=1_000_000,
        description="streams of `GET /v2/events` that each process serves at once, though never more than half of the "
        "sockets that it may have (`ulimit -n`); beyond that 503",
    )
    event_streams_per_key: int = Field(
        default=500, ge=1, le=1_000_000, description="of these with one key; beyond that 429"
    )
    references_kept: timedelta = Field(
        default=timedelta(days=90),
        ge=timedelta(days=1),
        description="how long a source version, and that a reference was cancelled, is remembered",
    )
    idempotency_kept: timedelta = Field(
        default=timedelta(days=2),
        ge=timedelta(days=1),
        description="how long the answer to a call with an `Idempotency-Key` is kept",
    )
    brake_site_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="keys below operations override no larger share of a site's EVSEs within `BRAKE_WITHIN`; `1`: any",
    )
    brake_operator_share: float = Field(default=0.2, gt=0, le=1, description="the same of an operator's EVSEs")
    brake_handful: int = Field(
        default=5, ge=1, description="so many EVSEs of a site or an operator may be overridden whatever their share is"
    )
    brake_within: timedelta = Field(
        default=timedelta(minutes=5),
        gt=timedelta(0),
        le=timedelta(hours=1),
        description="what begins no further apart is counted together",
    )
    brake_hold: timedelta = Field(
        default=timedelta(minutes=30),
        gt=timedelta(0),
        le=timedelta(days=7),
        description="how long a brake holds back the key that tripped it, unless operations lifts it",
    )
    failed_keys_per_minute: int = Field(
        default=60,
        ge=1,
        le=1_000_000,
        description="calls with a bad key from one address (of IPv6: one /64) that each process answers with 401 "
        "before it says 429; a good key goes on working",
    )
    trusted_proxies: str | None = Field(
        default=None,
        description="addresses and networks of proxies whose `X-Forwarded-For` is believed, such as "
        "`10.0.0.5,10.1.0.0/24`; left out: none, and a caller's address is that of whoever connects",
    )
    public_url: str | None = Field(
        default=None,
        description="where OCPI partners reach this service, such as `https://status.example.com`; left out: where "
        "each of them asked",
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG to ERROR")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str | None) -> str | None:
        """Refuse all of the world: whoever calls would choose the address that it is taken for."""
        for one in (value or "").split(",") if value else []:
            try:
                network = ip_network(one.strip())
            except ValueError:
                raise ValueError(f"{one.strip()!r} is no address or network such as 10.1.0.0/24") from None
            if network.prefixlen == 0:
                raise ValueError(f"{one.strip()} would believe anybody: name the proxies")
        return value

    @field_validator("public_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            not value.isprintable()
            or " " in value
            or parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.query
            or parts.fragment
        ):
            raise ValueError("an http or https address without query, such as https://status.example.com")
        return value.rstrip("/")

    @field_validator("occupied_means")
    @classmethod
    def _one_of_two(cls, value: ActualStatus) -> ActualStatus:
        if value not in {ActualStatus.BLOCKED, ActualStatus.CHARGING}:
            raise ValueError("Occupied means BLOCKED or CHARGING")
        return value

    def model_post_init(self, _context: object) -> None:
        """Refuse what would let two processes own one delivery, or settle before an old request can arrive."""
        if self.lease <= 3 * self.request_timeout:
            raise ValueError(f"{PREFIX}LEASE must be more than 3 times {PREFIX}REQUEST_TIMEOUT")
        if self.settle <= self.lease:
            raise ValueError(f"{PREFIX}SETTLE must be more than {PREFIX}LEASE")

    @property
    def brake(self) -> Brake:
        return Brake(
            site_share=self.brake_site_share,
            operator_share=self.brake_operator_share,
            handful=self.brake_handful,
            within=self.brake_within,
            hold=self.brake_hold,
        )

    @property
    def proxies(self) -> list[str]:
        """The proxies that are believed."""
        return [one.strip() for one in (self.trusted_proxies or "").split(",") if one.strip()]

    @property
    def longest_timeout(self) -> float:
        """What the timeout of a single partner may be, in seconds."""
        return math.floor(self.lease.total_seconds() * 100 / 3) / 100

    @property
    def database_file(self) -> Path | None:
        """The embedded database's file, `None` on PostgreSQL."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(path) if scheme.startswith("sqlite") else None
