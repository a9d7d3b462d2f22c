"""What a terminal may do at a card: the certificate holder authorization template, CHAT (TR-03110-4 §2.2.3.2). Pure.

The 40 bits are numbered from the right. Reading goes upwards from data group 1, writing downwards from 22: both are
tables here, and nothing calculates with them elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Self

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.tlv import need, only, tlv

#: id-AT: the authentication terminal, of which alone is spoken here.
AUTHENTICATION_TERMINAL = bytes.fromhex("04007F000703010202")
SIZE = 5


class Role(IntEnum):
    """The two bits at the left."""

    TERMINAL = 0b00
    DV_OTHER = 0b01
    DV_OFFICIAL = 0b10
    CVCA = 0b11


class Right(IntEnum):
    """A bit of the template. `READ_n` and `WRITE_n` are about data group n."""

    AGE_VERIFICATION = 0
    COMMUNITY_VERIFICATION = 1
    RESTRICTED_IDENTIFICATION = 2
    PRIVILEGED = 3
    CAN_ALLOWED = 4
    PIN_MANAGEMENT = 5
    INSTALL_CERTIFICATE = 6
    INSTALL_QUALIFIED_CERTIFICATE = 7
    READ_1 = 8
    READ_2 = 9
    READ_3 = 10
    READ_4 = 11
    READ_5 = 12
    READ_6 = 13
    READ_7 = 14
    READ_8 = 15
    READ_9 = 16
    READ_10 = 17
    READ_11 = 18
    READ_12 = 19
    READ_13 = 20
    READ_14 = 21
    READ_15 = 22
    READ_16 = 23
    READ_17 = 24
    READ_18 = 25
    READ_19 = 26
    READ_20 = 27
    READ_21 = 28
    READ_22 = 29
    PSEUDONYMOUS_SIGNATURE = 30
    WRITE_22 = 32
    WRITE_21 = 33
    WRITE_20 = 34
    WRITE_19 = 35
    WRITE_18 = 36
    WRITE_17 = 37


class Chat(msgspec.Struct, frozen=True):
    """The role of a certificate and its rights."""

    rights: frozenset[Right] = frozenset()
    role: Role = Role.TERMINAL

    @classmethod
    def of(cls, rights: Iterable[Right]) -> Self:
        return cls(frozenset(rights))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """From the object 7F4C. Raises MalformedError, also for another kind of terminal."""
        inner = only(data, 0x7F4C)
        if need(inner, 0x06) != AUTHENTICATION_TERMINAL:
            raise MalformedError(what="CHAT", why="not of an authentication terminal")
        found = cls.from_bits(need(inner, 0x53))
        if found.encode() != data:
            raise MalformedError(what="CHAT", why="not written in the one way")
        return found

    @classmethod
    def from_bits(cls, value: bytes) -> Self:
        """From the five bytes. Raises MalformedError."""
        if len(value) != SIZE:
            raise MalformedError(what="CHAT", why="not five bytes")
        bits = int.from_bytes(value, "big")
        if bits >> 31 & 1:
            raise MalformedError(what="CHAT", why="a bit that is kept free")
        return cls(frozenset(right for right in Right if bits >> right & 1), Role(bits >> 38))

    def encode(self) -> bytes:
        """The object 7F4C."""
        return tlv(0x7F4C, tlv(0x06, AUTHENTICATION_TERMINAL), tlv(0x53, self.bits))

    @property
    def bits(self) -> bytes:
        return (self.role << 38 | sum(1 << right for right in self.rights)).to_bytes(SIZE, "big")

    def __and__(self, other: Chat) -> Chat:
        """What both allow: the effective authorization of a chain."""
        return Chat(self.rights & other.rights, Role(self.role & other.role))

    def groups(self) -> Iterator[int]:
        """The data groups that may be read, upwards."""
        yield from (right - 7 for right in sorted(self.rights) if Right.READ_1 <= right <= Right.READ_22)


def reading(*groups: int) -> frozenset[Right]:
    """The rights to read these data groups. Raises ValueError for a number that is none of 1 to 22."""
    if wrong := [number for number in groups if not 1 <= number <= 22]:
        raise ValueError(f"there is no data group {wrong[0]}")
    return frozenset(Right(number + 7) for number in groups)
