"""The table of audit entries; the application's role may insert and read, nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC

import msgspec
import sqlalchemy as sa

from servicepunkt.core.audit.model import AuditEntry
from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction

audit_entry = tenant_table(
    "audit_entry",
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Index("ix_audit_entry_subject", "tenant_id", "subject", "seq"),
    key=("seq",),
    kept="a chain proves itself by being whole; it names things by their ids, and no citizen",
)


async def head(tx: Transaction) -> tuple[int, str] | None:
    """(seq, hash) of the newest entry."""
    query = (
        sa.select(audit_entry.c.seq, audit_entry.c.hash)
        .where(audit_entry.c.tenant_id == tx.tenant_id)
        .order_by(audit_entry.c.seq.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).first()
    return (row.seq, row.hash) if row else None


async def insert(tx: Transaction, entry: AuditEntry) -> None:
    values = {name: getattr(entry, name) for name in entry.__struct_fields__}
    values["details"] = msgspec.json.encode(entry.details, order="sorted").decode()
    await tx.execute(sa.insert(audit_entry).values(values))


async def entries(
    tx: Transaction, *, after: int = 0, subject: str | None = None, limit: int | None = None
) -> AsyncIterator[AuditEntry]:
    query = (
        sa.select(audit_entry)
        .where(audit_entry.c.tenant_id == tx.tenant_id, audit_entry.c.seq > after)
        .order_by(audit_entry.c.seq)
        .limit(limit)
    )
    if subject is not None:
        query = query.where(audit_entry.c.subject == subject)
    for row in await tx.execute(query):
        values = dict(row._mapping)
        values["details"] = msgspec.json.decode(values["details"])
        values["at"] = values["at"].astimezone(UTC)
        yield AuditEntry(**values)
