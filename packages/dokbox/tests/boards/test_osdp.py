"""OSDP: the vectors of SIA's Annex E, captured packets, and everything that must not be believed.

Vectors and captures: reference "Lock boards: byte-exact", section "OSDP v2.2". The devices here are written by the
same hand as the driver; foreign ones are in `tests/peers`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from servicepunkt.dokbox.boards import BadSettingError, NotPreparedError, build_board
from servicepunkt.dokbox.boards.base import BoardRefusedError, Echo, Frame, Reading, Request, UntrustedBoardError
from servicepunkt.dokbox.boards.osdp import Colour, Options, Osdp, SessionLostError, channel, frames, panel

KEY = bytes(range(16))
CAPTURED_ADDRESS = 101
CHALLENGE = bytes.fromhex("53 65 13 00 0e 03 11 01 76 d7 64 c8 cc e9 32 55 c4 f1 05")
CLIENT = bytes.fromhex(
    "53 e5 2b 00 0e 03 12 01 76 be ba 01 00 af be ad de 47 8d 7a a0 5d 83 f3 ea"
    "72 72 46 cb dd 92 35 fe ee a8 27 0b 98 34 3c de c8 5f"
)
SERVER = bytes.fromhex("53 65 1b 00 0f 03 13 01 77 3e 60 fd e7 d5 5e 2c f2 a3 ba 6f a8 57 ea 50 3b 38 4b")
FIRST_MAC = bytes.fromhex("53 e5 1b 00 0f 03 14 01 78 b2 9a ee 4b e9 87 f2 82 9c 9c 90 23 3f 39 17 69 ed dc")
OUTPUT = bytes.fromhex("53 65 1e 00 0f 02 17 68 9e e4 19 b6 ed ff ed a5 50 8d b1 7e b7 7d ff ba 09 99 57 33 9a 38")


def fixed(nonce: bytes) -> Callable[[int], bytes]:
    return lambda length: nonce[:length]


# ---- Vectors ----


def test_vectors_of_annex_e() -> None:
    made = channel.Channel(nonce=fixed(bytes.fromhex("B0B1B2B3B4B5B6B7")))
    cryptogram = bytes.fromhex("FDE5D2F428EC16312471EA3C02BD7796")
    made.believe(channel.DEFAULT_KEY, bytes.fromhex("A0A1A2A3A4A5A6A7"), cryptogram)
    assert made.server_cryptogram.hex() == "26d3356e07762d262801fc8e6665a891"
    made.begin(bytes.fromhex("B2A30057EB98BA2229EC1F875662B524"))


@pytest.mark.parametrize(
    ("head", "crc"),
    [
        ("53 7F 0D 00 04 6E 00 80 25 00 00", "6E 38"),
        ("53 00 09 00 04 61 00", "C0 66"),
        ("53 65 09 00 04 61 00", "D9 7A"),
        ("53 E5 14 00 04 45 BE BA FE 01 01 AF BE AD DE AD DE AD", "07 FD"),
    ],
)
def test_published_crcs(head: str, crc: str) -> None:
    assert frames.crc(bytes.fromhex(head)) == bytes.fromhex(crc)


def test_key_derivation_of_the_peers() -> None:
    client = bytes.fromhex("beba0100afbeadde")
    expected = channel._encrypt(bytes(range(16)), client + bytes(byte ^ 0xFF for byte in client))
    assert channel.derive_key(bytes(range(16)), client) == expected


def test_captured_session_is_repeated_byte_by_byte(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What libosdp's panel and device said to each other, with our panel in its place."""
    monkeypatch.setattr(panel, "Channel", lambda: channel.Channel(nonce=fixed(CHALLENGE[9:17])))
    board = osdp(tmp_path, address=CAPTURED_ADDRESS)
    board._sessions[CAPTURED_ADDRESS] = session = panel._Session(CAPTURED_ADDRESS, lambda _: KEY)
    session._sequence = 2  # as in the capture, where identification went before
    assert session.seal(frames.Command.CHALLENGE, b"") == CHALLENGE
    assert isinstance(session.open(parsed(CLIENT)), panel.Believed)
    assert session.seal(frames.Command.SERVER_CRYPTOGRAM, b"") == SERVER
    assert isinstance(session.open(parsed(FIRST_MAC)), panel.Believed)
    assert session.seal(frames.Command.POLL, b"")[:12] == bytes.fromhex("53 65 0e 00 0d 02 15 60 63 b1 4b 3c")
    acknowledged = bytes.fromhex("53 e5 0e 00 0d 02 16 40 79 8f f9 99")
    assert isinstance(session.open(parsed(acknowledged + frames.crc(acknowledged))), panel.Believed)
    session.seal(frames.Command.POLL, b"")
    session.channel._theirs = session.channel._cbc_mac(bytes.fromhex("53 e5 0e 00 0e 02 16 40"), session.channel._ours)
    session._asked, session._sequence = 0, 3
    assert session.seal(frames.Command.OUTPUT, bytes.fromhex("03 05 05 00")) == OUTPUT


