"""What every lock board has in common: requests, frames, readings, wiring, `Board`, the registry of kinds.

Nothing here does I/O or knows the time. A board kind is one class and a table of its frames: the class says how
requests become bytes and how bytes become readings; the bus and the cabinet ask for no more than `Board`. The
kinds of this package are modules that end in `register(Kind(...))`; a kind of somebody else is an entry point
`servicepunkt.boards` that names its `Kind`. Nothing else changes for either.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

# ---- Errors ----------------------------------------------------------------------------------------------


class CabinetError(Exception):
    """Something about the cabinet failed; `code` is stable, `str(error)` is a sentence for staff."""

    code: ClassVar[str] = "SP3200"


class LocalError(CabinetError):
    """The caller or the configuration did wrong; no byte was sent."""

    code = "SP3210"


class BoardError(CabinetError):
    """The board, the cable or the port did wrong. `certainly_not_written`: no byte of the request left."""

    code = "SP3220"
    certainly_not_written = False


class NoSuchCompartmentError(LocalError):
    """The cabinet has no compartment of that number."""

    code = "SP3211"

    def __init__(self, compartment: int) -> None:
        super().__init__(f"This cabinet has no compartment {compartment}.")
        self.compartment = compartment


class NoSuchBoardError(LocalError):
    """The bus has no board of that index."""

    code = "SP3212"

    def __init__(self, board: int) -> None:
        super().__init__(f"This bus has no board {board}.")
        self.board = board


class BadSettingError(LocalError):
    """A cabinet address or a board setting cannot be used; `mistakes` names every reason."""

    code = "SP3213"

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("; ".join(mistakes) + ".")
        self.mistakes = tuple(mistakes)


class NotPreparedError(BoardError):
    """The board has to be put at rest (`Board.rest`) before it is asked this; nothing was sent."""

    code = "SP3228"
    certainly_not_written = True

    def __init__(self, board: int) -> None:
        super().__init__(f"Board {board} has to be prepared first; nothing was sent.")


UNTRUSTED = "SP3225"


class UntrustedBoardError(BoardError):
    """What answered did not prove that it is the board."""

    code = UNTRUSTED

    def __init__(self, board: int, reason: str) -> None:
        super().__init__(f"What answers for board {board} cannot be trusted: {reason}.")
        self.board = board


class BoardRefusedError(BoardError):
    """The board understood and did not do it; `reason` is what it gives."""

    code = "SP3227"

    def __init__(self, request: "Request", reason: str) -> None:
        super().__init__(f"The board refused {request.frame.hex(' ')} ({reason}).")


# ---- What travels ----------------------------------------------------------------------------------------


class Reading(msgspec.Struct, frozen=True):
    """What a board says of one compartment at one instant; `item` is None where no item sensor is fitted."""

    closed: bool
    item: bool | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One frame to write.

    `deadline`: seconds after the last byte left in which the reply must be complete, 0 when none is expected.
    `tries`: how often the frame may be written; 1 for anything that moves a lock.
    `pulse`: seconds for which a lock draws current because of this frame; 0 for anything that moves nothing.
    `follow`: what must be written when the pulse is over, for boards that switch but do not time.
    """

    frame: bytes
    deadline: float
    tries: int = 1
    pulse: float = 0.0
    follow: "Request | None" = None

    def __post_init__(self) -> None:
        if self.pulse and self.tries != 1:
            raise ValueError("a frame that moves a lock is written once")
        if self.follow is not None and (self.follow.pulse or not self.pulse):
            raise ValueError("a pulse is followed by what ends it, and by nothing that moves a lock")


class Frame(msgspec.Struct, frozen=True):
    """A complete reply with a right checksum; kinds derive their own from it."""

    raw: bytes


class Echo(msgspec.Struct, frozen=True):
    """A request of ours that the adapter sent back; it answers nothing."""

    raw: bytes


class Junk(msgspec.Struct, frozen=True):
    """Bytes, at least one, that belong to no frame."""

    raw: bytes


class Place(msgspec.Struct, frozen=True, order=True):
    """Where a lock is wired: the id of its board on the bus, and its index on the board from 0."""

    board: int
    lock: int

    def __str__(self) -> str:
        """As people count, who number the locks of a board from 1: `0.16`."""
        return f"{self.board}.{self.lock + 1}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `str()` gave. Raises ValueError."""
        board, _, lock = text.partition(".")
        if not (board.isascii() and board.isdigit() and lock.isascii() and lock.isdigit() and int(lock) >= 1):
            raise ValueError(f"{text!r} is no place; board 0, lock 16 is written 0.16")
        return cls(int(board), int(lock) - 1)


