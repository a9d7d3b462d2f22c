"""Locks on Modbus RTU: relay and input boards, and Kerong's CU48 profile; bytes in, events out.

Source: reference "Lock boards: byte-exact", section "Modbus RTU". Own master for the functions 01 (read coils),
02 (read inputs) and 05 (write one coil). A frame is

    UNIT  FUNCTION  DATA  CRC        CRC16, polynomial A001, start FFFF, low byte first

A relay has no pulse. It stays on until it is told to be off, so:

- each "on" is followed by its "off" when the pulse is over (`Request.follow`), whatever happens in between;
- before a board is used, at the start and after it was lost, all its coils are written off, and then read: it is
  at rest only when it says that every coil is off.

The CU48 profile is the inverse: its coils are the latches (1 is closed), and writing 0 opens. It must never be
driven as a relay board: putting all coils "off" would open every door. The two share nothing but the frames.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from msgspec import Meta

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import BoardRefusedError, Frame, FrameRow, Place, Reading, Request
from servicepunkt.dokbox.boards.decoding import (
    AtStart,
    Decoder,
    Echoes,
    EchoOption,
    Verdict,
    answer_decoder,
    frame_at_start,
)

READ_COILS = 0x01
READ_INPUTS = 0x02
WRITE_COIL = 0x05
FAILED = 0x80  # added to the function by a board that refuses
ON = b"\xff\x00"
OFF = b"\x00\x00"
MOST_UNITS = 247  # unit 0 is everybody and never used
WRITE_LENGTH = 8  # also the length of its answer, which repeats it
REFUSAL_LENGTH = 5
READ_OVERHEAD = 5  # unit, function, count, CRC

REASONS = {1: "no such function", 2: "no such address", 3: "no such value", 4: "a fault of the board"}

DEADLINE = 0.3  # seconds
TRIES = 3


def crc16(data: bytes) -> bytes:
    """The two bytes behind a frame's `data`."""
    rest = 0xFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ 0xA001 if rest & 1 else rest >> 1
    return rest.to_bytes(2, "little")


def encode(unit: int, function: int, address: int, data: bytes) -> bytes:
    """The bytes of one request. `address`: from 0; `data`: the count or the value, two bytes."""
    head = bytes([unit, function]) + address.to_bytes(2, "big") + data
    return head + crc16(head)


def read(unit: int, function: int, count: int) -> Request:
    """Ask for the bits 0 to `count` - 1."""
    return Request(frame=encode(unit, function, 0, count.to_bytes(2, "big")), deadline=DEADLINE, tries=TRIES)


def switch_off(unit: int, coil: int) -> Request:
    return Request(frame=encode(unit, WRITE_COIL, coil, OFF), deadline=DEADLINE, tries=TRIES)


