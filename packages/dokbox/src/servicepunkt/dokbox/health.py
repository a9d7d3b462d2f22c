"""Whether a box is heard of, for operators and staff."""

from __future__ import annotations

from datetime import timedelta

from servicepunkt.core.db.session import Transaction
from servicepunkt.dokbox import store

MISSING_AFTER = timedelta(minutes=2)
# Why a box hands nothing out, as it says itself. That its journal is not believed stands among its events.
TROUBLE_WORDS = {
    "disk": "The disk of the box fails: it hands nothing out. Look at the disk, then start the box again.",
    "pepper": "The box has no key for its codes since its last start: it hands nothing out until the centre sends it.",
    "revoked": "The centre has switched this computer off: it hands nothing out.",
    "vault": "The keys of the box are not those of its documents, or cannot be changed: it hands nothing out.",
    "clock": "The clock of the box is wrong by months, or was: it hands nothing out. Set it right, or begin anew.",
    "unsigned": "What comes from the box is not signed with its key. Are its keys there? Was its token stolen?",
    "counter": "The security chip of the box does not answer: it hands nothing out until somebody has looked.",
}
DISPUTED = "The box reports what cannot be; it needs somebody to look into it."


class BoxesSeen:
    """One box: seen lately, or how long it has been silent."""

    def __init__(self, box_id: str) -> None:
        self.name = box_id
        self._box = box_id

    async def check(self, tx: Transaction) -> tuple[bool, str]:
        row = await store.find_box(tx, self._box)
        if row is None or row.seen_at is None:
            return False, "The box has not been enrolled yet."
        if row.disputed:
            return False, DISPUTED
        if tx.now() - row.seen_at > MISSING_AFTER:
            return False, "The box has not reported for more than two minutes."
        if row.troubles:
            return False, TROUBLE_WORDS.get(row.troubles[0], DISPUTED)
        return True, "The box reports regularly."
