"""Write one audit entry inside the transaction that it speaks of; export and verify a tenant's chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

import msgspec

from servicepunkt.core.audit import model, store
from servicepunkt.core.audit.model import AuditEntry, Fault
from servicepunkt.core.db.session import Transaction


async def record(
    tx: Transaction,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    **details: str | int | bool | None,
) -> AuditEntry:
    """Append to the tenant's chain. Writers of one tenant wait for each other until the transaction ends."""
    await tx.lock("audit")
    last = await store.head(tx)
    entry = model.append(
        AuditEntry(
            tenant_id=tx.tenant_id,
            seq=last[0] + 1 if last else 1,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            details=details,
            previous=last[1] if last else model.GENESIS.hex(),
        )
    )
    await store.insert(tx, entry)
    return entry


async def export(tx: Transaction) -> AsyncIterator[bytes]:
    """The chain as JSON lines; the last line names the head, so that a cut end is noticed."""
    last: AuditEntry | None = None
    async for entry in store.entries(tx):
        last = entry
        yield msgspec.json.encode(entry, order="sorted") + b"\n"
    head = {"head": {"tenant_id": tx.tenant_id, "seq": last.seq if last else 0, "hash": last.hash if last else ""}}
    yield msgspec.json.encode(head) + b"\n"


class ExportHead(msgspec.Struct, frozen=True):
    """The last line of an export."""

    tenant_id: int
    seq: int
    hash: str


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of verifying an export: the count of entries, every fault, and the head."""

    entries: int
    faults: list[Fault]
    head: ExportHead | None


def verify_export(lines: Iterable[bytes]) -> Verdict:
    """Verify an export without a database."""
    faults: list[Fault] = []
    heads: list[ExportHead] = []
    read: list[AuditEntry] = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.startswith(b'{"head"'):
                heads.append(msgspec.json.decode(line, type=dict[str, ExportHead])["head"])
            else:
                read.append(msgspec.json.decode(line, type=AuditEntry))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.append(Fault(0, f"line {number} cannot be read: {error}"))
    faults += model.verify(read)
    last = read[-1] if read else None
    if len(heads) != 1:
        faults.append(Fault(0, "the line with the head is missing or repeated"))
    elif (heads[0].seq, heads[0].hash) != ((last.seq, last.hash) if last else (0, "")):
        faults.append(Fault(heads[0].seq, "the head does not match the last entry"))
    return Verdict(len(read), faults, heads[0] if heads else None)
