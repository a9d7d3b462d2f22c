"""OSDP devices byte by byte, against the vectors of the reference, section 2.4, and a panel written for these tests.

The panel shares nothing with the simulator: its CRC is ``binascii.crc_hqx``, its MAC is put together from whole CBC
runs instead of single blocks.
"""

import binascii
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox.simulator import (
    Delay,
    Echo,
    FlippedBit,
    Garbage,
    HalfFrame,
    NoReply,
    Transmission,
    What,
)
from servicepunkt.dokbox.simulator.osdp import (
    DEFAULT_KEY,
    AnyOsdpFault,
    BadMac,
    ClearReply,
    Colour,
    DefaultKeyOnly,
    DeviceWhat,
    Downgrade,
    Identity,
    NakReason,
    OsdpDevice,
    OsdpDevices,
    Replay,
    WrongCryptogram,
)
from servicepunkt.dokbox.simulator.osdp.channel import SecureSession

ADDRESS = 0x65
KEY = bytes(range(16))
OTHER_KEY = bytes(range(50, 66))
PANEL_NONCE = bytes.fromhex("B0 B1 B2 B3 B4 B5 B6 B7")
IDENTITY = Identity(b"\xbe\xba\xfe", 1, 1, 0xDEADBEAF, b"\xad\xde\xad")

POLL, ID, CAP, LSTAT, ISTAT, OSTAT = 0x60, 0x61, 0x62, 0x64, 0x65, 0x66
OUT, LED, BUZ, COMSET, KEYSET, CHLNG, SCRYPT = 0x68, 0x69, 0x6A, 0x6E, 0x75, 0x76, 0x77
ACK = "40"


class FixedNonce(Random):
    """Randomness whose bytes are those of a vector."""

    def __init__(self, nonce: str) -> None:
        super().__init__(0)
        self.nonce = bytes.fromhex(nonce)

    def randbytes(self, n: int) -> bytes:
        assert n == len(self.nonce)
        return self.nonce


