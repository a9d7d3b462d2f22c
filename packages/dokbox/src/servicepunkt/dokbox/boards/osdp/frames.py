"""OSDP 2.2 packets: bytes in, packets out; without a word about keys.

Source: reference "Lock boards: byte-exact", section "OSDP v2.2". A packet is

    SOM  ADDRESS  LENGTH LENGTH  CONTROL  [SECURITY BLOCK]  CODE  DATA  [MAC]  CRC CRC

LENGTH is the number of bytes from SOM to CRC, low byte first; CONTROL holds the sequence number (bits 0 and 1),
04 for a CRC and 08 for a security block. A device sets the highest bit of its address. The CRC has the polynomial
1021 and starts with 1D0F, low byte first; the variant with one checksum byte is not spoken.
"""

import binascii
import enum

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import Echo
from servicepunkt.dokbox.boards.decoding import Verdict

SOM = 0x53
MARK = 0xFF  # may stand before a packet, to wake the line's drivers
DEVICE = 0x80  # in the address of a reply
MOST_ADDRESSES = 126
CRC_START = 0x1D0F
SEQUENCE = 0x03
HAS_CRC = 0x04
HAS_SECURITY_BLOCK = 0x08
HEAD = 5  # SOM, ADDRESS, LENGTH, CONTROL
SHORTEST = HEAD + 1 + 2
LONGEST = 256  # of a reply that is listened to; those of keypads, outputs and inputs are far shorter
MAC_LENGTH = 4


class Command(enum.IntEnum):
    """CODE of a packet from the panel."""

    POLL = 0x60
    ID = 0x61
    INPUT_STATUS = 0x65
    OUTPUT = 0x68
    LED = 0x69
    CHALLENGE = 0x76
    SERVER_CRYPTOGRAM = 0x77


class Reply(enum.IntEnum):
    """CODE of a packet from a device."""

    ACK = 0x40
    NAK = 0x41
    ID = 0x45
    INPUTS = 0x49
    OUTPUTS = 0x4A
    KEYS = 0x53
    CLIENT_CRYPTOGRAM = 0x76
    INITIAL_MAC = 0x78
    BUSY = 0x79


class Security(enum.IntEnum):
    """Type of a security block."""

    CHALLENGE = 0x11
    CLIENT_CRYPTOGRAM = 0x12
    SERVER_CRYPTOGRAM = 0x13
    INITIAL_MAC = 0x14
    COMMAND_MAC = 0x15
    REPLY_MAC = 0x16
    COMMAND_SECRET = 0x17
    REPLY_SECRET = 0x18


SIGNED = frozenset({Security.COMMAND_MAC, Security.REPLY_MAC, Security.COMMAND_SECRET, Security.REPLY_SECRET})


class Packet(base.Frame, frozen=True):
    """A packet with a right CRC, not yet believed. `security`: type and data of its security block, if any."""

    address: int
    sequence: int
    security: tuple[int, bytes] | None
    code: int
    data: bytes
    mac: bytes

    @property
    def signed(self) -> bytes:
        """What the MAC covers."""
        return self.raw[: -2 - MAC_LENGTH]


def crc(data: bytes) -> bytes:
    return binascii.crc_hqx(data, CRC_START).to_bytes(2, "little")


def encode_head(address: int, sequence: int, code: int, *, security: bytes, rest: int) -> bytes:
    """Everything up to CODE. `security`: type and data of the security block, or nothing. `rest`: bytes to come."""
    block = bytes([len(security) + 1]) + security if security else b""
    length = HEAD + len(block) + 1 + rest
    control = sequence | HAS_CRC | (HAS_SECURITY_BLOCK if block else 0)
    return bytes([SOM, address]) + length.to_bytes(2, "little") + bytes([control]) + block + bytes([code])


def encode(address: int, sequence: int, code: int, data: bytes = b"", *, security: bytes = b"") -> bytes:
    """The bytes of a packet without a MAC."""
    head = encode_head(address, sequence, code, security=security, rest=len(data) + 2) + data
    return head + crc(head)


def at_start(window: bytes) -> Packet | Echo | Verdict:
    """The packet with which a window of bytes begins; a mark and the packet of a panel answer nothing."""
    if window[0] == MARK:
        return Echo(window[:1])
    if window[0] != SOM:
        return Verdict.NEVER
    if len(window) < HEAD:
        return Verdict.NOT_YET
    length = int.from_bytes(window[2:4], "little")
    if not SHORTEST <= length <= LONGEST or not window[4] & HAS_CRC:
        return Verdict.NEVER
    if len(window) < length:
        return Verdict.NOT_YET
    raw = window[:length]
    packet = parse(raw) if raw[-2:] == crc(raw[:-2]) else None
    if packet is None:
        return Verdict.NEVER
    return packet if raw[1] & DEVICE else Echo(raw)


def parse(raw: bytes) -> Packet | None:
    """The parts of a packet whose length and CRC are right; None when its inner lengths are not."""
    body = raw[HEAD:-2]
    security = None
    mac = b""
    if raw[4] & HAS_SECURITY_BLOCK:
        size = body[0] if body else 0
        if not 2 <= size <= len(body):
            return None
        security = (body[1], body[2:size])
        body = body[size:]
        if security[0] in SIGNED:
            if len(body) < 1 + MAC_LENGTH:
                return None
            body, mac = body[:-MAC_LENGTH], body[-MAC_LENGTH:]
    if not body:
        return None
    return Packet(
        raw=raw,
        address=raw[1] & ~DEVICE,
        sequence=raw[4] & SEQUENCE,
        security=security,
        code=body[0],
        data=body[1:],
        mac=mac,
    )
