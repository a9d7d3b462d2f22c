"""Write one audit entry inside the transaction that it speaks of; export and verify a tenant's chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime

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
    """Append to the tenant's chain. Writers of one tenant wait for each other until the transaction ends.

    `at` is kept in UTC, as the database gives it back: the hash is made of the same words that an export has.
    """
    await tx.lock("audit")
    last = await store.head(tx)
    entry = model.append(
        AuditEntry(
            tenant_id=tx.tenant_id,
            seq=last[0] + 1 if last else 1,
            at=at.astimezone(UTC),
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
        yield _line(entry)
    yield _line(HeadLine(ExportHead(tx.tenant_id, last.seq if last else 0, last.hash if last else "")))


class ExportHead(msgspec.Struct, frozen=True):
    """What the end of the chain was when it was exported."""

    tenant_id: int
    seq: int
    hash: str


class HeadLine(msgspec.Struct, frozen=True):
    """The last line of an export."""

    head: ExportHead


def _line(content: AuditEntry | HeadLine) -> bytes:
    """The one way in which a line is written; every other one is a change, even where JSON means the same."""
    return msgspec.json.encode(content, order="sorted" if isinstance(content, AuditEntry) else None) + b"\n"


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of verifying an export: the count of entries, every fault, and the head."""

    entries: int
    faults: list[Fault]
    head: ExportHead | None


def verify_export(lines: Iterable[bytes]) -> Verdict:
    """Verify an export without a database; `lines` keep their line feeds."""
    faults: list[Fault] = []
    heads: list[ExportHead] = []
    read: list[AuditEntry] = []
    for number, line in enumerate(lines, start=1):
        try:
            content = _read(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            faults.append(Fault(0, f"line {number} cannot be read: {error}"))
            continue
        if isinstance(content, HeadLine):
            heads.append(content.head)
            seq = content.head.seq
        else:
            read.append(content)
            seq = content.seq
            if heads:
                faults.append(Fault(seq, "stands behind the head"))
        if line != _line(content):
            faults.append(Fault(seq, f"line {number} is not written as an export writes it"))
    return Verdict(len(read), [*faults, *model.verify(read), *_head_faults(read, heads)], heads[0] if heads else None)


def _read(line: bytes) -> AuditEntry | HeadLine:
    if line.startswith(b'{"head"'):
        return msgspec.json.decode(line, type=HeadLine)
    return msgspec.json.decode(line, type=AuditEntry)


def _head_faults(read: list[AuditEntry], heads: list[ExportHead]) -> Iterator[Fault]:
    last = read[-1] if read else None
    if len(heads) != 1:
        yield Fault(0, "the line with the head is missing or repeated")
    elif (heads[0].seq, heads[0].hash) != ((last.seq, last.hash) if last else (0, "")):
        yield Fault(heads[0].seq, "the head does not match the last entry")
    if len({*(entry.tenant_id for entry in read), *(head.tenant_id for head in heads)}) > 1:
        yield Fault(0, "entries of several tenants stand in one chain")