def ecb(key: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def uncbc(key: bytes, start: bytes, data: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(start)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def inverse(data: bytes) -> bytes:
    return (int.from_bytes(data, "big") ^ (1 << 8 * len(data)) - 1).to_bytes(len(data), "big")


def pad(data: bytes) -> bytes:
    return (data + b"\x80").ljust(-(-(len(data) + 1) // 16) * 16, b"\0")


def frame(
    code: int,
    data: bytes = b"",
    *,
    sequence: int = 0,
    scb: bytes | None = None,
    tail: bytes = b"",
    address: int = ADDRESS,
    crc: bool = True,
) -> bytes:
    """A command as a panel writes it; ``scb`` with its length byte, ``tail`` a MAC."""
    control = sequence | (4 if crc else 0) | (8 if scb is not None else 0)
    body = (scb or b"") + bytes([code]) + data + tail
    length = 5 + len(body) + (2 if crc else 1)
    return checked(bytes([0x53, address]) + length.to_bytes(2, "little") + bytes([control]) + body)


def checked(whole: bytes) -> bytes:
    if whole[4] & 4:
        return whole + binascii.crc_hqx(whole, 0x1D0F).to_bytes(2, "little")
    return whole + bytes([(256 - sum(whole) % 256) % 256])


def ask(bus: OsdpDevices, data: bytes, *, time: float = 0.0) -> bytes:
    return b"".join(sent.data for sent in bus.receive(data, time=time))


def payload(reply: bytes) -> str:
    """Code and data of a reply in clear whose frame is in order."""
    assert checked(reply[: -2 if reply[4] & 4 else -1]) == reply
    assert reply[0] == 0x53
    assert int.from_bytes(reply[2:4], "little") == len(reply)
    start = 5 + (reply[5] if reply[4] & 8 else 0)
    return reply[start : -2 if reply[4] & 4 else -1].hex(" ").upper()


def device_of(**options: object) -> OsdpDevice:
    return OsdpDevice(ADDRESS, **{"key": KEY, "identity": IDENTITY, **options})  # type: ignore[arg-type]


def bus_of(*devices: OsdpDevice, faults: tuple[AnyOsdpFault, ...] = (), random: Random | None = None) -> OsdpDevices:
    bus = OsdpDevices(devices, random or Random(20))
    bus.set_faults(*faults, time=0)
    return bus


class Alarm(Exception):  # noqa: N818 - what a panel raises when something is wrong with the channel
    """The panel does not trust the reply."""


class Panel:
    """A control panel that keeps sequence, session keys and MACs by itself, and raises Alarm."""

    def __init__(self, bus: OsdpDevices, *, key: bytes = KEY, crc: bool = True) -> None:
        self.bus = bus
        self.key = key
        self.crc = crc
        self.time = 0.0
        self.sequence = 0
        self.last = b""

    def clear(self, code: int, data: bytes = b"", *, scb: bytes | None = None) -> str:
        return payload(self.send(frame(code, data, sequence=self.sequence, scb=scb, crc=self.crc)))

    def send(self, command: bytes) -> bytes:
        self.last = command
        reply = ask(self.bus, command, time=self.time)
        self.sequence = self.sequence % 3 + 1
        return reply

    def shake_hands(self, *, wants: int = 1) -> None:
        challenge = frame(CHLNG, PANEL_NONCE, sequence=self.sequence, scb=bytes([3, 0x11, wants]), crc=self.crc)
        reply = self.send(challenge)
        if len(reply) < 40:
            raise Alarm("refused")
        assert reply[5:9] == bytes([3, 0x12, reply[7], 0x76])
        self.used = reply[7]
        unique_id, nonce, proof = reply[9:17], reply[17:25], reply[25:41]
        assert unique_id == IDENTITY.report[:8]
        label = PANEL_NONCE[:6] + bytes(8)
        self.enc, self.mac1, self.mac2 = (ecb(self.key, head + label) for head in (b"\1\x82", b"\1\1", b"\1\2"))
        if proof != ecb(self.enc, PANEL_NONCE + nonce):
            raise Alarm("cryptogram")
        mine = ecb(self.enc, nonce + PANEL_NONCE)
        command = frame(SCRYPT, mine, sequence=self.sequence, scb=bytes([3, 0x13, wants]), crc=self.crc)
        reply = self.send(command)
        assert reply[5:9] == bytes([3, 0x14, 1, 0x78])
        self.theirs = reply[9:25]
        assert self.theirs == ecb(self.mac2, ecb(self.mac1, mine))

    def mac(self, message: bytes, start: bytes) -> bytes:
        whole = message if len(message) % 16 == 0 else pad(message)
        if len(whole) > 16:
            start = cbc(self.mac1, start, whole[:-16])[-16:]
        return cbc(self.mac2, start, whole[-16:])

    def secured(self, code: int, data: bytes = b"", *, kind: int | None = None) -> bytes:
        kind = kind or (0x17 if data else 0x15)
        if kind == 0x17:
            data = cbc(self.enc, inverse(self.theirs), pad(data))
        whole = frame(code, data, sequence=self.sequence, scb=bytes([2, kind]), tail=bytes(4), crc=self.crc)
        message = whole[: -6 if self.crc else -5]
        self.mine = self.mac(message, self.theirs)
        return checked(message + self.mine[:4])

    def within(self, code: int, data: bytes = b"", *, kind: int | None = None) -> str:
        """Send a command within the session; code and data of the reply."""
        return self.open(self.send(self.secured(code, data, kind=kind)))

    def open(self, reply: bytes) -> str:
        sequence = self.last[4] & 3
        if reply[4] & 3 != sequence:
            raise Alarm("sequence")
        if not reply[4] & 8:
            raise Alarm("in clear")
        message, mac = reply[: -6 if self.crc else -5], reply[-6 if self.crc else -5 :][:4]
        theirs = self.mac(message, self.mine)
        if theirs[:4] != mac:
            raise Alarm("MAC")
        self.theirs = theirs
        assert reply[5] == 2
        data = message[8:]
        assert reply[6] == (0x18 if data else 0x16)
        if data:
            plain = uncbc(self.enc, inverse(self.mine), data)
            data = plain[: plain.rindex(b"\x80")]
        return (message[7:8] + data).hex(" ").upper()


def panel_of(device: OsdpDevice, *faults: AnyOsdpFault) -> Panel:
    """A panel whose handshake is done."""
    panel = Panel(bus_of(device, faults=faults))
    panel.shake_hands()
    return panel


# --- vectors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector",
    [
        "53 7F 0D 00 04 6E 00 80 25 00 00 6E 38",
        "53 00 09 00 04 61 00 C0 66",
        "53 65 09 00 04 61 00 D9 7A",
        "53 E5 14 00 04 45 BE BA FE 01 01 AF BE AD DE AD DE AD 07 FD",
        "53 65 13 00 0E 03 11 01 76 D7 64 C8 CC E9 32 55 C4 F1 05",
        "53 7F 0C 00 00 6E 00 80 25 00 00 0F",
        "53 00 08 00 00 61 00 44",
    ],
)
def test_the_panel_of_these_tests_knows_the_checks(vector: str) -> None:
    whole = bytes.fromhex(vector)
    assert checked(whole[: -2 if whole[4] & 4 else -1]) == whole


def test_captured_id_report() -> None:
    bus = bus_of(device_of())
    reply = ask(bus, bytes.fromhex("FF 53 65 09 00 04 61 00 D9 7A"))
    assert reply == bytes.fromhex("53 E5 14 00 04 45 BE BA FE 01 01 AF BE AD DE AD DE AD 07 FD")


def test_annex_e_id_with_crc_and_with_checksum() -> None:
    bus = bus_of(OsdpDevice(0, identity=IDENTITY))
    assert payload(ask(bus, bytes.fromhex("53 00 09 00 04 61 00 C0 66"))).startswith("45 BE BA FE")
    reply = ask(bus, bytes.fromhex("53 00 08 00 00 61 00 44"))
    assert reply[:6] == bytes.fromhex("53 80 13 00 00 45")
    assert sum(reply) % 256 == 0


def test_annex_e_session_keys() -> None:
    session = SecureSession(DEFAULT_KEY, PANEL_NONCE, bytes.fromhex("A0 A1 A2 A3 A4 A5 A6 A7"))
    assert session.device_cryptogram.hex().upper() == "FDE5D2F428EC16312471EA3C02BD7796"
    assert session.panel_cryptogram.hex().upper() == "26D3356E07762D262801FC8E6665A891"
    assert session.first_mac.hex().upper() == "B2A30057EB98BA2229EC1F875662B524"


def test_annex_e_handshake_over_the_line() -> None:
    """SCBK-D, RND.A B0..B7, RND.B A0..A7: cryptograms and first MAC as the standard prints them."""
    device = device_of(key=None, accepts_default_key=True)
    bus = bus_of(device, random=FixedNonce("A0 A1 A2 A3 A4 A5 A6 A7"))
    reply = ask(bus, frame(CHLNG, PANEL_NONCE, scb=b"\x03\x11\0"))
    assert reply[:9] == bytes.fromhex("53 E5 2B 00 0C 03 12 00 76")
    assert reply[9:-2].hex(" ", -8).upper() == ("BEBAFE0101AFBEAD A0A1A2A3A4A5A6A7 FDE5D2F428EC1631 2471EA3C02BD7796")
    proof = bytes.fromhex("26D3356E07762D262801FC8E6665A891")
    reply = ask(bus, frame(SCRYPT, proof, sequence=1, scb=b"\x03\x13\0"))
    assert reply[:9] == bytes.fromhex("53 E5 1B 00 0D 03 14 01 78")
    assert reply[9:-2].hex().upper() == "B2A30057EB98BA2229EC1F875662B524"
    assert device.channel_is_up(time=0)


def test_captured_session() -> None:
    """Bytes between two libosdp peers: the nonces, both cryptograms, the first MAC, poll, ACK, an encrypted OUT."""
    device = device_of(outputs=8)
    bus = bus_of(device, random=FixedNonce("47 8D 7A A0 5D 83 F3 EA"))
    for sequence, code in ((0, POLL), (1, POLL)):
        assert payload(ask(bus, frame(code, sequence=sequence))) == ACK
    reply = ask(bus, bytes.fromhex("53 65 13 00 0E 03 11 01 76 D7 64 C8 CC E9 32 55 C4 F1 05"))
    assert reply[:9] == bytes.fromhex("53 E5 2B 00 0E 03 12 01 76")
    assert reply[17:-2] == bytes.fromhex("47 8D 7A A0 5D 83 F3 EA 72 72 46 CB DD 92 35 FE EE A8 27 0B 98 34 3C DE")
    reply = ask(
        bus, bytes.fromhex("FF 53 65 1B 00 0F 03 13 01 77 3E 60 FD E7 D5 5E 2C F2 A3 BA 6F A8 57 EA 50 3B 38 4B")
    )
    assert reply == bytes.fromhex("53 E5 1B 00 0F 03 14 01 78 B2 9A EE 4B E9 87 F2 82 9C 9C 90 23 3F 39 17 69 ED DC")
    reply = ask(bus, checked(bytes.fromhex("53 65 0E 00 0D 02 15 60 63 B1 4B 3C")))
    assert reply == checked(bytes.fromhex("53 E5 0E 00 0D 02 16 40 79 8F F9 99"))
    # The poll between them was not kept; its MAC follows from the ones before.
    session = SecureSession(KEY, bytes.fromhex("D7 64 C8 CC E9 32 55 C4"), bytes.fromhex("47 8D 7A A0 5D 83 F3 EA"))
    keys = Panel(bus)
    keys.mac1, keys.mac2 = (
        ecb(KEY, head + bytes.fromhex("D7 64 C8 CC E9 32") + bytes(8)) for head in (b"\1\1", b"\1\2")
    )
    first = keys.mac(bytes.fromhex("53 65 0E 00 0D 02 15 60"), session.first_mac)
    second = keys.mac(bytes.fromhex("53 E5 0E 00 0D 02 16 40"), first)
    third = keys.mac(bytes.fromhex("53 65 0E 00 0E 02 15 60"), second)
    assert payload(ask(bus, checked(bytes.fromhex("53 65 0E 00 0E 02 15 60") + third[:4]))).startswith("40")
    captured = "53 65 1E 00 0F 02 17 68 9E E4 19 B6 ED FF ED A5 50 8D B1 7E B7 7D FF BA 09 99 57 33 9A 38"
    ask(bus, bytes.fromhex(captured), time=1)
    assert device.outputs(time=1) == (False, False, False, True, False, False, False, False)
    assert not any(device.outputs(time=1.5))


# --- frames --------------------------------------------------------------------------------------------------------


def test_checksum_is_answered_with_checksum_also_within_a_session() -> None:
    panel = Panel(bus_of(device_of()), crc=False)
    assert panel.clear(POLL) == ACK
    panel.shake_hands()
    assert panel.within(ISTAT) == "49 00 00 00 00"


def test_several_devices_on_one_bus() -> None:
    bus = OsdpDevices([OsdpDevice(address) for address in (0, 5, 126)], Random(1))
    for address in (0, 5, 126):
        assert ask(bus, frame(POLL, address=address))[1] == address | 0x80
    with pytest.raises(ValueError, match="same address"):
        OsdpDevices([OsdpDevice(5), OsdpDevice(5)], Random(1))


@pytest.mark.parametrize("address", [0x64, 0x7F, 0xE5])
def test_other_addresses_the_broadcast_and_replies_are_left_alone(address: int) -> None:
    bus = bus_of(device_of())
    assert ask(bus, frame(POLL, address=address)) == b""
    assert payload(ask(bus, frame(POLL))) == ACK


def test_marks_and_garbage_before_a_frame() -> None:
    assert payload(ask(bus_of(device_of()), b"\xff\xff\x00\x41" + frame(POLL))) == ACK


def test_half_a_frame_is_given_up_after_a_silence() -> None:
    bus = bus_of(device_of())
    assert ask(bus, frame(POLL)[:6]) == b""
    assert payload(ask(bus, frame(POLL), time=0.2)) == ACK


def test_a_frame_inside_a_broken_one_is_found() -> None:
    bus = bus_of(device_of())
    sent = bus.receive(bytes.fromhex("53 65 0A 00 04") + frame(POLL), time=0)
    assert [payload(one.data) for one in sent] == ["41 01", ACK]


@pytest.mark.parametrize("length", ["FF FF", "A1 05", "07 00", "00 00"])
def test_a_length_that_cannot_be_hides_nothing(length: str) -> None:
    assert payload(ask(bus_of(device_of()), bytes.fromhex(f"53 65 {length} 04") + frame(POLL))) == ACK


@pytest.mark.parametrize("size", [1, 3])
def test_frames_come_in_pieces(size: int) -> None:
    bus = bus_of(device_of())
    stream = frame(POLL) + frame(ID, b"\0", sequence=1)
    replies = [ask(bus, stream[at : at + size], time=at * 0.01) for at in range(0, len(stream), size)]
    assert [payload(reply)[:2] for reply in replies if reply] == ["40", "45"]


@given(st.binary(max_size=80), st.integers(1, 7))
def test_any_bytes_never_raise_and_the_device_answers_after_a_silence(garbage: bytes, size: int) -> None:
    bus = bus_of(device_of())
    for at in range(0, len(garbage), size):
        ask(bus, garbage[at : at + size])
    assert payload(ask(bus, frame(POLL), time=1)) == ACK


@given(
    st.integers(0, 255),
    st.sampled_from([POLL, ID, CAP, LSTAT, ISTAT, OSTAT, OUT, LED, BUZ, COMSET, KEYSET, CHLNG, SCRYPT, 0x80]),
    st.binary(max_size=40),
    st.sampled_from([KEY, None]),
)
def test_any_right_frame_is_answered(control: int, code: int, data: bytes, key: bytes | None) -> None:
    """Whatever CTRL, block and data say: one reply with the same sequence, and the next start-up works."""
    bus = bus_of(device_of(key=key))
    length = 5 + 1 + len(data) + (2 if control & 4 else 1)
    command = checked(bytes([0x53, ADDRESS]) + length.to_bytes(2, "little") + bytes([control, code]) + data)
    reply = ask(bus, command)
    assert payload(reply)
    assert reply[4] & 7 == control & 7
    assert payload(ask(bus, frame(POLL))) == ACK


@given(st.sampled_from([POLL, OUT, LED, BUZ, COMSET, KEYSET, CHLNG, 0x80]), st.binary(max_size=40))
def test_any_command_of_a_session_is_answered_within_it(code: int, data: bytes) -> None:
    panel = panel_of(device_of())
    try:
        answer = panel.within(code, data)
    except Alarm:
        assert code == CHLNG or (code == KEYSET and not data)
    else:
        assert answer[:2] in ("40", "41")


# --- sequence ------------------------------------------------------------------------------------------------------


def test_sequence_goes_0_1_2_3_1() -> None:
    device = device_of()
    bus = bus_of(device)
    for sequence in (0, 1, 2, 3, 1, 2, 3, 1):
        assert payload(ask(bus, frame(POLL, sequence=sequence))) == ACK
    assert device.history == ()


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_device_just_switched_on_expects_0(sequence: int) -> None:
    assert payload(ask(bus_of(device_of()), frame(POLL, sequence=sequence))) == "41 04"


def test_unexpected_sequence_changes_nothing() -> None:
    device = device_of()
    bus = bus_of(device)
    ask(bus, frame(POLL))
    assert payload(ask(bus, frame(OUT, b"\0\2\0\0", sequence=2))) == "41 04"
    assert device.outputs(time=0) == (False,) * 4
    assert payload(ask(bus, frame(POLL, sequence=1))) == ACK


def test_a_repeated_sequence_repeats_the_reply_and_does_nothing_twice() -> None:
    device = device_of()
    bus = bus_of(device)
    ask(bus, frame(POLL))
    device.press("12", time=0)
    device.press("34", time=0)
    poll = frame(POLL, sequence=1)
    assert payload(ask(bus, poll)) == "53 00 02 31 32"
    assert payload(ask(bus, poll)) == "53 00 02 31 32"
    assert payload(ask(bus, frame(POLL, sequence=2))) == "53 00 02 33 34"
    assert DeviceWhat.REPEATED in [entry.what for entry in device.history]


def test_a_repeat_within_a_session_keeps_the_chain_of_macs() -> None:
    device = device_of()
    panel = panel_of(device)
    panel.bus.set_faults(NoReply(), time=0)
    command = panel.secured(OUT, bytes([1, 2, 0, 0]))
    assert ask(panel.bus, command) == b""
    assert panel.open(panel.send(command)) == ACK
    assert panel.within(OSTAT) == "4A 00 01 00 00"


def test_sequence_0_starts_over_and_ends_the_session() -> None:
    device = device_of()
    panel = panel_of(device)
    assert payload(ask(panel.bus, frame(POLL))) == ACK
    assert not device.channel_is_up(time=0)
    assert [entry.what for entry in device.history] == [DeviceWhat.CHANNEL_UP, DeviceWhat.CHANNEL_LOST]
    panel.sequence = 1
    panel.shake_hands()
    assert panel.within(POLL) == ACK


# --- refusals ------------------------------------------------------------------------------------------------------


def test_nak_01_wrong_check() -> None:
    device = device_of()
    bus = bus_of(device)
    command = frame(OUT, b"\0\2\0\0")
    assert payload(ask(bus, command[:-1] + bytes([command[-1] ^ 1]))) == "41 01"
    assert payload(ask(bus, frame(POLL, crc=False)[:-1] + b"\0")) == "41 01"
    assert device.outputs(time=0) == (False,) * 4
    assert [entry.nak for entry in device.history] == [NakReason.BAD_CHECK] * 2
    assert payload(ask(bus, command)) == ACK


def test_nak_01_does_not_end_a_session() -> None:
    panel = panel_of(device_of())
    command = panel.secured(POLL)
    assert payload(ask(panel.bus, command[:-1] + bytes([command[-1] ^ 1]))) == "41 01"
    assert panel.open(panel.send(command)) == ACK


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (POLL, b"\0"),
        (ID, b""),
        (CAP, b"\0\0"),
        (LSTAT, b"\0"),
        (ISTAT, b"\0"),
        (OSTAT, b"\0"),
        (OUT, b""),
        (OUT, bytes(5)),
        (LED, bytes(13)),
        (BUZ, bytes(6)),
        (COMSET, bytes(4)),
    ],
)
def test_nak_02_wrong_length(code: int, data: bytes) -> None:
    assert payload(ask(bus_of(device_of()), frame(code, data))) == "41 02"


def test_nak_02_within_a_session() -> None:
    panel = panel_of(device_of())
    assert panel.within(OUT, bytes(5)) == "41 02"
    assert panel.within(KEYSET, bytes(17)) == "41 02"
    assert panel.within(POLL) == ACK


def test_nak_02_data_that_cannot_be_decrypted() -> None:
    """Half a block, none at all, and one whose end is missing; the MAC is right each time."""
    panel = panel_of(device_of())
    for data in (bytes(15), b""):
        whole = frame(OUT, data, sequence=panel.sequence, scb=b"\x02\x17", tail=bytes(4))
        panel.mine = panel.mac(whole[:-6], panel.theirs)
        assert panel.open(panel.send(checked(whole[:-6] + panel.mine[:4]))) == "41 02"
    data = cbc(panel.enc, inverse(panel.theirs), bytes(16))
    whole = frame(OUT, data, sequence=panel.sequence, scb=b"\x02\x17", tail=bytes(4))
    panel.mine = panel.mac(whole[:-6], panel.theirs)
    assert panel.open(panel.send(checked(whole[:-6] + panel.mine[:4]))) == "41 02"


@pytest.mark.parametrize("code", [0x67, 0x6B, 0x7B, 0x80, 0x00])
def test_nak_03_unknown_command(code: int) -> None:
    assert payload(ask(bus_of(device_of()), frame(code))) == "41 03"
    assert panel_of(device_of()).within(code) == "41 03"


@pytest.mark.parametrize("scb", [b"\x03\x11\x01", b"\x03\x13\x01", b"\x02\x15", b"\x02\x17"])
def test_nak_05_from_a_device_without_secure_channel(scb: bytes) -> None:
    device = OsdpDevice(ADDRESS, supports_secure_channel=False)
    bus = bus_of(device)
    assert payload(ask(bus, frame(CHLNG, bytes(8), scb=scb))) == "41 05"
    assert payload(ask(bus, frame(CHLNG, bytes(8)))) == "41 03"
    assert payload(ask(bus, frame(KEYSET, bytes(18)))) == "41 03"
    assert payload(ask(bus, frame(OUT, b"\0\2\0\0"))) == ACK
    assert "09 00 00" in payload(ask(bus, frame(CAP, b"\0")))


@pytest.mark.parametrize(
    "scb", [b"\x02\x12", b"\x02\x16", b"\x02\x18", b"\x02\x10", b"\x02\x19", b"\x01", b"\x03\x11\x01"]
)
def test_nak_05_unknown_or_misplaced_block(scb: bytes) -> None:
    assert payload(ask(bus_of(device_of()), frame(POLL, scb=scb))) == "41 05"


@pytest.mark.parametrize("code", [POLL, LSTAT, OUT, COMSET, 0x80])
def test_nak_06_a_device_that_requires_the_channel(code: int) -> None:
    bus = bus_of(device_of(requires_secure_channel=True))
    assert payload(ask(bus, frame(code))) == "41 06"
    assert payload(ask(bus, frame(ID, b"\0"))).startswith("45")
    assert payload(ask(bus, frame(CAP, b"\0"))).startswith("46")


def test_nak_06_secured_without_a_session() -> None:
    """The ``osdp`` package begins so: a poll with block 15 and no MAC."""
    bus = bus_of(device_of())
    assert payload(ask(bus, frame(POLL, scb=b"\x02\x15"))) == "41 06"
    panel = Panel(bus)
    panel.sequence = 1
    panel.shake_hands(wants=0)
    assert panel.used == 1
    assert panel.within(POLL) == ACK


@pytest.mark.parametrize("code", [CHLNG, SCRYPT, KEYSET])
def test_nak_06_commands_of_the_channel_in_clear(code: int) -> None:
    bus = bus_of(device_of(accepts_default_key=True))
    assert payload(ask(bus, frame(code, b"\x01\x10" + bytes(16)))) == "41 06"


def test_nak_06_clear_command_ends_a_session() -> None:
    device = device_of()
    panel = panel_of(device)
    assert panel.clear(POLL) == "41 06"
    assert not device.channel_is_up(time=0)


def test_nak_06_wrong_mac_ends_a_session() -> None:
    device = device_of()
    panel = panel_of(device)
    command = panel.secured(OUT, b"\0\2\0\0")
    assert payload(panel.send(checked(command[:-3] + bytes([command[-3] ^ 1])))) == "41 06"
    assert device.outputs(time=0) == (False,) * 4
    assert not device.channel_is_up(time=0)


def test_nak_06_a_command_that_was_sent_before() -> None:
    """Recorded and sent again with a new sequence number and check: the chain of MACs has gone on."""
    panel = panel_of(device_of())
    command = panel.secured(OUT, b"\0\2\0\0")
    assert panel.open(panel.send(command)) == ACK
    again = bytearray(command[:-2])
    again[4] = again[4] & ~3 | panel.sequence
    assert payload(panel.send(checked(bytes(again)))) == "41 06"


def test_nak_06_wrong_panel_cryptogram_and_cryptogram_without_challenge() -> None:
    device = device_of()
    bus = bus_of(device)
    ask(bus, frame(CHLNG, PANEL_NONCE, scb=b"\x03\x11\x01"))
    assert payload(ask(bus, frame(SCRYPT, bytes(16), sequence=1, scb=b"\x03\x13\x01"))) == "41 06"
    assert payload(ask(bus, frame(SCRYPT, bytes(16), sequence=2, scb=b"\x03\x13\x01"))) == "41 06"
    assert not device.channel_is_up(time=0)


def test_nak_06_a_device_without_any_key() -> None:
    with pytest.raises(Alarm, match="refused"):
        panel_of(device_of(key=None))


def test_nak_06_key_that_is_authenticated_but_not_encrypted() -> None:
    device = device_of()
    panel = panel_of(device)
    with pytest.raises(Alarm, match="in clear"):
        panel.within(KEYSET, b"\x01\x10" + OTHER_KEY, kind=0x15)
    assert device.key == KEY


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (COMSET, "00 80 25 00 00"),
        (OUT, "04 02 00 00"),
        (OUT, "00 07 00 00"),
        (OUT, "00 02 00 00 04 02 00 00"),
        (LED, "01 00 00 00 00 00 00 00 00 01 01 00 01 00"),
        (LED, "00 02 00 00 00 00 00 00 00 01 01 00 01 00"),
        (LED, "00 00 03 00 00 00 00 00 00 01 01 00 01 00"),
        (LED, "00 00 00 00 00 00 00 00 00 02 01 00 01 00"),
        (LED, "00 00 00 00 00 00 00 00 00 01 01 00 08 00"),
        (BUZ, "01 02 01 00 01"),
        (BUZ, "00 03 01 00 01"),
        (BUZ, "00 02 00 01 01"),
    ],
)
def test_nak_09_what_cannot_be_done_is_not_begun(code: int, data: str) -> None:
    device = device_of()
    assert payload(ask(bus_of(device), frame(code, bytes.fromhex(data)))) == "41 09"
    assert not any(device.outputs(time=0))
    assert device.led(0, time=0) is Colour.BLACK
    assert not device.buzzer_sounds(time=0)
    assert panel_of(device).within(code, bytes.fromhex(data)) == "41 09"


