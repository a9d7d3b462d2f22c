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


#: The quasigroup of H. Michael Damm's dissertation (2004): finds every wrong digit and every swap of neighbours.
DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def new_code(randbelow: Callable[[int], int], digits: int = 6) -> str:
    """A uniform code of `digits` decimal digits, as text."""
    return f"{randbelow(10**digits):0{digits}d}"


def check_digit(locator: bytes, code: str) -> str:
    """The digit that follows `code`: over the locator, whose number the box does not keep, and the code.

    A wrong digit or a swap of two neighbours in the code is always seen.
    """
    interim = 0
    for digit in f"{int.from_bytes(locator[:8], 'big')}{code}":
        interim = DAMM[interim][int(digit)]
    return str(interim)


def locator(key: bytes, step: str, number: str) -> bytes:
    """What stands in the box instead of a mobile number (E.164) or a pick-up number; useless without the key."""
    return hmac.digest(key, f"{SCHEME}|locator|{step}|{number}".encode(), "sha256")


def proof(key: bytes, *, context: str, deposit: str, step: str, value: str) -> bytes:
    """What is kept of a date of birth or of a number in a chip, bound to its deposit and step."""
    return hmac.digest(key, f"{SCHEME}|proof|{context}|{deposit}|{step}|{value}".encode(), "sha256")


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
