"""OSDP 2.2 as a kind of board: outputs that fire locks, inputs that are contacts, keypads and lights.

Nothing but the two packets of the handshake is ever sent or believed in clear. A device that does not prove that it
knows the key, answers in clear within a session, or still has the key of the standard raises `UntrustedBoardError`:
an alarm, because it may be somebody else's. A device that has forgotten the session says so in clear as well
(it was without power, or nobody asked for eight seconds); that alone is believed, and leads to a new handshake.

A request holds address, code and data. Sequence number, secret and MAC are added when its turn comes (`seal`); a
further try has the same bytes, to which the device repeats its answer without doing anything again.
"""

import enum
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.dokbox.boards import base
from servicepunkt.dokbox.boards.base import (
    BoardRefusedError,
    Echo,
    Frame,
    FrameRow,
    NotPreparedError,
    Place,
    Reading,
    Request,
    UntrustedBoardError,
)
from servicepunkt.dokbox.boards.decoding import Decoder, Verdict
from servicepunkt.dokbox.boards.osdp import frames
from servicepunkt.dokbox.boards.osdp.channel import DEFAULT_KEY, KEY_LENGTH, BadProofError, Channel, derive_key
from servicepunkt.dokbox.boards.osdp.frames import Command, Packet, Reply, Security

DEADLINE = 0.2  # seconds
TRIES = 3
SESSION = 8.0  # seconds after which a device forgets a session in which nothing was asked
TIMER_UNIT = 100  # milliseconds
LONGEST_TIMER = 0xFFFF * TIMER_UNIT
OWN_KEY = b"\x01"  # data of a security block: not the key of the standard
KEYS = {0x0D: "#", 0x7F: "*"}  # the two keys that a keypad does not send as a digit


class OutputCode(enum.IntEnum):
    """What an output does."""

    OFF = 0x01  # for good, and the timer ends
    ON_FOR = 0x05  # until the timer ends


class Colour(enum.IntEnum):
    """Of a light."""

    OFF = 0
    RED = 1
    GREEN = 2
    AMBER = 3
    BLUE = 4


class SessionLostError(base.BoardError):
    """The board has forgotten the session; what was asked was not done."""

    code = "SP3226"

    def __init__(self, address: int) -> None:
        super().__init__(f"Board {address} has no secure session; what was asked was not done.")


class Believed(Frame, frozen=True):
    """A reply whose MAC is right, or a step of the handshake."""

    address: int
    asked: int
    code: int
    data: bytes


class Doubted(Frame, frozen=True):
    """A reply that must not be believed."""

    error: base.BoardError