# --- secure channel ------------------------------------------------------------------------------------------------


def test_reports_within_a_session() -> None:
    panel = panel_of(device_of())
    assert panel.within(ID, b"\0") == "45 BE BA FE 01 01 AF BE AD DE AD DE AD"
    assert panel.within(CAP, b"\0") == (
        "46 01 01 04 02 02 04 04 04 02 05 02 01 08 01 00 09 01 00 0A A0 05 0D 00 01 10 02 00"
    )
    assert panel.within(LSTAT) == "48 00 00"
    assert panel.within(ISTAT) == "49 00 00 00 00"
    assert panel.within(OSTAT) == "4A 00 00 00 00"
    assert panel.within(POLL) == ACK


@pytest.mark.parametrize("records", [1, 2, 6])
def test_data_that_is_authenticated_but_not_encrypted(records: int) -> None:
    """With 2 and 6 records the message fills its blocks, so that its MAC has no padding."""
    panel = panel_of(device_of())
    assert panel.within(OUT, b"\0\2\0\0" * records, kind=0x15) == ACK
    assert panel.within(OSTAT) == "4A 01 00 00 00"


@pytest.mark.parametrize("keys", [13, 14, 15])
def test_digits_are_encrypted_also_where_they_fill_their_blocks(keys: int) -> None:
    device = device_of()
    panel = panel_of(device)
    device.press("1" * keys, time=0)
    command = panel.secured(POLL)
    reply = panel.send(command)
    assert b"111" not in reply
    assert panel.open(reply) == f"53 00 {keys:02X}" + " 31" * keys


