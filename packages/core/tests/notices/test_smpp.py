"""SMPP without a line: fields of a submission, what a receipt says, and that no bytes crash the decoder."""

from __future__ import annotations

import builtins
import importlib
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from servicepunkt.core.errors import MissingLibraryError, SecretError
from servicepunkt.core.notices.channels.smpp import pdus
from servicepunkt.core.notices.channels.smpp.channel import SmppChannel, source_address, validity_period
from servicepunkt.core.notices.channels.smpp.pdus import BrokenPduError, Pdu, decode, encode, length_of
from servicepunkt.core.notices.channels.smpp.receipt import plain_reference, read_receipt
from servicepunkt.core.notices.channels.smpp.session import LineLostError, connect
from servicepunkt.core.notices.model import Message, Receipt
from servicepunkt.core.notices.settings import SmppProvider
from servicepunkt.core.testing import FixedClock

NOW = FixedClock().now()
LONGEST = timedelta(hours=72)
TEXT = b"id:m1 sub:001 dlvrd:001 submit date:2611210010 done date:2611210010 stat:%s err:000 text:Code"


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (timedelta(hours=4), "000000040000000R"),
        (timedelta(days=2, hours=3, minutes=4, seconds=5), "000002030405000R"),
        (timedelta(days=14), "000003000000000R"),
        (timedelta(seconds=-5), "000000000100000R"),
        (None, "000003000000000R"),
    ],
)
def test_the_validity_period_ends_with_the_code_or_with_what_the_provider_takes(
    until: timedelta | None, expected: str
) -> None:
    assert validity_period(None if until is None else NOW + until, NOW, LONGEST) == expected


def test_senders_have_their_type() -> None:
    assert source_address("STADT") == (5, 0, "STADT")
    assert source_address("+4956178700") == (1, 1, "4956178700")
    assert source_address("115115") == (3, 0, "115115")


@pytest.mark.parametrize(
    ("text", "reference", "state", "expected"),
    [
        (TEXT % b"DELIVRD", "", None, Receipt("m1", "delivered")),
        (TEXT % b"UNDELIV", "", None, Receipt("m1", "permanent-failure")),
        (TEXT % b"EXPIRED", "x9", None, Receipt("x9", "temporary-failure")),
        (TEXT % b"EXPIRED", "x9", 2, Receipt("x9", "delivered")),
        (TEXT % b"DELIVRD", "", 99, Receipt("m1", "delivered")),
        (b"", "m1", 8, Receipt("m1", "permanent-failure")),
        (TEXT % b"NONSENS", "", None, None),
        (b"stat:DELIVRD", "", None, None),
        (b"Hello", "", None, None),
        (b"id:m1 stat:DELIVRD", "a b", None, None),
    ],
)
def test_what_a_receipt_says(text: bytes, reference: str, state: int | None, expected: Receipt | None) -> None:
    assert read_receipt(text, reference=reference, state=state, decimal=False) == expected


def test_a_centre_may_name_in_decimal_what_it_called_hexadecimal() -> None:
    assert read_receipt(b"id:255 stat:DELIVRD", reference="", state=None, decimal=True) == Receipt("ff", "delivered")
    assert read_receipt(b"id:255 stat:DELIVRD", reference="", state=None, decimal=False) == Receipt("255", "delivered")


@pytest.mark.parametrize(
    ("answered", "reported"), [("A3F2", "41970"), ("0000a3f2", "41970"), ("0000A3F2", "0000041970"), ("m-1", "m-1")]
)
def test_what_is_the_same_number_is_the_same_reference(answered: str, reported: str) -> None:
    text = b"id:%s stat:DELIVRD" % reported.encode()
    receipt = read_receipt(text, reference="", state=None, decimal=True)
    assert receipt is not None
    assert receipt.reference == plain_reference(answered, base=16)


