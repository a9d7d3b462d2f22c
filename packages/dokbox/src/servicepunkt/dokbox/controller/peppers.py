"""Which pepper new codes are made with, for how long, and when an old one is erased.

The newest one serves; an old one goes as soon as no code in the box was made with it. Erasing it shreds what an old
image of the disk still holds of those codes: without the pepper nobody can try codes against their tags.
"""

from __future__ import annotations

import hmac
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from servicepunkt.dokbox.controller.ledger import Ledger
from servicepunkt.dokbox.errors import DiskError, VaultError
from servicepunkt.dokbox.model import Entry
from servicepunkt.dokbox.vault import Vault

DEFAULT_LIFE = timedelta(days=90)
META, VAULT = "pepper", "vault"
RETRY_SECONDS = 3600.0


class Serving(msgspec.Struct, frozen=True):
    """The pepper of new codes, and since when."""

    kid: str
    since: datetime


class Peppers:
    """Looks at the vault from time to time; the caller holds the controller's lock.

    `foreign`: the vault is not the one with which the codes in the journal were made. A folder that was not mounted, or
    a file that is lost, would else look like an empty vault: new keys, and every right code refused.
    """

    def __init__(self, ledger: Ledger, vault: Vault, *, life: timedelta) -> None:
        self._ledger = ledger
        self._vault = vault
        self._life = life
        self.foreign = False
        self._failed_at: float | None = None
        raw = ledger.journal.meta(META)
        self._serving = msgspec.json.decode(raw, type=Serving) if raw else None

    def compare(self) -> None:
        """Whether this is the vault of the journal, as soon as it is ready; what is new in it becomes known."""
        if not self._vault.ready:
            return
        journal = self._ledger.journal
        raw = journal.meta(VAULT)
        known = msgspec.json.decode(raw, type=dict[str, str]) if raw else {}
        present = {"locator": self._mark(self._vault.locator_key)}
        present |= {kid: self._mark(self._vault.pepper(kid)) for kid in self._vault.kids}
        needed = {"locator", *journal.kids()}
        self.foreign = any(name not in present or known.get(name, present[name]) != present[name] for name in needed)
        if not self.foreign and known != present:
            with suppress(DiskError), journal.transaction():
                journal.put_meta(VAULT, msgspec.json.encode(present))

    def _mark(self, key: bytes) -> str:
        return hmac.digest(self._vault.derived("journal"), key, "sha256").hex()

    def tick(self, now: float) -> None:
        """Take over a new pepper, ask for one when it is time, erase those that no code needs.

        What the vault refuses is tried again after an hour; `now` is monotonic, in seconds.
        """
        waits = self._failed_at is not None and now - self._failed_at < RETRY_SECONDS
        if not self._vault.ready or self.foreign or waits:
            return
        try:
            self._look_after()
        except (VaultError, OSError):
            if self._failed_at is None:
                self._ledger.note("pepper_refused")
            self._failed_at = now
        else:
            self._failed_at = None

    def _look_after(self) -> None:
        if self._serving is None or self._serving.kid != self._vault.kid:
            self._take_over(Serving(self._vault.kid, self._ledger.now()))
        elif self._ledger.now() - self._serving.since >= self._life:
            self._vault.rotate()
        if len(self._vault.kids) > 1:
            self._erase()

    def rotate(self, *, command: int) -> None:
        """Somebody fears that the pepper is known: new codes get another one. Raises VaultError."""
        try:
            self._vault.rotate()
        except OSError as error:
            raise VaultError(reason="a new pepper could not be written") from error
        self._ledger.note("pepper_wanted", data={"command": command})

    def _take_over(self, serving: Serving) -> None:
        def also(_: Entry) -> None:
            self._ledger.journal.put_meta(META, msgspec.json.encode(serving))

        self._ledger.note("pepper_new", data={"kid": serving.kid}, also=also)
        self._serving = serving
        self.compare()

    def _erase(self) -> None:
        for kid in self._vault.kids - {self._vault.kid} - self._ledger.journal.kids():
            self._vault.erase(kid)
            self._ledger.note("pepper_erased", data={"kid": kid})
