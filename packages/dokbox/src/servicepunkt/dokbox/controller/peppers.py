"""Which pepper new codes are made with, for how long, and when an old one is erased.

The newest one serves; an old one goes as soon as no code in the box was made with it. Erasing it shreds what an old
image of the disk still holds of those codes: without the pepper nobody can try codes against their tags.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from servicepunkt.dokbox.controller.ledger import Ledger
from servicepunkt.dokbox.model import Entry
from servicepunkt.dokbox.vault import Vault

DEFAULT_LIFE = timedelta(days=90)
META = "pepper"


class Serving(msgspec.Struct, frozen=True):
    """The pepper of new codes, and since when."""

    kid: str
    since: datetime


class Peppers:
    """Looks at the vault from time to time; the caller holds the controller's lock."""

    def __init__(self, ledger: Ledger, vault: Vault, *, life: timedelta) -> None:
        self._ledger = ledger
        self._vault = vault
        self._life = life
        raw = ledger.journal.meta(META)
        self._serving = msgspec.json.decode(raw, type=Serving) if raw else None

    def tick(self) -> None:
        """Take over a new pepper, ask for one when it is time, erase those that no code needs."""
        if not self._vault.ready:
            return
        if self._serving is None or self._serving.kid != self._vault.kid:
            self._take_over(Serving(self._vault.kid, self._ledger.now()))
        elif self._ledger.now() - self._serving.since >= self._life:
            self._vault.rotate()
        if len(self._vault.kids) > 1:
            self._erase()

    def rotate(self, *, command: int) -> None:
        """Somebody fears that the pepper is known: new codes get another one."""
        self._ledger.note("pepper_wanted", data={"command": command})
        self._vault.rotate()

    def _take_over(self, serving: Serving) -> None:
        def also(_: Entry) -> None:
            self._ledger.journal.put_meta(META, msgspec.json.encode(serving))

        self._ledger.note("pepper_new", data={"kid": serving.kid}, also=also)
        self._serving = serving

    def _erase(self) -> None:
        for kid in self._vault.kids - {self._vault.kid} - self._ledger.journal.kids():
            self._vault.erase(kid)
            self._ledger.note("pepper_erased", data={"kid": kid})
