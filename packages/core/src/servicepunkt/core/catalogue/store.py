"""The table of published revisions: never changed, the highest one is read."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction

catalogue_revision = tenant_table(
    "catalogue_revision",
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("published_at", Instant, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("origins", sa.LargeBinary, nullable=False),
    sa.Column("restores", sa.Integer, nullable=True),
    key=("revision",),
    kept="what the town has published, and whoever asks what was said then",
)


async def newest(tx: Transaction) -> tuple[int, str, datetime] | None:
    """(revision, digest, when it was published)."""
    query = (
        sa.select(catalogue_revision.c.revision, catalogue_revision.c.digest, catalogue_revision.c.published_at)
        .where(catalogue_revision.c.tenant_id == tx.tenant_id)
        .order_by(catalogue_revision.c.revision.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return (row.revision, row.digest, row.published_at) if row else None


async def restored(tx: Transaction) -> int | None:
    """The earlier revision that the newest one has brought back; None where it is none of those."""
    found = await revisions(tx, limit=1)
    return found[0].restores if found else None


async def content(tx: Transaction, revision: int) -> bytes | None:
    query = sa.select(catalogue_revision.c.content).where(
        catalogue_revision.c.tenant_id == tx.tenant_id, catalogue_revision.c.revision == revision
    )
    found: bytes | None = await tx.scalar(query)
    return found


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A revision without its content. `restores`: the earlier one that it brings back."""

    revision: int
    digest: str
    published_at: datetime
    published_by: str
    restores: int | None


async def revisions(tx: Transaction, *, limit: int = 100) -> list[RevisionRow]:
    """The newest first."""
    table = catalogue_revision
    columns = [table.c[name] for name in ("tenant_id", *RevisionRow.__struct_fields__)]
    query = sa.select(*columns).where(table.c.tenant_id == tx.tenant_id).order_by(table.c.revision.desc())
    return await tx.all(RevisionRow, query.limit(limit))


async def origins(tx: Transaction, revision: int) -> bytes | None:
    query = sa.select(catalogue_revision.c.origins).where(
        catalogue_revision.c.tenant_id == tx.tenant_id, catalogue_revision.c.revision == revision
    )
    found: bytes | None = await tx.scalar(query)
    return found


async def insert(
    tx: Transaction,
    revision: int,
    body: bytes,
    *,
    digest: str,
    at: datetime,
    by: str,
    origins: bytes = b"",
    restores: int | None = None,
) -> None:
    await tx.execute(
        sa.insert(catalogue_revision).values(
            tenant_id=tx.tenant_id,
            revision=revision,
            content=body,
            digest=digest,
            published_at=at,
            published_by=by,
            origins=origins,
            restores=restores,
        )
    )