class Decoder(Protocol):
    """Bytes in, events out. Never raises, whatever the bytes; holds back less than one frame."""

    @property
    def pending(self) -> bytes:
        """The bytes held back because they may yet become a frame."""

    def feed(self, data: bytes) -> Sequence[Frame | Echo | Junk]:
        """Take bytes as they come, split anywhere; return what is complete, in the order of the line."""


class Board(Protocol):
    """All boards of one kind on one bus, as the bus and the cabinet see them."""

    @property
    def lapses_after(self) -> float:
        """Seconds without a request after which a board has to be put at rest anew."""

    @property
    def baudrate(self) -> int:
        """Bits per second of the bus; 8 data bits, no parity, 1 stop bit."""

    @property
    def boards(self) -> Sequence[int]:
        """The indices of the boards on the bus, ascending."""

    @property
    def table(self) -> Mapping[int, Place]:
        """Where each compartment is wired, ascending by its number."""

    def rest(self, board: int) -> Sequence[Request]:
        """What lets the locks of a board rest; asked before a board is used that may have been left switched on."""

    def unlock(self, compartment: int) -> Request:
        """The request that opens one compartment. Raises `NoSuchCompartmentError`."""

    def status(self, board: int) -> Request:
        """The request for the state of one board. Raises `NoSuchBoardError`."""

    def polls(self, board: int) -> Sequence[Request]:
        """What else a board is asked each time it is read; most have nothing more to say."""

    def seal(self, request: Request, /, *, again: bool) -> bytes:
        """The bytes that go on the line; `again`: they went before and were not answered. Raises `BoardError`."""

    def decoder(self, request: Request, /) -> Decoder:
        """A fresh decoder for what comes after `request`."""

    def answers(self, request: Request, frame: Frame) -> bool:
        """Whether `frame` is the reply to `request`. Raises `BoardError` for a reply that says no."""

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """What `frame` says, by compartment; empty when it says nothing about compartments."""

    def keys(self, frame: Frame) -> str:
        """What was typed at the board, most often nothing."""


