"""How a batch writes over the rows that it changed, and what a new EVSE begins with."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, update
from sqlalchemy.sql.dml import Update

from app.domain.evse import Evse
from app.domain.presentation import Gate
from app.store.due import AT_ONCE
from app.store.rows import what_text
from app.store.tables import metadata

_evse = metadata.tables["evse"]
_temporary = metadata.tables["temporary_status"]


def _replacing(table: Any) -> Update:
    columns = [column.name for column in table.c if column.name != "id"]
    return update(table).where(table.c.id == bindparam("key")).values({name: bindparam(name) for name in columns})


def keyed(values: dict[str, Any]) -> dict[str, Any]:
    return {"key": values.pop("id"), **values}


def not_yet_presented(evse: Evse, at: datetime) -> dict[str, Any]:
    # Version 0, shown to nobody: the first reconcile compares with it like with any other.
    return {
        "evse": evse.id,
        "what": what_text(Gate.WITHHELD),
        "because": None,
        "until": None,
        "announced": None,
        "version": 0,
        "status_version": 0,
        "schedule_version": 0,
        "last_updated": at,
        "recheck_at": AT_ONCE,
    }


REPLACE_EVSE: Final = _replacing(_evse)
REPLACE_TEMPORARY: Final = _replacing(_temporary)
