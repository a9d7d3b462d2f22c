"""What of the applications waits for staff, for their overview."""

from __future__ import annotations

from servicepunkt.core.applications import store
from servicepunkt.core.db.session import Transaction

HREF = "/staff/applications"


class ApplicationsFailed:
    """Applications that their receiver has not taken yet."""

    title = "Applications that were not passed on"
    href = HREF

    async def count(self, tx: Transaction) -> int:
        return await store.count_failed(tx)
