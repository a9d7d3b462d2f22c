"""Steps that every use case of edits shares: what becomes of an edit is written down and audited."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue.editing import model, store
from servicepunkt.core.catalogue.editing.model import Edit
from servicepunkt.core.db.session import Transaction

#: The tenant's lock of edits, which each of its use cases takes first.
LOCK = "catalogue-edit"


def today(tx: Transaction) -> date:
    """The day at the tenant's place."""
    return tx.ctx.local_date(tx.now())


async def change(tx: Transaction, edit: Edit, **changed: Any) -> Edit:
    """Write down what is another one now, by field. A new state comes out of the table of `model`."""
    at = tx.now()
    stored = {name: list(value) if isinstance(value, tuple) else value for name, value in changed.items()}
    await store.update(tx, edit.id, at=at, **stored)
    return msgspec.structs.replace(edit, changed_at=at, **changed)


async def replace(tx: Transaction, edit: Edit) -> Edit:
    """End an edit that was in force."""
    return await change(tx, edit, state=model.move(edit.state, "replace"))


async def audited(tx: Transaction, edit: Edit, verb: str, *, actor: str) -> None:
    """Say to the audit who did what at which value; never its text."""
    await audit.record(
        tx,
        at=tx.now(),
        actor=actor,
        action=f"catalogue-edit.{verb}",
        subject=f"catalogue-edit:{edit.id}",
        service=edit.service,
        path=edit.path,
    )
