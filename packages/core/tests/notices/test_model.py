"""Notices: every pair of states, and what a provider may call a message."""

from __future__ import annotations

from itertools import product
from uuid import uuid4

import pytest

from servicepunkt.core.errors import ConflictError
from servicepunkt.core.notices.model import STATES, TRANSITIONS, UNSENT, Message, is_reference, move

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
    ("temporary-failure", "sent"),
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


def test_a_message_says_nothing_about_its_person_when_it_is_printed() -> None:
    message = Message(str(uuid4()), "+4915112345678", "Code 123456", subject="Alpha")
    for printed in (repr(message), str(message), f"{[message]}"):
        assert "49151" not in printed
        assert "123456" not in printed


@pytest.mark.parametrize("name", ["", "a b", "a\x00b", "ü", "x" * 201, "a\n"])
def test_a_provider_cannot_call_a_message_anything(name: str) -> None:
    assert not is_reference(name)
    assert is_reference("77149843739")
