"""How an attempt or a receipt ends: the row, the metric, and whoever waits for it, in one transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.metrics import NOTICES
from servicepunkt.core.notices import model, store
from servicepunkt.core.notices.model import Notice

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment


async def end(
    deployment: Deployment, tx: Transaction, notice: Notice, *, to: str, provider: str = "", reference: str
) -> None:
    """Write down how an attempt ended, and tell who waits for it when it was the last one."""
    state = model.move(notice.state, to)
    # What was sealed has served its purpose once a provider has it, or nobody will.
    keep = notice.sealed if state == "temporary-failure" else None
    at = deployment.clock.now()
    sent_at: datetime | None = at if state == "sent" else None
    values = {"state": state, "provider": provider, "reference": reference, "sent_at": sent_at}
    await store.update(tx, notice.id, at=at, sealed=keep, **values)
    NOTICES.labels(channel=notice.channel, state=state).inc()
    if state != "temporary-failure":
        settled = msgspec.structs.replace(notice, **values)
        for listener in deployment.plugins.flat(tx.ctx, "notice_listeners"):
            await listener.settled(tx, settled, accepted=state == "sent")


async def answer(deployment: Deployment, tx: Transaction, notice: Notice, *, to: str) -> None:
    """Write down what a provider says of a notice that it has accepted; tell who waits when it did not arrive."""
    state = model.move(notice.state, to)
    await store.update(tx, notice.id, at=deployment.clock.now(), state=state)
    NOTICES.labels(channel=notice.channel, state=state).inc()
    if state != "delivered":
        settled = msgspec.structs.replace(notice, state=state)
        for listener in deployment.plugins.flat(tx.ctx, "notice_listeners"):
            await listener.undelivered(tx, settled)
