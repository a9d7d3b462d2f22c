"""The chip's own keys: chip authentication, version 2, and restricted identification. No I/O.

TR-03110-3 §B.2 and §B.4.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes

from servicepunkt.eid.cvc import HASHES, ID_SECTOR, PublicKey
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.rights import Right
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.messaging import Channel
from servicepunkt.eid.testing.chip.objects import dynamic, fields
from servicepunkt.eid.testing.chip.pace import agreed
from servicepunkt.eid.testing.chip.session import CURVE, Event, Session, Stage
from servicepunkt.eid.testing.symmetric import CHECKSUM, ENCRYPTION, derived, token
from servicepunkt.eid.tlv import tlv

#: id-CA-ECDH-AES-CBC-CMAC-128 and id-RI-ECDH-SHA-256.
CHIP_AUTHENTICATION = bytes.fromhex("04007F00070202030202")
RESTRICTED_IDENTIFICATION = bytes.fromhex("04007F00070202050203")
#: The one key of chip authentication.
CHIP_KEY = 1


def select(session: Session, command: Command) -> bytes:
    """MSE:Set AT for internal authentication."""
    found = fields(command.data, needed=(0x80,), allowed=(0x84,))
    protocol, number = found[0x80], int.from_bytes(found.get(0x84, b"\x01"), "big")
    if protocol == CHIP_AUTHENTICATION:
        if session.stage is not Stage.TERMINAL:
            raise StatusError(Status.NOT_SATISFIED)
        keys = {CHIP_KEY}
    elif protocol == RESTRICTED_IDENTIFICATION:
        session.requires(Right.RESTRICTED_IDENTIFICATION)
        keys = set(session.memory.identification_keys)
    else:
        raise StatusError(Status.WRONG_DATA)
    if number not in keys:
        raise StatusError(Status.NOT_FOUND)
    session.internal, session.pace = (protocol, number), None
    return b""


def proceed(session: Session, selected: tuple[bytes, int], command: Command) -> bytes:
    """General authenticate, in one step."""
    if command.is_chained:
        raise StatusError(Status.LAST_OF_CHAIN_EXPECTED)
    protocol, number = selected
    objects = dynamic(command.data)
    if protocol == CHIP_AUTHENTICATION:
        session.internal = None
        return tlv(0x7C, _authenticate(session, objects))
    return tlv(0x7C, _identify(session, objects, number))


def _authenticate(session: Session, objects: dict[int, bytes]) -> bytes:
    """The terminal's key has to be the one that it signed."""
    if set(objects) != {0x80}:
        raise StatusError(Status.WRONG_DATA)
    theirs = objects[0x80]
    point = CURVE.decode(theirs)
    if point[0].to_bytes(CURVE.size, "big") != session.ephemeral:
        raise StatusError(Status.FAILED)
    nonce = session.randomness(8)
    shared = agreed(CURVE, session.memory.chip_key, point)
    checksums = derived(shared, CHECKSUM, nonce)
    session.moves(Event.CHIP_AUTHENTICATED)
    session.next_channel = Channel(derived(shared, ENCRYPTION, nonce), checksums)
    return tlv(0x81, nonce) + tlv(0x82, token(checksums, CHIP_AUTHENTICATION, theirs))


def _identify(session: Session, objects: dict[int, bytes], number: int) -> bytes:
    """An identifier for each sector key that the certificate of the terminal names."""
    session.requires(Right.RESTRICTED_IDENTIFICATION)
    if not objects or not set(objects) <= {0xA0, 0xA2}:
        raise StatusError(Status.WRONG_DATA)
    return b"".join(
        tlv(tag + 1 - 0x20, _identifier(session, value, number, at))
        for at, tag in enumerate((0xA0, 0xA2))
        if (value := objects.get(tag)) is not None
    )


def _identifier(session: Session, value: bytes, number: int, at: int) -> bytes:
    terminal = session.terminal
    if terminal is None:
        raise StatusError(Status.NOT_SATISFIED)
    sectors = next((one.values for one in terminal.extensions if one.oid == ID_SECTOR), ())
    digest = hashes.Hash(HASHES[terminal.trusted.key.algorithm]())
    digest.update(tlv(0x7F49, value))
    if digest.finalize() not in sectors[at : at + 1]:
        raise StatusError(Status.NOT_SATISFIED)
    try:
        key = PublicKey.parse(value)
        if key.curve is not CURVE:
            raise StatusError(Status.WRONG_DATA)
        shared = agreed(CURVE, session.memory.identification_keys[number], CURVE.decode(key.point))
    except EidError as error:
        raise StatusError(Status.WRONG_DATA) from error
    return hashlib.sha256(shared).digest()
