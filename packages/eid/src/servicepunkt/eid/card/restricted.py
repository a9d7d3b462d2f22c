"""Restricted identification: a pseudonym of the card, the same for one sector each time (TR-03110-2 §3.6)."""

from __future__ import annotations

from servicepunkt.eid.card.apdu import ALL, Command, Conversation
from servicepunkt.eid.card.pace import DYNAMIC
from servicepunkt.eid.tlv import need, only, tlv


def pseudonym(oid: bytes, key_id: int, sector: bytes) -> Conversation[bytes]:
    """`sector`: the sector's public key as the standard writes it (the contents of 7F49). Raises CardError,
    MalformedError."""
    (yield Command(0x00, 0x22, 0x41, 0xA4, tlv(0x80, oid) + tlv(0x84, bytes([key_id])))).require()
    answer = yield Command(0x00, 0x86, 0x00, 0x00, tlv(DYNAMIC, tlv(0xA0, sector)), ALL)
    return need(only(answer.require(), DYNAMIC), 0x81)