def answer_at_start(request: bytes) -> tuple[AtStart, int]:
    """What finds the answer to a request, and how long that answer is at most."""
    unit, function = request[0], request[1]
    if function == WRITE_COIL:
        head, length = request[:-2], WRITE_LENGTH
    else:
        count = -(-int.from_bytes(request[4:6], "big") // 8)
        head, length = bytes([unit, function, count]), READ_OVERHEAD + count
    refusal = bytes([unit, function | FAILED])

    def at_start(window: bytes) -> Frame | Verdict:
        found = frame_at_start(window, head=refusal, length=REFUSAL_LENGTH, checksum=crc16)
        if found is not Verdict.NEVER:
            return found
        return frame_at_start(window, head=head, length=length, checksum=crc16)

    return at_start, length


def bits(frame: Frame) -> int:
    """The bits that a read answer tells, bit 0 first."""
    return int.from_bytes(frame.raw[3:-2], "little")


class UnitOptions(base.Options, frozen=True, kw_only=True):
    """Settings of a bus of Modbus units 1, 2, ..., of either kind."""

    boards: Annotated[int, Meta(ge=1, le=MOST_UNITS)] = 1
    echo: EchoOption = "auto"


UnitOptionsOfKind = TypeVar("UnitOptionsOfKind", bound=UnitOptions)


class _Units(base.WiredBoards[UnitOptionsOfKind]):
    """What both kinds know of Modbus."""

    def __init__(self, options: UnitOptionsOfKind, table: Mapping[int, Place] | None = None) -> None:
        super().__init__(options, table)
        self._echoes = Echoes(options.echo)

    def decoder(self, request: Request, /) -> Decoder:
        """Looks for the answer to this request, or the board's refusal. The answer to a write repeats it."""
        at_start, longest = answer_at_start(request.frame)
        tells = request.frame[1] != WRITE_COIL
        return answer_decoder(request.frame, at_start, longest=longest, echoes=self._echoes, tells=tells)

    def answers(self, request: Request, frame: Frame) -> bool:
        """Same function. Raises `BoardRefusedError`."""
        if frame.raw[1] & FAILED:
            raise BoardRefusedError(request, REASONS.get(frame.raw[2], f"reason {frame.raw[2]}"))
        return frame.raw[1] == request.frame[1]


# ---- Relay and input boards ------------------------------------------------------------------------------


class RelayOptions(UnitOptions, frozen=True, kw_only=True):
    """Settings of a bus of relay boards, with the units 1, 2, ...

    `locks`: how many coils each board has that drive a lock, from coil 0. The inputs from 0 are the contacts of
    the latches in the same order; the item sensors follow behind them.
    `inputs`: what is added to a relay board's unit to give that of its input board, 0 when both are one.
    `pulse_ms`: how long a lock draws current. `echo`: whether the adapter sends back what is written.
    """

    locks: Annotated[int, Meta(ge=1, le=64)] = 16
    inputs: Annotated[int, Meta(ge=0, lt=MOST_UNITS)] = 0
    pulse_ms: Annotated[int, Meta(ge=50, le=3000)] = 500
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 9600

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.boards + self.inputs > MOST_UNITS:
            raise ValueError(f"units go up to {MOST_UNITS}")
        if 0 < self.inputs < self.boards:
            raise ValueError("input boards would have units of relay boards")

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=1, locks=self.locks)


class ModbusRelays(_Units[RelayOptions]):
    """Relay and input boards on one bus. `table` says where each compartment is wired, in rows when None."""

    def rest(self, board: int) -> list[Request]:
        """All coils off. The first reading shows whether there are echoes, the last that nothing draws current."""
        coils = read(self.require(board), READ_COILS, self.options.locks)
        return [
            read(board + self.options.inputs, READ_INPUTS, self._inputs),
            *(switch_off(board, coil) for coil in range(self.options.locks)),
            coils,
        ]

    def unlock(self, compartment: int) -> Request:
        """Switch the coil of one compartment on, and off again when the pulse is over."""
        place = self.place(compartment)
        return Request(
            frame=encode(place.board, WRITE_COIL, place.lock, ON),
            deadline=DEADLINE,
            pulse=self.options.pulse_ms / 1000,
            follow=switch_off(place.board, place.lock),
        )

    def status(self, board: int) -> Request:
        """Read the contacts of one board, and its item sensors."""
        return read(self.require(board) + self.options.inputs, READ_INPUTS, self._inputs)

    def answers(self, request: Request, frame: Frame) -> bool:
        """Where coils are read, that none is on. Raises `BoardRefusedError`."""
        return super().answers(request, frame) and self._at_rest(frame)

    def _at_rest(self, frame: Frame) -> bool:
        return frame.raw[1] != READ_COILS or bits(frame) & (1 << self.options.locks) - 1 == 0

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """The compartments of the board whose inputs these are; empty for any other frame."""
        if frame.raw[1] != READ_INPUTS:
            return {}
        told = bits(frame)
        return self.readings_of(frame.raw[0] - self.options.inputs, told, told >> self.options.locks)

    @property
    def _inputs(self) -> int:
        return self.options.locks * (2 if self.options.items else 1)


