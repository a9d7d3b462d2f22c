"""Features of readers, and PACE in a reader, as PC/SC part 10 writes them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import (
    CardError,
    EidError,
    MalformedError,
    NoCardError,
    PadCancelledError,
    ReaderError,
    WrongSecretError,
)
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.reader.features import (
    Established,
    Feature,
    PaceCapabilities,
    establish_command,
    established,
    fault,
    features,
)
from servicepunkt.eid.reader.words import WORDS, words_for


def test_features_of_a_reader_with_a_pad() -> None:
    data = bytes.fromhex("0604423300060704423300072004423300CC990442330001")
    assert features(data) == {
        Feature.VERIFY_PIN_DIRECT: 0x42330006,
        Feature.MODIFY_PIN_DIRECT: 0x42330007,
        Feature.EXECUTE_PACE: 0x423300CC,
    }
    assert features(b"") == {}


@pytest.mark.parametrize("data", ["0604423300", "060342330006", "06" * 6 * 65])
def test_other_features(data: str) -> None:
    with pytest.raises(MalformedError):
        features(bytes.fromhex(data))


def test_what_a_reader_can_lead() -> None:
    found = PaceCapabilities.decode(bytes.fromhex("00000000010060"))
    assert found == PaceCapabilities(generic=True, eid=True)


def test_the_command_says_who_asks_for_what() -> None:
    command = establish_command(Secrets.PIN, chat=b"\x7f\x4c\x00", description=b"d" * 300)
    assert command[:1] == b"\x02"
    assert int.from_bytes(command[1:3], "little") == len(command) - 3
    assert command[3:] == b"\x03" + b"\x03\x7f\x4c\x00" + b"\x00" + (300).to_bytes(2, "little") + b"d" * 300


def output(access: bytes, newest: bytes, before: bytes, identity: bytes, status: bytes = b"\x90\x00") -> bytes:
    body = status + len(access).to_bytes(2, "little") + access + bytes([len(newest)]) + newest
    body += bytes([len(before)]) + before + len(identity).to_bytes(2, "little") + identity
    return bytes(4) + len(body).to_bytes(2, "little") + body


def test_a_channel_that_the_reader_has_opened() -> None:
    data = output(b"access", b"DECVCAeID00102", b"", b"i" * 32)
    assert established(data, Secrets.PIN) == Established(b"access", (b"DECVCAeID00102",), b"i" * 32)
    for broken in (data[:-1], data + b"\0", data[:5], data[:8]):
        with pytest.raises(MalformedError):
            established(broken, Secrets.PIN)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0xF00663C2, WrongSecretError),
        (0xF0066300, WrongSecretError),
        (0xF0026283, CardError),
        (0xF0100002, NoCardError),
        (0xF0200001, PadCancelledError),
        (0xF0200002, PadCancelledError),
        (0xE0000006, ReaderError),
        (0x12345678, ReaderError),
    ],
)
def test_what_a_code_means(code: int, kind: type[EidError]) -> None:
    found = fault(code, Secrets.PIN)
    assert type(found) is kind
    with pytest.raises(kind):
        established(code.to_bytes(4, "little") + b"\x00\x00", Secrets.PIN)


def test_how_many_tries_are_left() -> None:
    assert fault(0xF00663C2, Secrets.PIN).details["tries"] == 2
    assert "tries" not in fault(0xF0066300, Secrets.CAN).details


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (features, PaceCapabilities.decode, lambda one: established(one, Secrets.PIN)):
        with suppress(EidError):
            read(data)


def test_every_error_has_words() -> None:
    kinds = [EidError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        happened, next_step = words_for(kind())
        assert happened
        assert next_step
    assert words_for(PadCancelledError()) == WORDS[PadCancelledError]
