"""Forms become structs, or lists of every mistake."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.web.forms import (
    DOES_NOT_FIT,
    FOREIGN_FIELD,
    MISSING,
    NO_CHOICE,
    NO_NUMBER,
    TOO_LONG,
    TOO_SHORT,
    convert,
    sentence_of,
)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=5)]
    count: int
    kind: Literal["a", "b"] = "a"


def test_text_becomes_the_type_of_the_field() -> None:
    assert convert({"name": "x", "count": "3"}, Wish, {}) == Wish(name="x", count=3)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        convert({"name": "", "count": "many", "kind": "c", "more": "x"}, Wish, {"name": "Say who."})
    assert caught.value.mistakes == [
        ("name", "Say who."),
        ("count", NO_NUMBER),
        ("kind", NO_CHOICE),
        ("", FOREIGN_FIELD),
    ]


def test_a_missing_field_is_a_mistake() -> None:
    with pytest.raises(InvalidInputError) as caught:
        convert({}, Wish, {})
    assert caught.value.mistakes == [("name", MISSING), ("count", MISSING)]


class Everything(msgspec.Struct, forbid_unknown_fields=True):
    needed: str
    small: Annotated[int, msgspec.Meta(le=9)] = 0
    short: Annotated[str, msgspec.Meta(min_length=1, max_length=5)] = "x"
    kind: Literal["a", "b"] = "a"
    number: UUID | None = None


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, MISSING),
        ({"needed": None}, MISSING),
        ({"needed": "x", "more": "y"}, FOREIGN_FIELD),
        ({"needed": "x", "short": "123456"}, TOO_LONG),
        ({"needed": "x", "short": ""}, TOO_SHORT),
        ({"needed": "x", "kind": "c"}, NO_CHOICE),
        ({"needed": "x", "small": "many"}, NO_NUMBER),
        ({"needed": "x", "small": "10"}, NO_NUMBER),
        ({"needed": "x", "number": "z"}, DOES_NOT_FIT),
    ],
)
def test_what_the_library_says_becomes_a_sentence_of_ours(values: dict[str, str | None], sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(values, Everything, strict=False)
    assert sentence_of(str(caught.value)) == sentence
