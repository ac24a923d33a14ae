"""The Locations, as a partner may see them: as a list in pages, or one of them or of what is in it.

Spec: OCPI 2.2.1 mod_locations, CPO interface; transport_and_format, pagination.
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api.ocpi.asking import Asking
from app.api.ocpi.envelope import UNKNOWN_LOCATION, Answer, Refused, granted
from app.api.ocpi.parameters import LARGEST_PAGE, Asked, asked
from app.channels.ocpi.release import Party
from app.channels.ocpi.sender import Sender
from app.domain.partner import Partner
from app.store import location_pages
from app.store.location_pages import Page, Site


async def locations(
    connection: AsyncConnection, partner: Partner, asking: Asking, sender: Sender, at: datetime
) -> Answer:
    """One page. A full pull is the new truth, so nobody may be missing from all of its pages."""
    page_asked = asked(asking.query)
    page = await location_pages.page(
        connection,
        partner,
        page_asked.wanted,
        offset=page_asked.offset if page_asked.after is None else 0,
        after=page_asked.after or 0,
        limit=page_asked.limit,
    )
    written = _said(sender, page)
    while not written and page.following is not None:  # many take an empty page for the last
        more = await location_pages.page(
            connection, partner, page_asked.wanted, after=page.following, limit=page_asked.limit
        )
        page, written = msgspec.structs.replace(more, length=page.length + more.length), _said(sender, more)
    total = await _total(connection, partner, page_asked, page)
    headers = {"X-Total-Count": str(total), "X-Limit": str(LARGEST_PAGE)}
    if page.following is not None:
        query = urlencode(page_asked.following(asking.query, page.length, page.following))
        headers["Link"] = f'<{asking.url(sender.version, "locations")}?{query}>; rel="next"'
    return granted(written, at, headers | asking.routed(sender, _party(page.sites)))


async def part(connection: AsyncConnection, partner: Partner, asking: Asking, sender: Sender, at: datetime) -> Answer:
    """One Location, EVSE or Connector, by the rest of the path.

    Raises:
        Refused: HTTP 404; there is none that the partner may see.
    """
    location_id, *inside = asking.path[2:]
    if not location_id.isprintable():  # nor does any id hold such, and PostgreSQL would not even look for some
        raise Refused(HTTPStatus.NOT_FOUND, UNKNOWN_LOCATION, "there is no such object here")
    sites = await location_pages.find(connection, partner, location_id, any_case=not sender.ids_have_case)
    if (party := asking.asked_of) is not None:  # the id may be that of several parties' locations
        sites = tuple(sorted(sites, key=lambda site: not party.is_same(_party([site]))))
    for site in sites[:1]:
        written = _written(sender, site)
        chosen = None if written is None else sender.part(written, inside)
        if chosen is not None:
            return granted(chosen, at, asking.routed(sender, _party(sites)))
    raise Refused(HTTPStatus.NOT_FOUND, UNKNOWN_LOCATION, "there is no such object here, or none that you may see")


async def _total(connection: AsyncConnection, partner: Partner, asked_for: Asked, page: Page) -> int:
    """How many there are: by the last page itself, as one that changes meanwhile would be counted and not be there."""
    end = asked_for.offset + page.length
    if page.following is None and (page.length or not asked_for.offset):
        return end
    counted = await location_pages.count(connection, partner, asked_for.wanted)
    return counted if page.following is None else max(counted, end + 1)


def _said(sender: Sender, page: Page) -> list[dict[str, Any]]:
    return [one for one in (_written(sender, site) for site in page.sites) if one is not None]


def _written(sender: Sender, site: Site) -> dict[str, Any] | None:
    return sender.location(site.location, [one.notice() for one in site.truths], site.last_updated)


def _party(sites: Sequence[Site]) -> Party | None:
    return Party(sites[0].location.country, sites[0].location.party) if sites else None
