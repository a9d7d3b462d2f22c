"""Count rows of a tenant's table by point and day, for the hook `host_figures`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from servicepunkt.core.db.session import Transaction


async def per_day(
    tx: Transaction, point: sa.ColumnElement[str], at: sa.ColumnElement[datetime], *where: sa.ColumnElement[bool]
) -> dict[tuple[str, date], int]:
    """How many rows there are by `point` and the day of `at` at the tenant's place.

    `where` binds each table to the tenant, joins them and says from when to when.
    """
    day: sa.ColumnElement[Any] = sa.cast(sa.func.timezone(tx.ctx.zone, at), sa.Date)
    query = (
        sa.select(point.label("point"), day.label("day"), sa.func.count().label("rows"))
        .where(*where)
        .group_by(point, day)
    )
    return {(str(row.point), row.day): int(row.rows) for row in await tx.execute(query)}
