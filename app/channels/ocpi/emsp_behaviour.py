"""How the simulated eMSP behaves where real ones differ, and the trouble that it can be told to make."""

from typing import Final, Literal, TypeAlias, get_args

import msgspec

#: What a Locations receiver may be asked for.
RequestKind: TypeAlias = Literal["PATCH status", "PATCH schedule", "PUT evse", "PUT location", "GET"]
REQUEST_KINDS: Final[tuple[RequestKind, ...]] = get_args(RequestKind)

#: What to do with one request in place of doing it and saying so.
#:
#: - Not applied, and answered with an envelope: `401`, `429` and `503` (both with Retry-After), `500`, `2000`, `2001`,
#:   `2003` (with HTTP 404), `3000`.
#: - Not applied, and answered by something else: `502` (a proxy's page), `garbage` (a page with HTTP 200),
#:   `bad-json` (HTTP 200, and half an envelope).
#: - Applied: `cut` breaks off in the middle of the answer, `slow` answers after `slow_by`.
#: - Applied after `late_by`, over whatever has come since: `late` hangs up at once, `late-500` says at once that it
#:   failed, `late-silent` keeps the sender waiting until then.
Trouble: TypeAlias = Literal[
    "401",
    "429",
    "500",
    "503",
    "2000",
    "2001",
    "2003",
    "3000",
    "502",
    "garbage",
    "bad-json",
    "cut",
    "slow",
    "late",
    "late-500",
    "late-silent",
]
LATE: Final = frozenset({"late", "late-500", "late-silent"})


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What is not the same at all partners. The defaults are those of one that goes by the specification.

    `strict_locations`: an EVSE that is PUT into a Location it does not have is answered with 404 and 2003.

    `rejects_schedules`: whatever has a `status_schedule` in it is answered with HTTP 422 and no envelope, as by
    servers that take it for one object instead of a list, or with 2001.

    `demands_uid`: a PATCH that does not repeat the uid is answered with 2001.

    `checks_order`: what is older than what it has is dropped without a word. Otherwise what comes last counts.

    `retry_after` is that header of 429 and 503, in seconds; `None` leaves it out.
    """

    strict_locations: bool = False
    rejects_schedules: Literal["422", "2001"] | None = None
    demands_uid: bool = False
    checks_order: bool = False
    retry_after: int | None = 1
