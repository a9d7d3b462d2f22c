"""The kinds of documents of the world, as its tenant file has them: every step that a policy can ask for.

What the file says changes while documents lie in the box: steps come and go, a kind is not named for a while.
"""

from __future__ import annotations

import random
from typing import Any

from servicepunkt.dokbox.policy import DocumentPolicy, Step

FRESH_MINUTES = 2
# Steps that ask nothing between the right code and the open door.
ASKS_NOTHING = frozenset({"phone", "pickup_number", "code", "open", "removal", "close"})
QUESTIONS = frozenset({"in_person", "pin_letter", "old_document"})
END: tuple[Step, ...] = ("open", "removal", "close")
FOUR_EYES = frozenset({"identity"})  # kinds that are laid in by somebody else than who announced them
UNNAMED = 0.1
CHECKED: dict[str, Any] = {"code_digits": 8, "check_digit": True}

# Of each kind what it asks for, today's first. By what a document is found stays.
ASKED: dict[str, tuple[tuple[Step, ...], ...]] = {
    "passport": (("old_document",), ("in_person",), ("in_person", "pin_letter", "old_document"), ()),
    "licence": ((), ("in_person",)),
    "permit": (("birth_date", "fresh_code"), ("birth_date",), ("birth_date", "staff_check"), ("fresh_code",)),
    "identity": (("staff_check", "old_document_chip"), ("staff_check",), ("old_document_chip",)),
}


def policy(kind: str, steps: tuple[Step, ...], hold_days: int, **fields: Any) -> DocumentPolicy:
    if kind == "identity":
        fields = {"channel": "email", **CHECKED, **fields}
    fields |= {"four_eyes": kind in FOUR_EYES}
    locator: Step = "pickup_number" if kind == "identity" else "phone"
    every: tuple[Step, ...] = (locator, "code", *steps, *END)
    name = {"en": kind.capitalize()}
    return DocumentPolicy(type=kind, name=name, steps=every, hold_days=hold_days, fresh_minutes=FRESH_MINUTES, **fields)


def policies(hold_days: int) -> tuple[DocumentPolicy, ...]:
    """A kind that asks a question, one that asks nothing, one that asks for proofs, one that needs slot and staff."""
    return tuple(policy(kind, asked[0], hold_days) for kind, asked in ASKED.items())


def changed(chance: random.Random, hold_days: int) -> tuple[DocumentPolicy, ...]:
    """What the tenant file may say on another day; one kind at least stays named."""
    made: list[DocumentPolicy] = []
    for kind, asked in ASKED.items():
        fields: dict[str, Any] = {}
        steps = chance.choice(asked)
        if "old_document" in steps and chance.random() < 0.5:
            fields["without_old_document"] = "birth_date"
        if kind == "identity" and chance.random() < 0.3:
            fields |= {"code_digits": 6, "check_digit": False}
        if not made or chance.random() >= UNNAMED:
            made.append(policy(kind, steps, hold_days, **fields))
    return tuple(made)
