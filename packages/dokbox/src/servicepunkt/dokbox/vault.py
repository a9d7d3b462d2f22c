"""The box's own secrets, kept outside the journal: peppers, the locator key, the box's key pair.

`FileVault` keeps them in a folder of files with rights 0600. Whoever takes the whole computer has both; a TPM keeps
the pepper in hardware and is another provider of the same shape.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from servicepunkt.dokbox.errors import VaultError

HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
KEY_BYTES = 32
Randomness = Callable[[int], bytes]


class Vault(Protocol):
    """What the controller needs of a vault. `kid` names the pepper that new codes are made with."""

    @property
    def kid(self) -> str: ...
    @property
    def locator_key(self) -> bytes: ...
    @property
    def public_key(self) -> bytes: ...
    def pepper(self, kid: str) -> bytes: ...
    def unseal(self, sealed: bytes, *, context: str) -> bytes: ...


class FileVault:
    """A folder of key files. Missing keys are made on first use; a key that others may read is refused."""

    def __init__(self, folder: Path, randomness: Randomness) -> None:
        self._folder = folder
        self._randomness = randomness
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._locator_key = self._key("locator")
        self._private = X25519PrivateKey.from_private_bytes(self._key("box"))
        self._peppers: dict[str, bytes] = {}
        self.kid = "1"
        self.pepper(self.kid)

    @property
    def locator_key(self) -> bytes:
        return self._locator_key

    @property
    def public_key(self) -> bytes:
        """The box's raw X25519 public key, given to the centre when the box is enrolled."""
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def pepper(self, kid: str) -> bytes:
        """Raises VaultError when a pepper other than the current one is gone."""
        if kid not in self._peppers:
            if kid != self.kid and not (self._folder / f"pepper-{kid}.key").exists():
                raise VaultError(kid=kid)
            self._peppers[kid] = self._key(f"pepper-{kid}")
        return self._peppers[kid]

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Open what the centre sealed to this box with HPKE. Raises VaultError."""
        try:
            return bytes(HPKE.decrypt(sealed, self._private, info=context.encode()))
        except (InvalidTag, ValueError) as error:
            raise VaultError(context=context) from error

    def _key(self, name: str) -> bytes:
        path = self._folder / f"{name}.key"
        if not path.exists():
            write_secret(path, self._randomness(KEY_BYTES))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise VaultError(file=path.name, reason="others may read it")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise VaultError(file=path.name, reason="it is not 32 bytes")
        return key


def write_secret(path: Path, content: bytes) -> None:
    """Write a file with rights 0600 that exists whole or not at all, also after a power cut."""
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def seal_to(public: bytes, plain: bytes, *, context: str) -> bytes:
    """Seal to the holder of an X25519 key with HPKE (RFC 9180); the context is its info."""
    return bytes(HPKE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=context.encode()))
