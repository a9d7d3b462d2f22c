"""Commands to a card and its answers (ISO/IEC 7816-4 §5). Pure."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import msgspec

from servicepunkt.eid.errors import (
    BlockedError,
    CardError,
    DeactivatedError,
    MalformedError,
    SuspendedError,
)

OK = 0x9000
#: "As much as there is" of a short and of an extended command.
ALL, ALL_EXTENDED = 256, 65_536
MOST_DATA = 65_535
Result = TypeVar("Result")


class Command(msgspec.Struct, frozen=True):
    """`le`: the most bytes that the answer may have; None for none."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __bytes__(self) -> bytes:
        """Short where it fits, else extended. Raises ValueError for what no command can say."""
        if len(self.data) > MOST_DATA or not 0 < (self.le or 1) <= ALL_EXTENDED:
            raise ValueError("no command is so long")
        header = bytes([self.cla, self.ins, self.p1, self.p2])
        extended = len(self.data) > 255 or (self.le or 0) > ALL
        size = 2 if extended else 1
        body = b""
        if self.data:
            body = (b"\0" if extended else b"") + len(self.data).to_bytes(size, "big") + self.data
        if self.le is not None:
            # The most that can be asked for is written as zero.
            length = (self.le % (ALL_EXTENDED if extended else ALL)).to_bytes(size, "big")
            body += (b"\0" if extended and not self.data else b"") + length
        return header + body


class Answer(msgspec.Struct, frozen=True):
    """What the card said: data and status word."""

    data: bytes
    status: int

    @classmethod
    def decode(cls, answer: bytes) -> Answer:
        """Raises MalformedError."""
        if not 2 <= len(answer) <= MOST_DATA + 2:
            raise MalformedError(what="answer", why=f"{len(answer)} bytes")
        return cls(answer[:-2], int.from_bytes(answer[-2:], "big"))

    def require(self, *expected: int) -> bytes:
        """The data, if the status is 9000 or one of these. Raises CardError."""
        if self.status != OK and self.status not in expected:
            raise refusal(self.status)
        return self.data


#: What is said with a command and heard with its answer, and what it comes to.
Conversation = Generator[Command, Answer, Result]


def refusal(status: int) -> CardError:
    """The error that a status word means (TR-03110-3 §B.14.1 and the tables of its appendix)."""
    said = f"{status:04X}"
    match status:
        case 0x6283 | 0x6984:
            return DeactivatedError(status=said)
        case 0x63C0 | 0x6983:
            return BlockedError(status=said)
        case 0x6985:
            return SuspendedError(status=said)
    return CardError(status=said)
