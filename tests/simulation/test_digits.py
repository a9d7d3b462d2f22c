"""The world's own check digit is the box's, although the world does not know what the box keeps of a number."""

from __future__ import annotations

import random

from servicepunkt.dokbox import pins
from simulation.digits import CHECKED, fits


def test_what_fits_is_what_the_box_would_look_at() -> None:
    chance = random.Random(1)
    for _ in range(200):
        locator, code = chance.randbytes(32), f"{chance.randrange(10**8):08d}"
        right = code + pins.check_digit(locator, code)
        assert len(right) == CHECKED
        typed = f"{chance.randrange(10**9):09d}"
        assert fits(right, right)
        assert fits(right, typed) == (typed[-1] == pins.check_digit(locator, typed[:-1]))


def test_without_a_check_digit_the_length_is_all() -> None:
    assert fits("123456", "654321")
    assert not fits("123456", "12345")
    assert not fits("123456", "12345x")
    assert not fits("123456", "1234567")