class _Session:
    """What is said to one device and was last heard of it."""

    def __init__(self, address: int, key_of: Callable[[bytes], bytes]) -> None:
        self.channel = Channel()
        self.up = False
        self._address = address
        self._key_of = key_of
        self._sequence = 0
        self._asked = 0  # the code that waits for an answer, 0 when none does
        self._sent = b""

    def seal(self, code: int, data: bytes) -> bytes:
        """The packet of a new command. Raises `NotPreparedError` where it would have to go in clear."""
        sequence = self._sequence
        if code == Command.CHALLENGE:
            security = bytes([Security.CHALLENGE]) + OWN_KEY
            self._sent = frames.encode(self._address, sequence, code, self.channel.panel_nonce, security=security)
        elif code == Command.SERVER_CRYPTOGRAM and self.channel.server_cryptogram:
            security = bytes([Security.SERVER_CRYPTOGRAM]) + OWN_KEY
            self._sent = frames.encode(self._address, sequence, code, self.channel.server_cryptogram, security=security)
        elif self.up and not self._asked:  # after an answer that was lost, the two sides' MACs no longer meet
            security = bytes([Security.COMMAND_SECRET if data else Security.COMMAND_MAC])
            hidden = self.channel.hide(data) if data else b""
            rest = len(hidden) + frames.MAC_LENGTH + 2
            head = frames.encode_head(self._address, sequence, code, security=security, rest=rest) + hidden
            sealed = head + self.channel.sign(head)
            self._sent = sealed + frames.crc(sealed)
        else:
            raise NotPreparedError(self._address)
        self._asked = code
        self._sequence = sequence % 3 + 1  # 0 is the first of a session alone
        return self._sent

    @property
    def sent(self) -> bytes:
        return self._sent

    def open(self, packet: Packet) -> Frame:
        """Believe or doubt a reply; one that belongs to another command is given back as it is."""
        last = int.from_bytes(self._sent[4:5], "big") & frames.SEQUENCE
        if not self._asked or packet.code == Reply.BUSY or packet.sequence != last:
            return packet
        asked, self._asked = self._asked, 0
        try:
            data = self._proved(asked, packet)
        except BadProofError as doubt:
            return Doubted(packet.raw, UntrustedBoardError(self._address, str(doubt)))
        except SessionLostError as lost:
            return Doubted(packet.raw, lost)
        return Believed(packet.raw, self._address, asked, packet.code, data)

    def _proved(self, asked: int, packet: Packet) -> bytes:
        kind, note = packet.security or (None, b"")
        match asked, kind:
            case Command.CHALLENGE, Security.CLIENT_CRYPTOGRAM if len(packet.data) == 32:
                if note != OWN_KEY:
                    raise BadProofError("it has the key of the standard, which everybody knows")
                client, nonce, cryptogram = packet.data[:8], packet.data[8:16], packet.data[16:]
                self.channel.believe(self._key_of(client), nonce, cryptogram)
                return b""
            case Command.SERVER_CRYPTOGRAM, Security.INITIAL_MAC:
                self.channel.begin(packet.data)
                self.up = True
                return b""
            case ((Command.CHALLENGE | Command.SERVER_CRYPTOGRAM), _):
                raise BadProofError("it refuses the secure channel")
            case _, (Security.REPLY_MAC | Security.REPLY_SECRET):
                self.channel.check(packet.signed, packet.mac)
                return self.channel.show(packet.data) if kind == Security.REPLY_SECRET else packet.data
            case _, None if packet.code == Reply.NAK:
                raise SessionLostError(self._address)
            case _:
                raise BadProofError("it answers in clear")


# ---- The kind --------------------------------------------------------------------------------------------


class Options(base.Options, frozen=True, kw_only=True):
    """Settings of a bus of OSDP devices, with addresses that follow each other.

    `address`: of the first device. `locks`: how many outputs of each fire a lock, from output 0; its inputs from 0
    are the contacts of the latches in the same order, the item sensors follow behind them.
    `key`: where the devices' key is, `env:NAME` or `file:PATH`, 32 hexadecimal digits. `master_key`: likewise, a
    key of the site from which each device's own is derived. One of the two is needed.
    `keypad`: whether people type at the devices. `pulse_ms`: how long a lock draws current, in steps of 100.
    """

    address: Annotated[int, Meta(ge=0, le=frames.MOST_ADDRESSES)] = 0
    boards: Annotated[int, Meta(ge=1, le=frames.MOST_ADDRESSES)] = 1
    locks: Annotated[int, Meta(ge=0, le=32)] = 8
    key: str = ""
    master_key: str = ""
    keypad: bool = True
    pulse_ms: Annotated[int, Meta(ge=TIMER_UNIT, le=LONGEST_TIMER, multiple_of=TIMER_UNIT)] = 500
    baud: Literal[9600, 19200, 38400, 57600, 115200] = 9600

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.address + self.boards - 1 > frames.MOST_ADDRESSES:
            raise ValueError(f"addresses go up to {frames.MOST_ADDRESSES}")
        if bool(self.key) == bool(self.master_key):
            raise ValueError("OSDP needs key= or master_key=, as in key=file:/etc/servicepunkt/osdp.key")

    @property
    def places(self) -> list[Place]:
        return self.in_rows(first=self.address, locks=self.locks)


