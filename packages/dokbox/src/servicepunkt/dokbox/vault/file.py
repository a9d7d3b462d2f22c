"""Keys in a folder of files with rights 0600. Whoever takes the whole computer has journal and keys alike."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from servicepunkt.dokbox.errors import VaultError
from servicepunkt.dokbox.files import erase, write_secret
from servicepunkt.dokbox.vault.model import KEY_BYTES, Counter, OwnKeys, Randomness, VaultKind, following

PEPPER = re.compile(r"^pepper-([1-9][0-9]{0,8})\.key\Z")


class KeyFolder:
    """Files of 32 bytes. A missing key is made on first use; a key that others may read is refused."""

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        self._folder = folder
        self._randomness = randomness
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def key(self, name: str) -> bytes:
        """Raises VaultError."""
        path = self._folder / f"{name}.key"
        if not path.exists():
            write_secret(path, self._randomness(KEY_BYTES))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise VaultError(file=path.name, reason="others may read it")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise VaultError(file=path.name, reason="it is not 32 bytes")
        return key

    def erase(self, name: str) -> None:
        erase(self._folder / f"{name}.key")

    def peppers(self) -> set[str]:
        """The kids of which there is a file."""
        found = (PEPPER.match(path.name) for path in self._folder.iterdir())
        return {match[1] for match in found if match}


class FileVault(OwnKeys):
    """Everything in files."""

    kind: VaultKind = "file"
    ready = True
    counter: Counter | None = None

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        self._files = KeyFolder(folder, randomness)
        super().__init__(box=self._files.key("box"), signing=self._files.key("sign"))
        self._locator_key = self._files.key("locator")
        kids = self._files.peppers() or {following("")}
        self._peppers = {kid: self._files.key(f"pepper-{kid}") for kid in kids}

    @property
    def locator_key(self) -> bytes:
        return self._locator_key

    def rotate(self) -> None:
        kid = following(self.kid)
        self._peppers[kid] = self._files.key(f"pepper-{kid}")

    def erase(self, kid: str) -> None:
        self._files.erase(f"pepper-{kid}")
        del self._peppers[kid]
