"""What the tenant's plugins count at the points of a house, as tables that a host may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time

import msgspec
import structlog

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.figures import model
from servicepunkt.core.hosts.figures.model import WEEK, Table
from servicepunkt.core.tenancy.model import TenantContext

log = structlog.get_logger("servicepunkt.hosts")
WEEKS = 8


class Figure(msgspec.Struct, frozen=True):
    """What was counted (a message id) and the table of it; None where the plugin could not count."""

    title: str
    table: Table | None


async def figures(deployment: Deployment, ctx: TenantContext, points: Sequence[str]) -> list[Figure]:
    """Each figure for the last weeks that are over."""
    weeks = model.mondays(ctx.local_date(deployment.clock.now()), WEEKS)
    since, until = (_midnight(day, ctx) for day in (weeks[-1], weeks[0] + WEEK))
    found = []
    for figure in deployment.plugins.flat(ctx, "host_figures"):
        try:
            async with deployment.database.tenant(ctx) as tx:
                counts = await figure.per_day(tx, since, until)
            found.append(Figure(figure.title, model.table(counts, points, weeks)))
        except Exception:
            log.exception("host_figure_failed", figure=figure.title)
            found.append(Figure(figure.title, None))
    return found


def _midnight(day: date, ctx: TenantContext) -> datetime:
    return datetime.combine(day, time(), tzinfo=ctx.zone_info)
