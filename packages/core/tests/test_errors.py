"""The tree of errors: each says what happened, to whom, and never more than it may."""

from __future__ import annotations

import inspect
import re

import pytest

from servicepunkt.core import errors
from servicepunkt.core.errors import InvalidInputError, ServicepunktError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ServicepunktError) and kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_a_status_and_sentences(kind: type[ServicepunktError]) -> None:
    assert re.fullmatch(r"SP\d{4}", vars(kind)["code"])
    assert 400 <= kind.status < 600
    for sentence in (kind.citizen, kind.staff, kind.next_step):
        assert re.fullmatch(r"[A-Z].*\.", sentence)


def test_the_citizen_reads_the_same_whatever_staff_are_told() -> None:
    error = ServicepunktError("the disk of server 7 is full", count=1)
    assert error.staff_sentence == "the disk of server 7 is full"
    assert error.citizen == ServicepunktError.citizen
    assert error.details == {"count": 1}
    assert str(error) == "SP0001: the disk of server 7 is full"


def test_bad_input_names_every_mistake_at_once() -> None:
    error = InvalidInputError([("a", "is missing"), ("b", "is too long")])
    assert error.mistakes == [("a", "is missing"), ("b", "is too long")]
    assert str(error) == "SP0002: a: is missing; b: is too long"
