"""The anchor: by which a box notices at its start that its journal was set back, although nobody else is there.

Each transaction of the ledger leaves in the journal what it is at the end of it (count of entries, head of the chain,
value of the vault's counter), under a MAC whose key is in the vault. The counter steps with each start and with
whatever must not be undone: a code spent, locked or replaced, a wrong try, a document taken back (`SPENDING`).

Two stores cannot change in one moment, and the power may go between them. So the journal goes first: it writes the
value that the counter *will* have and is synced, then the counter steps, then the door may open. At the start:

- journal == counter: nothing is amiss.
- journal == counter + 1: the power went in between. What the journal says happened; the counter is stepped now.
- journal < counter: the journal is older than what this box has done: it was set back.
- journal > counter + 1, another end than the anchor's, a MAC that is wrong, or no anchor although the counter was there
  before: another computer's journal, or one that somebody wrote.

Why steps at starts and spendings are enough: an image of the disk that was taken while the box was off can only be put
to use after a start, which steps. An image that was taken while it ran undoes a spending only if it is older than that,
and that stepped too. What can be undone without being noticed spends nothing.

A counter in a TPM wears out after some hundred thousand steps or more, so entries that spend nothing do not step it.
"""

from __future__ import annotations

import hmac

import msgspec

from servicepunkt.dokbox.errors import VaultError
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.model import Box, Event
from servicepunkt.dokbox.vault.model import Counter

STARTED = "started"
SPENDING = frozenset(
    {
        STARTED,
        *map(str, (Event.REDEEM, Event.LOCK, Event.NEW_CODE, Event.RECALL, Event.CODE_WRONG, Event.PROOF_WRONG)),
    }
)
META = "anchor"


class Mark(msgspec.Struct, frozen=True):
    """Where the journal ended, and what the counter was or was about to be."""

    counter: int
    seq: int
    head: str
    mac: str = ""


class Anchor:
    """Ties one journal to one counter. `failed`: the counter does not answer, so nothing new may be spent."""

    def __init__(self, journal: Journal, key: bytes, counter: Counter) -> None:
        self._journal = journal
        self._key = key
        self._counter = counter
        self._value = self._wanted = 0
        self.failed = False

    def holds(self, box: Box) -> bool:
        """Whether the journal is the one that this box wrote last; finishes a step that was cut short.

        Raises VaultError: without the counter's value nothing may be written.
        """
        self._value = self._wanted = self._counter.value()
        raw = self._journal.meta(META)
        if raw is None:
            return self._counter.fresh or box.seq == 0
        mark = msgspec.json.decode(raw, type=Mark)
        ours = hmac.compare_digest(mark.mac, self._mac(mark)) and (mark.seq, mark.head) == (box.seq, box.head)
        if ours and mark.counter == self._value + 1:
            self._wanted = mark.counter
            self._step()
        return ours and mark.counter == self._value

    def write(self, box: Box, *, spends: bool) -> None:
        """Inside the transaction whose end is `box`."""
        if spends and self._wanted == self._value:
            self._wanted += 1
        mark = Mark(self._wanted, box.seq, box.head)
        self._journal.put_meta(META, msgspec.json.encode(msgspec.structs.replace(mark, mac=self._mac(mark))))

    def finish(self) -> None:
        """After the transaction: what it spent is spent, also where the counter fails; then nothing more is."""
        if self._wanted == self._value:
            return
        try:
            self._step()
        except VaultError:
            self.failed = True

    def _step(self) -> None:
        """A call that failed may have stepped all the same, so the counter is asked before it is stepped again."""
        if not self.failed or self._counter.value() < self._wanted:
            self._counter.step()
        self._value, self.failed = self._wanted, False

    def _mac(self, mark: Mark) -> str:
        return hmac.digest(self._key, f"dokbox-anchor/1|{mark.counter}|{mark.seq}|{mark.head}".encode(), "sha256").hex()


def anchor_of(journal: Journal, key: bytes, counter: Counter | None) -> Anchor | None:
    """The anchor of a box whose vault has a counter."""
    return Anchor(journal, key, counter) if counter is not None else None
