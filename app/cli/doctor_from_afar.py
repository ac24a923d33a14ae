"""What `evse-status doctor --url` finds out: what a service tells of itself, its partners and its brakes."""

from datetime import timedelta
from typing import Any, Final

from app.cli.calling import Calling, Refused
from app.cli.findings import Finding
from app.clock import SystemClock
from app.domain.partner import Standing

#: The answer's date counts in whole seconds, and takes its time to come.
_SKEWED: Final = timedelta(seconds=3)
_MAY_NOT: Final = 403


async def examine(api: Calling) -> tuple[dict[str, Any], list[Finding]]:
    """What was looked at, and what was found; what the key may not see is a note."""
    ready = await api.readiness()
    examined = {"status": ready["status"], "partners": len(ready["partners"])}
    found = [Finding("service", one, "read its log, and docs/operations.md") for one in ready["why"]]
    ahead = SystemClock().now() - await api.now()
    if abs(ahead) > _SKEWED:
        says = f"this machine's clock is {ahead.total_seconds():.0f} s ahead of the service's, which counts"
        found.append(Finding("clock", says, "have both set by NTP"))
    for path, about in (("/v2/partners", _partner), ("/v2/brakes", _brake)):
        try:
            found += [finding for page in [await api.get(path)] for one in page for finding in about(one)]
        except Refused as refused:
            if refused.status != _MAY_NOT:
                raise
            found.append(Finding(path, f"not looked at: {refused.message}", "", note=True))
    return examined, found


def _partner(one: dict[str, Any]) -> list[Finding]:
    name = f"partner {one['name']}"
    found = [Finding(name, concern, "") for concern in one["concerns"]]
    if one["owed"] and one["state"] != Standing.GOOD:
        says = f"is {one['state']}, and {one['owed']} of {one['shared']} EVSEs are owed"
        says += f", the oldest since {one['waitingSince']}" if one["waitingSince"] else ""
        says += f": {one['lastError']}" if one["lastError"] else ""
        found.append(Finding(name, says, f"mend the cause, then PATCH /v2/partners/{one['name']} with paused: false"))
    if one["parked"]:
        says = f"refuses {one['parked']} EVSEs until their status changes"
        found.append(Finding(name, says, f"GET /v2/partners/{one['name']}/deliveries says which, and why"))
    return found


def _brake(one: dict[str, Any]) -> list[Finding]:
    site = one["site"]
    name = f"brake of {one['operator'] if site is None else '/'.join(site.values())}"
    if not one["holds"]:
        return [Finding(name, f"is lifted until {one['liftedUntil']}", "", note=True)]
    says = f"took hold as key {one['trippedBy']} would have overridden {one['evses']} of {one['of']} EVSEs; holds back "
    says += f"{', '.join(one['held'])} until {one['heldUntil']}"
    todo = f"POST /v2/brakes/lift if that is meant, POST /v2/keys/{one['trippedBy']}/panic if not"
    return [Finding(name, says, todo)]