def test_nonces_differ_and_are_the_callers_randomness() -> None:
    def nonces(seed: int) -> list[bytes]:
        bus = bus_of(device_of(), random=Random(seed))
        return [ask(bus, frame(CHLNG, PANEL_NONCE, scb=b"\x03\x11\x01"))[17:25] for _ in range(3)]

    assert len(set(nonces(1))) == 3
    assert nonces(1) == nonces(1) != nonces(2)


def test_wrong_key_is_found_by_the_panel() -> None:
    panel = Panel(bus_of(device_of()), key=OTHER_KEY)
    with pytest.raises(Alarm, match="cryptogram"):
        panel.shake_hands()


def test_default_key_is_taken_in_install_mode_only() -> None:
    panel = Panel(bus_of(device_of(accepts_default_key=True)), key=DEFAULT_KEY)
    panel.shake_hands(wants=0)
    assert panel.used == 0
    panel = Panel(bus_of(device_of()), key=DEFAULT_KEY)
    with pytest.raises(Alarm, match="cryptogram"):
        panel.shake_hands(wants=0)


def test_device_without_own_key_offers_the_default_key() -> None:
    panel = Panel(bus_of(device_of(key=None, accepts_default_key=True)), key=DEFAULT_KEY)
    panel.shake_hands(wants=1)
    assert panel.used == 0


