"""A box begins a new journal: its computer was replaced, or its old journal is not believed any more.

The new journal knows of no document, so none may be left in the box: staff have opened every compartment with the key,
and say of each deposit what they found. Then the mirror ends, the old computer is switched off, and the next one that
is enrolled begins with its first entry. What the old journal said stays stored beside it, as an earlier life.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import messages, model, store
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.trust import service as trust
from servicepunkt.web.devices import service as devices

Found = Literal["here", "gone", "never"]
#: What is known of a deposit after somebody has looked: the document is with staff, nobody knows where it is, or it was
#: not laid in yet.
ENDS: Mapping[Found, State] = {"here": State.RETURNED, "gone": State.MISSING, "never": State.CANCELLED}


def had_compartment(row: DepositRow) -> bool:
    """Whether a document may lie in a compartment; the old computer may have known more than it has told."""
    return row.compartment is not None


async def renew(
    deployment: Deployment, ctx: TenantContext, *, actor: str, box_id: str, found: Mapping[UUID, Found], empty: bool
) -> None:
    """End everything that the old journal told of, and let the next computer begin.

    `found`: what staff found of each deposit that was laid in. `empty`: they say that every compartment was opened and
    nothing is left. Raises NotFoundError, and InvalidInputError with every deposit of which nothing was said.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        box = await store.find_box(tx, box_id, lock=True)
        if box is None:
            raise NotFoundError
        rows = await store.unfinished(tx, box_id)
        mistakes = [
            (f"found-{row.id}", "Say where this document is.")
            for row in rows
            if had_compartment(row) and row.id not in found
        ]
        if not empty:
            mistakes.append(("empty", "Open every compartment and take out what lies there, then say so here."))
        if mistakes:
            raise InvalidInputError(mistakes)
        # The devices' rows before the audit chain, like whoever enrols or revokes one.
        await devices.revoke_all(tx, actor=actor, kind="box", target=box_id, at=now)
        for row in rows:
            end = ENDS[found[row.id]] if had_compartment(row) else State.CANCELLED
            await _end(deployment, tx, row, end, actor=actor)
        await trust.forget(deployment, tx, box_id)
        await store.delete_commands(tx, box_id, box.commands)
        await store.update_box(
            tx,
            box_id,
            life=box.life + 1,
            acknowledged=0,
            head=model.GENESIS,
            disputed=0,
            closing=False,
            vault="",
            troubles=[],
            seen_at=None,
        )
        subject = f"box:{box_id}"
        await audit.record(
            tx,
            at=now,
            actor=actor,
            action="box.renewed",
            subject=subject,
            life=box.life + 1,
            acknowledged=box.acknowledged,
            head=box.head,
        )


async def _end(deployment: Deployment, tx: Transaction, row: DepositRow, end: State, *, actor: str) -> None:
    now = tx.now()
    await store.update_deposit(tx, row.id, state=end, alert="", updated_at=now)
    await messages.farewell(deployment, tx, row, after=end, at=now)
    await audit.record(tx, at=now, actor=actor, action=f"deposit.found_{end}", subject=f"deposit:{row.id}", box=row.box)
