"""The frame of staff pages: what every one of them shows besides its own content."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response

from servicepunkt.core.people.links import service as links
from servicepunkt.web.access import deployment_of, tenant_of
from servicepunkt.web.frame import Frame
from servicepunkt.web.operators import service as operators
from servicepunkt.web.sessions import demand
from servicepunkt.web.sessions.model import Visitor

START = "/staff"
LINKS = "/staff/account/links"
SWITCH = "/staff/switch"


async def staff_page(
    request: Request[Any, Any, Any], visitor: Visitor, template: str, *, status: int = 200, **values: Any
) -> Response[str]:
    """A page that extends `web/staff.html`, with the navigation that the visitor's permissions allow."""
    frame: Frame = request.app.state["frame"]
    deployment, ctx = deployment_of(request), tenant_of(request)
    found = deployment.plugins.flat(ctx, "staff_entries", permissions=visitor.somewhere)
    found += operators.entries(ctx, visitor, deployment.settings.operator_tenant)
    if visitor.acting:
        found = [entry for entry in found if operators.is_lent(entry.href)]
    if not demand.is_met(ctx, visitor):
        found = []
    entries = sorted(found, key=lambda entry: entry.order)
    area = _area(str(request.scope["path"]), [entry.href for entry in entries])
    elsewhere = [] if visitor.acting else await links.others(deployment, ctx, visitor.account.id)
    shown = {"entries": entries, "area": area, "visitor": visitor, "elsewhere": elsewhere, **values}
    return frame.page(request, template, status=status, **shown)


def _area(path: str, addresses: list[str]) -> str:
    """The entry of the navigation to which a page belongs: of those above it the nearest; empty for none."""
    above = (one for one in addresses if path == one or (one != START and path.startswith(f"{one}/")))
    return max(above, key=len, default="")
