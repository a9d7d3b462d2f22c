"""What the controller needs of a vault, and the keys that every kind of vault has."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal, Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from servicepunkt.dokbox.errors import VaultError

HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
KEY_BYTES = 32
Randomness = Callable[[int], bytes]
VaultKind = Literal["file", "tpm", "centre"]


class Counter(Protocol):
    """Counts up and never back, whatever is done to the disk. `fresh`: it was made in this run of the program.

    Both methods raise VaultError.
    """

    @property
    def fresh(self) -> bool: ...
    def value(self) -> int: ...
    def step(self) -> None: ...


class Vault(Protocol):
    """Peppers by their `kid` (1, 2, ...), and keys. What is not there raises VaultError.

    `ready` says whether codes can be made and recognised; `kid` names the pepper of new codes, empty while there is
    none. `rotate` asks for a new pepper; where another place makes it, `kid` changes later. `counter` is None where
    nothing but the centre notices a disk that was set back.
    """

    @property
    def kind(self) -> VaultKind: ...
    @property
    def ready(self) -> bool: ...
    @property
    def kid(self) -> str: ...
    @property
    def kids(self) -> frozenset[str]: ...
    @property
    def counter(self) -> Counter | None: ...
    @property
    def locator_key(self) -> bytes: ...
    @property
    def public_key(self) -> bytes: ...
    @property
    def signing_key(self) -> bytes: ...
    def derived(self, purpose: str) -> bytes: ...
    def pepper(self, kid: str) -> bytes: ...
    def rotate(self) -> None: ...
    def erase(self, kid: str) -> None: ...
    def unseal(self, sealed: bytes, *, context: str) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


class OwnKeys:
    """The box's peppers and its two key pairs, of which the centre learns the public parts at enrolment."""

    def __init__(self, *, box: bytes, signing: bytes) -> None:
        self._peppers: dict[str, bytes] = {}
        self._box = box
        self._private = X25519PrivateKey.from_private_bytes(box)
        self._signing = Ed25519PrivateKey.from_private_bytes(signing)

    @property
    def public_key(self) -> bytes:
        """Raw X25519 key to which the centre seals."""
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def signing_key(self) -> bytes:
        """Raw Ed25519 key by which the centre knows what this box says."""
        return self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def kid(self) -> str:
        """The newest pepper's."""
        return max(self._peppers, key=int, default="")

    @property
    def kids(self) -> frozenset[str]:
        return frozenset(self._peppers)

    def pepper(self, kid: str) -> bytes:
        """Raises VaultError when it was erased, or is not there yet."""
        try:
            return self._peppers[kid]
        except KeyError:
            raise VaultError(kid=kid or "none") from None

    def derived(self, purpose: str) -> bytes:
        """A key for this purpose alone, the same after a restart."""
        return hmac.digest(self._box, purpose.encode(), "sha256")

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Open what the centre sealed to this box with HPKE. Raises VaultError."""
        try:
            return bytes(HPKE.decrypt(sealed, self._private, info=context.encode()))
        except (InvalidTag, ValueError) as error:
            raise VaultError(context=context) from error

    def sign(self, message: bytes) -> bytes:
        return self._signing.sign(message)


def following(kid: str) -> str:
    """The kid after this one, or the first."""
    return str(int(kid or "0") + 1)


def seal_to(public: bytes, plain: bytes, *, context: str) -> bytes:
    """Seal to the holder of an X25519 key with HPKE (RFC 9180); the context is its info."""
    return bytes(HPKE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=context.encode()))


def is_signed(public: bytes, signature: str, message: bytes) -> bool:
    """Whether the holder of a raw Ed25519 key signed the message (RFC 8032); the signature in hexadecimal."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