def parsed(raw: bytes) -> frames.Packet:
    packet = frames.at_start(raw)
    assert isinstance(packet, frames.Packet)
    return packet


# ---- A device ----


class Device:
    """The other end, for what the panel must believe and doubt."""

    def __init__(self, address: int = 0, key: bytes = KEY) -> None:
        self.address = address
        self.key = key
        self.own_key = b"\x01"
        self.nonce = bytes(range(8))
        self.client = bytes.fromhex("beba0100afbeadde")
        self.inputs = bytes([1] * 16)
        self.typed = b""
        self.done: list[bytes] = []

    def _handshake(self, packet: bytes) -> bytes:
        sequence, code = packet[4] & 3, packet[8]
        if code == 0x76:
            self.panel_nonce = packet[9:17]
            labels = (b"\x01\x82", b"\x01\x01", b"\x01\x02")
            self.enc, self.mac1, self.mac2 = (
                channel._encrypt(self.key, label + self.panel_nonce[:6] + bytes(8)) for label in labels
            )
            proof = channel._encrypt(self.enc, self.panel_nonce + self.nonce)
            data = self.client + self.nonce + proof
            return frames.encode(self.address | 0x80, sequence, 0x76, data, security=b"\x12" + self.own_key)
        self.theirs = channel._encrypt(self.mac2, channel._encrypt(self.mac1, packet[9:25]))
        return frames.encode(self.address | 0x80, sequence, 0x78, self.theirs, security=b"\x14\x01")

    def answer(self, packet: bytes) -> bytes:
        if packet[6] in (0x11, 0x13):
            return self._handshake(packet)
        sequence, code = packet[4] & 3, packet[7]
        ours = self._mac(packet[:-6], self.theirs)
        assert packet[-6:-2] == ours[:4], "the panel's MAC"
        self.ours = ours
        self.done.append(bytes([code]))
        if code == 0x65:
            return self.reply(sequence, 0x49, self.inputs)
        if code == 0x60 and self.typed:
            typed, self.typed = self.typed, b""
            return self.reply(sequence, 0x53, bytes([0, len(typed)]) + typed)
        return self.reply(sequence, 0x40, b"")

    def reply(self, sequence: int, code: int, data: bytes) -> bytes:
        made = channel.Channel()
        made._secret, made._mac, made._last_mac, made._theirs = self.enc, self.mac1, self.mac2, self.ours
        hidden = made.hide(data) if data else b""
        kind = b"\x18" if data else b"\x16"
        head = frames.encode_head(self.address | 0x80, sequence, code, security=kind, rest=len(hidden) + 6) + hidden
        self.theirs = self._mac(head, self.ours)
        return head + self.theirs[:4] + frames.crc(head + self.theirs[:4])

    def _mac(self, packet: bytes, start: bytes) -> bytes:
        made = channel.Channel()
        made._mac, made._last_mac = self.mac1, self.mac2
        return made._cbc_mac(packet, start)


def osdp(folder: Path, **options: int) -> Osdp:
    key = folder / "osdp.key"
    key.write_text(KEY.hex() + "\n")
    return Osdp(Options(key=f"file:{key}", **options))  # type: ignore[arg-type]


def ask(board: Osdp, device: Device, request: Request) -> Frame:
    """One exchange; raises what `answers` raises."""
    sent = board.seal(request, again=False)
    return hear(board, request, device.answer(sent))


def hear(board: Osdp, request: Request, line: bytes) -> Frame:
    found = [event for event in board.decoder(request).feed(line) if isinstance(event, Frame)]
    answers = [frame for frame in found if board.answers(request, frame)]
    assert len(answers) == 1
    return answers[0]


