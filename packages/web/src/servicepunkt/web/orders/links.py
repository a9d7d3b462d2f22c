"""What can be ordered of an offer, and where that begins: what the page of a service shows of orders."""

from __future__ import annotations

from typing import Any

from litestar import Request

from servicepunkt.core.orders.asking import Partner, partner_of
from servicepunkt.web import access
from servicepunkt.web.frame import place_of
from servicepunkt.web.orders.seen import verb
from servicepunkt.web.terminal.content import OfferSeen, Sight


def can_be_ordered(request: Request[Any, Any, Any], seen: OfferSeen) -> Partner | None:
    """Who is asked for an offer; None where nobody is.

    What is kept for hours alone is ordered while somebody is there to be paid; dates are booked at any time.
    """
    if seen.status not in ("now", "later"):
        return None
    partner = partner_of(access.deployment_of(request), access.tenant_of(request), seen.offer)
    return partner if partner and (partner.is_booking or seen.status == "now") else None


def order_links(request: Request[Any, Any, Any], sight: Sight, offers: list[OfferSeen]) -> dict[int, tuple[str, str]]:
    """By the number of an offer: what is pressed to order it, and where that leads to."""
    return {
        seen.number: (verb(seen.offer.can), order_path(request, sight, seen.service.id, seen.point.id))
        for seen in offers
        if can_be_ordered(request, seen)
    }


def order_path(request: Request[Any, Any, Any], sight: Sight, service_id: str, point_id: str) -> str:
    """At a terminal its own point; on the web the point stands in the address."""
    path = f"{place_of(request)}/service/{service_id}/order"
    return path if sight.point else f"{path}/{point_id}"
