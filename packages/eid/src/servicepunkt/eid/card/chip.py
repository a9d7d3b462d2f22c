"""Chip authentication, version 2: the card proves that it holds the key that its maker signed, and new keys are
agreed (TR-03110-2 §3.4). What is read after it comes from a genuine chip."""

from __future__ import annotations

import hmac

from servicepunkt.eid.card.access import ChipKey, Protocol
from servicepunkt.eid.card.apdu import ALL, Command, Conversation
from servicepunkt.eid.card.messaging import FOR_CHECKSUM, SecureMessaging, derive
from servicepunkt.eid.card.pace import DYNAMIC, token
from servicepunkt.eid.errors import CryptoError
from servicepunkt.eid.tlv import need, only, tlv


def authenticate_chip(protocol: Protocol, key: ChipKey, ephemeral: int) -> Conversation[SecureMessaging]:
    """The new channel. `key` has been verified (`security.verified`); `ephemeral` is the secret key whose point the
    terminal named in terminal authentication.

    Raises CardError, CryptoError, MalformedError.
    """
    curve = key.curve
    which = tlv(0x84, bytes([protocol.key_id])) if protocol.key_id is not None else b""
    (yield Command(0x00, 0x22, 0x41, 0xA4, tlv(0x80, protocol.oid) + which)).require()
    own = curve.encode(curve.multiply(ephemeral))
    answer = yield Command(0x00, 0x86, 0x00, 0x00, tlv(DYNAMIC, tlv(0x80, own)), ALL)
    found = only(answer.require(), DYNAMIC)
    nonce, said = need(found, 0x81), need(found, 0x82)
    shared = curve.multiply(ephemeral, curve.decode(key.point))[0].to_bytes(curve.size, "big")
    size = protocol.key_size
    expected = token(derive(shared, FOR_CHECKSUM, nonce=nonce, size=size), protocol.oid, own)
    if not hmac.compare_digest(said, expected):
        raise CryptoError(what="chip authentication", why="the card's token does not fit")
    return SecureMessaging.derived(shared, nonce=nonce, size=size)
