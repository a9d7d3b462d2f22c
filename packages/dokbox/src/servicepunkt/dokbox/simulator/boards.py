"""What the boards of every kind have in common: requests cut out of a stream of bytes, the faults of the bus.

Bytes in, bytes out, without a line; the time is an argument, as everywhere in the simulator. A kind is one class
on top of ``BoardsOnBus`` and one row in ``kinds``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from random import Random
from typing import Protocol

import msgspec

from servicepunkt.dokbox.simulator.model import (
    Cabinet,
    Delay,
    Echo,
    F,
    FlippedBit,
    Garbage,
    HalfFrame,
    NoReply,
    ReversedPolarity,
)


class Transmission(msgspec.Struct, frozen=True):
    """Bytes that leave the bus, ``delay`` seconds after the one before."""

    data: bytes
    delay: float = 0.0


class UseFault(Protocol):
    """Gives the fault of a kind that is present, and uses up one of its times; None if there is none."""

    def __call__(self, kind: type[F], /) -> F | None: ...


def with_faults(reply: Transmission, use_fault: UseFault, random: Random) -> list[Transmission]:
    """The reply as it reaches the line; a lost one uses up no other fault."""
    data = reply.data
    if use_fault(NoReply):
        return []
    if use_fault(FlippedBit):
        bit = random.randrange(len(data) * 8)
        data = (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")
    if use_fault(HalfFrame):
        data = data[: len(data) // 2]
    if garbage := use_fault(Garbage):
        data = random.randbytes(garbage.length) + data
    delay = use_fault(Delay)
    return [Transmission(data, reply.delay + (delay.seconds if delay else 0.0))]


class Boards(Protocol):
    """What a line needs to know of the boards behind it."""

    @property
    def cabinet(self) -> Cabinet:
        """The cabinet whose locks they drive."""

    def receive(self, data: bytes, *, time: float) -> list[Transmission]:
        """Take the next bytes of the line, in pieces of any size; do what they say and give the answer."""

    def pass_time(self, *, time: float) -> float | None:
        """Let happen what needs no bytes; gives when it must be called again, None if only bytes can do anything."""


class BoardsOnBus(ABC):
    """As many boards as the cabinet needs, on one bus, faults of the cabinet's bus included.

    Compartments are wired in the order of their numbers, ``locks_per_board`` to a board; the last board may have
    locks that are not wired. ``random`` decides where a flipped bit and garbage fall. ValueError for boards without
    locks, and if the cabinet needs more than the ``most_boards`` that one bus carries.
    """

    def __init__(self, cabinet: Cabinet, random: Random, *, locks_per_board: int, most_boards: int) -> None:
        if locks_per_board < 1:
            raise ValueError("a board has at least one lock")
        self._cabinet = cabinet
        self._random = random
        self._received = bytearray()
        self._locks_per_board = locks_per_board
        self._wired = len(cabinet.compartments)
        self._boards = -(-self._wired // locks_per_board)
        if self._boards > most_boards:
            raise ValueError(f"one bus carries {most_boards} boards, this cabinet needs {self._boards}")

    @property
    def cabinet(self) -> Cabinet:
        return self._cabinet

    def receive(self, data: bytes, *, time: float) -> list[Transmission]:
        """Take the next bytes of the line, in pieces of any size; do what they say and give the answer."""
        self.pass_time(time=time)
        if not self._cabinet.plugged:
            self._received.clear()
            return []
        sent = [Transmission(data)] if self._cabinet.use_fault(Echo) else []
        self._received += data
        while request := self._take_request():
            for reply in self._obey(request, time):
                sent += with_faults(reply, self._cabinet.use_fault, self._random)
        return sent

    def pass_time(self, *, time: float) -> float | None:  # noqa: ARG002 most boards only answer
        """Nothing happens to boards that only answer; a kind on which something does says so."""
        return None

    @abstractmethod
    def _possible_lengths(self, start: bytearray) -> tuple[int, ...]:
        """How many bytes a request that starts so may have, shortest first; empty if none starts so.

        Never empty only because ``start`` is too short to tell: then the least that any such request has.
        """

    @abstractmethod
    def _is_whole(self, request: bytes) -> bool:
        """Whether bytes of a possible length are a request: its end and its check are right."""

    @abstractmethod
    def _obey(self, request: bytes, time: float) -> Iterable[Transmission]:
        """Do what a whole request says; gives the replies, before any fault."""

    def _numbers(self, board: int) -> range:
        """The compartments of a board, counted from 0, those that are not wired included."""
        first = board * self._locks_per_board + 1
        return range(first, first + self._locks_per_board)

    def _reads_closed(self, number: int) -> bool:
        """What the switch at a latch tells its board, which is "open" if none is wired."""
        closed = number <= self._wired and self._cabinet.latch_reads_closed(number)
        return closed is (self._cabinet.use_fault(ReversedPolarity) is None)

    def _reads_item(self, number: int) -> bool:
        return number <= self._wired and self._cabinet.sensor_reads_item(number)

    def _take_request(self) -> bytes | None:
        """Cut the first whole request off; bytes that cannot begin one are dropped one at a time."""
        received = self._received
        while received:
            lengths = self._possible_lengths(received)
            for length in lengths:
                request = bytes(received[:length])
                if len(request) == length and self._is_whole(request):
                    del received[:length]
                    return request
            if any(length > len(received) for length in lengths):
                return None
            del received[0]
        return None


def pack(bits: Iterable[bool]) -> bytes:
    """Eight to a byte, the first one in bit 0 of the first byte; what is left of the last byte is 0."""
    listed = list(bits)
    return sum(bit << at for at, bit in enumerate(listed)).to_bytes(-(-len(listed) // 8), "little")
