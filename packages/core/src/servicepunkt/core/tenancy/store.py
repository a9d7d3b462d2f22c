"""The table of tenants: platform data, written only by the owner's role."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.db.schema import Instant, platform_table
from servicepunkt.core.tenancy.terms import tenant_terms

tenant = platform_table(
    "tenant",
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("hosts", ARRAY(sa.Text), nullable=False),
    sa.Column("plugins", ARRAY(sa.Text), nullable=False),
    sa.Column("locale", sa.Text, nullable=False),
    sa.Column("languages", ARRAY(sa.Text), nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("subdivision", sa.Text, nullable=False),
    sa.Column("settings", JSONB, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.CheckConstraint("state IN ('draft', 'rehearsal', 'live', 'paused', 'retired')", name="state"),
)


async def revision(connection: AsyncConnection) -> tuple[int, int, int]:
    """(count, highest revision, that of the terms): changes whenever any tenant or its terms do."""
    settled = sa.select(sa.func.coalesce(sa.func.max(tenant_terms.c.revision), 0)).scalar_subquery()
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(tenant.c.revision), 0), settled)
    row = (await connection.execute(query)).one()
    return int(row[0]), int(row[1]), int(row[2])


async def rows(connection: AsyncConnection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in await connection.execute(sa.select(tenant).order_by(tenant.c.id))]


async def by_slug(connection: AsyncConnection, slug: str) -> dict[str, Any] | None:
    """A tenant's row, held until the transaction ends: two files of one tenant are applied one after the other."""
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(115002)"))
    row = (await connection.execute(sa.select(tenant).where(tenant.c.slug == slug))).first()
    return dict(row._mapping) if row else None


async def save(connection: AsyncConnection, values: dict[str, Any]) -> int:
    """Insert or update by slug and return the tenant's id; ids are given out in order and never again."""
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(115002)"))
    found = await connection.scalar(sa.select(tenant.c.id).where(tenant.c.slug == values["slug"]))
    highest = await connection.scalar(sa.select(sa.func.coalesce(sa.func.max(tenant.c.revision), 0)))
    newest = await connection.scalar(sa.select(sa.func.coalesce(sa.func.max(tenant.c.id), 0)))
    tenant_id = int(found or int(newest or 0) + 1)
    statement = insert(tenant).values(id=tenant_id, **values, revision=int(highest or 0) + 1)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={name: statement.excluded[name] for name in (*values, "revision")}
        )
    )
    return tenant_id


async def bury(connection: AsyncConnection, tenant_id: int) -> None:
    """Leave nothing of a tenant but its number, which is never given out again."""
    highest = await connection.scalar(sa.select(sa.func.coalesce(sa.func.max(tenant.c.revision), 0)))
    nothing = {"name": "", "hosts": [], "plugins": [], "languages": [], "settings": {}, "subdivision": ""}
    statement = sa.update(tenant).where(tenant.c.id == tenant_id)
    await connection.execute(
        statement.values(slug=f"deleted-{tenant_id}", state="retired", revision=int(highest or 0) + 1, **nothing)
    )


async def hosts_of(connection: AsyncConnection, tenant_id: int) -> list[str]:
    """The host names by which a tenant is reached; the first one is its address."""
    return list(await connection.scalar(sa.select(tenant.c.hosts).where(tenant.c.id == tenant_id)) or ())
