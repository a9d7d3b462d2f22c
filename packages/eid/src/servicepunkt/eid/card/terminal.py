"""Terminal authentication, version 2: a terminal proves with its certificates what it may read (TR-03110-2 §3.3).

A town never holds such a key: it buys an eID service, which does this from afar. It stands here for tests, and for
offices that have a reading terminal of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import msgspec

from servicepunkt.eid.card.apdu import Command, Conversation
from servicepunkt.eid.curve import Curve, Point
from servicepunkt.eid.cvc import Certificate
from servicepunkt.eid.tlv import tlv

#: 0.4.0.127.0.7.3.1.4: what a terminal wants compared, without being told the datum itself.
AUXILIARY = bytes.fromhex("04007F0007030104")
BIRTH, EXPIRY, COMMUNITY = (AUXILIARY + bytes([number]) for number in (1, 2, 3))
CHALLENGE = 8


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """`chain`: certificates from below one that the card believes, down to the terminal's own (`cvc.path`). `sign`:
    makes the plain signature (r and s one after the other) with the terminal's key."""

    chain: Sequence[Certificate]
    sign: Callable[[bytes], bytes]


def auxiliary(
    *, born_before: date | None = None, valid_on: date | None = None, community: str = ""
) -> Mapping[bytes, bytes]:
    """What is to be compared: born on this day or earlier, valid on a day, living where the key begins so (digits,
    two a byte). Raises ValueError for a key that is none."""
    found: dict[bytes, bytes] = {}
    if born_before is not None:
        found[BIRTH] = f"{born_before:%Y%m%d}".encode()
    if valid_on is not None:
        found[EXPIRY] = f"{valid_on:%Y%m%d}".encode()
    if community:
        found[COMMUNITY] = bytes.fromhex(community)
    return found


def encoded(compared: Mapping[bytes, bytes]) -> bytes:
    """The object 67; nothing where nothing is compared."""
    return (
        tlv(0x67, *(tlv(0x73, tlv(0x06, oid), tlv(0x53, value)) for oid, value in compared.items()))
        if compared
        else b""
    )


def compressed(curve: Curve, point: Point) -> bytes:
    """By what an ephemeral key is named: its x (TR-03110-3 §A.2.2.3)."""
    return point[0].to_bytes(curve.size, "big")


def authenticate_terminal(
    terminal: Terminal, id_picc: bytes, named: bytes, compared: Mapping[bytes, bytes]
) -> Conversation[None]:
    """`named`: the compressed key that chip authentication will use. Raises CardError."""
    for certificate in terminal.chain:
        (yield Command(0x00, 0x22, 0x81, 0xB6, tlv(0x83, certificate.authority.encode("latin-1")))).require()
        (yield Command(0x00, 0x2A, 0x00, 0xBE, certificate.inner)).require()
    own, extra = terminal.chain[-1], encoded(compared)
    data = tlv(0x80, own.key.algorithm) + tlv(0x83, own.holder.encode("latin-1")) + extra + tlv(0x91, named)
    (yield Command(0x00, 0x22, 0x81, 0xA4, data)).require()
    challenge = (yield Command(0x00, 0x84, 0x00, 0x00, b"", CHALLENGE)).require()
    (yield Command(0x00, 0x82, 0x00, 0x00, terminal.sign(id_picc + challenge + named + extra))).require()


def verify(oid: bytes) -> Conversation[bool]:
    """Whether what was named in terminal authentication is so: old enough, valid, living there. Raises CardError."""
    answer = yield Command(0x80, 0x20, 0x80, 0x00, tlv(0x06, oid))
    if answer.status == 0x6300:
        return False
    answer.require()
    return True
