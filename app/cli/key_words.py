"""What there is to say of an API key, in people's words."""

from collections.abc import Mapping
from datetime import datetime

from app.domain.api_key import ApiKey, KeyState
from app.domain.duration import short_duration
from app.domain.evse_id import operator_name
from app.domain.permission import KINDS, ROLES, Action
from app.domain.scope import Scope


def minute(at: datetime) -> str:
    """A time in UTC, to the minute."""
    return at.strftime("%Y-%m-%d %H:%M")


def state(key: ApiKey, at: datetime) -> str:
    """Whether it is good, until when, and how the secret before it stands."""
    match key.state(at):
        case KeyState.REVOKED:
            return "revoked"
        case KeyState.EXPIRED:
            return "expired" if key.expires_at is None else f"expired {minute(key.expires_at)}"
        case KeyState.GOOD:
            good = "good" if key.expires_at is None else f"good until {key.expires_at:%Y-%m-%d}"
            return f"{good}; {old}" if (old := old_secret(key, at)) else good


def old_secret(key: ApiKey, at: datetime) -> str:
    """How the secret before the last rotation stands; nothing where it is over."""
    if key.previous_until is None or not key.overlaps(at):
        return ""
    used = "still in use" if key.previous_used_at is not None else "not used since"
    return f"old secret until {minute(key.previous_until)}, {used}"


def last_use(key: ApiKey) -> str:
    if key.last_used_at is None:
        return "never"
    return f"{minute(key.last_used_at)} {key.last_used_from or ''}".rstrip()


def scope(of: Scope, names: Mapping[int, str]) -> str:
    """Which EVSEs; `names` are those of single ones."""
    if of.is_everything:
        return "all"
    parts = [f"operator {operator_name(one)}" for one in of.operators]
    parts += [f"site {'/'.join(one)}" for one in of.sites]
    parts += [names.get(one, f"#{one}") for one in of.evses]
    return ", ".join(parts)


def described(key: ApiKey, names: Mapping[int, str]) -> list[tuple[str, str]]:
    """What it is good for, in lines of a word or two and what there is to say."""
    rights = key.rights
    lines = [("EVSEs", scope(rights.scope, names))]
    if key.role in ROLES[Action.PLAN]:
        says = [kind.value for kind in rights.kinds if kind in KINDS[key.role]]
        longest = "any length" if rights.longest is None else f"at most {short_duration(rights.longest)}"
        is_open = rights.open_ended and rights.longest is None
        lines += [
            ("may say", ", ".join(says) or "nothing"),
            ("lasting", f"{longest}, {'the end may be left open' if is_open else 'never with an open end'}"),
            ("begins", "any time ahead" if rights.furthest is None else f"within {short_duration(rights.furthest)}"),
            ("at once", "any number" if rights.most_active is None else f"at most {rights.most_active}"),
        ]
        if rights.final_cancel:
            lines.append(("references", "one cancelled without a version stays so for a day"))
    lines.append(("networks", ", ".join(rights.networks) or "any"))
    lines.append(("rate", "any" if rights.rate is None else f"{rights.rate} calls a minute, in each process"))
    return lines


def history(key: ApiKey, at: datetime) -> list[tuple[str, str]]:
    """Who made it, what became of it, and when it was used; times in UTC."""
    lines = [("made", f"{minute(key.created_at)} by {key.created_by}")]
    lines.append(("expires", "never" if key.expires_at is None else minute(key.expires_at)))
    if key.rotated_at is not None:
        old = old_secret(key, at) or "the old secret is over"
        used = f" ({minute(key.previous_used_at)})" if key.previous_used_at is not None else ""
        lines.append(("rotated", f"{minute(key.rotated_at)}; {old}{used}"))
    if key.revoked_at is not None:
        lines.append(("revoked", minute(key.revoked_at)))
    lines.append(("last used", last_use(key)))
    return lines