def test_keyset_ends_session_and_install_mode() -> None:
    device = device_of(key=None, accepts_default_key=True)
    panel = Panel(bus_of(device), key=DEFAULT_KEY)
    panel.shake_hands(wants=0)
    assert panel.within(KEYSET, b"\x02\x10" + KEY) == "41 09"
    assert panel.within(KEYSET, b"\x01\x10" + KEY) == ACK
    assert device.key == KEY
    assert not device.accepts_default_key
    assert not device.channel_is_up(time=0)
    panel.key = KEY
    panel.shake_hands()
    assert panel.used == 1
    assert panel.within(POLL) == ACK
    assert DeviceWhat.KEY_SET in [entry.what for entry in device.history]


def test_a_new_challenge_replaces_the_session() -> None:
    panel = panel_of(device_of())
    panel.shake_hands()
    assert panel.within(POLL) == ACK


def test_channel_dies_of_silence() -> None:
    device = device_of()
    panel = panel_of(device)
    panel.time = 8.0
    assert panel.within(POLL) == ACK
    assert device.channel_is_up(time=16.0)
    assert not device.channel_is_up(time=16.1)
    panel.time = 16.1
    assert payload(panel.send(panel.secured(POLL))) == "41 06"
    assert device.history[-2].what is DeviceWhat.CHANNEL_LOST


