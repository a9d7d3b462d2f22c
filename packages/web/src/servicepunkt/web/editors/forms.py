"""The form of one field of a service: what it shows, and what was typed into it. Pure.

Texts are typed language by language. What is a list is typed row by row; parts of a row that the form does not show
stay as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from servicepunkt.core.catalogue.editing import model
from servicepunkt.core.catalogue.editing.model import text_of, value_of, written
from servicepunkt.core.catalogue.editing.service import Day, Sight, Value
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.web.editors.words import LINK_KINDS, VISIBILITIES
from servicepunkt.web.forms import FOREIGN_FIELD, NO_CHOICE

SPARE_ROWS = 2
MOST_ROWS = 60
OVER = "This day is over."
NO_DAY = "Enter a day."
Kind = Literal["text", "line", "choice", "yes"]


class Column(msgspec.Struct, frozen=True):
    """A part of a row. `label` is a message id; a `text` has a cell for each language, `is_long` one of many lines."""

    name: str
    label: str
    kind: Kind
    choices: Mapping[str, str] = {}
    default: Any = False
    is_long: bool = False


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One control of a row."""

    id: str
    column: Column
    language: str
    value: Any


ROWS: Mapping[str, tuple[Column, ...]] = {
    "documents": (
        Column("text", "What to bring", "text", is_long=True),
        Column("when", "Only for whom", "text", is_long=True),
        Column("mandatory", "Always needed", "yes", default=True),
        Column("original", "The original, no copy", "yes"),
    ),
    "links": (
        Column("kind", "Kind", "choice", LINK_KINDS, default="page"),
        Column("url", "Address", "line"),
        Column("name", "Words of the link", "text"),
        Column("on_terminal", "May be opened at the terminal", "yes"),
    ),
}


def languages_of(sight: Sight, field: str, languages: Sequence[str]) -> list[str]:
    """The tenant's languages, and those in which something stands there."""
    present = (model.language_of(path) for path in sight.values if path not in model.WHOLE)
    own = [one for one in present if f"{field}/{one}" in sight.values]
    return list(dict.fromkeys((*languages, *own)))


def paths_of(sight: Sight, field: str, languages: Sequence[str]) -> list[str]:
    """The values that a form of a field is about."""
    if field in model.WHOLE:
        return [field]
    return [f"{field}/{language}" for language in languages_of(sight, field, languages)]


def control(path: str) -> str:
    """The name of the control, or of the first one, in which a value is typed."""
    return "value" if path in model.WHOLE else f"text-{model.language_of(path)}"


def shown_text(value: Value, add: str = "") -> str:
    """What stands in a field for text; in that of words one for a line, `add` as one more."""
    said = value.shown
    if value.path == "keywords":
        return "\n".join(dict.fromkeys((*(said or ()), *([add] if add else []))))
    return text_of(value.path, said)


def rows(value: Value, languages: Sequence[str], typed: Mapping[str, str] | None = None) -> list[list[list[Cell]]]:
    """The rows of a list as controls, those of one column together, with spare ones at the end.

    `typed`: what was sent and is shown again.
    """
    columns, said = ROWS[value.path], list(value.shown or ())
    count = len(said) + SPARE_ROWS
    if typed is not None:
        numbers = (name.split("-")[1] for name in typed if name.startswith("row-"))
        count = max([count, *(int(one) + 1 for one in numbers if one.isdecimal() and int(one) < MOST_ROWS)])
    return [
        [_cells(column, number, said[number] if number < len(said) else {}, languages, typed) for column in columns]
        for number in range(count)
    ]


def _cells(
    column: Column, number: int, row: Mapping[str, Any], languages: Sequence[str], typed: Mapping[str, str] | None
) -> list[Cell]:
    name = f"row-{number}-{column.name}"
    if column.kind == "text":
        texts = row.get(column.name, {})
        return [
            Cell(
                id=f"{name}-{one}",
                column=column,
                language=one,
                value=_typed(typed, f"{name}-{one}", texts.get(one, "")),
            )
            for one in languages
        ]
    value = row.get(column.name, column.default)
    if column.kind != "yes":
        value = _typed(typed, name, value or "")
    elif typed is not None:
        value = name in typed
    return [Cell(id=name, column=column, language="", value=value)]


def _typed(typed: Mapping[str, str] | None, name: str, otherwise: Any) -> Any:
    return otherwise if typed is None else typed.get(name, "")


