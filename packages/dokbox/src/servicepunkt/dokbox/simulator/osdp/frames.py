"""OSDP frames of the device's end: cut out of a stream, checked, built.

Source: the project's protocol reference, section 2.4. A frame is ``53 ADDR LEN LEN CTRL [SCB] PAYLOAD CHECK`` with
LEN low byte first and counting everything from 53 on; any number of marks FF may stand before it. SCB is
``length type data``, its own length byte counted. PAYLOAD is a code, its data and, within a secure session, four
bytes of MAC. CHECK is a CRC-16, low byte first, or one byte that makes the sum 0. Nothing is escaped.
"""

from enum import IntEnum
from typing import Self

import msgspec

MARK = 0xFF
START = 0x53
REPLY_BIT = 0x80
"""Set in the address of a reply."""
SEQUENCE_BITS = 0x03
CRC_BIT = 0x04
"""Set in CTRL: two bytes of CRC-16; clear: one byte of checksum."""
SECURITY_BIT = 0x08
"""Set in CTRL: a security control block follows."""
HEADER_LENGTH = 5
MAC_LENGTH = 4
LONGEST = 1440
"""Bytes of the longest frame that the simulated devices take, also what they report as their buffer."""


class Command(IntEnum):
    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    LSTAT = 0x64
    ISTAT = 0x65
    OSTAT = 0x66
    OUT = 0x68
    LED = 0x69
    BUZ = 0x6A
    COMSET = 0x6E
    KEYSET = 0x75
    CHLNG = 0x76
    SCRYPT = 0x77


class Reply(IntEnum):
    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    LSTATR = 0x48
    ISTATR = 0x49
    OSTATR = 0x4A
    KEYPAD = 0x53
    CCRYPT = 0x76
    RMAC_I = 0x78


class Security(IntEnum):
    """The type of a security control block; even ones belong to replies."""

    CHALLENGE = 0x11
    CHALLENGE_REPLY = 0x12
    CRYPTOGRAM = 0x13
    CRYPTOGRAM_REPLY = 0x14
    COMMAND_MAC = 0x15
    REPLY_MAC = 0x16
    COMMAND_ENCRYPTED = 0x17
    REPLY_ENCRYPTED = 0x18


class NakReason(IntEnum):
    """Why a device refuses a command."""

    BAD_CHECK = 0x01
    BAD_LENGTH = 0x02
    UNKNOWN_COMMAND = 0x03
    UNEXPECTED_SEQUENCE = 0x04
    SECURITY_UNSUPPORTED = 0x05
    SECURITY_REQUIRED = 0x06
    IMPOSSIBLE = 0x09


class Frame(msgspec.Struct, frozen=True):
    """The bytes of one frame from 53 to its check, which may be wrong: ask ``intact`` before all else."""

    raw: bytes

    @property
    def address(self) -> int:
        return self.raw[1]

    @property
    def control(self) -> int:
        return self.raw[4]

    @property
    def sequence(self) -> int:
        return self.control & SEQUENCE_BITS

    @property
    def intact(self) -> bool:
        """Whether the check is right."""
        end = len(self.raw) - _check_length(self.control)
        return check(self.raw[:end], self.control) == self.raw[end:]

    @property
    def security(self) -> bytes:
        """The security control block without its length byte; empty for a frame in clear."""
        return self.raw[HEADER_LENGTH + 1 : self._payload_start] if self.control & SECURITY_BIT else b""

    @property
    def security_type(self) -> int | None:
        """None for a frame in clear, 0 for a block without a type, which no device knows."""
        if not self.control & SECURITY_BIT:
            return None
        return self.security[0] if self.security else 0

    @property
    def payload(self) -> bytes:
        """Code, data and MAC; empty if the security control block leaves no room."""
        return self.raw[self._payload_start : len(self.raw) - _check_length(self.control)]

    @property
    def authenticated(self) -> bytes:
        """What the MAC of a frame that has one stands for: everything before it."""
        return self.raw[: len(self.raw) - _check_length(self.control) - MAC_LENGTH]

    @property
    def _payload_start(self) -> int:
        return HEADER_LENGTH + (self.raw[HEADER_LENGTH] if self.control & SECURITY_BIT else 0)


class Draft(msgspec.Struct, frozen=True):
    """A frame that still lacks its MAC and its check; LEN counts both already."""

    raw: bytes

    @classmethod
    def of(cls, address: int, control: int, *, security: bytes, payload: bytes, mac_length: int = 0) -> Self:
        """``security`` is the block without its length byte, empty for a frame in clear; it decides over CTRL."""
        block = bytes([len(security) + 1]) + security if security else b""
        control = control | SECURITY_BIT if security else control & ~SECURITY_BIT
        length = HEADER_LENGTH + len(block) + len(payload) + mac_length + _check_length(control)
        return cls(bytes([START, address]) + length.to_bytes(2, "little") + bytes([control]) + block + payload)

    def finish(self, mac: bytes = b"") -> bytes:
        whole = self.raw + mac
        return whole + check(whole, whole[4])


def take_frame(received: bytearray) -> Frame | None:
    """Cut the first frame off; bytes that cannot begin one are dropped.

    Of a frame with a wrong check only the first byte is cut off, so that a right one inside it is found next.
    """
    while START in received:
        del received[: received.index(START)]
        if len(received) < HEADER_LENGTH:
            return None
        length = int.from_bytes(received[2:4], "little")
        if HEADER_LENGTH + _check_length(received[4]) < length <= LONGEST:
            if len(received) < length:
                return None
            frame = Frame(bytes(received[:length]))
            del received[: length if frame.intact else 1]
            return frame
        del received[0]
    received.clear()
    return None


def check(covered: bytes, control: int) -> bytes:
    """CRC-16 (polynomial 1021, start 1D0F, not reflected), low byte first; or the two's complement of the sum."""
    if not control & CRC_BIT:
        return bytes([-sum(covered) % 256])
    crc = 0x1D0F
    for byte in covered:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc.to_bytes(2, "little")


def _check_length(control: int) -> int:
    return 2 if control & CRC_BIT else 1
