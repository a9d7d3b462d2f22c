"""The check digit behind a long code, worked out from a code that is right: the world never learns the box's keys."""

from __future__ import annotations

# H. Michael Damm's quasigroup of order ten; each row is what follows from one interim digit.
TABLE = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
CHECKED = 9  # digits of a code with a check digit; no code without one is as long


def after(interim: int, digits: str) -> int:
    """The interim digit after some more digits."""
    for digit in digits:
        interim = int(TABLE[interim][int(digit)])
    return interim


def fits(right: str, typed: str) -> bool:
    """Whether `typed` could be a code of the number to which `right` belongs: its length, and its check digit."""
    if len(typed) != len(right) or not (typed.isascii() and typed.isdigit()):
        return False
    if len(right) != CHECKED:
        return True
    # What the number adds is the one interim digit from which the right code comes out right.
    (begins,) = [interim for interim in range(10) if after(interim, right[:-1]) == int(right[-1])]
    return after(begins, typed[:-1]) == int(typed[-1])
