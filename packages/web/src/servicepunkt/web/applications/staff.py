"""Applications for those at the counter: found by reference, sent again; what was answered, for clerks alone."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.applications import service
from servicepunkt.core.catalogue.model import Catalogue, pick
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import access
from servicepunkt.web.applications.seen import YES_NO, Words
from servicepunkt.web.applications.tasks import HREF
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

PERMISSION, READ = "applications.forward", "applications.read"
Reference = Annotated[str, QueryParameter(max_length=40)]


@get(HREF, guards=[access.permission(PERMISSION)])
async def applications(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    reference: Reference = "",
) -> Response[str]:
    """What was submitted, what failed first; or the one application that somebody names. Nobody's answers."""
    found = await service.by_reference(deployment, ctx, reference) if reference else None
    listed = [found] if found else [] if reference else await service.listed(deployment, ctx)
    words, catalogue = _words(request), await _catalogue(request, ctx)
    now = deployment.clock.now()
    return await staff_page(
        request,
        visitor,
        "web/staff_applications.html",
        applications=[words.application(one, _name(catalogue, one.service, words.locale), now) for one in listed],
        may_read=visitor.may(READ),
        reference=reference,
    )


@get(f"{HREF}/{{application_id:uuid}}", guards=[access.permission(READ)])
async def application(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    application_id: FromPath[UUID],
) -> Response[str]:
    """What was answered. The audit chain says who has looked. Raises NotFoundError, also where it was erased."""
    own = await service.find(deployment, ctx, application_id)
    opened = await service.open_for(deployment, ctx, application_id, actor=visitor.actor)
    words = _words(request)
    return await staff_page(
        request,
        visitor,
        "web/staff_application.html",
        seen=words.application(own, opened.title, deployment.clock.now()),
        opened=opened,
        yes_no=YES_NO,
    )


@post(f"{HREF}/{{application_id:uuid}}", guards=[access.permission(PERMISSION)])
async def send_again(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    application_id: FromPath[UUID],
) -> Response[Any]:
    """Try to pass an application on once more, at once."""
    await service.send_again(deployment, ctx, application_id, actor=visitor.actor)
    return see_other(request, HREF)


def _words(request: Request[Any, Any, Any]) -> Words:
    locale = language(request)
    say = partial(access.deployment_of(request).texts.translate, locale)
    return Words(locale=locale, zone=access.tenant_of(request).zone_info, say=say)


async def _catalogue(request: Request[Any, Any, Any], ctx: TenantContext) -> Catalogue:
    reader: CatalogueReader = request.app.state["catalogue"]
    try:
        return (await reader.current(ctx)).catalogue
    except NotFoundError:
        return Catalogue()


def _name(catalogue: Catalogue, service_id: str, locale: str) -> str:
    """What was applied for may have left the catalogue since."""
    found = catalogue.service(service_id)
    return pick(found.name, locale) if found else service_id


HANDLERS = (applications, application, send_again)
