"""Notices: every pair of states, the length of an SMS, and what is wrong with a template."""

from __future__ import annotations

from itertools import product
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.errors import ConflictError
from servicepunkt.core.notices.model import (
    STATES,
    TRANSITIONS,
    UNSENT,
    Message,
    NoticeTemplate,
    move,
    sms_segments,
    template_mistakes,
)

MOVES = {
    ("created", "sending"),
    ("created", "permanent-failure"),
    ("sending", "sending"),
    ("sending", "sent"),
    ("sending", "temporary-failure"),
    ("sending", "permanent-failure"),
    ("sending", "technical-failure"),
    ("temporary-failure", "sending"),
    ("temporary-failure", "permanent-failure"),
    ("temporary-failure", "technical-failure"),
    ("sent", "delivered"),
    ("sent", "temporary-failure"),
    ("sent", "permanent-failure"),
}


@pytest.mark.parametrize(("state", "to"), list(product(STATES, STATES)))
def test_every_pair_of_states_is_a_move_or_a_conflict(state: str, to: str) -> None:
    if (state, to) in MOVES:
        assert move(state, to) == to
    else:
        with pytest.raises(ConflictError, match=f"from {state} to {to}"):
            move(state, to)


def test_states_that_do_not_exist_are_a_conflict_and_no_crash() -> None:
    for state, to in (("", "sending"), ("created", ""), ("lost", "sent")):
        with pytest.raises(ConflictError):
            move(state, to)


def test_what_was_not_sent_can_be_sent_and_what_has_ended_can_not() -> None:
    assert {state for state in STATES if "sending" in TRANSITIONS[state]} == set(UNSENT)
    assert {state for state in STATES if not TRANSITIONS[state]} == {
        "delivered",
        "permanent-failure",
        "technical-failure",
    }


# --- the length of an SMS -------------------------------------------------------------------------------------


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


# --- templates ------------------------------------------------------------------------------------------------

LONGEST = {"code": "123456", "tenant": "T" * 20, "until": "31.12. 20:00"}


def wrong(text: str, **values: object) -> list[str]:
    longest = {name: value for name, value in LONGEST.items() if name != "tenant"}
    template = NoticeTemplate("pickup", {"de": text}, longest=longest, **values)  # type: ignore[arg-type]
    return template_mistakes(template, LONGEST["tenant"])


def test_a_template_that_fits_has_no_mistakes() -> None:
    assert wrong("{tenant}: Code {code}, bis {until}. {{geschweift}}") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Code {code}, {name}, {zimmer}", "pickup/de: unknown places name, zimmer"),
        ("{}", "pickup/de: unknown places "),
        ("{code.real}", "pickup/de: unknown places code.real"),
        ("{code[0]}", "pickup/de: unknown places code[0]"),
        ("Code {code", "pickup/de: expected '}' before end of string"),
        ("Code }", "pickup/de: Single '}' encountered in format string"),
        ("{code:d}", "pickup/de: Unknown format code 'd' for object of type 'str'"),
        ("{code:{width}}", "pickup/de: 'width'"),
        ("{code!x}", "pickup/de: Unknown conversion specifier x"),
        ("Code {code} – bald", "pickup/de: characters outside the SMS alphabet: –"),
        ("a" * 161, "pickup/de: 2 SMS instead of 1"),
        ("{tenant}" * 9, "pickup/de: 2 SMS instead of 1"),
        ("https://example.org", "pickup/de: an SMS holds no link"),
        ("www.example.org", "pickup/de: an SMS holds no link"),
    ],
)
def test_a_mistake_in_a_template_is_named_with_its_language(text: str, sentence: str) -> None:
    (found,) = wrong(text)
    assert found.startswith(sentence)


def test_a_value_that_leaves_the_sms_alphabet_is_named() -> None:
    template = NoticeTemplate("pickup", {"de": "{tenant}: Code"})
    assert template_mistakes(template, "Stadt – Land") == ["pickup/de: characters outside the SMS alphabet: –"]


def test_every_language_is_checked() -> None:
    template = NoticeTemplate("pickup", {"de": "{x}", "en": "fine", "tr": "ş"})
    assert [found.partition(":")[0] for found in template_mistakes(template, "")] == ["pickup/de", "pickup/tr"]


def test_a_mail_may_be_long_and_hold_links_and_dashes() -> None:
    assert wrong("https://example.org – " * 50, channel="email") == []
    assert wrong("{name}", channel="email") == ["pickup/de: unknown places name"]
    assert wrong("a" * 300, segments=2) == []


@given(st.text(alphabet="{}a!:[].d0 –", max_size=12))
def test_whatever_a_template_says_the_answer_is_a_list(text: str) -> None:
    if wrong(text, channel="email") == []:
        text.format(**LONGEST)


def test_a_message_says_nothing_about_its_person_when_it_is_printed() -> None:
    message = Message(str(uuid4()), "+4915112345678", "Code 123456", subject="Alpha")
    for printed in (repr(message), str(message), f"{[message]}"):
        assert "49151" not in printed
        assert "123456" not in printed
