"""What the operator of an installation has settled for a tenant beside its file: other limits, a pause, fewer requests
for a while. A file that the town applies does not undo it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.db.schema import Instant, platform_table
from servicepunkt.core.quotas import SECTION, LimitSettings
from servicepunkt.core.tenancy.model import Lowered, TenantContext, Terms

tenant_terms = platform_table(
    "tenant_terms",
    sa.Column("tenant", sa.Integer, sa.ForeignKey("tenant.id"), primary_key=True, autoincrement=False),
    sa.Column("limits", JSONB, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("slow_requests", sa.Float, nullable=True),
    sa.Column("slow_until", Instant, nullable=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
#: Whoever changes terms, one after the other: their revisions are counted up.
LOCK = sa.text("SELECT pg_advisory_xact_lock(115004)")


def in_force(ctx: TenantContext, terms: Terms | None) -> TenantContext:
    """The tenant as it is served: its file, and above it what was settled."""
    if terms is None:
        return ctx
    limits = msgspec.structs.replace(ctx.section(SECTION, LimitSettings), **terms.limits)
    lowered = Lowered(terms.slow_requests, terms.slow_until) if terms.slow_requests and terms.slow_until else None
    state = "paused" if terms.paused and ctx.state == "live" else ctx.state
    settings = {**ctx.settings, SECTION: limits} if terms.limits else ctx.settings
    return msgspec.structs.replace(ctx, state=state, settings=settings, lowered=lowered)


async def of_all(connection: AsyncConnection) -> dict[int, Terms]:
    """By the tenant's number, for those for whom something was settled."""
    return {row.tenant: _terms(row) for row in await connection.execute(sa.select(tenant_terms))}


async def of_one(connection: AsyncConnection, tenant_id: int) -> Terms:
    """What holds now, for somebody who is about to change it: the first time there is no row that could be locked."""
    await connection.execute(LOCK)
    row = (await connection.execute(sa.select(tenant_terms).where(tenant_terms.c.tenant == tenant_id))).first()
    return _terms(row) if row else Terms()


async def save(connection: AsyncConnection, tenant_id: int, new: Terms, *, at: datetime) -> None:
    """Put new terms into force; every process sees them with its next look at the directory."""
    await connection.execute(LOCK)
    highest = await connection.scalar(sa.select(sa.func.coalesce(sa.func.max(tenant_terms.c.revision), 0)))
    values = {**msgspec.structs.asdict(new), "revision": int(highest or 0) + 1, "changed_at": at}
    statement = insert(tenant_terms).values(tenant=tenant_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant"], set_=values))


async def forget(connection: AsyncConnection, tenant_id: int) -> None:
    """The tenant is deleted."""
    await connection.execute(sa.delete(tenant_terms).where(tenant_terms.c.tenant == tenant_id))


def _terms(row: sa.Row[Any]) -> Terms:
    values = dict(row._mapping)
    return Terms(**{name: values[name] for name in Terms.__struct_fields__})
