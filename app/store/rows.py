"""Rows to domain structs and back: the only place where the two meet."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping

from app.domain.announcing import Announced
from app.domain.delivery import Aspect, Delivery
from app.domain.evse import Evse
from app.domain.interval import Interval
from app.domain.location import Location
from app.domain.presentation import Gate, Presentation, What
from app.domain.status import ActualStatus, AppliesWhen, DeploymentState, Kind
from app.domain.temporary_status import TemporaryStatus
from app.store.spans import span_of

#: What `evse_of` reads, in its order.
EVSE_COLUMNS: Final = (
    *("id", "evse_id", "evse_id_key", "operator", "country", "party", "uid", "location"),
    *("deployment_state", "actual_status", "reported_status", "observed_at"),
    *("ocpi_object", "ocpi_version", "object_changed_at", "created_by", "created_at", "updated_at"),
)
_DEPLOYMENT: Final = {one.value: one for one in DeploymentState}
_ACTUAL: Final = {one.value: one for one in ActualStatus}


def evse_from(row: RowMapping) -> Evse:
    return evse_of([row[name] for name in EVSE_COLUMNS])


def evse_of(row: Sequence[Any]) -> Evse:
    """A row of `EVSE_COLUMNS`, by their places: of a thousand at once, names are most of what it takes."""
    return Evse(
        id=row[0],
        evse_id=row[1],
        key=row[2],
        operator=row[3],
        country=row[4],
        party=row[5],
        uid=row[6],
        location=row[7],
        deployment=_DEPLOYMENT[row[8]],
        actual_status=_ACTUAL[row[9]],
        reported=row[10],
        observed_at=row[11],
        ocpi_object=row[12],
        ocpi_version=row[13],
        object_changed_at=row[14],
        created_by=row[15],
        created_at=row[16],
        updated_at=row[17],
    )


def evse_values(evse: Evse) -> dict[str, Any]:
    return {
        "id": evse.id,
        "evse_id": evse.evse_id,
        "evse_id_key": evse.key,
        "operator": evse.operator,
        "country": evse.country,
        "party": evse.party,
        "uid": evse.uid,
        "location": evse.location,
        "deployment_state": evse.deployment.value,
        "actual_status": evse.actual_status.value,
        "reported_status": evse.reported,
        "observed_at": evse.observed_at,
        "ocpi_object": evse.ocpi_object,
        "ocpi_version": evse.ocpi_version,
        "object_changed_at": evse.object_changed_at,
        "created_by": evse.created_by,
        "created_at": evse.created_at,
        "updated_at": evse.updated_at,
    }


def temporary_status_from(row: RowMapping) -> TemporaryStatus:
    return TemporaryStatus(
        id=row["id"],
        evse=row["evse"],
        kind=Kind(row["kind"]),
        interval=Interval(row["valid_from"], row["valid_to"]),
        applies_when=AppliesWhen(row["applies_when"]),
        reason=row["reason"],
        ref=row["ref"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        revision=row["revision"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
        end_reason=row["end_reason"],
        braked=row["braked"],
        batch=row["batch"],
    )


def temporary_status_values(one: TemporaryStatus, operator: str) -> dict[str, Any]:
    return {
        "id": one.id,
        "evse": one.evse,
        "operator": operator,
        "kind": one.kind.value,
        "valid_from": one.interval.begin,
        "valid_to": one.interval.end,
        "applies_when": one.applies_when.value,
        "reason": one.reason,
        "ref": one.ref,
        "created_by": one.created_by,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "revision": one.revision,
        "ended_at": one.ended_at,
        "ended_by": one.ended_by,
        "end_reason": one.end_reason,
        "braked": one.braked,
        "batch": one.batch,
        "span": span_of(one),
    }


def location_from(row: RowMapping) -> Location:
    return Location(
        number=row["id"],
        country=row["country"],
        party=row["party"],
        id=row["location"],
        ocpi_object=row["ocpi_object"],
        ocpi_version=row["ocpi_version"],
        changed_at=row["changed_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )


def location_values(location: Location) -> dict[str, Any]:
    return {
        "id": location.number,
        "country": location.country,
        "party": location.party,
        "location": location.id,
        "ocpi_object": location.ocpi_object,
        "ocpi_version": location.ocpi_version,
        "changed_at": location.changed_at,
        "created_by": location.created_by,
        "created_at": location.created_at,
    }


_WORDS: tuple[tuple[str, type[Kind] | type[ActualStatus] | type[Gate]], ...] = (
    ("kind", Kind),
    ("actual", ActualStatus),
    ("gate", Gate),
)
#: `kind:BLOCKED` and `actual:BLOCKED` share a word but not a meaning, so both halves are stored.
_WHAT: dict[str, What] = {f"{word}:{one.value}": one for word, members in _WORDS for one in members}
_TEXT = {(type(one), one): text for text, one in _WHAT.items()}  # by the type too, as they are equal as texts


def what_text(what: What) -> str:
    return _TEXT[type(what), what]


def what_from(stored: str) -> What:
    return _WHAT[stored]


def presentation_from(row: RowMapping) -> Presentation:
    return Presentation(what_from(row["what"]), row["because"], row["until"])


def announced_from(stored: list[Any] | None) -> tuple[Announced, ...]:
    return () if not stored else msgspec.convert(stored, tuple[Announced, ...])


#: What `delivery_of` reads, in its order; `delivery_values` and those who change rows go by it too.
DELIVERY_COLUMNS: Final = Delivery.__struct_fields__
_ASPECT: Final = {one.value: one for one in Aspect}


def delivery_from(row: RowMapping) -> Delivery:
    return delivery_of([row[name] for name in DELIVERY_COLUMNS])


def delivery_of(row: Sequence[Any]) -> Delivery:
    """A row of `DELIVERY_COLUMNS`, by their places: lanes read many."""
    return Delivery(
        partner=row[0],
        evse=row[1],
        aspect=_ASPECT[row[2]],
        want=row[3],
        acked=row[4],
        acked_digest=row[5],
        acked_at=row[6],
        shared_at=row[7],
        generation=row[8],
        in_flight=row[9],
        suspect=row[10],
        confirm_at=row[11],
        rejected_version=row[12],
        lease_until=row[13],
        token=row[14],
        attempts=row[15],
        next_at=row[16],
        last_error=row[17],
        told_at=row[18],
    )


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    return dict(zip(DELIVERY_COLUMNS, delivery_row(delivery), strict=True))


def delivery_row(delivery: Delivery) -> tuple[Any, ...]:
    """The values of `DELIVERY_COLUMNS`."""
    partner, evse, aspect, *others = msgspec.structs.astuple(delivery)
    return (partner, evse, aspect.value, *others)
