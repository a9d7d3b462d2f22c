"""`python -m servicepunkt.eid` with the virtual card: in a terminal of its own, as somebody would use it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date

import pytest

from servicepunkt.eid import console
from servicepunkt.eid.__main__ import main
from servicepunkt.eid.errors import BlockedError


def answers(*given: str) -> console.Ask:
    left: Iterator[str] = iter(given)
    return lambda question: next(left)


def test_the_status_of_the_virtual_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--reader", "practice"]) == 0
    assert capsys.readouterr().out == "The PIN has 3 tries.\n"
    assert main(["status", "--reader", "practice", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tries"] == 3


def test_a_wrong_pin_then_the_can_then_the_right_one() -> None:
    said: list[str] = []
    person = console.identify(answers("000000", "111111", "500540", "123456"), said.append)
    assert person.family_names == "MUSTERMANN"
    assert said[0].startswith("PRACTICE")
    assert "The PIN has 2 tries." in said
    assert "One try is left; the card wants its access number first." in said
    assert said[-1] == "Of age: yes"


def test_three_wrong_pins() -> None:
    with pytest.raises(BlockedError):
        console.identify(answers("000000", "111111", "500540", "222222"), lambda text: None)


def test_two_new_pins_that_differ() -> None:
    with pytest.raises(ValueError, match="differ"):
        console.change_pin("practice", answers("123456", "654321", "654322"), lambda text: None)


@pytest.mark.parametrize(
    ("day", "born"),
    [((2026, 11, 30), (2008, 11, 30)), ((2026, 3, 31), (2008, 3, 31)), ((2024, 2, 29), (2006, 2, 28))],
)
def test_who_is_of_age_today(day: tuple[int, int, int], born: tuple[int, int, int]) -> None:
    assert console.years_before(date(*day), 18) == date(*born)


def test_only_the_virtual_card_is_read_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify"]) == 1
    assert "AusweisApp" in capsys.readouterr().err


def test_nothing_that_was_typed_is_shown() -> None:
    """In a terminal of its own: the PIN is not echoed, and what is read is."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "servicepunkt.eid", "identify", "--reader", "practice"]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, start_new_session=True) as running:
        os.close(child)
        shown, is_typed = b"", False
        with suppress(OSError):  # the line ends with the process
            while part := os.read(parent, 4096):
                shown += part
                if not is_typed and b"PIN (6 digits): " in shown:
                    is_typed = bool(os.write(parent, b"123456\n"))
        assert running.wait(timeout=30) == 0
    os.close(parent)
    assert b"family names: MUSTERMANN" in shown
    assert shown.count(b"123456") == 1, "once: where the practice says the PIN of its card"