def read_key(reference: str) -> bytes:
    """The key behind `env:NAME` or `file:PATH`. Raises ValueError, without a word of the key."""
    scheme, _, rest = reference.partition(":")
    if scheme not in ("env", "file"):
        raise ValueError("a key is given as env:NAME or file:PATH")
    try:
        key = bytes.fromhex((os.environ[rest] if scheme == "env" else Path(rest).read_text("ascii")).strip())
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"the key at {reference} cannot be read ({type(error).__name__})") from None
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise ValueError(f"{reference!r} does not lead to {2 * KEY_LENGTH} hexadecimal digits")
    if key == DEFAULT_KEY:
        raise ValueError("the key of the standard is known to everybody and refused")
    return key


class Osdp(base.WiredBoards[Options]):
    """OSDP devices on one bus. `table` says where each compartment is wired, in rows when None."""

    lapses_after = SESSION * 3 / 4

    def __init__(self, options: Options, table: Mapping[int, Place] | None = None) -> None:
        super().__init__(options, table)
        self.boards = tuple(range(options.address, options.address + options.boards))
        key = read_key(options.key or options.master_key)
        self._key_of: Callable[[bytes], bytes] = (
            (lambda client: derive_key(key, client)) if options.master_key else (lambda _client: key)
        )
        self._sessions: dict[int, _Session] = {}

    def rest(self, board: int) -> list[Request]:
        """A new session, and all outputs that fire a lock off."""
        address = self.require(board)
        shake = [self._ask(address, code) for code in (Command.CHALLENGE, Command.SERVER_CRYPTOGRAM)]
        return [*shake, *(self._output(address, lock, OutputCode.OFF, 0) for lock in range(self.options.locks))]

    def unlock(self, compartment: int) -> Request:
        """Switch the output of one compartment on for the pulse; the device times it."""
        place = self.place(compartment)
        asked = self._output(place.board, place.lock, OutputCode.ON_FOR, self.options.pulse_ms // TIMER_UNIT)
        return msgspec.structs.replace(asked, tries=1, pulse=self.options.pulse_ms / 1000)

    def status(self, board: int) -> Request:
        """Ask one device for its inputs."""
        return self._ask(self.require(board), Command.INPUT_STATUS if self.options.locks else Command.POLL)

    def polls(self, board: int) -> list[Request]:
        """What was typed since the last time."""
        return [self._ask(board, Command.POLL)] if self.options.keypad and self.options.locks else []

    def light(self, board: int, colour: Colour, *, seconds: float = 0.0) -> Request:
        """Let the light of a device's keypad shine, for good or for some seconds, after which the old one returns."""
        shine = [1, 0, colour, colour]  # on for 100 ms, off for none: steady
        reader_and_light = [0, 0]
        units = min(round(seconds * 1000 / TIMER_UNIT), 0xFFFF)
        timer = list(units.to_bytes(2, "little"))
        data = [2, *shine, *timer, 0, 0, 0, 0, 0] if units else [0, 0, 0, 0, 0, 0, 0, 1, *shine]
        return self._ask(self.require(board), Command.LED, bytes(reader_and_light + data))

    def seal(self, request: Request, /, *, again: bool) -> bytes:
        """The packet as it goes on the line. Raises `NotPreparedError` where it would have to go in clear."""
        address, code = request.frame[0], request.frame[1]
        if code == Command.CHALLENGE and not again:
            self._sessions[address] = _Session(address, self._key_of)
        session = self._sessions.get(address)
        if session is None:
            raise NotPreparedError(address)
        return session.sent if again else session.seal(code, request.frame[2:])

    def decoder(self, request: Request, /) -> Decoder:
        """Finds packets, and believes or doubts the one that answers this request."""
        address = request.frame[0]
        session = self._sessions.get(address)

        def at_start(window: bytes) -> Frame | Echo | Verdict:
            found = frames.at_start(window)
            if isinstance(found, Packet) and found.address == address and session is not None:
                return session.open(found)
            return found

        return Decoder(at_start, longest=frames.LONGEST)

    def answers(self, request: Request, frame: Frame) -> bool:
        """The believed reply. Raises `UntrustedBoardError`, `SessionLostError`, `BoardRefusedError`."""
        address = request.frame[0]
        if isinstance(frame, Doubted):
            self._sessions.pop(address, None)
            raise frame.error
        if not isinstance(frame, Believed):
            return False
        if frame.code == Reply.NAK:
            raise BoardRefusedError(request, f"reason {frame.data[:1].hex()}")
        return True

    def readings(self, frame: Frame) -> dict[int, Reading]:
        """The compartments of the device whose inputs these are; empty for any other reply.

        A poll may bring inputs, too, but as they were when they changed; that is not what is asked here.
        """
        if not isinstance(frame, Believed) or frame.asked != Command.INPUT_STATUS or frame.code != Reply.INPUTS:
            return {}
        told = sum((byte & 1) << index for index, byte in enumerate(frame.data))
        return self.readings_of(frame.address, told, told >> self.options.locks)

    def keys(self, frame: Frame) -> str:
        """What was typed: digits, and * and #."""
        if not isinstance(frame, Believed) or frame.code != Reply.KEYS:
            return ""
        return "".join(KEYS.get(byte, chr(byte)) for byte in frame.data[2:] if byte in KEYS or chr(byte).isdecimal())

    def _output(self, address: int, output: int, code: OutputCode, units: int) -> Request:
        return self._ask(address, Command.OUTPUT, bytes([output, code]) + units.to_bytes(2, "little"))

    @staticmethod
    def _ask(address: int, code: Command, data: bytes = b"") -> Request:
        return Request(frame=bytes([address, code]) + data, deadline=DEADLINE, tries=TRIES)


#: Addresses, keys and nonces as in the captures of the reference.
FRAMES = (
    FrameRow(
        "challenge",
        "controller",
        "53 ADDRESS LEN LEN 0C|SEQ 03 11 01 76 NONCE*8 CRC CRC",
        "53 65 13 00 0E 03 11 01 76 D7 64 C8 CC E9 32 55 C4 F1 05",
        "device 101: prove that you know the key",
    ),
    FrameRow(
        "client's cryptogram",
        "board",
        "53 80+ADDRESS LEN LEN 0C|SEQ 03 12 01 76 ID*8 NONCE*8 CRYPTOGRAM*16 CRC CRC",
        "53 E5 2B 00 0E 03 12 01 76 BE BA 01 00 AF BE AD DE 47 8D 7A A0 5D 83 F3 EA"
        " 72 72 46 CB DD 92 35 FE EE A8 27 0B 98 34 3C DE C8 5F",
        "I do, now you",
    ),
    FrameRow(
        "server's cryptogram",
        "controller",
        "53 ADDRESS LEN LEN 0C|SEQ 03 13 01 77 CRYPTOGRAM*16 CRC CRC",
        "53 65 1B 00 0F 03 13 01 77 3E 60 FD E7 D5 5E 2C F2 A3 BA 6F A8 57 EA 50 3B 38 4B",
        "I do, too",
    ),
    FrameRow(
        "first MAC",
        "board",
        "53 80+ADDRESS LEN LEN 0C|SEQ 03 14 01 78 MAC*16 CRC CRC",
        "53 E5 1B 00 0F 03 14 01 78 B2 9A EE 4B E9 87 F2 82 9C 9C 90 23 3F 39 17 69 ED DC",
        "the session begins",
    ),
    FrameRow(
        "output",
        "controller",
        "53 ADDRESS LEN LEN 0C|SEQ 02 17 68 SECRET*16 MAC*4 CRC CRC",
        "53 65 1E 00 0F 02 17 68 9E E4 19 B6 ED FF ED A5 50 8D B1 7E B7 7D FF BA 09 99 57 33 9A 38",
        "in secret: output 3 on for 0.5 s",
    ),
)

base.register(base.Kind(name="osdp", title="OSDP 2.2 with secure channel", options=Options, build=Osdp, frames=FRAMES))
