"""What of the messages waits for staff, for their overview."""

from __future__ import annotations

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.notices import store

HREF = "/staff/notices"


class NoticesWithoutLuck:
    """Messages that failed, that nobody was asked to send, or of which no provider has said what became of them."""

    title = "Messages that did not arrive"
    href = HREF

    async def count(self, tx: Transaction) -> int:
        return await store.count_unfortunate(tx, tx.now())
