"""Commands in their four cases, short and extended; whatever is cut or has something left over is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError

BYTES = st.integers(0, 255)


@given(
    header=st.tuples(BYTES, BYTES, BYTES, BYTES),
    data=st.binary(max_size=600),
    expected=st.none() | st.integers(1, 256) | st.just(65_536) | st.integers(257, 65_535),
)
def test_what_is_written_is_read(header: tuple[int, int, int, int], data: bytes, expected: int | None) -> None:
    cla, ins, p1, p2 = header
    command = Command(cla=cla, ins=ins, p1=p1, p2=p2, data=data, expected=expected)
    assert Command.parse(command.encode()) == command


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        ("00840000", b"", None),
        ("0084000008", b"", 8),
        ("0084000000", b"", 256),
        ("00a4000c023f00", b"\x3f\x00", None),
        ("00b09d00000000", b"", 65_536),
        ("00b09d00000100", b"", 256),
        ("0086000000000201020000", b"\x01\x02", 65_536),
    ],
)
def test_forms(text: str, data: bytes, expected: int | None) -> None:
    command = Command.parse(bytes.fromhex(text))
    assert (command.data, command.expected) == (data, expected)


@pytest.mark.parametrize(
    "text", ["", "00a404", "00a4000c023f", "00a4000c023f000000", "00a4000c00000000", "00a4000c000002ff"]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        Command.parse(bytes.fromhex(text))
    assert refused.value.status is Status.WRONG_LENGTH