def test_after_a_silence_no_reply_is_repeated() -> None:
    panel = panel_of(device_of())
    command = panel.secured(POLL)
    panel.open(panel.send(command))
    assert payload(ask(panel.bus, command, time=8.1)) == "41 04"


def test_channel_survives_a_wrong_sequence() -> None:
    panel = panel_of(device_of())
    wrong = frame(POLL, sequence=(panel.sequence % 3) + 1, scb=b"\x02\x15", tail=bytes(4))
    assert payload(ask(panel.bus, wrong)) == "41 04"
    assert panel.within(POLL) == ACK


# --- attacks -------------------------------------------------------------------------------------------------------


def test_downgrade_denies_the_secure_channel() -> None:
    bus = bus_of(device_of(), faults=(Downgrade(),))
    assert "09 00 00" in payload(ask(bus, frame(CAP, b"\0")))
    bus.set_faults(time=0)
    assert "09 01 00" in payload(ask(bus, frame(CAP, b"\0")))


def test_default_key_only() -> None:
    panel = Panel(bus_of(device_of(), faults=(DefaultKeyOnly(),)))
    with pytest.raises(Alarm, match="cryptogram"):
        panel.shake_hands(wants=1)
    assert panel.used == 0
    trusting = Panel(bus_of(device_of(), faults=(DefaultKeyOnly(),)), key=DEFAULT_KEY)
    trusting.shake_hands(wants=1)


def test_wrong_cryptogram() -> None:
    panel = Panel(bus_of(device_of(), faults=(WrongCryptogram(),)))
    with pytest.raises(Alarm, match="cryptogram"):
        panel.shake_hands()


def test_clear_reply() -> None:
    device = device_of()
    panel = panel_of(device, ClearReply())
    device.press("1", time=0)
    reply = panel.send(panel.secured(POLL))
    assert payload(reply) == "53 00 01 31"
    with pytest.raises(Alarm, match="in clear"):
        panel.open(reply)
    assert panel.bus.faults == ()


