"""Pick-up codes, scheme `dokbox-pin/1`: how a code is made, kept and recognised. Pure; randomness is an argument.

- The box makes the code when the door closes: uniform decimal digits, leading zeros kept.
- The locator (HMAC of the mobile number under a key of the vault) finds the deposits; a code alone finds nothing.
- One Argon2id run an attempt, whatever is found: key = Argon2id(code, salt of the locator, secret = pepper).
  Deposits of one locator share the salt, so that a family of three documents costs the time of an unknown number.
- tag = HMAC(key, tenant | box | deposit | compartment | version): a tag moved to another row opens nothing.
- The pepper is kept outside the journal: 10^6 codes are 25 core-hours of Argon2id, the KDF alone saves nobody.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SCHEME = "dokbox-pin/1"
SALT_BYTES = 16
TAG_BYTES = 32


class Cost(msgspec.Struct, frozen=True):
    """Argon2id's parameters: passes, memory in KiB, lanes. The default is OWASP's minimum."""

    passes: int = 2
    memory: int = 19456
    lanes: int = 1


DEFAULT_COST = Cost()


def new_code(randbelow: Callable[[int], int], digits: int = 6) -> str:
    """A uniform code of `digits` decimal digits, as text."""
    return f"{randbelow(10**digits):0{digits}d}"


def is_code(text: str, digits: int = 6) -> bool:
    return len(text) == digits and text.isascii() and text.isdigit()


def locator(key: bytes, number: str) -> bytes:
    """What stands in the box instead of a mobile number (E.164): 32 bytes, useless without the vault's key."""
    return hmac.digest(key, f"{SCHEME}|locator|{number}".encode(), "sha256")


def stretch(code: str, *, salt: bytes, pepper: bytes, context: str, cost: Cost = DEFAULT_COST) -> bytes:
    """The 32-byte key of one attempt; takes about 20 to 100 ms by design. `context` is tenant|box."""
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=cost.passes,
        lanes=cost.lanes,
        memory_cost=cost.memory,
        ad=f"{SCHEME}|{context}".encode(),
        secret=pepper,
    )
    return kdf.derive(code.encode())


def tag(key: bytes, *, context: str, deposit: str, compartment: int, version: int) -> bytes:
    """What is kept of a code: bound to its deposit, compartment and version."""
    return hmac.digest(key, f"{SCHEME}|{context}|{deposit}|{compartment}|{version}".encode(), "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(one, other)
