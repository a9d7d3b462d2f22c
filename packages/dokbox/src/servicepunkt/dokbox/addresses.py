"""How a cabinet is named: one address a line, or a wiring file that holds the addresses.

    krcu16:/dev/serial/by-id/usb-x?boards=3&compartments=48      boards on a serial port, with their options
    krcu16:tcp://192.0.2.7:5000?boards=3                          behind a transparent TCP gateway
    file:/etc/servicepunkt/cabinet.toml                           what `box commission` has written

Compartments are numbered through: those of the second address follow those of the first. A wiring file numbers
them itself.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from servicepunkt.dokbox.boards import BadSettingError, Board, Place, build_board, kinds
from servicepunkt.dokbox.bus import Port, Supply
from servicepunkt.dokbox.lines import Line, Report

MOST_WIRING_BYTES = 1_000_000

#: Opens one line: what feeds its locks, whom to tell of its port, and the reader's clock.
Opening = Callable[[Supply, Report, Callable[[], datetime]], Line]
OpenPort = Callable[[str, int], Port]


class Address(Protocol):
    """One line before it is opened."""

    @property
    def table(self) -> Mapping[int, Place]:
        """Where each compartment is wired."""

    def wired(self, table: Mapping[int, Place]) -> "Address":
        """The same line with other numbers on its doors. Raises `BadSettingError`."""

    def opening(self, open_port: OpenPort) -> Opening:
        """How it is opened; nothing is opened yet."""


class BoardAddress:
    """Boards of one kind on a port."""

    def __init__(
        self, kind: str, path: str, options: Sequence[tuple[str, str]], table: Mapping[int, Place] | None = None
    ) -> None:
        self.path = path
        self.board: Board = build_board(kind, options, table=table)
        self._kind = kind
        self._options = options

    @property
    def table(self) -> Mapping[int, Place]:
        return self.board.table

    def wired(self, table: Mapping[int, Place]) -> "BoardAddress":
        return BoardAddress(self._kind, self.path, self._options, table)

    def opening(self, open_port: OpenPort) -> Opening:
        return board_opening(self.board, partial(open_port, self.path, self.board.baudrate))


def board_opening(board: Board, open_port: Callable[[], Port]) -> Opening:
    """How boards on a port are opened."""

    def open_line(supply: Supply, report: Report, now: Callable[[], datetime]) -> Line:
        return Line(board, open_port, supply=supply, report=report, now=now)

    return open_line


class WiredLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a wiring file: its address, and the place of each compartment by its number."""

    address: str
    compartments: dict[int, str]


class WiringFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wiring file; `line` in the order in which the lines are told."""

    line: list[WiredLine]


def parse_addresses(*addresses: str) -> list[Address]:
    """The lines that the addresses name, numbered through. Raises `BadSettingError` with every mistake."""
    if not addresses:
        raise BadSettingError(["a cabinet has at least one address"])
    lines: list[Address] = []
    mistakes: list[str] = []
    for address in addresses:
        try:
            for line in _parse(address):
                lines.append(_numbered_on(line, lines) if len(addresses) > 1 else line)
        except BadSettingError as bad:
            mistakes += bad.mistakes
    if mistakes:
        raise BadSettingError(mistakes)
    return lines


def _numbered_on(line: Address, before: Sequence[Address]) -> Address:
    last = max((number for other in before for number in other.table), default=0)
    return line.wired({last + index: place for index, place in enumerate(line.table.values(), start=1)})


def _parse(address: str) -> list[Address]:
    kind, _, rest = address.partition(":")
    if kind == "file":
        return read_wiring(Path(rest))
    return [parse_address(address)]


def parse_address(address: str) -> BoardAddress:
    """Boards on a port. Raises `BadSettingError` with every mistake."""
    kind, _, rest = address.partition(":")
    path, _, query = rest.partition("?")
    if kind not in kinds():
        known = ", ".join(sorted({*kinds(), "file"}))
        raise BadSettingError([f"{address!r} names no known kind of cabinet, known are: {known}"])
    mistakes = []
    if not path:
        mistakes.append(f"{address!r} names no port, as in {kind}:/dev/ttyUSB0")
    if path.startswith("tcp://") and not _names_host_and_port(path):
        mistakes.append(f"{path!r} names no gateway, as in {kind}:tcp://192.0.2.7:5000")
    if path.startswith("//"):
        mistakes.append(f"{address!r} names a host; a gateway is written {kind}:tcp://HOST:PORT")
    try:
        options = _options(query)
        found = BoardAddress(kind, unquote(path), options)
    except BadSettingError as bad:
        raise BadSettingError([*mistakes, *bad.mistakes]) from None
    if mistakes:
        raise BadSettingError(mistakes)
    return found


def _names_host_and_port(path: str) -> bool:
    try:
        parts = urlsplit(path)
        return bool(parts.hostname) and bool(parts.port) and parts.path in ("", "/")
    except ValueError:
        return False


def _options(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise BadSettingError([f"options are written name=value&name=value ({error})"]) from None


def read_wiring(path: Path) -> list[Address]:
    """The lines of a wiring file. Raises `BadSettingError` with every mistake, also for a file that is not there."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_WIRING_BYTES)
        found = msgspec.convert(tomllib.loads(raw.decode()), WiringFile, str_keys=True)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettingError([f"{path} is no wiring of a cabinet: {error}"]) from None
    lines: list[Address] = []
    mistakes: list[str] = []
    for index, line in enumerate(found.line, start=1):
        try:
            lines.append(_wired_line(line))
        except BadSettingError as bad:
            mistakes += [f"{path}, line {index}: {mistake}" for mistake in bad.mistakes]
    numbers = [number for line in found.line for number in line.compartments]
    twice = sorted({number for number in numbers if numbers.count(number) > 1})
    mistakes += [f"{path}: compartment {number} is on two lines" for number in twice]
    if mistakes:
        raise BadSettingError(mistakes)
    return lines


def _wired_line(line: WiredLine) -> Address:
    table: dict[int, Place] = {}
    mistakes = []
    for number, place in line.compartments.items():
        try:
            table[number] = Place.parse(place)
        except ValueError as error:
            mistakes.append(f"compartment {number}: {error}")
    try:
        address = parse_address(line.address)
    except BadSettingError as bad:
        raise BadSettingError([*bad.mistakes, *mistakes]) from None
    if mistakes:
        raise BadSettingError(mistakes)
    return address.wired(table)
