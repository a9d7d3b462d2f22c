"""BER-TLV: what is written is read back, and nothing that is cut off or left over is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.tlv import Tlv, check_depth, find, need, only, parse, tlv

TAGS = st.sampled_from([0x04, 0x06, 0x30, 0x42, 0x5F20, 0x5F37, 0x7C, 0x7F21, 0x7F4E, 0xA0, 0xDF8101])


@given(st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=20))
def test_what_is_written_is_read(objects: list[tuple[int, bytes]]) -> None:
    data = b"".join(tlv(tag, value) for tag, value in objects)
    assert [(one.tag, one.value) for one in parse(data)] == objects
    assert b"".join(bytes(one) for one in parse(data)) == data


@pytest.mark.parametrize("count", [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF - 4])
def test_lengths_of_every_form(count: int) -> None:
    data = tlv(0x7F4E, bytes(count))
    assert only(data, 0x7F4E) == bytes(count)
    assert data[2:3].hex() == {0: "00", 0x7F: "7f", 0x80: "81", 0xFF: "81"}.get(count, "82")


@pytest.mark.parametrize(
    "broken",
    ["04", "0402ff", "7f", "7f80", "5f", "0480", "0484000000ff", "04ff", "7fff8101", "048200", "7c048002ffffff"],
)
def test_what_is_no_object_is_refused(broken: str) -> None:
    with pytest.raises(MalformedError):
        parse(bytes.fromhex(broken))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = parse(data)
        check_depth(data)
    except MalformedError:
        return
    assert all(isinstance(one, Tlv) for one in found)


def test_bombs_are_refused() -> None:
    nested = b""
    for _ in range(13):
        nested = tlv(0x30, nested)
    with pytest.raises(MalformedError, match="deeply"):
        check_depth(nested)
    with pytest.raises(MalformedError, match="many"):
        parse(tlv(0x04) * 257)
    with pytest.raises(MalformedError, match="long"):
        parse(tlv(0x04, bytes(70_000)))


def test_looking_for_one() -> None:
    data = tlv(0x7C, tlv(0x80, b"a"), tlv(0x81, b"b"))
    assert find(data, 0x7C, 0x81) == b"b"
    assert find(data, 0x7C, 0x82) is None
    assert need(data, 0x7C, 0x80) == b"a"
    with pytest.raises(MalformedError, match="7C/82"):
        need(data, 0x7C, 0x82)
    with pytest.raises(MalformedError):
        only(data + b"\x04\x00", 0x7C)