# ---- Wiring ----------------------------------------------------------------------------------------------


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that every kind has; each derives its own and says how many boards and locks there can be.

    `boards`: how many boards the bus has, with ids that follow each other.
    `compartments`: how many of the locks are in use, all when None.
    `latch_closed_bit`: the bit that tells a closed lock; firmware and contacts differ, found at commissioning.
    `items`: whether item sensors are fitted. `baud`: bits per second of the bus.
    """

    boards: Annotated[int, Meta(ge=1)] = 1
    compartments: Annotated[int, Meta(ge=1)] | None = None
    latch_closed_bit: Annotated[int, Meta(ge=0, le=1)] = 1
    items: bool = True
    baud: int = 9600

    def __post_init__(self) -> None:
        if (self.compartments or 0) > len(self.places):
            raise ValueError(f"{self.compartments} compartments are too many for {self.boards} board(s)")

    @property
    def places(self) -> Sequence[Place]:
        """All locks of all boards in the usual order of compartments."""
        raise NotImplementedError

    def in_rows(self, *, first: int, locks: int) -> list[Place]:
        """The places of boards with the ids `first`, `first` + 1, ... and so many locks each."""
        return [Place(first + board, lock) for board in range(self.boards) for lock in range(locks)]

    def reading(self, latch: int, item: int) -> Reading:
        """What the bits of one lock mean."""
        return Reading(closed=latch == self.latch_closed_bit, item=bool(item) if self.items else None)


OptionsOfKind = TypeVar("OptionsOfKind", bound=Options)


class WiredBoards(Generic[OptionsOfKind]):
    """What boards of every kind know of their options and their wiring: `table`, or the usual order when None.

    Raises ValueError when two compartments share a lock, or when a lock is none of the boards'.
    """

    lapses_after: float = math.inf

    def __init__(self, options: OptionsOfKind, table: Mapping[int, Place] | None = None) -> None:
        self.options = options
        self.baudrate = options.baud
        wired = dict(enumerate(options.places[: options.compartments], start=1)) if table is None else table
        self.table: Mapping[int, Place] = dict(sorted(wired.items()))
        if len(set(self.table.values())) != len(self.table):
            raise ValueError("two compartments are wired to one lock")
        if foreign := sorted(set(self.table.values()) - set(options.places)):
            raise ValueError(f"no board has the lock {', '.join(map(str, foreign))}")
        self.boards: Sequence[int] = tuple(sorted({place.board for place in self.table.values()}))

    def place(self, compartment: int) -> Place:
        """Raises `NoSuchCompartmentError`."""
        if compartment not in self.table:
            raise NoSuchCompartmentError(compartment)
        return self.table[compartment]

    def require(self, board: int) -> int:
        """Raises `NoSuchBoardError`."""
        if board not in self.boards:
            raise NoSuchBoardError(board)
        return board

    def on(self, board: int) -> dict[int, int]:
        """The index of the lock by compartment, for one board."""
        return {compartment: place.lock for compartment, place in self.table.items() if place.board == board}

    def readings_of(self, board: int, latches: int, items: int = 0) -> dict[int, Reading]:
        """What the bits of one board mean, by compartment; bit 0 is lock 0."""
        return {
            compartment: self.options.reading(latches >> lock & 1, items >> lock & 1)
            for compartment, lock in self.on(board).items()
        }

    def rest(self, board: int) -> Sequence[Request]:
        """Nothing, for boards that time the pulse themselves."""
        self.require(board)
        return ()

    def polls(self, board: int) -> Sequence[Request]:
        """Nothing, for boards at which nobody types."""
        self.require(board)
        return ()

    def seal(self, request: Request, /, *, again: bool) -> bytes:
        """The frame as it is, for boards without sequence and secret."""
        del again
        return request.frame

    def keys(self, frame: Frame) -> str:
        """Nothing, for boards at which nobody types."""
        del frame
        return ""


# ---- The registry of kinds -------------------------------------------------------------------------------


class FrameRow(msgspec.Struct, frozen=True):
    """One row of a kind's table of frames; the documentation is made from it and the tests recompute it.

    `layout`: the fields in their order, constants in hexadecimal. `example`: hexadecimal, with `meaning` in words.
    """

    name: str
    sender: Literal["controller", "board"]
    layout: str
    example: str
    meaning: str


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A board kind: its name in cabinet addresses, its options (a struct with defaults), its maker and its table.

    `experimental`: known from one source only, and never seen on steel.
    """

    name: str
    title: str
    options: type[Options]
    build: Callable[[Any, Mapping[int, Place] | None], Board]
    frames: tuple[FrameRow, ...] = ()
    experimental: bool = False


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known. Raises ValueError when the name already belongs to another."""
    if _KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"board kind {kind.name!r} is already registered")


def kinds() -> Mapping[str, Kind]:
    """All known kinds by name."""
    _register_installed()
    return dict(_KINDS)


@cache
def _register_installed() -> None:
    """Kinds of other distributions, once; not on import, because those modules import this one."""
    for entry in entry_points(group="servicepunkt.boards"):
        register(entry.load())


def build_board(name: str, pairs: Iterable[tuple[str, str]], *, table: Mapping[int, Place] | None = None) -> Board:
    """The board of kind `name`, its options given as text. Raises `BadSettingError` with every mistake."""
    kind = kinds().get(name)
    if kind is None:
        raise BadSettingError([f"unknown board kind {name!r}, known are: {', '.join(sorted(kinds()))}"])
    options = _options(kind, pairs)
    try:
        return kind.build(options, table)
    except ValueError as error:
        raise BadSettingError([str(error)]) from None


def _options(kind: Kind, pairs: Iterable[tuple[str, str]]) -> Options:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind.options)}
    values: dict[str, Any] = {}
    mistakes = []
    for name, text in pairs:
        if name not in fields:
            mistakes.append(f"unknown option {name!r}, {kind.name} has: {', '.join(fields)}")
        elif name in values:
            mistakes.append(f"option {name!r} is given twice")
        else:
            values[name] = text
            try:
                values[name] = msgspec.convert(text, fields[name], strict=False)
            except msgspec.ValidationError as error:
                mistakes.append(f"option {name!r} cannot be {text!r}: {error}")
    if mistakes:
        raise BadSettingError(mistakes)
    try:
        return kind.options(**values)
    except ValueError as error:
        raise BadSettingError([str(error)]) from None
