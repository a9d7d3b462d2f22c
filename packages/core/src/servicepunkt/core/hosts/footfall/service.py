"""Take over a file of footfall: each of its days as a whole, or nothing at all."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.hosts.footfall import model, store
from servicepunkt.core.hosts.settings import settings_of


class Imported(msgspec.Struct, frozen=True):
    """How many days the file has, and which of them say something new."""

    days: int
    changed: tuple[date, ...]


async def take_over(tx: Transaction, host_id: str, content: bytes, *, actor: str) -> Imported:
    """The same file again changes nothing. Raises InvalidInputError with every mistake, TooLargeError."""
    today = tx.ctx.local_date(tx.now())
    counts = model.read(content, today=today, kept=timedelta(days=settings_of(tx.ctx).footfall_days))
    await tx.lock(f"footfall:{host_id}")
    changed = model.differing(await store.between(tx, host_id, min(counts), max(counts)), counts)
    if changed:
        await store.replace(tx, host_id, changed, counts)
        await audit.record(
            tx, at=tx.now(), actor=actor, action="host.footfall", subject=f"host:{host_id}", days=len(changed)
        )
    return Imported(len(counts), tuple(changed))
