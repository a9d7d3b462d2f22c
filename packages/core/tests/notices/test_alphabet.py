"""The length of an SMS, and its characters as septets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.notices.alphabet import BASIC, EXTENSION, AlphabetError, septets, sms_segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 1)),
        ("a" * 160, ("GSM-7", 1)),
        ("a" * 161, ("GSM-7", 2)),
        ("a" * 306, ("GSM-7", 2)),
        ("a" * 307, ("GSM-7", 3)),
        ("ä" * 160, ("GSM-7", 1)),
        ("€" * 80, ("GSM-7", 1)),
        ("€" * 80 + "a", ("GSM-7", 2)),
        ("€" + "a" * 158, ("GSM-7", 1)),
        ("€" + "a" * 159, ("GSM-7", 2)),
        ("[]{}\\^~|" * 10, ("GSM-7", 1)),
        ("–" + "a" * 69, ("UCS-2", 1)),
        ("–" + "a" * 70, ("UCS-2", 2)),
        ("–" * 134, ("UCS-2", 2)),
        ("–" * 135, ("UCS-2", 3)),
        ("🙂" * 35, ("UCS-2", 1)),
        ("🙂" * 35 + "a", ("UCS-2", 2)),
        ("`", ("UCS-2", 1)),
        ("ẞ", ("UCS-2", 1)),
        ("Grüße aus Köln: 5 £, §1", ("GSM-7", 1)),
    ],
)
def test_the_length_of_an_sms_is_counted_as_the_network_counts_it(text: str, expected: tuple[str, int]) -> None:
    assert sms_segments(text) == expected


def test_an_escaped_character_is_not_cut_in_two() -> None:
    """Its two septets go into the next segment together, so that 305 septets may take three."""
    assert sms_segments("a" * 152 + "€" + "a" * 152) == ("GSM-7", 3)
    assert sms_segments("a" * 152 + "€" + "a" * 151) == ("GSM-7", 2)
    assert sms_segments("a" * 66 + "🙂" + "–" * 67) == ("UCS-2", 3)
    assert sms_segments("a" * 66 + "🙂" + "–" * 65) == ("UCS-2", 2)


RUNS = st.lists(st.tuples(st.sampled_from("aä€[–🙂"), st.integers(1, 160)), max_size=6)


@given(RUNS.map(lambda runs: "".join(character * count for character, count in runs)))
def test_the_segments_are_those_of_a_sender_that_fills_them_one_after_the_other(text: str) -> None:
    alphabet, count = sms_segments(text)
    sizes = [2 if c in "€[" else 1 for c in text] if alphabet == "GSM-7" else [2 if c == "🙂" else 1 for c in text]
    single, part = (160, 153) if alphabet == "GSM-7" else (70, 67)
    filled = [0]
    for size in sizes:
        if filled[-1] + size > part:
            filled.append(0)
        filled[-1] += size
    assert count == (1 if sum(sizes) <= single else len(filled))


# --- septets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@", "00"),
        ("Code 12", "436f646520" + "3132"),
        ("äöüß", "7b7c7e1e"),
        ("ÄÖÜ", "5b5c5e"),
        ("€", "1b65"),
        ("[{", "1b3c1b28"),
        ("à", "7f"),
        ("Ω", "15"),
    ],
)
def test_the_septets_are_those_of_the_table(text: str, expected: str) -> None:
    """3GPP TS 23.038, 6.2.1 and 6.2.1.1, read off the standard."""
    assert septets(text).hex() == expected


@pytest.mark.parametrize("character", ["\x1b", "–", "ç", "„", "🙂", "\x00"])
def test_no_other_character_becomes_a_septet(character: str) -> None:
    with pytest.raises(AlphabetError):
        septets(f"a{character}")


def test_the_table_is_whole() -> None:
    assert len(BASIC) == 128
    assert len(set(BASIC)) == 128
    assert len(set(EXTENSION.values())) == 10


@given(st.text(alphabet=BASIC.replace("\x1b", "") + "".join(EXTENSION), max_size=200))
def test_septets_are_as_many_as_were_counted(text: str) -> None:
    assert sms_segments(text)[0] == "GSM-7"
    assert (sms_segments(text)[1] == 1) == (len(septets(text)) <= 160)
