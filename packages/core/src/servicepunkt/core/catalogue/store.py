"""The table of published revisions: never changed, the highest one is read."""

from __future__ import annotations

from datetime import datetime

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
    key=("revision",),
)


async def newest(tx: Transaction) -> tuple[int, str] | None:
    """(revision, digest)."""
    query = (
        sa.select(catalogue_revision.c.revision, catalogue_revision.c.digest)
        .where(catalogue_revision.c.tenant_id == tx.tenant_id)
        .order_by(catalogue_revision.c.revision.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return (row.revision, row.digest) if row else None


async def content(tx: Transaction, revision: int) -> bytes | None:
    query = sa.select(catalogue_revision.c.content).where(
        catalogue_revision.c.tenant_id == tx.tenant_id, catalogue_revision.c.revision == revision
    )
    found: bytes | None = await tx.scalar(query)
    return found


async def insert(tx: Transaction, revision: int, body: bytes, *, digest: str, at: datetime, by: str) -> None:
    await tx.execute(
        sa.insert(catalogue_revision).values(
            tenant_id=tx.tenant_id,
            revision=revision,
            content=body,
            digest=digest,
            published_at=at,
            published_by=by,
        )
    )
