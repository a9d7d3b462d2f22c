"""Secure messaging: the numbers of a public example, the traps, and no changed bit that passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import CryptoError, EidError
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.messaging import Channel
from servicepunkt.eid.testing.symmetric import checksum, padded, unpadded
from servicepunkt.eid.testing.terminal import TerminalChannel
from servicepunkt.eid.tlv import tlv

G1: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "data/icao9303/pace_ecdh_gm_aes128_G1.json").read_text()
)
ENCRYPTION, CHECKSUMS = bytes.fromhex(G1["ks_enc"]), bytes.fromhex(G1["ks_mac"])


def pair() -> tuple[Channel, TerminalChannel]:
    return Channel(ENCRYPTION, CHECKSUMS), TerminalChannel(ENCRYPTION, CHECKSUMS)


def test_the_public_example() -> None:
    chip, _ = pair()
    command = chip.unwrap(Command.parse(bytes.fromhex(G1["sm_first_select"]["cmd"])))
    assert (command.ins, command.data.hex(), command.expected) == (0xA4, "a0000002471001", None)
    assert chip.wrap(b"", Status.DONE).hex().upper() == G1["sm_first_select"]["rsp"]


@given(
    commands=st.lists(
        st.tuples(
            st.sampled_from([0xB0, 0xB1, 0x2C]),
            st.binary(max_size=300),
            st.none() | st.integers(1, 65_536),
            st.binary(max_size=300),
        ),
        max_size=4,
    )
)
def test_what_one_side_wraps_the_other_unwraps(commands: list[tuple[int, bytes, int | None, bytes]]) -> None:
    chip, terminal = pair()
    for ins, data, expected, answered in commands:
        sent = Command(cla=0, ins=ins, p1=2, p2=3, data=data, expected=expected)
        assert chip.unwrap(Command.parse(terminal.wrap(sent))) == sent
        assert terminal.unwrap(chip.wrap(answered, Status.DONE)) == (answered, 0x9000)


def test_a_command_of_nothing_is_not_padded_twice() -> None:
    """RESET RETRY COUNTER with neither data nor Le: counter and padded header, and that is all."""
    header = bytes.fromhex("0c2c0303")
    once = (1).to_bytes(16, "big") + padded(header)
    right = Command.parse(header + bytes([10]) + tlv(0x8E, checksum(CHECKSUMS, once)) + b"\x00")
    assert pair()[0].unwrap(right).data == b""
    twice = Command.parse(header + bytes([10]) + tlv(0x8E, checksum(CHECKSUMS, padded(once))) + b"\x00")
    with pytest.raises(StatusError) as refused:
        pair()[0].unwrap(twice)
    assert refused.value.status is Status.MESSAGING_WRONG


@given(at=st.integers(4, 60), bit=st.integers(0, 7))
def test_no_changed_bit_passes(at: int, bit: int) -> None:
    chip, terminal = pair()
    data = bytearray(terminal.wrap(Command(cla=0, ins=0xA4, p1=4, p2=12, data=bytes(30), expected=256)))
    data[5 + at % (len(data) - 6)] ^= 1 << bit
    with pytest.raises(StatusError):
        chip.unwrap(Command.parse(bytes(data)))


@pytest.mark.parametrize("change", ["cla", "ins", "p1", "p2"])
def test_the_header_is_protected(change: str) -> None:
    chip, terminal = pair()
    data = bytearray(terminal.wrap(Command(cla=0, ins=0xA4, p1=4, p2=12, data=b"x")))
    data[["cla", "ins", "p1", "p2"].index(change)] ^= 0x02
    with pytest.raises(StatusError):
        chip.unwrap(Command.parse(bytes(data)))


def test_a_replayed_command_is_refused() -> None:
    chip, terminal = pair()
    data = Command.parse(terminal.wrap(Command(cla=0, ins=0xA4, p1=4, p2=12, data=b"x")))
    chip.unwrap(data)
    chip.wrap(b"", Status.DONE)
    with pytest.raises(StatusError):
        chip.unwrap(data)


def test_objects_that_are_missing() -> None:
    for data in (b"", tlv(0x97, b"\x00"), b"\x87"):
        with pytest.raises(StatusError) as refused:
            pair()[0].unwrap(Command(cla=0x0C, ins=0xB0, p1=0, p2=0, data=data))
        assert refused.value.status is Status.MESSAGING_MISSING


@given(st.binary(max_size=64))
def test_padding(data: bytes) -> None:
    assert unpadded(padded(data)) == data
    assert len(padded(data)) % 16 == 0


@pytest.mark.parametrize("wrong", [b"", bytes(16), b"\x80" + bytes(31), b"\x01" * 16])
def test_wrong_padding(wrong: bytes) -> None:
    with pytest.raises(CryptoError):
        unpadded(wrong)


@given(st.binary(max_size=200))
def test_any_answer_is_refused_by_the_terminal(data: bytes) -> None:
    with pytest.raises(EidError):
        pair()[1].unwrap(data)
