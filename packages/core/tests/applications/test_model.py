"""What is read of a form, states, and that nothing personal stands in a repr."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.applications import model
from servicepunkt.core.applications.model import (
    MOST_LETTERS,
    STATES,
    TRANSITIONS,
    Answer,
    Content,
    Form,
    FormField,
    Person,
    Submission,
)
from servicepunkt.core.errors import ConflictError

TEXT = {"de": "Wort", "en": "Word"}
OPTIONS = [{"value": "a", "words": TEXT}, {"value": "b", "words": {"de": "Zwei", "en": "Two"}}]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def form(*fields: dict[str, Any], **values: Any) -> Form:
    made = [{"label": TEXT, **field} for field in fields]
    return msgspec.convert({"service": "x", "purpose": TEXT, "consent": TEXT, "fields": made, **values}, Form)


def every_kind() -> Form:
    kinds = ("text", "longtext", "date", "email", "phone", "yes_no")
    return form(
        *({"name": kind, "kind": kind, "required": False} for kind in kinds),
        {"name": "choice", "kind": "choice", "choices": OPTIONS, "required": False},
    )


@pytest.mark.parametrize(
    ("kind", "typed", "kept"),
    [
        ("text", "  Erika \t  Muster\nmann ", "Erika Muster mann"),
        ("longtext", "eins\r\nzwei\n", "eins\nzwei"),
        ("date", "1.2.1980", "1980-02-01"),
        ("date", "29. 02.2024", "2024-02-29"),
        ("date", "1980-12-31", "1980-12-31"),
        ("email", "erika@example.org", "erika@example.org"),
        ("phone", "+49 (151) 234-56/7", "+49 (151) 234-56/7"),
        ("yes_no", "no", "no"),
        ("choice", "b", "b"),
        ("text", "👩‍🚀 Ærø", "👩‍🚀 Ærø"),
    ],
)
def test_what_fits_is_kept_in_one_spelling(kind: str, typed: str, kept: str) -> None:
    values, mistakes = model.read(every_kind(), {kind: typed}, {})
    assert (values[kind], mistakes) == (kept, [])


@pytest.mark.parametrize(
    ("kind", "typed", "says"),
    [
        ("text", "a\x00b", model.UNSEEN),
        ("text", "abc\u202edef", model.UNSEEN),
        ("text", "x" * 201, model.TOO_LONG),
        ("longtext", "x" * 2001, model.TOO_LONG),
        ("date", "30.02.2024", model.NO_DATE),
        ("date", "٣١.١٢.١٩٨٠", model.NO_DATE),
        ("date", "1980", model.NO_DATE),
        ("email", "erika@localhost", model.NO_EMAIL),
        ("email", "a@b.de, c@d.de", model.NO_EMAIL),
        ("phone", "call me", model.NO_PHONE),
        ("phone", "1234", model.NO_PHONE),
        ("yes_no", "maybe", model.NO_ANSWER),
        ("choice", "c", model.NO_CHOICE),
    ],
)
def test_what_does_not_fit_is_said_and_stays_as_it_was_typed(kind: str, typed: str, says: str) -> None:
    values, mistakes = model.read(every_kind(), {kind: typed}, {})
    assert (values[kind], mistakes) == (typed, [(kind, says)])


def test_every_mistake_is_named_at_once_and_foreign_fields_too() -> None:
    asked = form({"name": "a"}, {"name": "b", "kind": "date"}, {"name": "c", "required": False})
    values, mistakes = model.read(asked, {"b": "soon", "d": "x"}, {})
    assert mistakes == [("", model.FOREIGN), ("a", model.MISSING), ("b", model.NO_DATE)]
    assert values == {"a": "", "b": "soon", "c": ""}


def test_a_locked_field_keeps_what_was_given_and_one_that_is_not_may_be_changed() -> None:
    asked = form({"name": "a", "from": "family_names", "locked": True}, {"name": "b", "from": "given_names"})
    given = {"a": "Mustermann", "b": "Erika"}
    values, mistakes = model.read(asked, {"a": "Räuber", "b": "Rika"}, given)
    assert (values, mistakes) == ({"a": "Mustermann", "b": "Rika"}, [])
    found = model.answers(asked, values, given, "en")
    assert [(one.name, one.label, one.given) for one in found] == [("a", "Word", True), ("b", "Word", False)]
    assert model.read(asked, {"a": "typed", "b": "x"}, {})[0]["a"] == "typed", "nothing was given, so it is asked"


def test_only_what_is_known_and_may_be_chosen_is_filled_in() -> None:
    choice = {"name": "b", "kind": "choice", "choices": OPTIONS, "from": "sex"}
    asked = form({"name": "a", "from": "family_names"}, choice, {"name": "c"})
    assert model.prefilled(asked, {"family_names": "M", "sex": "b", "c": "no"}) == {"a": "M", "b": "b"}
    assert model.prefilled(asked, {"family_names": "", "sex": "X"}) == {}
    assert len(model.prefilled(asked, {"family_names": "x" * 99_999})["a"]) == MOST_LETTERS


def test_no_more_is_asked_of_a_person_than_fields_name() -> None:
    asked = form(
        {"name": "a", "from": "family_names"},
        {"name": "b", "from": "birth_name", "required": False},
        {"name": "c", "from": "greeting"},
        also=["sex", "family_names"],
    )
    known = ("family_names", "birth_name", "sex", "address")
    assert asked.asked(known) == (("family_names",), ("birth_name", "sex"))


@pytest.mark.parametrize(("state", "to"), list(product(STATES, STATES)))
def test_only_moves_of_the_table_are_made(state: str, to: str) -> None:
    if to in TRANSITIONS[state]:
        assert model.move(state, to) == to
    else:
        with pytest.raises(ConflictError):
            model.move(state, to)


def test_no_repr_says_what_somebody_answered() -> None:
    person = Person(provider="card", level=3, at=NOW, proof="p-1", given={"name": "Mustermann"})
    answer = Answer(name="name", kind="text", label="Name", value="Mustermann", text="Mustermann")
    content = Content(values={"name": "Mustermann"}, person=person, answers=(answer,))
    sent = Submission(
        id=uuid4(), tenant="a", reference="2222-2222", service="s", title="S", point="p", place="web", language="de",
        submitted_at=NOW, consent="", person=person, answers=(answer,),
    )  # fmt: skip
    assert "Mustermann" not in repr((person, answer, content, sent))


@given(st.dictionaries(st.sampled_from(["foreign", *(field.name for field in every_kind().fields)]), st.text()))
def test_whatever_is_typed_is_read_and_what_was_kept_reads_the_same(typed: dict[str, str]) -> None:
    values, mistakes = model.read(every_kind(), typed, {})
    assert set(values) == {field.name for field in every_kind().fields}
    wrong = {place for place, _ in mistakes}
    right = {name: value for name, value in values.items() if name not in wrong}
    assert model.read(every_kind(), right, {}) == ({name: right.get(name, "") for name in values}, [])


def test_a_field_has_a_name_that_fits_into_a_page() -> None:
    for name in ("", "A", "a-b", "_csrf", "a" * 41, "ä", 'a"'):
        with pytest.raises(msgspec.ValidationError):
            form({"name": name})
    assert FormField(name="a", label={}, letters=5).most == 5
