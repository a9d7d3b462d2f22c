"""Take in delivery receipts: each counts once, and one that overtakes its own message is looked at again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.jobs import job
from servicepunkt.core.metrics import RECEIPTS
from servicepunkt.core.notices import provider_store, settling, store
from servicepunkt.core.notices.model import Receipt
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.notices")
# A receipt may come before the worker has written down that its message was accepted.
LOOK_AGAIN = (5, 60)
# The provider's clock may differ from ours by so much.
CLOCKS_DIFFER = timedelta(minutes=10)


async def take(deployment: Deployment, ctx: TenantContext, provider: str, receipt: Receipt) -> None:
    """Count a receipt. A reference that nobody knows is forgotten after a while; the caller learns nothing of it."""
    async with deployment.database.tenant(ctx) as tx:
        await _take(deployment, tx, provider, receipt, looked=0)


@job(plugin="core", name="core.notice.receipt")
async def take_later(
    deployment: Deployment,
    ctx: TenantContext,
    *,
    provider: str,
    reference: str,
    outcome: str,
    looked: int,
    accepted_at: str = "",
) -> None:
    """Look for the message of a receipt once more. The arguments are a provider's name, its own reference, and the
    instant (ISO 8601) at which it took the message, empty where it says none."""
    accepted = datetime.fromisoformat(accepted_at) if accepted_at else None
    receipt = Receipt(reference, outcome, accepted)  # type: ignore[arg-type]  # as it was when it was put into the queue
    async with deployment.database.tenant(ctx) as tx:
        await _take(deployment, tx, provider, receipt, looked=looked)


async def _take(deployment: Deployment, tx: Transaction, provider: str, receipt: Receipt, *, looked: int) -> None:
    if receipt.outcome == "sent":
        return
    # A modem uses a reference again after 255 others: which of them is meant, the time says.
    taken = receipt.accepted_at
    between = (taken - CLOCKS_DIFFER, taken + CLOCKS_DIFFER) if taken else None
    attempt = await provider_store.accepted_attempt(tx, provider, receipt.reference, between=between)
    if attempt is None:
        await _look_again(tx, provider, receipt, looked)
        return
    if attempt.receipt:
        return
    now = deployment.clock.now()
    await provider_store.set_receipt(tx, attempt.id, receipt=receipt.outcome, at=now)
    RECEIPTS.labels(channel=provider, outcome=receipt.outcome).inc()
    notice = await store.find(tx, attempt.notice, lock=True)
    if notice is not None and notice.state == "sent" and notice.provider == provider:
        await settling.answer(deployment, tx, notice, to=receipt.outcome)


async def _look_again(tx: Transaction, provider: str, receipt: Receipt, looked: int) -> None:
    if looked >= len(LOOK_AGAIN):
        log.info("receipt_unknown", channel=provider, state=receipt.outcome)
        return
    await take_later.defer(
        tx,
        in_seconds=LOOK_AGAIN[looked],
        provider=provider,
        reference=receipt.reference,
        outcome=receipt.outcome,
        looked=looked + 1,
        accepted_at=receipt.accepted_at.isoformat() if receipt.accepted_at else "",
    )
