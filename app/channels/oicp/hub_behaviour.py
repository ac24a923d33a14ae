"""How the simulated Hubject behaves where texts and sightings differ, and the trouble that it can be told to make."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

#: What to do with one push in place of performing and acknowledging it.
#:
#: - Not applied, and answered as by Hubject: `500` (with code 001), `009`, `017`, `210`, `300`, `busy` (009 that
#:   another push is under way).
#: - Not applied, and answered as by the proxy in front: `429`, `403`, `502`, `certificate` (it cannot make sense of
#:   the client's), `garbage` (a page with HTTP 200).
#: - Applied: `cut` breaks off in the middle of the answer, `slow` answers after `slow_by`, `huge` has no end of words.
#: - Applied after `late_by`, perhaps after newer pushes: `late` hangs up at once, `late-504` gives the proxy's timeout
#:   at once, `late-silent` keeps the client waiting.
Trouble: TypeAlias = Literal[
    "500",
    "009",
    "017",
    "210",
    "300",
    "busy",
    "429",
    "403",
    "502",
    "certificate",
    "garbage",
    "cut",
    "slow",
    "huge",
    "late",
    "late-504",
    "late-silent",
]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What is not the same in all texts and sightings of Hubject. The defaults are what was seen last.

    `without_record`: an `update` of an EVSE without a status record inserts it, as seen in production, or is refused
    with this code; a `delete` likewise. The documented abort of an `insert` has the same code, 009 with `upsert`.

    `names_missing`: how the answer with 603 names the EVSEs that have no EvseData. No more of the names than
    `longest_info` characters, the documented limit; the last may be incomplete.

    `all_or_nothing`: a request with one impossible record changes nothing. Otherwise the others are applied, and the
    answer is the same.

    `parallel`: a push while another one of the operator is under way is refused, or goes unnoticed. It is wrong anyway.

    `per_minute`: calls of one operator beyond it get HTTP 429, and are wrong. `retry_after` is that header, in seconds.

    `refused`: operators that no call is taken from, with the reason: 017 locked, 210 no contract, 300 unknown.

    `without_certificate`: what a client hears over TLS that has no certificate.

    `plain_http`: whether clients may come without TLS, which Hubject knows nothing of.
    """

    without_record: Literal["upsert", "009", "022"] = "upsert"
    names_missing: Literal["as sent", "without separators", "none"] = "as sent"
    longest_info: int = 1000
    all_or_nothing: bool = True
    parallel: Literal["refused", "unnoticed"] = "refused"
    per_minute: int | None = None
    retry_after: int | None = None
    refused: Mapping[str, Literal["017", "210", "300"]] = {}
    without_certificate: Literal["page", "017"] = "page"
    plain_http: bool = True

    @property
    def strict_update(self) -> bool:
        return self.without_record != "upsert"

    @property
    def impossible_code(self) -> str:
        """The code that goes with an action that the records do not allow."""
        return self.without_record if self.without_record != "upsert" else "009"