RELAY_FRAMES = (
    FrameRow("on", "controller", "UNIT 05 COIL COIL FF 00 CRC CRC", "01 05 00 00 FF 00 8C 3A", "unit 1: coil 0 on"),
    FrameRow("off", "controller", "UNIT 05 COIL COIL 00 00 CRC CRC", "01 05 00 00 00 00 CD CA", "unit 1: coil 0 off"),
    FrameRow("inputs?", "controller", "UNIT 02 00 00 COUNT COUNT CRC CRC", "01 02 00 00 00 10 79 C6", "16 inputs?"),
    FrameRow("inputs", "board", "UNIT 02 BYTES BITS ... CRC CRC", "01 02 02 FF FF B8 08", "16 inputs, all closed"),
    FrameRow("coils?", "controller", "UNIT 01 00 00 COUNT COUNT CRC CRC", "01 01 00 00 00 10 3D C6", "16 coils?"),
    FrameRow("coils", "board", "UNIT 01 BYTES BITS ... CRC CRC", "01 01 02 00 00 B9 FC", "16 coils, all off"),
    FrameRow("refused", "board", "UNIT 80+FUNCTION REASON CRC CRC", "01 81 02 C1 91", "coils: no such address"),
)

base.register(
    base.Kind(
        name="modbus",
        title="Modbus RTU relay and input boards",
        options=RelayOptions,
        build=ModbusRelays,
        frames=RELAY_FRAMES,
    )
)


# ---- CU48 profile ----------------------------------------------------------------------------------------

CU48_LOCKS = 48


class Cu48Options(UnitOptions, frozen=True, kw_only=True):
    """Settings of a bus of CU48 boards that speak Modbus, with the units 1, 2, ...

    `pulse_ms`: how long a lock draws current; the boards time it themselves.
    `echo`: whether the adapter sends back what is written.
    """

    items: Literal[False] = False
    pulse_ms: Annotated[int, Meta(ge=100, le=10_000)] = 500
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 115200

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=1, locks=CU48_LOCKS)


class ModbusCu48(_Units[Cu48Options]):
    """CU48 boards on one Modbus. `table` says where each compartment is wired, row by row when None."""

    def rest(self, board: int) -> list[Request]:
        """Nothing is switched; but before the first lock is opened it must be known whether there are echoes."""
        return [self.status(board)]

    def unlock(self, compartment: int) -> Request:
        """Write 0 to the coil of one compartment."""
        place = self.place(compartment)
        frame = encode(place.board, WRITE_COIL, place.lock, OFF)
        return Request(frame=frame, deadline=DEADLINE, pulse=self.options.pulse_ms / 1000)

    def status(self, board: int) -> Request:
        """Read the latches of one board."""
        return read(self.require(board), READ_COILS, CU48_LOCKS)

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """The compartments of the board whose latches these are; empty for any other frame."""
        if frame.raw[1] != READ_COILS:
            return {}
        return self.readings_of(frame.raw[0], bits(frame))


CU48_FRAMES = (
    FrameRow("open", "controller", "UNIT 05 LOCK LOCK 00 00 CRC CRC", "01 05 00 00 00 00 CD CA", "unit 1: open lock 1"),
    FrameRow("latches?", "controller", "UNIT 01 00 00 00 30 CRC CRC", "01 01 00 00 00 30 3C 1E", "all 48 latches?"),
    FrameRow(
        "latches", "board", "UNIT 01 06 S1 ... S6 CRC CRC", "01 01 06 FE FF FF FF FF FF A0 F2", "unit 1: lock 1 open"
    ),
)

base.register(
    base.Kind(
        name="modbus-cu48",
        title="Kerong CU48, Modbus RTU profile",
        options=Cu48Options,
        build=ModbusCu48,
        frames=CU48_FRAMES,
        experimental=True,
    )
)
