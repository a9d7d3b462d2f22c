"""Audit entries and the chain over them: pure, the same code appends and verifies.

The hash of an entry is SHA-256 over the previous hash and the entry's canonical form (JSON, keys sorted, UTF-8).
Details name things by id; they never hold a name, a number that a person typed, or a code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

GENESIS = bytes(32)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who (`actor`, as kind:id) did what (`action`, as subject.verb) to which `subject` (kind:id), and when (UTC)."""

    tenant_id: int
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, str | int | bool | None] = {}
    previous: str
    hash: str = ""


class Fault(msgspec.Struct, frozen=True):
    """A place where the chain does not hold."""

    seq: int
    reason: str


def chain_hash(entry: AuditEntry) -> str:
    """The hash that `entry` must carry, in hexadecimal."""
    body = msgspec.to_builtins(entry)
    del body["hash"]
    canonical = msgspec.json.encode(body, order="sorted")
    return hashlib.sha256(bytes.fromhex(entry.previous) + canonical).hexdigest()


def append(entry: AuditEntry) -> AuditEntry:
    """`entry` with its hash."""
    return msgspec.structs.replace(entry, hash=chain_hash(entry))


def verify(entries: Iterable[AuditEntry], *, start: str = GENESIS.hex(), first: int = 1) -> Iterator[Fault]:
    """Every fault in a chain: a changed, missing, repeated or reordered entry. A cut end needs the known head."""
    previous, expected = start, first
    for entry in entries:
        if entry.seq != expected:
            yield Fault(entry.seq, f"sequence {entry.seq} where {expected} was expected")
        if entry.previous != previous:
            yield Fault(entry.seq, "does not follow its predecessor")
        if not _carries_its_hash(entry):
            yield Fault(entry.seq, "was changed after it was written")
        previous, expected = entry.hash, entry.seq + 1


def _carries_its_hash(entry: AuditEntry) -> bool:
    try:
        return chain_hash(entry) == entry.hash
    except ValueError:
        return False  # its previous hash is not even hexadecimal
