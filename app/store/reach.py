"""What a key's scope says, in SQL: the same as `Scope.covers` says in Python, which a property test holds it to."""

from collections import defaultdict

from sqlalchemy import ColumnElement, and_, or_, true

from app.domain.scope import Scope
from app.store.tables import metadata

_evse = metadata.tables["evse"]


def covered(scope: Scope) -> ColumnElement[bool]:
    """The condition for the EVSEs that a scope covers; one that is no condition where that is all of them.

    Each part can be looked up in an index, but for that of operators: those are many EVSEs, of which a page is found
    sooner in the order of the page.
    """
    if scope.is_everything:
        return true()
    parts: list[ColumnElement[bool]] = []
    if scope.operators:
        parts.append(_evse.c.operator.in_(scope.operators))
    locations: dict[tuple[str, str], list[str]] = defaultdict(list)
    for country, party, location in scope.sites:
        locations[country, party].append(location)
    # Not a list of triples, for which SQLite uses no index, nor a term for each site: it takes but a thousand.
    for (country, party), theirs in locations.items():
        parts.append(and_(_evse.c.location.in_(theirs), _evse.c.country == country, _evse.c.party == party))
    if scope.evses:
        parts.append(_evse.c.id.in_(scope.evses))
    return or_(*parts)
