"""Forms become structs, or lists of every mistake."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.web.forms import DOES_NOT_FIT, FOREIGN_FIELD, convert


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
        ("count", DOES_NOT_FIT),
        ("kind", DOES_NOT_FIT),
        ("", FOREIGN_FIELD),
    ]


def test_a_missing_field_is_a_mistake() -> None:
    with pytest.raises(InvalidInputError) as caught:
        convert({}, Wish, {})
    assert [place for place, _ in caught.value.mistakes] == ["name", "count"]
