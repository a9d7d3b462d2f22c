"""Limits: how many messages one number, one source and one tenant may cause. Numbers are counted by a keyed hash."""

from __future__ import annotations

from datetime import timedelta

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices import store
from servicepunkt.core.notices.model import Notice
from servicepunkt.core.notices.settings import Limits

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def over(tx: Transaction, notice: Notice, limits: Limits) -> bool:
    """Whether a notice is one too many.

    What counts is when notices were made, not when they are sent: after an outage of hours all that were due go out.
    """
    if await store.count_before(tx, notice, since=HOUR) >= limits.tenant_hour:
        return True
    if notice.source and await store.count_before(tx, notice, since=HOUR, source=notice.source) >= limits.source_hour:
        return True
    if not notice.recipient_index:  # made before numbers were counted
        return False
    same = await store.count_before(tx, notice, since=DAY, recipient_index=notice.recipient_index)
    return same >= limits.number_day