def test_a_submission_as_bytes() -> None:
    """Lengths and places by SMPP 3.4, 4.4.1, counted by hand."""
    made = encode(
        "submit_sm",
        7,
        source_addr_ton=5,
        source_addr_npi=0,
        source_addr="STADT",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="4915112345670",
        short_message=b"Code",
        data_coding=0,
        registered_delivery=1,
        validity_period="000000040000000R",
    )
    assert made.hex() == (
        "00000047"
        "00000004"
        "00000000"
        "00000007"
        "00"
        "0500" + b"STADT\0".hex() + "0101" + b"4915112345670\0".hex() + "000000"
        "00" + b"000000040000000R\0".hex() + "01"
        "00"
        "00"
        "00"
        "04" + b"Code".hex()
    )
    assert length_of(made[:4]) == len(made)


def test_answers_keep_number_and_status() -> None:
    resp = encode("deliver_sm_resp", 9, status=pdus.TRY_AGAIN)
    assert resp[4:16].hex() == "800000050000006400000009"
    assert decode(bytes.fromhex("00000010800000040000000b00000003")).status == pdus.INVALID_DESTINATION
    assert decode(bytes.fromhex("00000013800000040000000000000003") + b"m1\0").reference == "m1"


@given(st.binary(max_size=120))
@example(bytes.fromhex("00000010000000050000000000000001"))
@example(bytes.fromhex("00000011000000050000000000000001ff"))
def test_whatever_comes_is_a_pdu_or_broken(data: bytes) -> None:
    with suppress(BrokenPduError):
        decode(data)


COMMANDS = st.sampled_from([0x05, 0x15, 0x06, 0x80000004, 0x80000009, 0x80000000, 0x103, 0x102, 0x7FFFFFFF])


@given(COMMANDS, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=300))
def test_whatever_stands_in_a_pdu_it_is_read_or_broken(command: int, status: int, sequence: int, body: bytes) -> None:
    head = pdus.HEADER.pack(16 + len(body), command, status, sequence)
    try:
        found = decode(head + body)
    except BrokenPduError:
        return
    assert (found.status, found.sequence) == (status, sequence)
    receipt = read_receipt(found.text, reference=found.reference, state=found.state, decimal=True)
    assert receipt is None or 0 < len(receipt.reference) <= 200


@pytest.mark.parametrize("length", [0, 15, pdus.MAX_PDU + 1, 2**32 - 1])
def test_a_length_that_cannot_be_is_refused_before_it_is_waited_for(length: int) -> None:
    with pytest.raises(BrokenPduError):
        length_of(length.to_bytes(4, "big"))


@pytest.mark.parametrize("password", ["ninechars", "pässword"])
async def test_a_password_that_the_protocol_cannot_carry_is_said(password: str) -> None:
    provider = SmppProvider(name="x", sender="STADT", host="127.0.0.1", system_id="punkt", password="env:X")

    async def nothing(receipt: Receipt) -> None:
        raise AssertionError

    channel = SmppChannel(provider, read_password=lambda: password, on_receipt=nothing, now=lambda: NOW)
    with pytest.raises(SecretError, match="eight"):
        await channel.send(Message("1", "+4915112345678", "x"))


async def test_a_host_that_cannot_be_is_a_line_that_is_lost() -> None:
    async def never(_: Pdu) -> None:
        raise AssertionError

    for host in ("smpp..example.org", "a" * 70 + ".example.org"):
        with pytest.raises(LineLostError):
            await connect(host, 2775, tls=False, take_receipt=never)


@pytest.mark.parametrize(
    ("library", "module", "extra"),
    [
        ("smpplib", "servicepunkt.core.notices.channels.smpp.pdus", "smpp"),
        ("serial", "servicepunkt.core.notices.channels.gsm.port", "gsm"),
    ],
)
def test_an_absent_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, library: str, module: str, extra: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingLibraryError, match=rf"servicepunkt-core\[{extra}\]"):
        importlib.import_module(module)
