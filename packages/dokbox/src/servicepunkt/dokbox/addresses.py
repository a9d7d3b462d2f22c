"""How a cabinet is named: one address a line, or a wiring file that holds the addresses.

    krcu16:/dev/serial/by-id/usb-x?boards=3&compartments=48      boards on a serial port, with their options
    krcu16:tcp://192.0.2.7:5000?boards=3                          behind a transparent TCP gateway
    simulator:48?kind=xor8a&hand=1.5                              no steel: so many simulated compartments
    file:/etc/servicepunkt/cabinet.toml                           what `box commission` has written

Compartments are numbered through: those of the second address follow those of the first. A wiring file numbers
them itself.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Protocol
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec
from msgspec import Meta

from servicepunkt.dokbox.boards import BadSettingError, Board, Place, build_board, kinds
from servicepunkt.dokbox.bus import Supply
from servicepunkt.dokbox.lines import Line, Report
from servicepunkt.dokbox.ports import Port, serial_port

MOST_SIMULATED = 1000
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

    def reversed_polarity(self) -> "BoardAddress":
        """The same boards with the other meaning of a latch's bit."""
        closed = int(dict(self._options).get("latch_closed_bit", 1))
        others = [(name, value) for name, value in self._options if name != "latch_closed_bit"]
        options = [*others, ("latch_closed_bit", str(1 - closed))]
        return BoardAddress(self._kind, self.path, options, self.table)

    def __str__(self) -> str:
        query = f"?{urlencode(self._options, safe=':/')}" if self._options else ""
        return f"{self._kind}:{quote(self.path, safe=':/')}{query}"

    def opening(self, open_port: OpenPort) -> Opening:
        return board_opening(self.board, partial(open_port, self.path, self.board.baudrate))


def board_opening(board: Board, open_port: Callable[[], Port]) -> Opening:
    """How boards on a port are opened."""

    def open_line(supply: Supply, report: Report, now: Callable[[], datetime]) -> Line:
        return Line(board, open_port, supply=supply, report=report, now=now)

    return open_line


class SimulatorOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is simulated. `hand`: seconds after which somebody closes a door that has opened, 0 for never."""

    kind: str = "krcu16"
    hand: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class SimulatorAddress:
    """Simulated boards on a serial line of their own, which is there while the line is open."""

    def __init__(self, compartments: int, options: SimulatorOptions, table: Mapping[int, Place] | None = None) -> None:
        # here, because who drives steel needs no simulator
        from servicepunkt.dokbox.simulator.kinds import KINDS

        if options.kind not in KINDS:
            raise BadSettingError([f"no simulated boards {options.kind!r}, known are: {', '.join(KINDS)}"])
        kind = KINDS[options.kind]
        boards = -(-compartments // kind.locks_per_board)
        pairs = [("boards", str(boards)), ("compartments", str(compartments))]
        self._compartments = compartments
        self._options = options
        self._baud = kind.baud
        self._build = kind.build
        self.board: Board = build_board(options.kind, pairs, table=table)

    @property
    def table(self) -> Mapping[int, Place]:
        return self.board.table

    def wired(self, table: Mapping[int, Place]) -> "SimulatorAddress":
        return SimulatorAddress(self._compartments, self._options, table)

    def opening(self, _open_port: OpenPort) -> Opening:
        from servicepunkt.dokbox.simulator import Cabinet as SimulatedCabinet
        from servicepunkt.dokbox.simulator import Hand
        from servicepunkt.dokbox.simulator import Line as SimulatedLine

        def open_line(supply: Supply, report: Report, now: Callable[[], datetime]) -> Line:
            cabinet = SimulatedCabinet(self._compartments)
            simulated = SimulatedLine(self._build(cabinet, Random()), baud=self._baud)  # noqa: S311 noise, no secret
            hand = Hand(cabinet, seconds=self._options.hand) if self._options.hand else None
            simulated.start()

            def stop() -> None:
                if hand is not None:
                    hand.stop()
                simulated.stop()

            open_port = partial(serial_port, simulated.path, self.board.baudrate)
            return Line(self.board, open_port, supply=supply, report=report, now=now, after=stop)

        return open_line


def parse_simulator(rest: str) -> SimulatorAddress:
    """`COMPARTMENTS?OPTION=VALUE`. Raises `BadSettingError` with every mistake."""
    count, _, query = rest.partition("?")
    mistakes = []
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_SIMULATED):
        mistakes.append(f"simulator:{count!r} names no number of compartments, 1 to {MOST_SIMULATED}")
    try:
        options = msgspec.convert(dict(_options(query)), SimulatorOptions, strict=False)
    except BadSettingError as bad:
        mistakes += bad.mistakes
    except msgspec.ValidationError as error:
        mistakes.append(f"simulator: {error}")
    if mistakes:
        raise BadSettingError(mistakes)
    return SimulatorAddress(int(count), options)


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
    if kind == "simulator":
        return [parse_simulator(rest)]
    return [parse_address(address)]


def parse_address(address: str) -> BoardAddress:
    """Boards on a port. Raises `BadSettingError` with every mistake."""
    kind, _, rest = address.partition(":")
    path, _, query = rest.partition("?")
    if kind not in kinds():
        known = ", ".join(sorted({*kinds(), "file", "simulator"}))
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
