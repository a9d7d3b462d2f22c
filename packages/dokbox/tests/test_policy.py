"""What a tenant file may say of a kind of document."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from servicepunkt.dokbox.policy import DocumentPolicy

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
BOCHUM_LIKE = """
type = "passport"
name.de = "Reisepass"
steps = ["phone", "code", "old_document", "open", "removal", "close"]
without_old_document = "birth_date"
hold_days = 10
reminders = [3, 9]
"""


def policy(**changed: Any) -> DocumentPolicy:
    return msgspec.convert({"type": "passport", "name": {"de": "Reisepass"}, **changed}, DocumentPolicy)


def test_a_new_kind_is_a_block_of_toml() -> None:
    found = msgspec.convert(tomllib.loads(BOCHUM_LIKE), DocumentPolicy)
    assert found.asked == ("old_document",)
    assert found.needs_birth_date
    assert found.needs_phone
    assert found.notice_template == "pickup-code"


def test_the_how_to_for_its_owner_alone_is_one() -> None:
    [block] = tomllib.loads((HOW_TO / "only-for-its-owner.toml").read_text("utf-8"))["dokbox"]["documents"]
    found = msgspec.convert(block, DocumentPolicy)
    assert found.asked == ("identify",)
    assert found.needs_name
    assert found.needs_birth_date


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"steps": ["code", "open", "close"]}, "first step"),
        ({"steps": ["phone", "pickup_number", "code", "open", "close"]}, "first step"),
        ({"steps": ["phone", "open", "close"]}, "second step is code"),
        ({"steps": ["phone", "code", "close"]}, "last steps"),
        ({"steps": ["phone", "code", "close", "open"]}, "last steps"),
        ({"steps": ["phone", "code", "open", "birth_date", "close"]}, "last steps"),
        ({"steps": ["phone", "code", "pin_letter", "pin_letter", "open", "close"]}, "twice"),
        ({"steps": ["phone", "code", "old_document", "old_document_chip", "open", "close"]}, "asked for once"),
        ({"without_old_document": "birth_date"}, "takes the place"),
        ({"without_identity": "staff_check"}, "takes the place of the step identify"),
        (
            {"without_identity": "staff_check", "steps": ["phone", "code", "staff_check", "identify", "open", "close"]},
            "takes the place of the step identify",
        ),
        ({"steps": ["phone", "identify", "code", "open", "close"]}, "second step"),
        ({"steps": ["phone", "code", "open", "identify", "close"]}, "last steps"),
        (
            {
                "without_old_document": "birth_date",
                "steps": ["phone", "code", "old_document_chip", "open", "close"],
            },
            "takes the place",
        ),
        ({"channel": "email"}, "goes with pickup_number"),
        ({"hold_days": 7, "reminders": [7]}, "before the hold period is over"),
        ({"reminders": [5, 3]}, "rising order"),
        ({"code_digits": 5}, ">= 6"),
        ({"steps": ["phone", "code", "x"]}, "enum value 'x'"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        policy(**changed)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        policy(steps=["code", "close"], reminders=[90 - 1])
    assert str(refused.value).count(";") == 3


@pytest.mark.parametrize(
    ("changed", "template"),
    [
        ({}, "pickup-code"),
        ({"steps": ["pickup_number", "code", "open", "close"]}, "pickup-number-code"),
        ({"steps": ["pickup_number", "code", "open", "close"], "channel": "email"}, "pickup-code-mail"),
        ({"notice": "own"}, "own"),
    ],
)
def test_which_text_brings_the_code(changed: dict[str, Any], template: str) -> None:
    assert policy(**changed).notice_template == template