def test_bad_mac() -> None:
    panel = panel_of(device_of(), BadMac())
    command = panel.secured(POLL)
    with pytest.raises(Alarm, match="MAC"):
        panel.open(panel.send(command))
    # The device itself has answered rightly: that reply comes when the panel asks again.
    assert panel.open(ask(panel.bus, command)) == ACK


def test_replay() -> None:
    device = device_of()
    panel = panel_of(device)
    device.press("1", time=0)
    first = panel.send(panel.secured(POLL))
    panel.open(first)
    panel.bus.set_faults(Replay(times=2), time=0)
    for _ in range(2):
        reply = panel.send(panel.secured(POLL))
        assert reply == first
        with pytest.raises(Alarm, match="sequence"):
            panel.open(reply)


def test_replay_with_the_same_sequence_fails_at_its_mac() -> None:
    panel = panel_of(device_of())
    first = panel.send(panel.secured(POLL))
    panel.open(first)
    for _ in range(2):
        panel.within(POLL)
    panel.secured(POLL)
    panel.last = first
    with pytest.raises(Alarm, match="MAC"):
        panel.open(first)


def test_an_attack_may_concern_one_device() -> None:
    bus = bus_of(device_of(), OsdpDevice(3), faults=(Downgrade(address=3),))
    assert "09 01 00" in payload(ask(bus, frame(CAP, b"\0")))
    assert "09 00 00" in payload(ask(bus, frame(CAP, b"\0", address=3)))
    with pytest.raises(ValueError, match="no device 4"):
        bus.set_faults(Downgrade(address=4), time=0)


# --- faults of the line --------------------------------------------------------------------------------------------


def test_no_reply_swallows_replies_but_not_commands() -> None:
    device = device_of()
    bus = bus_of(device, faults=(NoReply(times=2),))
    assert ask(bus, frame(OUT, b"\0\2\0\0")) == b""
    assert device.outputs(time=0)[0]
    assert ask(bus, frame(POLL, sequence=1)) == b""
    assert payload(ask(bus, frame(OSTAT, sequence=2))) == "4A 01 00 00 00"


def test_flipped_bit_half_frame_garbage() -> None:
    bus = bus_of(device_of(), faults=(FlippedBit(),))
    right = bytes.fromhex("53 E5 08 00 04 40") + b"??"
    right = checked(right[:-2])
    wrong = ask(bus, frame(POLL))
    assert (int.from_bytes(wrong, "big") ^ int.from_bytes(right, "big")).bit_count() == 1
    bus.set_faults(HalfFrame(), Garbage(length=3), time=0)
    assert ask(bus, frame(POLL))[3:] == right[:4]
    assert ask(bus, frame(POLL)) == right


def test_delay_is_told_not_waited_and_echo_comes_first() -> None:
    bus = bus_of(device_of(), faults=(Delay(0.75), Echo()))
    sent = bus.receive(frame(POLL), time=0)
    assert sent == [Transmission(frame(POLL)), Transmission(checked(bytes.fromhex("53 E5 08 00 04 40")), 0.75)]


def test_unplugged_bus_hears_nothing_and_forgets_what_it_had_heard() -> None:
    bus = bus_of(device_of())
    bus.receive(frame(POLL)[:4], time=0)
    bus.unplug(time=0)
    bus.unplug(time=0)
    assert not bus.plugged
    assert ask(bus, frame(POLL)) == b""
    bus.plug(time=0)
    bus.plug(time=0)
    assert ask(bus, frame(POLL)[4:]) == b""
    assert payload(ask(bus, frame(POLL))) == ACK
    assert [entry.what for entry in bus.history] == [What.FAULTS_SET, What.UNPLUGGED, What.PLUGGED]


# --- keypad, inputs, status ----------------------------------------------------------------------------------------


def test_keys_wait_in_their_order() -> None:
    device = device_of()
    panel = panel_of(device)
    device.press("4711", time=1)
    device.press("*#AH", time=2)
    assert [panel.within(POLL) for _ in range(3)] == ["53 00 04 34 37 31 31", "53 00 04 7F 0D 41 48", ACK]


@pytest.mark.parametrize("keys", ["", "12x", "1" * 65])
def test_keys_that_there_are_not(keys: str) -> None:
    with pytest.raises(ValueError):
        device_of().press(keys, time=0)


def test_a_full_queue_loses_the_newest() -> None:
    device = device_of()
    bus = bus_of(device)
    for number in range(65):
        device.press(str(number % 10), time=number)
    assert device.history[-1].what is DeviceWhat.EVENT_LOST
    answers = [payload(ask(bus, frame(POLL))) for _ in range(65)]
    assert answers[0] == "53 00 01 30"
    assert answers[63] == "53 00 01 33"
    assert answers[64] == ACK


def test_history_holds_no_digits() -> None:
    device = device_of()
    device.press("4711", time=1)
    assert "4711" not in repr(device.history)
    assert repr(device.history[0]) == (
        "DeviceHappening(time=1, what=<DeviceWhat.KEYS_PRESSED: 'keys_pressed'>, number=None, nak=None)"
    )


def test_inputs_report_each_change() -> None:
    device = device_of(reversed_inputs=frozenset({3}))
    panel = panel_of(device)
    device.set_input(1, True, time=0)
    device.set_input(1, True, time=0)
    device.set_input(3, True, time=0)
    device.set_input(1, False, time=0)
    assert device.inputs == (False, False, False, True)
    assert [panel.within(POLL) for _ in range(4)] == ["49 00 01 00 01", "49 00 01 00 00", "49 00 00 00 00", ACK]
    assert panel.within(ISTAT) == "49 00 00 00 00"
    with pytest.raises(ValueError, match="no input 4"):
        device.set_input(4, True, time=0)


def test_local_status_reports_each_change() -> None:
    device = device_of()
    panel = panel_of(device)
    device.set_local_status(tampered=True, power_failed=False, time=0)
    device.set_local_status(tampered=True, power_failed=False, time=0)
    device.set_local_status(tampered=True, power_failed=True, time=0)
    assert [panel.within(POLL) for _ in range(3)] == ["48 01 00", "48 01 01", ACK]
    assert panel.within(LSTAT) == "48 01 01"


