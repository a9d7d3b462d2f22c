"""What every lock board has in common: requests, frames, readings, `Board`, the registry of kinds.

Nothing here does I/O or knows the time. A board kind is one module of this package: it says how a compartment
becomes an address, how requests become bytes and how bytes become readings; the bus and the cabinet ask for
no more than `Board`. A new kind is a new module that ends in `register(Kind(...))`; nothing else changes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec

# ---- Errors ----------------------------------------------------------------------------------------------


class CabinetError(Exception):
    """Something about the cabinet failed; `code` is stable, `str(error)` is a sentence for staff."""

    code: ClassVar[str] = "SP3200"


class LocalError(CabinetError):
    """The caller or the configuration did wrong; no byte was sent."""

    code = "SP3210"


class BoardError(CabinetError):
    """The board, the cable or the port did wrong."""

    code = "SP3220"


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
    """

    frame: bytes
    deadline: float
    tries: int = 1
    pulse: float = 0.0

    def __post_init__(self) -> None:
        if self.pulse and self.tries != 1:
            raise ValueError("a frame that moves a lock is written once")


class Frame(msgspec.Struct, frozen=True):
    """A complete reply with a right checksum; kinds derive their own from it."""

    raw: bytes


class Echo(msgspec.Struct, frozen=True):
    """A request of ours that the adapter sent back; it answers nothing."""

    raw: bytes


class Junk(msgspec.Struct, frozen=True):
    """Bytes, at least one, that belong to no frame."""

    raw: bytes


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
    def baudrate(self) -> int:
        """Bits per second of the bus; 8 data bits, no parity, 1 stop bit."""

    @property
    def boards(self) -> Sequence[int]:
        """The indices of the boards on the bus, ascending."""

    @property
    def compartments(self) -> Sequence[int]:
        """The numbers of the compartments, ascending."""

    def unlock(self, compartment: int) -> Request:
        """The request that opens one compartment. Raises `NoSuchCompartmentError`."""

    def status(self, board: int) -> Request:
        """The request for the state of one board. Raises `NoSuchBoardError`."""

    def decoder(self) -> Decoder:
        """A fresh decoder for what the boards send."""

    def answers(self, request: Request, frame: Frame) -> bool:
        """Whether `frame` is the reply to `request`."""

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """What `frame` says, by compartment; empty when it says nothing about compartments."""


# ---- The registry of kinds -------------------------------------------------------------------------------


class Kind(msgspec.Struct, frozen=True):
    """A board kind: its name in cabinet addresses, its options (a struct with defaults) and its maker."""

    name: str
    options: type[msgspec.Struct]
    build: Callable[[Any], Board]


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known. Raises ValueError when the name already belongs to another."""
    if _KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"board kind {kind.name!r} is already registered")


def kinds() -> Mapping[str, Kind]:
    """All known kinds by name."""
    return dict(_KINDS)


def build_board(name: str, pairs: Iterable[tuple[str, str]]) -> Board:
    """The board of kind `name`, its options given as text. Raises `BadSettingError` with every mistake."""
    kind = _KINDS.get(name)
    if kind is None:
        raise BadSettingError([f"unknown board kind {name!r}, known are: {', '.join(sorted(_KINDS))}"])
    return kind.build(_options(kind, pairs))


def _options(kind: Kind, pairs: Iterable[tuple[str, str]]) -> msgspec.Struct:
    fields = {field.name: field.type for field in msgspec.structs.fields(kind.options)}
    values: dict[str, object] = {}
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
