"""The KR-CU16 lock boards of one bus as bytes in, bytes out: what the firmware does, without a line.

Source: the project's protocol reference, section 2.1, frames recomputed by hand. A frame is
``STX ADDR COMMAND [DATA] ETX SUM``; SUM is the sum of everything before it modulo 256; ADDR is
``board << 4 | lock - 1``. STX and ETX are not escaped, so frames are cut by their length.

Not in the reference, and how it is settled here:
- 36 is one frame a board, laid out like 35 (a published log shows ``02 10 36 00 00 00 00 03 4B``).
- 38 carries the pulse time as hi, lo, and answers a query as well as a setting.
- A query for a board whose low nibble is not 0 is ignored, so that a driver that mixes the two up is found.
- A setting of 7.68 s and more whose bytes happen to be a whole query as well counts as the query.
"""

from enum import IntEnum
from random import Random

import msgspec

from servicepunkt.dokbox.simulator.model import (
    Cabinet,
    Delay,
    Echo,
    FlippedBit,
    Garbage,
    HalfFrame,
    NoReply,
    ReversedPolarity,
    What,
)

STX = 0x02
ETX = 0x03
LOCKS_PER_BOARD = 16
MOST_BOARDS = 10
"""Boards carry the ids 0 to 9."""
EVERY_BOARD = 0xF0
"""The address of a request to the whole bus."""
DEFAULT_PULSE_TIME = 50
"""In units of 10 ms: 500 ms, what the maker gives for a solenoid."""


class Command(IntEnum):
    STATUS = 0x30
    UNLOCK = 0x31
    STATUS_ALL = 0x32
    UNLOCK_ALL = 0x33
    PULSE_TIME = 0x37


class Reply(IntEnum):
    STATUS = 0x35
    STATUS_ALL = 0x36
    PULSE_TIME = 0x38


FRAME_LENGTHS: dict[int, tuple[int, ...]] = {
    Command.STATUS: (5,),
    Command.UNLOCK: (5,),
    Command.STATUS_ALL: (5,),
    Command.UNLOCK_ALL: (5,),
    Command.PULSE_TIME: (5, 7),
}
"""How many bytes a request may have; a pulse time is queried with 5 and set with 7."""


class Transmission(msgspec.Struct, frozen=True):
    """Bytes that leave the bus, ``delay`` seconds after the one before."""

    data: bytes
    delay: float = 0.0


class KrCu16Boards:
    """As many boards as the cabinet needs, on one bus, faults of the cabinet's bus included.

    ``random`` decides where a flipped bit and garbage fall. ``answers_unlock``: the firmware that sends its
    status after an unlock; most sends nothing. ValueError if the cabinet needs more than ten boards.
    """

    def __init__(self, cabinet: Cabinet, random: Random, *, answers_unlock: bool = False) -> None:
        self.cabinet = cabinet
        self._random = random
        self._answers_unlock = answers_unlock
        self._received = bytearray()
        boards = -(-len(cabinet.compartments) // LOCKS_PER_BOARD)
        if boards > MOST_BOARDS:
            raise ValueError(f"one bus carries {MOST_BOARDS} boards, this cabinet needs {boards}")
        self._pulse_times = [DEFAULT_PULSE_TIME] * boards

    def receive(self, data: bytes, *, time: float) -> list[Transmission]:
        """Take the next bytes of the line, in pieces of any size; do what they say and give the answer."""
        if not self.cabinet.plugged:
            self._received.clear()
            return []
        sent = [Transmission(data)] if self.cabinet.use_fault(Echo) else []
        self._received += data
        while frame := _take_frame(self._received):
            for reply in self._obey(frame, time):
                sent += self._with_faults(reply)
        return sent

    def _obey(self, frame: bytes, time: float) -> list[bytes]:
        address, command = frame[1], Command(frame[2])
        board, lock = divmod(address, LOCKS_PER_BOARD)
        if command is Command.UNLOCK_ALL:
            self.cabinet.record(What.FORBIDDEN_COMMAND, time=time)
            return []
        if command is Command.STATUS_ALL:
            return self._status_of_all() if address == EVERY_BOARD else []
        if board >= len(self._pulse_times):
            return []
        if command is Command.UNLOCK:
            self.cabinet.pulse(board * LOCKS_PER_BOARD + lock + 1, time=time)
            return [self._status(board, Reply.STATUS)] if self._answers_unlock else []
        if lock:
            return []
        return [self._pulse_time(board, frame[3:-2]) if command is Command.PULSE_TIME
                else self._status(board, Reply.STATUS)]  # fmt: skip

    def _status_of_all(self) -> list[bytes]:
        return [self._status(board, Reply.STATUS_ALL) for board in range(len(self._pulse_times))]

    def _status(self, board: int, code: Reply) -> bytes:
        """``STX ADDR CODE H1 H2 I1 I2 ETX SUM``; bit 0 of the first byte is lock 1; unwired locks read 0."""
        latches = items = 0
        first = board * LOCKS_PER_BOARD + 1
        last = min(first + LOCKS_PER_BOARD - 1, len(self.cabinet.compartments))
        for number in range(first, last + 1):
            latches |= self.cabinet.latch_reads_closed(number) << (number - first)
            items |= self.cabinet.sensor_reads_item(number) << (number - first)
        if self.cabinet.use_fault(ReversedPolarity):
            latches ^= 0xFFFF
        return _frame(board, code, latches.to_bytes(2, "little") + items.to_bytes(2, "little"))

    def _pulse_time(self, board: int, setting: bytes) -> bytes:
        if setting:
            self._pulse_times[board] = int.from_bytes(setting, "big")
        return _frame(board, Reply.PULSE_TIME, self._pulse_times[board].to_bytes(2, "big"))

    def _with_faults(self, reply: bytes) -> list[Transmission]:
        """The reply as it reaches the line; a lost one uses up no other fault."""
        if self.cabinet.use_fault(NoReply):
            return []
        if self.cabinet.use_fault(FlippedBit):
            bit = self._random.randrange(len(reply) * 8)
            reply = (int.from_bytes(reply, "big") ^ 1 << bit).to_bytes(len(reply), "big")
        if self.cabinet.use_fault(HalfFrame):
            reply = reply[: len(reply) // 2]
        if garbage := self.cabinet.use_fault(Garbage):
            reply = self._random.randbytes(garbage.length) + reply
        delay = self.cabinet.use_fault(Delay)
        return [Transmission(reply, delay.seconds if delay else 0.0)]


def _take_frame(received: bytearray) -> bytes | None:
    """Cut the first whole request off; bytes that cannot begin one are dropped one at a time."""
    while received:
        lengths = _possible_lengths(received)
        for length in lengths:
            if _is_whole(received[:length], length):
                frame = bytes(received[:length])
                del received[:length]
                return frame
        if any(length > len(received) for length in lengths):
            return None
        del received[0]
    return None


def _possible_lengths(received: bytearray) -> tuple[int, ...]:
    if received[0] != STX:
        return ()
    return FRAME_LENGTHS.get(received[2], ()) if len(received) > 2 else (5,)


def _is_whole(start: bytearray, length: int) -> bool:
    return len(start) == length and start[-2] == ETX and sum(start[:-1]) % 256 == start[-1]


def _frame(board: int, code: Reply, data: bytes) -> bytes:
    body = bytes([STX, board << 4, code, *data, ETX])
    return body + bytes([sum(body) % 256])
