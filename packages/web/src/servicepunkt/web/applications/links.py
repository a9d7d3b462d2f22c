"""Where somebody applies for an offer, and by which cookie a browser's drafts are found again."""

from __future__ import annotations

from typing import Any

from litestar import Request

from servicepunkt.core.applications.settings import form_of
from servicepunkt.web import access
from servicepunkt.web.frame import place_of
from servicepunkt.web.terminal.content import OfferSeen

#: What is entered at a terminal ends with it: the button that ends a session deletes every cookie.
COOKIE = "sp_application"


def can_be_applied_for(request: Request[Any, Any, Any], seen: OfferSeen) -> bool:
    """Whether an offer lets somebody apply, and there is a form for it."""
    has_form = form_of(access.tenant_of(request), seen.service.id) is not None
    return has_form and "apply" in seen.offer.can and seen.status in ("now", "later")


def apply_links(request: Request[Any, Any, Any], offers: list[OfferSeen]) -> dict[int, str]:
    """By the number of an offer, where its application begins."""
    return {seen.number: apply_path(request, seen.service.id) for seen in offers if can_be_applied_for(request, seen)}


def apply_path(request: Request[Any, Any, Any], service_id: str) -> str:
    return f"{place_of(request)}/apply/{service_id}"
