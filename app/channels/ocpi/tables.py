"""The status tables of all versions, as they stand in this channel's README."""

from collections.abc import Callable

from app.channels.ocpi.partner_release import RELEASES
from app.channels.ocpi.release import Release
from app.channels.ocpi.status import Status
from app.domain.status import ActualStatus, Kind


def markdown() -> str:
    """Render what each presented status is told as in each version."""

    def row(name: str, status: Callable[[Release], Status]) -> str:
        return f"| {name} | {' | '.join(status(one) for one in RELEASES.values())} |"

    rows = [
        f"| presented | {' | '.join(f'OCPI {version}' for version in RELEASES)} |",
        f"|---|{'---|' * len(RELEASES)}",
        *(row(f"temporary {kind}", lambda one, kind=kind: one.kinds[kind]) for kind in Kind),  # type: ignore[misc]
        *(row(f"actual {status}", lambda one, status=status: one.actual[status]) for status in ActualStatus),  # type: ignore[misc]
        row("no longer shared", lambda _: Status.REMOVED),
    ]
    return "\n".join(rows) + "\n"
