"""A modem's PDUs against published ones, its words taken apart, and nothing that crashes either."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.notices.alphabet import BASIC, septets
from servicepunkt.core.notices.channels.gsm.dialogue import Dialogue, Final, Info, Prompt, Report
from servicepunkt.core.notices.channels.gsm.pdu import (
    BrokenReportError,
    decode_report,
    encode_submit,
    packed,
    swapped,
    timestamp,
    validity,
)
from servicepunkt.core.notices.model import DeliveryError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hellohello", "e8329bfd4697d9ec37"),
        ("How are you?", "c8f71d14969741f977fd07"),
        ("Code ", "c337b90c02"),
        ("", ""),
    ],
)
def test_septets_are_packed_as_everywhere(text: str, expected: str) -> None:
    assert packed(septets(text)).hex() == expected


def test_a_submission_as_another_library_writes_it() -> None:
    """reference: python-gsmmodem gives 0021000D91945111325476F8000015C337B90C… without a validity."""
    pdu, octets = encode_submit("+4915112345678", "Code 4711-0815 gültig", valid=timedelta(hours=4))
    assert pdu.startswith("0031000D91945111325476F800002F15C337B90C")
    assert octets == len(pdu) // 2 - 1


def test_a_text_of_more_than_one_segment_is_refused() -> None:
    encode_submit("+49151", "€" * 80, valid=timedelta(hours=1))
    with pytest.raises(DeliveryError) as caught:
        encode_submit("+49151", "€" * 80 + "a", valid=timedelta(hours=1))
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("valid", "expected"),
    [
        (timedelta(minutes=-5), 0),
        (timedelta(minutes=5), 0),
        (timedelta(minutes=14), 1),
        (timedelta(hours=12), 143),
        (timedelta(hours=12, minutes=30), 144),
        (timedelta(hours=24), 167),
        (timedelta(days=1, hours=12), 167),
        (timedelta(days=2), 168),
        (timedelta(days=3), 169),
        (timedelta(days=30), 196),
        (timedelta(days=35), 197),
        (timedelta(days=800), 255),
    ],
)
def test_the_validity_is_the_longest_step_that_is_no_longer(valid: timedelta, expected: int) -> None:
    assert validity(valid) == expected


def test_numbers_are_swapped() -> None:
    assert swapped("4915112345678").hex() == "945111325476f8"
    assert swapped("1234").hex() == "2143"


# An SMS-STATUS-REPORT put together by hand: centre, first octet, TP-MR, recipient, two timestamps, TP-ST.
REPORT = "07911117600000F0062A0D91945111325476F86211129104004062111291050040{}"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("00", "delivered"),
        ("02", "delivered"),
        ("30", "sent"),
        ("46", "permanent-failure"),
        ("5F", "permanent-failure"),
        ("66", "temporary-failure"),
        ("80", "sent"),
    ],
)
def test_status_reports(status: str, outcome: str) -> None:
    report = decode_report(REPORT.format(status))
    assert (report.reference, report.outcome) == (42, outcome)
    assert report.accepted_at == datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


def test_timestamps_have_their_zone() -> None:
    assert timestamp(bytes.fromhex("62112181040080")) == datetime(2026, 11, 12, 16, 40, tzinfo=UTC)
    assert timestamp(bytes.fromhex("6211218104008a")) == datetime(2026, 11, 13, 1, 40, tzinfo=UTC)
    assert timestamp(bytes.fromhex("62992181040080")) is None


@pytest.mark.parametrize(
    "text", ["", "0", "zz", "00", "0006", REPORT[:-2], REPORT.format("")[:40], "000791", "FF00", "0004" + "00" * 40]
)
def test_what_is_no_report_is_broken(text: str) -> None:
    with pytest.raises(BrokenReportError):
        decode_report(text)


@given(st.binary(max_size=60))
def test_whatever_a_modem_reports_it_is_read_or_broken(data: bytes) -> None:
    with suppress(BrokenReportError):
        assert 0 <= decode_report(data.hex()).reference < 256


@given(st.text(alphabet=BASIC.replace("\x1b", ""), max_size=160), st.integers(0, 10**6))
def test_every_text_becomes_a_pdu_of_its_length(text: str, minutes: int) -> None:
    pdu, octets = encode_submit("+4915112345678", text, valid=timedelta(minutes=minutes))
    assert len(bytes.fromhex(pdu)) == octets + 1 == 16 + (7 * len(text) + 7) // 8


# --- the modem's words ----------------------------------------------------------------------------------------


def test_an_answer_is_taken_apart_wherever_it_is_cut() -> None:
    said = b"\r\n> \r\n+CMGS: 42\r\n\r\nOK\r\n\r\n+CDS: 25\r\n07AB\r\n\r\n+CMS ERROR: 38\r\n\r\nERROR\r\n"
    expected = [
        Prompt(), Info("+CMGS: 42"), Final(well=True), Report("07AB"), Final(well=False, code=38), Final(well=False)
    ]  # fmt: skip
    assert Dialogue().feed(said) == expected
    for step in (1, 2, 3, 7):
        dialogue, found = Dialogue(), []
        for place in range(0, len(said), step):
            found += dialogue.feed(said[place : place + step])
        assert found == expected, step


def test_a_report_that_is_none_is_a_line_and_the_next_answer_stays_whole() -> None:
    assert Dialogue().feed(b"+CDS: 9\r\nnonsense\r\nOK\r\n") == [Info("nonsense"), Final(well=True)]
    assert Dialogue().feed(b"+CDS: 9\r\nOK\r\n") == [Final(well=True)]


def test_a_line_without_end_is_forgotten() -> None:
    dialogue = Dialogue()
    for _ in range(100):
        assert dialogue.feed(b"x" * 100) == []
    assert len(dialogue._rest) < 2048
    assert dialogue.feed(b"\r\nOK\r\n")[-1] == Final(well=True)


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\r\n", b"> ", b"+CDS: 1", b"OK", b"+CMS ERROR: 1"])))
def test_no_bytes_crash_the_dialogue(parts: list[bytes]) -> None:
    dialogue = Dialogue()
    for part in parts:
        dialogue.feed(part)
    dialogue.feed(b"\r")
    assert dialogue.feed(b"\r\nx\r\r\nOK\r\n")[-1] == Final(well=True)