@pytest.fixture
def board(tmp_path: Path) -> Osdp:
    return osdp(tmp_path)


@pytest.fixture
def device(board: Osdp) -> Device:
    """A device with which the session is up."""
    made = Device()
    for request in board.rest(0):
        ask(board, made, request)
    return made


def test_session_puts_every_output_off(board: Osdp, device: Device) -> None:
    assert device.done == [b"\x68"] * 8
    assert board.rest(0)[2].frame == bytes.fromhex("00 68 00 01 00 00")


def test_inputs_are_readings(board: Osdp, device: Device) -> None:
    device.inputs = bytes([0, *[1] * 7, 0, 0, 1, *[0] * 5])
    readings = board.readings(ask(board, device, board.status(0)))
    assert readings[1] == Reading(closed=False, item=False)
    assert readings[3] == Reading(closed=True, item=True)
    assert len(readings) == 8


def test_unlock_is_an_output_for_the_time_of_a_pulse(board: Osdp, device: Device) -> None:
    request = board.unlock(4)
    assert (request.frame, request.tries, request.pulse) == (bytes.fromhex("00 68 03 05 05 00"), 1, 0.5)
    assert board.readings(ask(board, device, request)) == {}


def test_keys(board: Osdp, device: Device) -> None:
    device.typed = b"12\x7f4\x0d"
    (poll,) = board.polls(0)
    assert board.keys(ask(board, device, poll)) == "12*4#"
    assert board.keys(ask(board, device, poll)) == ""


@pytest.mark.parametrize(
    ("seconds", "data"),
    [
        (0.0, "00 00 00 00 00 00 00 00 00 01 01 00 02 02"),
        (3.0, "00 00 02 01 00 02 02 1E 00 00 00 00 00 00"),
    ],
)
def test_light(board: Osdp, device: Device, seconds: float, data: str) -> None:
    request = board.light(0, Colour.GREEN, seconds=seconds)
    assert request.frame[2:] == bytes.fromhex(data)
    ask(board, device, request)


def test_further_try_has_the_same_bytes(board: Osdp, device: Device) -> None:
    request = board.status(0)
    sent = board.seal(request, again=False)
    assert board.seal(request, again=True) == sent
    hear(board, request, device.answer(sent))
    assert board.seal(request, again=False) != sent


def test_lost_answer_ends_the_session(board: Osdp, device: Device) -> None:
    board.seal(board.status(0), again=False)
    with pytest.raises(NotPreparedError):
        board.seal(board.unlock(1), again=False)


def test_nonces_differ(board: Osdp) -> None:
    first, second = (board.seal(board.rest(0)[0], again=False) for _ in range(2))
    assert first[9:17] != second[9:17]


def test_marks_and_echoes_are_no_noise(board: Osdp, device: Device) -> None:
    request = board.status(0)
    sent = board.seal(request, again=False)
    events = board.decoder(request).feed(b"\xff" + sent + b"\xff" + device.answer(sent))
    assert [type(event) for event in events] == [Echo, Echo, Echo, panel.Believed]


# ---- What must not be believed ----


def clear(sequence: int, code: int, data: bytes = b"") -> bytes:
    return frames.encode(0x80, sequence, code, data)


def test_nothing_is_sent_in_clear(board: Osdp) -> None:
    for request in (board.unlock(1), board.status(0), board.rest(0)[1]):
        with pytest.raises(NotPreparedError):
            board.seal(request, again=False)


@pytest.mark.parametrize("code", [0x40, 0x49, 0x45])
def test_clear_answer_within_a_session_is_an_alarm(board: Osdp, device: Device, code: int) -> None:
    request = board.status(0)
    sequence = board.seal(request, again=False)[4] & 3
    with pytest.raises(UntrustedBoardError, match="in clear"):
        hear(board, request, clear(sequence, code, bytes(16)))
    with pytest.raises(NotPreparedError):
        board.seal(request, again=False)


def test_device_that_forgot_the_session_is_asked_anew(board: Osdp, device: Device) -> None:
    request = board.unlock(1)
    sequence = board.seal(request, again=False)[4] & 3
    with pytest.raises(SessionLostError):
        hear(board, request, clear(sequence, 0x41, b"\x06"))


