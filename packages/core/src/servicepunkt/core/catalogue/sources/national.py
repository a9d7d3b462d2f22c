"""National sources: what the federation and the Lands say of services, kept once for all tenants of an installation.

A tenant's own import of the federation's or a Land's texts is shared by name; tenants that name it in their file
(`[catalogue] national`) have it below their services of the same LeiKa key, and read no more of it than those.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.catalogue.layers import Record
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.catalogue.sources import store
from servicepunkt.core.catalogue.sources.composition import NATIONAL, RANKS, Source
from servicepunkt.core.clock import Clock
from servicepunkt.core.db.schema import Instant, platform_table
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.errors import ConflictError, NotFoundError, SettingsError
from servicepunkt.core.tenancy.model import TenantContext

national_source = platform_table(
    "national_source",
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("services", sa.Integer, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

national_service = platform_table(
    "national_service",
    sa.Column("source", sa.Text, sa.ForeignKey("national_source.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("leika", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)


class _Keys(msgspec.Struct):
    leika: tuple[str, ...] = ()


TABLES = (national_source, national_service)
BATCH = 500


class National(msgspec.Struct, frozen=True, kw_only=True):
    """A shared source: whose texts it holds, which tenant imports it, and how many services it has."""

    name: str
    layer: str
    tenant: str
    services: int
    updated_at: datetime


def names_of(ctx: TenantContext) -> tuple[str, ...]:
    """The national sources that a tenant has below its own."""
    return settings_of(ctx).national


async def listed(tx: Transaction, names: Collection[str] | None = None) -> list[National]:
    """The shared sources of these names, of all names if none are given."""
    query = sa.select(national_source).order_by(national_source.c.name)
    if names is not None:
        query = query.where(national_source.c.name.in_(list(names)))
    return [National(**row._mapping) for row in await tx.execute(query)]


async def unknown(tx: Transaction) -> list[str]:
    """Names in the tenant's file that no shared source has."""
    known = {one.name for one in await listed(tx, names_of(tx.ctx))}
    return [name for name in names_of(tx.ctx) if name not in known]


async def sources_for(tx: Transaction, keys: Iterable[str]) -> list[Source]:
    """What the tenant's national sources say of services with these keys."""
    wanted, names = sorted(set(keys)), names_of(tx.ctx)
    if not wanted or not names:
        return []
    table = national_service
    query = sa.select(table.c.source, table.c.id, table.c.content).where(
        table.c.source.in_(names), table.c.leika.in_(wanted)
    )
    said: dict[str, dict[tuple[str, str], Record]] = {}
    for row in await tx.execute(query.order_by(table.c.source, table.c.position)):
        said.setdefault(row.source, {})["services", row.id] = msgspec.json.decode(row.content)
    return [
        Source(name=one.name, layer=one.layer, rank=RANKS["import"], records=said.get(one.name, {}))  # type: ignore[arg-type]
        for one in await listed(tx, names)
    ]


def keys_in(records: Mapping[tuple[str, str], Record]) -> set[str]:
    """The LeiKa keys of the services among these records."""
    return {key for (kind, _), record in records.items() if kind == "services" for key in record.get("leika", ())}


def keys_of_record(content: bytes) -> list[str]:
    """The keys of a service, from its record as it is stored."""
    return list(dict.fromkeys(msgspec.json.decode(content, type=_Keys).leika))


async def share(owner_database_url: str, clock: Clock, database: Database, ctx: TenantContext, source: str) -> National:
    """Keep what a tenant's source says for all tenants; what it said before is replaced as a whole.

    Needs the role that owns the tables: the application may only read them. Raises NotFoundError where the tenant has
    no such source, ConflictError where it speaks for the town alone or another tenant shares one of this name,
    SettingsError without that role.
    """
    if not owner_database_url:
        raise SettingsError("SERVICEPUNKT_OWNER_DATABASE_URL names no role that owns the tables")
    async with database.tenant(ctx) as tx:
        row = await store.source(tx, source)
        if row is None:
            raise NotFoundError(f"there is no source {source!r}")
        if row.layer not in NATIONAL:
            raise ConflictError(f"{source!r} speaks for the layer {row.layer}, which is not shared")
        records = [one for one in await store.records(tx, row.run) if one.kind == "services"]
        at = tx.now()
    rows = [
        {"source": source, "leika": key, "id": one.id, "position": one.position, "content": one.content}
        for one in records
        for key in keys_of_record(one.content)
    ]
    shared = National(name=source, layer=row.layer, tenant=ctx.slug, services=len(records), updated_at=at)
    owner = Database(owner_database_url, clock=clock, pool_size=1)
    try:
        async with owner.platform("share a national source") as connection:
            await _replace(connection, shared, rows)
    finally:
        await owner.close()
    return shared


async def _replace(connection: AsyncConnection, shared: National, rows: Sequence[Mapping[str, object]]) -> None:
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(115003)"))
    table = national_source
    whose = await connection.scalar(sa.select(table.c.tenant).where(table.c.name == shared.name))
    if whose not in (None, shared.tenant):
        raise ConflictError(f"{shared.name!r} is shared by the tenant {whose!r}")
    await connection.execute(sa.delete(table).where(table.c.name == shared.name))
    await connection.execute(sa.insert(table).values(**msgspec.structs.asdict(shared)))
    for start in range(0, len(rows), BATCH):
        await connection.execute(sa.insert(national_service), list(rows[start : start + BATCH]))
