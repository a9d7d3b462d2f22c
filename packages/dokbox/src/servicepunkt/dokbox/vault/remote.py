"""Peppers that the centre delivers after each start and the box keeps in memory alone.

A box computer that is taken away holds no pepper and no locator key: its journal tells neither codes nor numbers. The
box's two key pairs lie in files, for without them it could not be spoken to. A start without the centre is a start
without codes: the box shows its pages and hands nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from servicepunkt.dokbox.errors import VaultError
from servicepunkt.dokbox.vault.file import KeyFolder
from servicepunkt.dokbox.vault.model import OwnKeys, Randomness, VaultKind, following


class RemoteVault(OwnKeys):
    """`wanted` is the kid that the centre is to make next, `outdated` says that it holds peppers no code needs."""

    kind: VaultKind = "centre"
    counter = None

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        files = KeyFolder(folder, randomness)
        super().__init__(box=files.key("box"), signing=files.key("sign"))
        self._locator_key = b""
        self.wanted = ""
        self.outdated = False

    @property
    def ready(self) -> bool:
        return bool(self._peppers)

    @property
    def locator_key(self) -> bytes:
        if not self._locator_key:
            raise VaultError(reason="the centre has not delivered it")
        return self._locator_key

    def deliver(self, locator_key: bytes, peppers: Mapping[str, bytes]) -> None:
        """Take over what the centre keeps for this box."""
        self._locator_key, self._peppers = locator_key, dict(peppers)
        if self.wanted in self._peppers:
            self.wanted = ""
        self.outdated = False

    def rotate(self) -> None:
        self.wanted = following(self.kid)

    def erase(self, kid: str) -> None:
        del self._peppers[kid]
        self.outdated = True
