"""Keys, checksums and blocks of PACE, chip authentication and secure messaging with AES-128 (TR-03110-3 §A.2.3, §F.3).

Pure.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from servicepunkt.eid.errors import CryptoError
from servicepunkt.eid.tlv import tlv

BLOCK = 16
#: Counters of the key derivation.
ENCRYPTION, CHECKSUM, PASSWORD = 1, 2, 3


def derived(secret: bytes, counter: int, nonce: bytes = b"") -> bytes:
    """A key of 16 bytes."""
    digest = hashlib.sha1(secret + nonce + counter.to_bytes(4, "big"), usedforsecurity=False)  # §A.2.3.2 wants SHA-1
    return digest.digest()[:BLOCK]


def checksum(key: bytes, data: bytes) -> bytes:
    """CMAC, its first 8 bytes."""
    cmac = CMAC(AES(key))
    cmac.update(data)
    return cmac.finalize()[:8]


def fits(key: bytes, data: bytes, claimed: bytes) -> bool:
    return hmac.compare_digest(checksum(key, data), claimed)


def token(key: bytes, protocol: bytes, point: bytes) -> bytes:
    """Authentication token over the other side's public key (§A.2.4, §D.3)."""
    return checksum(key, tlv(0x7F49, tlv(0x06, protocol), tlv(0x86, point)))


def encrypted(key: bytes, data: bytes, start: bytes = bytes(BLOCK)) -> bytes:
    """CBC without padding."""
    cipher = Cipher(AES(key), modes.CBC(start)).encryptor()
    return cipher.update(data) + cipher.finalize()


def decrypted(key: bytes, data: bytes, start: bytes = bytes(BLOCK)) -> bytes:
    """CBC without padding. Raises CryptoError where that is no number of blocks."""
    if not data or len(data) % BLOCK:
        raise CryptoError(what="ciphertext", why="length")
    cipher = Cipher(AES(key), modes.CBC(start)).decryptor()
    return cipher.update(data) + cipher.finalize()


def padded(data: bytes) -> bytes:
    """80 and zeros up to a whole block (ISO/IEC 9797-1, method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def unpadded(data: bytes) -> bytes:
    """Raises CryptoError."""
    found = data.rstrip(b"\x00")
    if not found.endswith(b"\x80") or len(data) - len(found) >= BLOCK:
        raise CryptoError(what="padding", why="wrong")
    return found[:-1]
