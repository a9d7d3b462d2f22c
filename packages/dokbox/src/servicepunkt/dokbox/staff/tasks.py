"""What of the deposits waits for staff, for their overview."""

from __future__ import annotations

from servicepunkt.core.db.session import Transaction
from servicepunkt.dokbox import store
from servicepunkt.dokbox.staff.words import NEEDS_YOU, NEEDS_YOU_HREF


class DepositsNeedYou:
    """Deposits that are locked, blocked, expired or missing, or that say why they do not go on."""

    title = NEEDS_YOU
    href = NEEDS_YOU_HREF

    async def count(self, tx: Transaction) -> int:
        return await store.count_needing_staff(tx)