def place_of(place: str, field: str, numbers: Sequence[int] = ()) -> str:
    """The control that a place of `InvalidInputError` means: `summary/de`, `links.0.url`, `links.0.name.de`.

    `numbers`: in which rows of the form the parts of a list were typed.
    """
    if field in ROWS and place.startswith(f"{field}."):
        number, *rest = place.split(".")[1:]
        return "-".join(["row", str(numbers[int(number)]), *rest])
    if place == field or place.startswith(f"{field}."):
        return "value"
    return control(place) if "/" in place else place


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent: values by path, the marks of what the form had shown, and what is to be done.

    `numbers`: in which rows of the form the parts of a list were typed.
    """

    values: Mapping[str, Any]
    marks: Mapping[str, str]
    publish_on: Day
    verb: str
    numbers: tuple[int, ...] = ()


def read(sent: Mapping[str, str], sight: Sight, field: str, languages: Sequence[str], *, today: date) -> Typed:
    """Raises InvalidInputError with every mistake that can be seen before the catalogue is asked."""
    mistakes: list[tuple[str, str]] = []
    day = read_day(sent.get("publish_on", UNSET), today, mistakes)
    paths = paths_of(sight, field, languages)
    values: dict[str, Any] = {}
    numbers: list[int] = []
    marks = {path: sent.get(f"mark-{control(path)}", "") for path in paths}
    known = {"publish_on", "do", "field", *(f"mark-{control(path)}" for path in paths)}
    for path in paths:
        name = control(path)
        if path in ROWS:
            filled = _read_rows(sent, sight.at(path), languages, known, mistakes)
            values[path], numbers = list(filled.values()), list(filled)
            continue
        known.add(name)
        if name not in sent:
            continue
        text = written(sent[name])
        if path == "keywords":
            values[path] = [line.strip() for line in text.split("\n") if line.strip()]
        elif path == "visibility":
            # What nobody says is seen by everybody.
            values[path] = None if text == "public" and sight.at(path).shown is None else text
            if text not in VISIBILITIES:
                mistakes.append((name, NO_CHOICE))
        else:
            values[path] = value_of(path, text)
    if set(sent) - known:
        mistakes.append(("", FOREIGN_FIELD))
    if mistakes:
        raise InvalidInputError(mistakes)
    return Typed(values=values, marks=marks, publish_on=day, verb=sent.get("do", "draft"), numbers=tuple(numbers))


def read_day(text: str | UnsetType, today: date, mistakes: list[tuple[str, str]]) -> Day:
    """A day on which something shall be published: none for an empty field, UNSET where no field was sent."""
    if text is UNSET:
        return UNSET
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        mistakes.append(("publish_on", NO_DAY))
        return None
    if day < today:
        mistakes.append(("publish_on", OVER))
    return day


def _read_rows(
    sent: Mapping[str, str],
    value: Value,
    languages: Sequence[str],
    known: set[str],
    mistakes: list[tuple[str, str]],
) -> dict[int, dict[str, Any]]:
    """The rows in which something was typed, by their number."""
    columns, before = ROWS[value.path], list(value.shown or ())
    found = {}
    for number in range(max(MOST_ROWS, len(before) + SPARE_ROWS)):
        old = before[number] if number < len(before) else {}
        made = dict(old)
        is_filled = False
        for column in columns:
            name = f"row-{number}-{column.name}"
            if column.kind == "text":
                names = {one: f"{name}-{one}" for one in languages}
                known |= set(names.values())
                texts = {one: text for one, text in old.get(column.name, {}).items() if one not in names}
                texts |= {one: text for one, place in names.items() if (text := sent.get(place, "").strip())}
                is_filled = is_filled or bool(texts)
                _keep(made, column, texts, {})
                continue
            known.add(name)
            if column.kind == "yes":
                _keep(made, column, name in sent, column.default)
            elif column.kind == "choice":
                chosen = sent.get(name, column.default)
                made[column.name] = chosen
                if chosen not in column.choices:
                    mistakes.append((name, NO_CHOICE))
            else:
                made[column.name] = sent.get(name, "").strip()
                is_filled = is_filled or bool(made[column.name])
        if is_filled:
            found[number] = made
    return found


def _keep(made: dict[str, Any], column: Column, said: Any, default: Any) -> None:
    """What says the same as before is left as it is written, so that it is no change."""
    if made.get(column.name, default) != said:
        made[column.name] = said
