"""What people look for in vain: a list that editors work off."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency

from servicepunkt.core.catalogue.search import misses as store
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date
from servicepunkt.web import access
from servicepunkt.web.forms import convert, typed
from servicepunkt.web.frame import language
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.frame import staff_page

HREF = "/staff/catalogue/misses"


class Settled(msgspec.Struct, frozen=True):
    """The words of a question that was dealt with."""

    words: Annotated[str, msgspec.Meta(min_length=1, max_length=store.LONGEST)]


class MissSeen(msgspec.Struct, frozen=True):
    words: str
    count: int
    day: str


@get(HREF, guards=[access.permission("catalogue.edit")])
async def misses(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """What several have looked for in vain, the most frequent first."""
    locale = language(request)
    async with deployment.database.tenant(ctx) as tx:
        found = await store.misses(tx)
    rows = [MissSeen(one.words, one.count, spoken_date(one.last_on, locale)) for one in found]
    return await staff_page(request, visitor, "web/staff_misses.html", misses=rows)


@post(HREF, guards=[access.permission("catalogue.edit")])
async def settle(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
) -> Response[Any]:
    """An editor has dealt with a question."""
    form = convert(await typed(request), Settled, {})
    async with deployment.database.tenant(ctx) as tx:
        await store.settle(tx, form.words)
    return see_other(request, HREF)


HANDLERS = (misses, settle)
