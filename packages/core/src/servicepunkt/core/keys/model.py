"""Envelope encryption with AES-256-GCM, and sealing to a public key with HPKE: pure, randomness is an argument.

Wire form of a sealed value: version byte 01, 12 bytes nonce, ciphertext with tag. The context (what the value is and
whose) is associated data: a value moved to another row or tenant does not open.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from servicepunkt.core.errors import ServicepunktError

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)

Randomness = Callable[[int], bytes]


class UnreadableError(ServicepunktError):
    """A sealed value does not open: its key is gone, or it is not where it belongs."""

    code = "SP0030"
    staff = "A protected value cannot be opened: its key was erased or the value was moved."


def seal(key: bytes, plain: bytes, *, context: str, randomness: Randomness) -> bytes:
    nonce = randomness(NONCE_BYTES)
    return VERSION + nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def unseal(key: bytes, sealed: bytes, *, context: str) -> bytes:
    """Raises UnreadableError."""
    if len(sealed) < 1 + NONCE_BYTES + 16 or sealed[:1] != VERSION:
        raise UnreadableError
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context.encode())
    except InvalidTag as error:
        raise UnreadableError from error


def new_key_pair() -> tuple[bytes, bytes]:
    """(private, public) raw X25519 keys, 32 bytes each."""
    private = X25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return raw, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def new_signing_pair() -> tuple[bytes, bytes]:
    """(private, public) raw Ed25519 keys, 32 bytes each."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return raw, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(private: bytes, message: bytes) -> bytes:
    """64 bytes (RFC 8032)."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def seal_to(public: bytes, plain: bytes, *, context: str) -> bytes:
    """HPKE (RFC 9180) to the holder of the private key; the context is HPKE's info, there is no other binding."""
    return bytes(HPKE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=context.encode()))


def unseal_with(private: bytes, sealed: bytes, *, context: str) -> bytes:
    """Raises UnreadableError."""
    try:
        key = X25519PrivateKey.from_private_bytes(private)
        return bytes(HPKE.decrypt(sealed, key, info=context.encode()))
    except (InvalidTag, ValueError) as error:
        raise UnreadableError from error
