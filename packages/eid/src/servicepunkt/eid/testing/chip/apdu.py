"""Commands and answers as bytes (ISO/IEC 7816-4 §5.1, §5.2). Pure."""

from __future__ import annotations

from enum import IntEnum
from typing import Self

import msgspec

#: Header, extended length, 65535 bytes, extended Le.
MOST_BYTES = 4 + 3 + 65_535 + 2


class Status(IntEnum):
    """Status words that this card says, as TR-03110-3 §B.14 names them."""

    DONE = 0x9000
    END_OF_FILE = 0x6282
    DEACTIVATED = 0x6283
    FAILED = 0x6300
    COMPARISON_FAILED = 0x6340
    NO_TRY_LEFT = 0x63C0
    ONE_TRY_LEFT = 0x63C1
    TWO_TRIES_LEFT = 0x63C2
    WRONG_LENGTH = 0x6700
    NO_LOGICAL_CHANNEL = 0x6881
    LAST_OF_CHAIN_EXPECTED = 0x6883
    NO_CHAINING = 0x6884
    NOT_SATISFIED = 0x6982
    PASSWORD_BLOCKED = 0x6983
    PASSWORD_DEACTIVATED = 0x6984
    PASSWORD_SUSPENDED = 0x6985
    NO_FILE_SELECTED = 0x6986
    MESSAGING_MISSING = 0x6987
    MESSAGING_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    NO_FILE = 0x6A82
    WRONG_PARAMETERS = 0x6A86
    NOT_FOUND = 0x6A88
    WRONG_OFFSET = 0x6B00
    NO_SUCH_INSTRUCTION = 0x6D00
    NO_SUCH_CLASS = 0x6E00


class StatusError(Exception):
    """A command that is answered with nothing but a status word; it never leaves the chip."""

    def __init__(self, status: Status) -> None:
        self.status = status
        super().__init__(status.name)


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command. `expected`: how many bytes the answer may have, None for no answer but a status word."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    expected: int | None = None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The four cases, short and extended. Raises StatusError."""
        if not 4 <= len(data) <= MOST_BYTES:
            raise StatusError(Status.WRONG_LENGTH)
        cla, ins, p1, p2 = data[:4]
        field, expected = _body(data[4:])
        return cls(cla=cla, ins=ins, p1=p1, p2=p2, data=field, expected=expected)

    def encode(self) -> bytes:
        """In short form where that is enough."""
        header = bytes([self.cla, self.ins, self.p1, self.p2])
        if len(self.data) > 255 or (self.expected or 0) > 256:
            length = b"\x00" + len(self.data).to_bytes(2, "big") if self.data else b""
            end = (self.expected % 65_536).to_bytes(2, "big") if self.expected is not None else b""
            return header + length + self.data + (end if length or not end else b"\x00" + end)
        end = bytes([self.expected % 256]) if self.expected is not None else b""
        return header + (bytes([len(self.data)]) + self.data if self.data else b"") + end

    @property
    def header(self) -> bytes:
        return bytes([self.cla, self.ins, self.p1, self.p2])

    @property
    def parameters(self) -> int:
        return self.p1 << 8 | self.p2

    @property
    def is_secured(self) -> bool:
        """Whether the class says secure messaging with a header that is authenticated."""
        return self.cla & 0x0C == 0x0C

    @property
    def is_chained(self) -> bool:
        """Whether more commands of its chain follow."""
        return bool(self.cla & 0x10)


def _body(body: bytes) -> tuple[bytes, int | None]:
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or 256
    if body[0]:
        return _split(body[1:], body[0], 1, 256)
    if len(body) == 3:
        return b"", int.from_bytes(body[1:], "big") or 65_536
    count = int.from_bytes(body[1:3], "big")
    if not count:
        raise StatusError(Status.WRONG_LENGTH)
    return _split(body[3:], count, 2, 65_536)


def _split(rest: bytes, count: int, size: int, most: int) -> tuple[bytes, int | None]:
    """Data of `count` bytes, and an Le of `size` bytes or none behind it; zero stands for `most`."""
    if len(rest) == count:
        return rest, None
    if len(rest) != count + size:
        raise StatusError(Status.WRONG_LENGTH)
    return rest[:count], int.from_bytes(rest[count:], "big") or most


def answer(data: bytes = b"", status: int = Status.DONE) -> bytes:
    return data + status.to_bytes(2, "big")
