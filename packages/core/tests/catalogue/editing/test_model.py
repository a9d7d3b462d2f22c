"""Rules of an edit: every move is in the table, four eyes are two people, a conflict is never lost in silence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.editing import model
from servicepunkt.core.catalogue.editing.model import MOVES, OPEN, STATES, Edit, Event, OwnEditError, encoded
from servicepunkt.core.catalogue.layers import Sourced, merge, values
from servicepunkt.core.errors import ConflictError
from servicepunkt.core.ids import new_id

AT = datetime(2026, 11, 21, tzinfo=UTC)
DAY = date(2026, 11, 21)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab<>/p ", max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
PATHS = st.sampled_from(
    ["name/de", "summary/en", "modules/11/000/de", "modules/x-own/point/en", "links", "documents", "keywords"]
)


def edit(path: str = "summary/de", said: Any = "Neu", below: Any = "Alt", **values: Any) -> Edit:
    made = {"author": "account:a", "authors": ("account:a",), "created_at": AT, "changed_at": AT, **values}
    return Edit(id=new_id(), service="card", path=path, value=encoded(said), below=encoded(below), **made)


# --- states ---------------------------------------------------------------------------------------------------


def test_every_state_is_reached_and_every_move_leads_to_one() -> None:
    assert set(MOVES.values()) == set(STATES)
    assert {event for _, event in MOVES} == set(get_args(Event))
    assert [state for state in STATES if not any(start == state for start, _ in MOVES)] == ["withdrawn"]


@given(st.sampled_from([None, *STATES]), st.sampled_from(get_args(Event)))
def test_a_move_that_is_not_in_the_table_is_a_conflict(state: Any, event: Any) -> None:
    if (state, event) in MOVES:
        assert model.move(state, event) == MOVES[state, event]
    else:
        with pytest.raises(ConflictError):
            model.move(state, event)


@given(st.lists(st.sampled_from(get_args(Event)), max_size=12))
def test_nothing_becomes_live_that_was_not_approved(events: list[Any]) -> None:
    state, before = model.move(None, "write"), None
    for event in events:
        if (state, event) in MOVES:
            before, state = state, model.move(state, event)
        if state == "live":
            assert before in ("approved", "live")
            break


def test_who_wrote_cannot_approve_where_four_eyes_are_wanted() -> None:
    wrote_both = edit(state="proposed", author="account:b", authors=("account:a", "account:b"))
    for actor in ("account:a", "account:b"):
        with pytest.raises(OwnEditError):
            model.approved(wrote_both, actor, four_eyes=True)
        assert model.approved(wrote_both, actor, four_eyes=False) == "approved"
    assert model.approved(wrote_both, "account:c", four_eyes=True) == "approved"


def test_a_draft_is_nobodys_to_approve_where_four_eyes_are_wanted() -> None:
    with pytest.raises(ConflictError):
        model.approved(edit(), "account:c", four_eyes=True)
    assert model.approved(edit(), "account:a", four_eyes=False) == "approved"


@pytest.mark.parametrize(
    ("state", "day", "due"),
    [
        ("approved", None, True),
        ("approved", DAY, True),
        ("approved", date(2026, 11, 22), False),
        ("proposed", None, False),
        ("live", None, False),
    ],
)
def test_what_is_approved_is_due_on_its_day(state: Any, day: date | None, due: bool) -> None:
    assert model.is_due(edit(state=state, publish_on=day), DAY) is due


# --- conflicts ------------------------------------------------------------------------------------------------


@given(mine=ANYTHING, before=ANYTHING, now=ANYTHING)
def test_a_change_below_is_a_conflict_unless_it_says_what_the_edit_says(mine: Any, before: Any, now: Any) -> None:
    found = model.is_in_conflict(edit("links", mine, before), encoded(now))
    assert found is (encoded(now) not in (encoded(before), encoded(mine)))


@pytest.mark.parametrize(
    ("state", "below", "answered"),
    [
        ("draft", "now", False),
        ("proposed", "now", True),
        ("approved", "now", True),
        ("rejected", "now", False),
        ("proposed", "earlier", False),
    ],
)
def test_a_conflict_is_answered_by_what_was_written_knowing_it(state: Any, below: str, answered: bool) -> None:
    assert model.is_answered(edit(below=below, state=state), encoded("now")) is answered
    assert model.is_answered(None, encoded("now")) is False


# --- values ---------------------------------------------------------------------------------------------------


@given(PATHS, ANYTHING)
def test_a_value_that_fits_is_read_back_and_put_into_a_record(path: str, value: Any) -> None:
    said = edit(path, value).said
    assert encoded(said) == encoded(value)
    records, misfits = model.overlay([edit(path, value)])
    if model.fits(path, said):
        assert misfits == []
        if said is not None:
            merged = merge([Sourced("editors", records["services", "card"])]).record
            assert values(merged).get(path) == (said if not is_empty_text(path, said) else None)
    else:
        assert records == {}
        assert len(misfits) == 1


def is_empty_text(path: str, said: Any) -> bool:
    return path not in model.WHOLE and not (said[0] if isinstance(said, tuple) else said)


def test_an_empty_text_takes_away_and_no_text_lets_others_speak() -> None:
    below = Sourced("town", {"id": "card", "summary": {"de": "Alt"}, "modules": [{"code": "11", "text": {"de": "So"}}]})

    def merged(*edits: Edit) -> dict[str, Any]:
        records, _ = model.overlay(edits)
        return merge([below, *(Sourced("editors", record) for record in records.values())]).record

    assert "summary" not in merged(edit(said=""))
    assert "modules" not in merged(edit("modules/11/000/de", ("", False)))
    assert merged(edit(said=None))["summary"] == {"de": "Alt"}


@pytest.mark.parametrize(
    "path",
    [
        *("name", "name/", "name/DE!", "id", "leika", "offers", "modules/11/de", "modules/99/000/de", "x/../de", ""),
        "modules/05/000/de",
        "modules/11/300/de",
        "documents/de",
    ],
)
def test_only_some_values_are_written_by_editors(path: str) -> None:
    assert not model.is_path(path)


@pytest.mark.parametrize("path", ["name/de", "ended/de-x-leicht", "modules/05/point/en", "modules/x-a/000/de", "links"])
def test_a_path_is_its_field_and_its_language(path: str) -> None:
    assert model.is_path(path)
    field, language = model.field_of(path), model.language_of(path)
    assert model.is_field(field)
    assert path == (f"{field}/{language}" if language else field)


def test_html_is_cleaned_and_lines_are_as_everywhere() -> None:
    assert model.written(" Eins  \r\nzwei\r\n") == "Eins\nzwei"
    cleaned = model.written('<p onclick="x()">Gut <script>alert(1)</script><b>so</b></p>')
    assert cleaned == "<p>Gut <strong>so</strong></p>"
    assert model.written("a <b>c") == "a <b>c", "plain text that holds a sign is plain text"


@given(st.text("<>ab/p scriptonload=\"'&;\n", max_size=40))
def test_what_is_kept_is_never_html_that_is_not_shown(text: str) -> None:
    said = model.written(text)
    if html.is_html(said):
        assert [
            one
            for one in model.mistakes(
                {"id": "x", "name": {"de": "X"}, "summary": {"de": said}}, {"summary/de": said}, "de"
            )
            if one[1] != "This HTML holds something that is not shown."
        ] == []
        assert "<script" not in said.lower()


def test_all_mistakes_are_named_at_once_and_only_those_of_what_was_typed() -> None:
    typed = {
        "name/de": "<ul><li>x</li></ul>",
        "summary/de": "a\x07b",
        "modules/11/point/de": ("x" * 100_001, False),
        "links": [{"kind": "page", "url": "javascript:alert(1)", "name": {"de": "a\x07"}}],
    }
    record = {
        "id": "card",
        "name": {"de": "<ul><li>x</li></ul>", "en": "Card"},
        "summary": {"de": "a\x07b", "en": "\x07"},
        "modules": [{"code": "11", "channel": "point", "text": {"de": "x" * 100_001}}],
        "links": typed["links"],
        "leika": ["wrong"],
    }
    assert dict(model.mistakes(record, typed, "de")) == {
        "name/de": "A name is plain text, without HTML.",
        "summary/de": "This text holds a character that cannot be shown.",
        "modules/11/point/de": "This text is too long.",
        "links.0.url": "An address begins with https:// or http://.",
        "links.0.name.de": "This text holds a character that cannot be shown.",
    }


def test_a_service_keeps_a_name() -> None:
    assert model.mistakes({"id": "card"}, {"name/de": ""}, "de") == [("name/de", model.MISSING_NAME)]


def test_what_fits_no_service_is_a_mistake_of_its_own() -> None:
    assert model.mistakes({"id": "card", "name": {"de": "X"}}, {"links": 5}, "de") == [("links", model.DOES_NOT_FIT)]


def test_open_states_are_those_in_which_somebody_still_works() -> None:
    assert set(STATES) - set(OPEN) == {"live", "withdrawn"}
