"""All pages of the area: those of staff, and the way from a terminal to the box's own pages."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import identify_pages
from servicepunkt.dokbox.identify_pages import address_of, box_beside
from servicepunkt.dokbox.staff import attest, boxes, care, deposits, new_deposit, renewal
from servicepunkt.web import access
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import Frame
from servicepunkt.web.terminal.switches import with_choices


@get("/k/box/{box_id:str}", guards=[access.terminal])
async def to_the_box(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    box_id: FromPath[str],
    device: NamedDependency[Device],
) -> Response[Any]:
    """From the terminal to the box's own pages, as far as the box has said where they are."""
    wanted = box_beside(ctx, box_id)
    async with deployment.database.tenant(ctx) as tx:
        address = await address_of(tx, wanted)
    if wanted.point == device.target and address:
        return Redirect(with_choices(request, address), status_code=303)
    frame: Frame = request.app.state["frame"]
    return frame.page(request, "dokbox/box_elsewhere.html", box=wanted)


HANDLERS = (
    *deposits.HANDLERS,
    *new_deposit.HANDLERS,
    *care.HANDLERS,
    *attest.HANDLERS,
    *boxes.HANDLERS,
    *renewal.HANDLERS,
    to_the_box,
    *identify_pages.HANDLERS,
)
