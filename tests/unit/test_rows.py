"""Rows that are read by the places of their columns are the same as by their names."""

from datetime import UTC, datetime, timedelta

from app.domain.delivery import Aspect, Delivery
from app.domain.evse import Evse
from app.domain.status import ActualStatus, DeploymentState
from app.store.rows import (
    DELIVERY_COLUMNS,
    EVSE_COLUMNS,
    delivery_from,
    delivery_of,
    delivery_row,
    delivery_values,
    evse_from,
    evse_of,
    evse_values,
)
from app.store.tables import metadata

AT = datetime(2026, 11, 21, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_every_column_of_an_evse_is_in_its_place() -> None:
    evse = Evse(
        id=1,
        evse_id="DE*ABC*E1",
        key="DEABCE1",
        operator="DEABC",
        country="DE",
        party="ABC",
        uid="uid",
        location="LOC1",
        deployment=DeploymentState.PRODUCTION,
        actual_status=ActualStatus.CHARGING,
        reported="Charging",
        observed_at=AT,
        ocpi_object={"uid": "uid"},
        ocpi_version="2.2.1",
        object_changed_at=AT + HOUR,
        created_by="somebody",
        created_at=AT + 2 * HOUR,
        updated_at=AT + 3 * HOUR,
    )
    values = evse_values(evse)
    assert set(EVSE_COLUMNS) == set(metadata.tables["evse"].c.keys())
    assert evse_of([values[name] for name in EVSE_COLUMNS]) == evse
    assert evse_from(values) == evse  # type: ignore[arg-type]


def test_every_column_of_a_delivery_is_in_its_place() -> None:
    delivery = Delivery(
        partner=1,
        evse=2,
        aspect=Aspect.SCHEDULE,
        want=3,
        acked=4,
        acked_digest="digest",
        acked_at=AT,
        shared_at=AT + HOUR,
        generation=5,
        in_flight=True,
        suspect=False,
        confirm_at=AT + 2 * HOUR,
        rejected_version=6,
        lease_until=AT + 3 * HOUR,
        token="token",
        attempts=7,
        next_at=AT + 4 * HOUR,
        last_error="error",
        told_at="address",
    )
    assert set(DELIVERY_COLUMNS) == set(metadata.tables["delivery"].c.keys())
    assert delivery_of(delivery_row(delivery)) == delivery
    assert delivery_from(delivery_values(delivery)) == delivery  # type: ignore[arg-type]
