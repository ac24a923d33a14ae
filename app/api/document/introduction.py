"""What an integrator has to know before the first call."""

from collections.abc import Mapping
from typing import Final

INTRODUCTION: Final = """\
Say that an EVSE is under maintenance, being commissioned, blocked or reserved, from then to then: drivers and roaming
partners are shown it, and the charger itself is not touched. **`RESERVED` is a picture and not a lock**: nothing keeps
a driver who is there from charging.

- **Keys.** `Authorization: Bearer <key>`. A key sees and does what its role and rights allow; what it may not see is
  answered like what does not exist.
- **Times** are RFC 3339 with an offset, between the years 2000 and 2099; milliseconds count, what is finer is cut off.
  They are answered in UTC with `Z`. Intervals are half-open: at `validFrom` it is active, at `validTo` it is over.
- **Strongest first.** `COMMISSIONING` before `MAINTENANCE` before `BLOCKED` before `RESERVED`, within one the one that
  ends last. When it is over, the next strongest shows, else what the charger does at that moment.
- **A 2xx is committed**: nothing that was answered is lost, and a read right after a write shows the write.
- **Said again, nothing breaks**: `PUT …/by-ref/{ref}` creates or replaces under your own reference, `DELETE` may be
  repeated, `POST` takes an `Idempotency-Key`.
- **Refusals** are problems (RFC 9457, `application/problem+json`): `type` is stable and meant for programs, `errors`
  points to the field. 400 cannot be read, 422 makes no sense, 409 is against what exists, 403 not with this key,
  429 and 503 come back after `Retry-After`. Unknown fields and parameters are refused.
- **Limits.** A body has at most 64 KiB (1 MiB where it is about many), a page 500 items, a reference 128 characters,
  a reason 500.
- **Lists** are bare arrays; the `Link` header leads to the next page.
"""

TAGS: Final[Mapping[str, str]] = {
    "Temporary statuses": "What is said about an EVSE for a while: planned, looked at, changed and ended.",
    "EVSEs": "The registered EVSEs, what their chargers really do, and what is shown for them and why.",
    "Events": "What is shown, as it changes.",
    "Partners": "Who is told: apps, Hubject operators and OCPI partners, and how far behind each of them is.",
    "Brakes": "What keeps one key from hiding a whole network, and who may lift it.",
    "API keys": "Who may call, and what for.",
    "Health": "Whether the service lives and can do its work. Needs no key.",
    "Operations": "What a monitoring system reads.",
}
