"""What happens at the points of a house by week, without small numbers, beside how many came into the house."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, TooLargeError
from servicepunkt.core.hosts.figures import service as figure_service
from servicepunkt.core.hosts.figures.model import ENOUGH
from servicepunkt.core.hosts.footfall import model, service, store
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, written_date
from servicepunkt.web import access
from servicepunkt.web.forms import uploaded
from servicepunkt.web.frame import language
from servicepunkt.web.hosts.house import EDIT, EDITING, HREF, READING, host_page, house_of
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor

DAYS = 28
Taken = Annotated[int | None, QueryParameter(ge=0, le=10_000)]


class DayCount(msgspec.Struct, frozen=True):
    """How many came on a day, and which part that is of the fullest one, in percent."""

    said: str
    count: int
    percent: int


@get(f"{HREF}/{{host_id:str}}/figures", guards=READING)
async def figures(
    request: Request[Any, Any, Any],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
    taken: Taken = None,
) -> Response[str]:
    """The tables, and the form for a file. `taken`: how many days the last file has changed."""
    return await _page(request, visitor, host_id, taken=taken)


@post(f"{HREF}/{{host_id:str}}/footfall", guards=EDITING)
async def upload(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
) -> Response[Any]:
    """Take a file over as a whole, or name every mistake in it."""
    house = await house_of(request, visitor, host_id, EDIT)
    content = await uploaded(request, "file")
    try:
        async with deployment.database.tenant(ctx) as tx:
            taken = await service.take_over(tx, host_id, content, actor=visitor.actor)
    except TooLargeError as error:
        return await _page(request, visitor, host_id, [("file", error.citizen)])
    except InvalidInputError as error:
        return await _page(request, visitor, host_id, wrong=error.mistakes)
    return see_other(request, f"{house.href}/figures?taken={len(taken.changed)}")


async def _page(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    host_id: str,
    mistakes: Sequence[tuple[str, str]] = (),
    *,
    wrong: Sequence[tuple[str, str]] = (),
    taken: int | None = None,
) -> Response[str]:
    house, ctx = await house_of(request, visitor, host_id), access.tenant_of(request)
    deployment, locale = access.deployment_of(request), language(request)
    today = ctx.local_date(deployment.clock.now())
    async with deployment.database.tenant(ctx) as tx:
        counts = model.totals(await store.between(tx, host_id, today - timedelta(days=DAYS), today))
    found = await figure_service.figures(deployment, ctx, [point.id for point in house.points])
    return await host_page(
        request,
        visitor,
        house,
        "web/host_figures.html",
        status=422 if wrong else 200,
        mistakes=mistakes,
        wrong=[(place.removeprefix("line "), sentence) for place, sentence in wrong],
        taken=taken,
        days=[
            DayCount(spoken_date(day, locale), count, round(100 * count / max(1, *counts.values())))
            for day, count in counts.items()
        ],
        figures=found,
        weeks={row.monday: written_date(row.monday, locale) for one in found if one.table for row in one.table.rows},
        enough=ENOUGH,
        columns=",".join(model.COLUMNS),
    )


HANDLERS = (figures, upload)