@pytest.mark.parametrize("at", [8, 24, -4])
def test_changed_packet_is_an_alarm(board: Osdp, device: Device, at: int) -> None:
    request = board.status(0)
    forged = bytearray(device.answer(board.seal(request, again=False)))
    forged[at] ^= 1
    forged[-2:] = frames.crc(bytes(forged[:-2]))
    with pytest.raises(UntrustedBoardError, match="MAC"):
        hear(board, request, bytes(forged))


def test_replayed_packet_is_an_alarm(board: Osdp, device: Device) -> None:
    request = board.status(0)
    replies = [device.answer(board.seal(request, again=False))]
    hear(board, request, replies[0])
    for _ in range(2):
        ask(board, device, request)
    board.seal(request, again=False)  # the same sequence number as the first
    with pytest.raises(UntrustedBoardError, match="MAC"):
        hear(board, request, replies[0])


def test_wrong_key_is_an_alarm(board: Osdp) -> None:
    with pytest.raises(UntrustedBoardError, match="does not know the key"):
        ask(board, Device(key=bytes(16)), board.rest(0)[0])


def test_default_key_is_an_alarm(board: Osdp) -> None:
    device = Device(key=channel.DEFAULT_KEY)
    device.own_key = b"\x00"
    with pytest.raises(UntrustedBoardError, match="everybody knows"):
        ask(board, device, board.rest(0)[0])


@pytest.mark.parametrize("reply", [clear(0, 0x41, b"\x05"), clear(0, 0x40), clear(0, 0x76, bytes(32))])
def test_device_without_a_secure_channel_is_an_alarm(board: Osdp, reply: bytes) -> None:
    request = board.rest(0)[0]
    board.seal(request, again=False)
    with pytest.raises(UntrustedBoardError, match="refuses the secure channel"):
        hear(board, request, reply)


def test_refusal_within_the_session_is_told(board: Osdp, device: Device) -> None:
    request = board.unlock(1)
    sent = board.seal(request, again=False)
    device.answer(sent)
    device.theirs = device.theirs  # the answer above is lost; the device refuses instead
    with pytest.raises(BoardRefusedError, match="reason 03"):
        hear(board, request, device.reply(sent[4] & 3, 0x41, b"\x03"))


def test_busy_device_and_late_answers_are_waited_out(board: Osdp, device: Device) -> None:
    request = board.status(0)
    sent = board.seal(request, again=False)
    late = clear(sent[4] + 1 & 3, 0x40)
    assert hear(board, request, clear(0, 0x79) + late + device.answer(sent))


# ---- Options ----


def test_first_address_is_a_setting(tmp_path: Path) -> None:
    made = osdp(tmp_path, address=101, boards=2)
    assert (made.boards, made.unlock(9).frame[0]) == ((101, 102), 102)
    keypad = osdp(tmp_path, locks=0)
    assert (keypad.boards, list(keypad.table), keypad.status(0).frame[1]) == ((0,), [], 0x60)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([], "needs key="),
        ([("key", "env:OSDP_NO_SUCH_KEY")], "cannot be read"),
        ([("key", "000102")], "env:NAME or file:PATH|hexadecimal"),
        ([("key", "env:OSDP_SHORT")], "32 hexadecimal digits"),
        ([("key", "env:OSDP_WORDS")], "32 hexadecimal digits"),
        ([("key", "env:OSDP_DEFAULT")], "known to everybody"),
        ([("key", "env:OSDP_OWN"), ("master_key", "env:OSDP_OWN")], "key= or master_key="),
        ([("key", "env:OSDP_OWN"), ("address", "126"), ("boards", "2")], "up to 126"),
        ([("key", "env:OSDP_OWN"), ("pulse_ms", "550")], "cannot be '550'"),
    ],
)
def test_bad_options_are_refused(pairs: list[tuple[str, str]], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSDP_SHORT", "0001")
    monkeypatch.setenv("OSDP_WORDS", "no secret")
    monkeypatch.setenv("OSDP_DEFAULT", channel.DEFAULT_KEY.hex())
    monkeypatch.setenv("OSDP_OWN", KEY.hex())
    with pytest.raises(BadSettingError, match=words) as caught:
        build_board("osdp", pairs)
    assert "no secret" not in str(caught.value)
