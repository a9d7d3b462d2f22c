"""The card readers, for staff: whether they answer, and the way to their pages for the PIN service at the desk."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.sessions import readers
from servicepunkt.eid.settings import settings_of
from servicepunkt.web import access
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

READ = "readers.read"
PATH = "/staff/eid"


@get(PATH, guards=[access.permission(READ, per_unit=True)])
async def show_readers(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """The readers of the points at which one works."""
    own = [one for one in settings_of(ctx).readers if visitor.may(READ, one.point)]
    async with deployment.database.tenant(ctx) as tx:
        found = [await readers.seen(tx, one) for one in own]
    return await staff_page(request, visitor, "eid/readers.html", readers=found)


HANDLERS = (show_readers,)