# --- outputs, lights, buzzer ---------------------------------------------------------------------------------------


def command(device: OsdpDevice, code: int, data: str, *, time: float = 0) -> None:
    assert payload(ask(bus_of(device), frame(code, bytes.fromhex(data)), time=time)) == ACK


def test_output_for_a_time_falls_back_and_reports_it() -> None:
    """The plaintext of the captured command: output 3, code 5, timer 5 times 100 ms."""
    device = device_of()
    panel = panel_of(device)
    assert panel.within(OUT, bytes.fromhex("03 05 05 00")) == ACK
    assert panel.within(POLL) == "4A 00 00 00 01"
    panel.time = 0.4
    assert panel.within(POLL) == ACK
    panel.time = 0.5
    assert device.outputs(time=0.5) == (False,) * 4
    assert panel.within(POLL) == "4A 00 00 00 00"
    assert panel.within(POLL) == ACK
    changed = [(entry.number, entry.time) for entry in device.history if entry.what is DeviceWhat.OUTPUT_CHANGED]
    assert changed == [(3, 0.0), (3, 0.5)]


@pytest.mark.parametrize(
    ("records", "during", "after"),
    [
        ("00 02 00 00", True, True),
        ("00 02 00 00 00 01 00 00", False, False),
        ("00 05 0A 00", True, False),
        ("00 05 0A 00 00 00 00 00", True, False),
        ("00 05 0A 00 00 03 00 00", True, False),
        ("00 05 0A 00 00 04 00 00", True, True),
        ("00 05 0A 00 00 02 00 00 00 03 00 00", False, False),
        ("00 02 00 00 00 06 0A 00", False, True),
        ("00 02 00 00 00 06 0A 00 00 03 00 00", False, False),
        ("00 05 0A 00 00 01 00 00", False, False),
        ("00 05 00 00", True, True),
        ("00 05 2C 01", True, True),
    ],
)
def test_output_codes_and_timers(records: str, during: bool, after: bool) -> None:
    device = device_of()
    command(device, OUT, records, time=10)
    assert device.outputs(time=10.9)[0] is during
    assert device.outputs(time=11)[0] is after


def test_output_timer_has_two_bytes() -> None:
    device = device_of()
    command(device, OUT, "00 05 2C 01", time=10)
    assert device.outputs(time=39.9)[0]
    assert not device.outputs(time=40)[0]


def test_permanent_light_steady_and_blinking() -> None:
    device = device_of()
    command(device, LED, "00 00 00 00 00 00 00 00 00 01 01 00 02 00")
    assert device.led(0, time=99) is Colour.GREEN
    assert device.led(1, time=99) is Colour.BLACK
    command(device, LED, "00 01 00 00 00 00 00 00 00 01 02 03 01 07", time=10)
    shown = [device.led(1, time=10 + tenth / 10) for tenth in range(7)]
    assert shown == [Colour.RED] * 2 + [Colour.WHITE] * 3 + [Colour.RED] * 2
    command(device, LED, "00 01 00 00 00 00 00 00 00 01 00 05 01 04")
    assert device.led(1, time=1) is Colour.BLUE


def test_temporary_light_falls_back() -> None:
    device = device_of()
    command(device, LED, "00 00 02 01 01 03 00 0A 00 01 01 00 02 00", time=10)
    assert [device.led(0, time=time) for time in (10, 10.1, 10.2, 10.9)] == [
        Colour.AMBER,
        Colour.BLACK,
        Colour.AMBER,
        Colour.BLACK,
    ]
    assert device.led(0, time=11) is Colour.GREEN


def test_temporary_light_without_end_and_its_cancelling() -> None:
    device = device_of()
    command(device, LED, "00 00 02 01 00 06 00 00 00 01 01 00 05 00")
    assert device.led(0, time=1e6) is Colour.CYAN
    command(device, LED, "00 00 00 00 00 00 00 00 00 00 00 00 00 00")
    assert device.led(0, time=1e6) is Colour.CYAN
    command(device, LED, "00 00 01 00 00 00 00 00 00 00 00 00 00 00")
    assert device.led(0, time=0) is Colour.MAGENTA


def test_two_lights_in_one_command() -> None:
    device = device_of()
    command(device, LED, "00 00 00 00 00 00 00 00 00 01 01 00 02 00 00 01 00 00 00 00 00 00 00 01 01 00 01 00")
    assert (device.led(0, time=0), device.led(1, time=0)) == (Colour.GREEN, Colour.RED)
    assert [entry.number for entry in device.history] == [0, 1]


def test_buzzer_counts_and_stops() -> None:
    device = device_of()
    command(device, BUZ, "00 02 02 01 02", time=10)
    shown = [device.buzzer_sounds(time=10 + tenth / 10) for tenth in range(8)]
    assert shown == [True, True, False, True, True, False, False, False]
    command(device, BUZ, "00 02 01 01 00")
    assert device.buzzer_sounds(time=1000)
    command(device, BUZ, "00 01 00 00 00")
    assert not device.buzzer_sounds(time=1000)


# --- the device itself ---------------------------------------------------------------------------------------------


def test_watchers_hear_of_changes_and_not_of_polls() -> None:
    device = device_of()
    bus = bus_of(device)
    heard: list[str] = []
    end = bus.watch(lambda: heard.append("change"))
    ask(bus, frame(POLL))
    assert heard == []
    device.press("1", time=0)
    device.set_input(0, True, time=0)
    bus.set_faults(NoReply(), time=0)
    assert len(heard) == 3
    ask(bus, frame(OUT, b"\0\2\0\0"))
    assert len(heard) == 5  # the output, and the fault that is used up
    end()
    device.press("1", time=0)
    bus.unplug(time=0)
    assert len(heard) == 5


@pytest.mark.parametrize(
    "options",
    [
        {"address": 127},
        {"address": -1},
        {"address": 0, "key": bytes(15)},
        {"address": 0, "requires_secure_channel": True, "supports_secure_channel": False},
        {"address": 0, "outputs": 256},
    ],
)
def test_devices_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        OsdpDevice(**options)  # type: ignore[arg-type]
