"""The PIN in all its states: on the card as in the table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import CardError
from servicepunkt.eid.model import RetryState, Secrets
from servicepunkt.eid.rights import Chat, Right
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip
from servicepunkt.eid.testing.chip.pin import MOVES, REFUSED, SAID, PinEvent, PinState, after
from servicepunkt.eid.testing.person import CAN, PIN, PUK, TRANSPORT_PIN
from servicepunkt.eid.testing.pki import EVERYTHING
from servicepunkt.eid.testing.terminal import Terminal

NewChip = Callable[..., Chip]


def entered(
    chip: Chip,
    authorities: Authorities,
    *,
    chat: Chat | None = None,
    password: Secrets = Secrets.CAN,
    secret: str = CAN,
) -> Terminal:
    terminal = Terminal(chip.answer)
    terminal.enter(password, secret, authorities.terminal(), authorities.chain, chat=chat)
    return terminal


def enter(chip: Chip, secret: str, password: Secrets = Secrets.PIN, terminal: Terminal | None = None) -> str:
    """The status word, '9000' where it opened."""
    try:
        (terminal or Terminal(chip.answer)).pace(password, secret)
    except CardError as error:
        return str(error.details["status"])
    return "9000"


def said(chip: Chip) -> RetryState:
    return RetryState.of_status(Terminal(chip.answer).select_password(Secrets.PIN))


def test_three_wrong_ones_with_the_can_between(new_chip: NewChip) -> None:
    chip = new_chip()
    assert said(chip) == RetryState(tries=3)
    assert enter(chip, "000000") == "63C2"
    assert said(chip) == RetryState(tries=2)
    assert enter(chip, "000000") == "63C1"
    assert said(chip).is_suspended
    assert enter(chip, PIN) == "6985"
    assert enter(chip, CAN[::-1], Secrets.CAN) == "6300"
    assert enter(chip, PIN) == "6985"
    assert enter(chip, CAN, Secrets.CAN) == "9000"
    assert said(chip).tries == 1
    assert enter(chip, "000000") == "63C0"
    assert said(chip).is_blocked
    assert enter(chip, PIN) == "6983"
    assert enter(chip, CAN, Secrets.CAN) == "9000"
    assert enter(chip, PIN) == "6983"


def test_the_right_one_after_the_can_gives_all_tries_back(new_chip: NewChip) -> None:
    chip = new_chip(pin_state=PinState.SUSPENDED)
    terminal = Terminal(chip.answer)
    assert enter(chip, CAN, Secrets.CAN, terminal) == "9000"
    assert enter(chip, PIN, terminal=terminal) == "9000"  # within the channel of the CAN
    assert said(chip) == RetryState(tries=3)


def test_power_suspends_again(new_chip: NewChip) -> None:
    chip = new_chip(pin_state=PinState.SUSPENDED)
    enter(chip, CAN, Secrets.CAN)
    chip.power_off()
    assert enter(chip, PIN) == "6985"


def test_breaking_off_costs_no_try_and_gives_none(new_chip: NewChip) -> None:
    chip = new_chip(pin_state=PinState.TWO_TRIES)
    Terminal(chip.answer).select_password(Secrets.PIN)
    chip.answer(bytes.fromhex("10860000027c0000"))
    chip.power_off()
    assert chip.memory.pin_state is PinState.TWO_TRIES


def test_the_puk_unblocks_ten_times_and_sets_no_pin(new_chip: NewChip) -> None:
    chip = new_chip(pin_state=PinState.BLOCKED, puk_uses=2)
    for _ in range(2):
        chip.memory.pin_state = PinState.BLOCKED
        terminal = Terminal(chip.answer)
        assert enter(chip, PUK, Secrets.PUK, terminal) == "9000"
        with pytest.raises(CardError, match="6982"):
            terminal.need(0, 0x2C, 0x0203, b"654321")
        terminal.need(0, 0x2C, 0x0303)
        assert enter(chip, PIN) == "9000"
    chip.memory.pin_state = PinState.BLOCKED
    assert enter(chip, PUK, Secrets.PUK) == "6983"
    assert enter(chip, PIN) == "6983"


def test_changing_the_pin(new_chip: NewChip) -> None:
    chip = new_chip()
    terminal = Terminal(chip.answer)
    enter(chip, PIN, terminal=terminal)
    for wrong in (b"12345", b"1234567", b"12345x", b""):
        with pytest.raises(CardError, match="6A80"):
            terminal.need(0, 0x2C, 0x0203, wrong)
    terminal.need(0, 0x2C, 0x0203, b"654321")
    assert enter(chip, PIN) == "63C2"
    assert enter(chip, "654321") == "9000"
    terminal = Terminal(chip.answer)
    enter(chip, "654321", terminal=terminal)
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x2C, 0x0303)


@pytest.mark.parametrize(("password", "secret"), [(Secrets.CAN, CAN), (Secrets.PUK, PUK)])
def test_nothing_but_the_pin_changes_the_pin(password: Secrets, secret: str, new_chip: NewChip) -> None:
    chip = new_chip()
    terminal = Terminal(chip.answer)
    enter(chip, secret, password, terminal)
    with pytest.raises(CardError, match="6982"):
        terminal.need(0, 0x2C, 0x0203, b"654321")
    assert enter(chip, PIN) == "9000"


def test_the_letters_digits_only_serve_to_be_replaced(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip(pin=TRANSPORT_PIN)
    with pytest.raises(CardError, match="6982"):
        entered(chip, authorities, password=Secrets.PIN, secret=TRANSPORT_PIN)
    terminal = Terminal(chip.answer)
    enter(chip, TRANSPORT_PIN, terminal=terminal)
    terminal.need(0, 0x2C, 0x0203, PIN.encode())
    assert entered(chip, authorities, password=Secrets.PIN, secret=PIN).read_all(4)


def test_a_pin_that_is_switched_off(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip(pin_active=False)
    assert said(chip) == RetryState(tries=None, active=False)
    assert enter(chip, PIN) == "6984"
    terminal = entered(chip, authorities)
    terminal.need(0, 0x44, 0x1003)
    assert enter(chip, PIN) == "9000"
    terminal = entered(chip, authorities)
    terminal.need(0, 0x04, 0x1003)
    assert enter(chip, PIN) == "6984"


def test_authorities_need_the_right(new_chip: NewChip, authorities: Authorities) -> None:
    chip = new_chip(pin_state=PinState.BLOCKED)
    without = Chat(EVERYTHING - {Right.PIN_MANAGEMENT})
    terminal = entered(chip, authorities, chat=without)
    for ins, parameters, data in (
        (0x2C, 0x0203, b"654321"),
        (0x2C, 0x0303, b""),
        (0x44, 0x1003, b""),
        (4, 0x1003, b""),
    ):
        with pytest.raises(CardError, match="6982"):
            terminal.need(0, ins, parameters, data)
    terminal = entered(chip, authorities)
    terminal.need(0, 0x2C, 0x0203, b"654321")
    assert chip.memory.puk_uses == 10
    assert enter(chip, "654321") == "9000"


def test_the_table_names_every_state() -> None:
    assert set(SAID) == set(PinState)
    assert {state for state, _ in MOVES} <= set(PinState)
    assert not {(state, PinEvent.WRONG) for state in REFUSED} & set(MOVES)


@given(st.lists(st.sampled_from(PinEvent)))
def test_whoever_only_guesses_gets_three_tries(events: list[PinEvent]) -> None:
    """Without the right PIN and without PUK nothing ever gives a try back."""
    state, tries = PinState.THREE_TRIES, 0
    for event in events:
        if event in (PinEvent.RIGHT, PinEvent.UNBLOCKED):
            continue
        if event is PinEvent.WRONG:
            if state in REFUSED:
                continue
            tries += 1
        state = after(state, event)
    assert tries <= 3
    assert (state is PinState.BLOCKED) == (tries == 3)


def test_nothing_of_a_card_shows_its_secrets(new_chip: NewChip) -> None:
    memory = new_chip().memory
    for secret in (PIN, CAN, PUK, memory.mrz.reveal().decode()):
        assert secret not in repr(memory.pin) + repr(memory.can) + repr(memory.puk) + repr(memory.mrz)
