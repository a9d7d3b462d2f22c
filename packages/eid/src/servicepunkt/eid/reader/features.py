"""What a reader can do: the features of PC/SC part 10, and PACE in a reader with a PIN pad of its own. Pure.

A basic reader (Cat-B) leaves the PIN to the screen of the terminal; a standard or comfort reader (Cat-S, Cat-K) has a
pad, leads PACE itself, and the PIN never leaves it (TR-03119).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Self

import msgspec

from servicepunkt.eid.errors import (
    CardError,
    EidError,
    MalformedError,
    NoCardError,
    PadCancelledError,
    ReaderError,
    WrongSecretError,
)
from servicepunkt.eid.model import Secrets

#: SCARD_CTL_CODE(3400) as pcsc-lite numbers it; Windows has 0x00313520.
GET_FEATURES = 0x42000000 + 3400
GET_FEATURES_WINDOWS = 0x31 << 16 | 3400 << 2
MOST_FEATURES = 64


class Feature(IntEnum):
    """Tags of PC/SC part 10 §2.2 and its amendment 1."""

    VERIFY_PIN_DIRECT = 0x06
    MODIFY_PIN_DIRECT = 0x07
    IFD_PIN_PROPERTIES = 0x0A
    TLV_PROPERTIES = 0x12
    EXECUTE_PACE = 0x20


def features(data: bytes) -> dict[Feature, int]:
    """Feature → control code: tag, length 4, code, again and again. Others are left out. Raises MalformedError."""
    if len(data) % 6 or len(data) > 6 * MOST_FEATURES:
        raise MalformedError(what="features", why="no entries of six bytes")
    found: dict[Feature, int] = {}
    for at in range(0, len(data), 6):
        if data[at + 1] != 4:
            raise MalformedError(what="features", why="an entry of another length")
        if data[at] in Feature.__members__.values():
            found[Feature(data[at])] = int.from_bytes(data[at + 2 : at + 6], "big")
    return found


def capabilities_command() -> bytes:
    """GetReadersPACECapabilities."""
    return b"\x01\x00\x00"


class PaceCapabilities(msgspec.Struct, frozen=True):
    """What a reader can lead: PACE alone, online identification, qualified signature; whether it destroys channels."""

    generic: bool = False
    eid: bool = False
    signature: bool = False
    destroys: bool = False

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises MalformedError, ReaderError."""
        bits = _output(data)
        if len(bits) != 1:
            raise MalformedError(what="PACE capabilities", why="not one byte")
        return cls(*(bool(bits[0] & bit) for bit in (0x40, 0x20, 0x10, 0x80)))


def establish_command(kind: Secrets, *, chat: bytes = b"", secret: bytes = b"", description: bytes = b"") -> bytes:
    """EstablishPACEChannel. `chat`: the object 7F4C; `description`: the terminal's, which the reader shows; `secret`:
    only where the reader has no pad (a printed CAN)."""
    data = bytes([kind]) + b"".join(bytes([len(part)]) + part for part in (chat, secret))
    data += len(description).to_bytes(2, "little") + description
    return b"\x02" + len(data).to_bytes(2, "little") + data


def destroy_command() -> bytes:
    """DestroyPACEChannel."""
    return b"\x03\x00\x00"


class Established(msgspec.Struct, frozen=True):
    """What came of PACE in the reader: as `card.pace.Channel`, with EF.CardAccess, which the reader has read."""

    card_access: bytes
    authorities: tuple[bytes, ...]
    id_picc: bytes


def established(data: bytes, kind: Secrets) -> Established:
    """Raises MalformedError; WrongSecretError, NoCardError, PadCancelledError and ReaderError for what failed."""
    body = _output(data, kind)
    status, body = body[:2], body[2:]
    if len(status) != 2:
        raise MalformedError(what="PACE in the reader", why="cut off")
    parts = []
    for size in (2, 1, 1, 2):
        length = int.from_bytes(body[:size], "little")
        part, body = body[size : size + length], body[size + length :]
        if len(part) != length:
            raise MalformedError(what="PACE in the reader", why="cut off")
        parts.append(part)
    if body:
        raise MalformedError(what="PACE in the reader", why="bytes left over")
    access, newest, before, identity = parts
    return Established(access, tuple(one for one in (newest, before) if one), identity)


#: Codes of the reader's own (PC/SC part 10 amendment 1 §2.6.16).
FAULTS: Mapping[int, type[EidError]] = {
    0xE0000001: MalformedError,
    0xE0000006: ReaderError,
    0xF0100001: ReaderError,
    0xF0100002: NoCardError,
    0xF0200001: PadCancelledError,
    0xF0200002: PadCancelledError,
}


def _output(data: bytes, kind: Secrets | None = None) -> bytes:
    """The data behind code and length. Raises what the code means."""
    if len(data) < 6:
        raise MalformedError(what="reader", why="cut off")
    code, length = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:6], "little")
    if code:
        raise fault(code, kind)
    if len(data) != 6 + length:
        raise MalformedError(what="reader", why="another length than it says")
    return data[6:]


def fault(code: int, kind: Secrets | None = None) -> EidError:
    """The error that a code means. 0xF00yXXXX is the card's own status XXXX in step y of PACE."""
    step, status = code >> 16 & 0xF, code & 0xFFFF
    if code >> 20 == 0xF00:
        if step == 6 and kind is not None and (status >> 4 == 0x63C or status == 0x6300):
            tries = {"tries": status & 0x0F} if status >> 4 == 0x63C and kind == Secrets.PIN else {}
            return WrongSecretError(kind=kind.name, **tries)
        return CardError(status=f"{status:04X}", step=step)
    return FAULTS.get(code, ReaderError)(code=f"{code:08X}")
