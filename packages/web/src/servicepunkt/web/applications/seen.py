"""Applications in words: the fields of a form, what was answered, and how an application stands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_timedelta

from servicepunkt.core.applications.model import Application, Form, FormField
from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.texts import language_of, spoken_date, spoken_time, written_date

PREFIX = "field-"
YES_NO = {"yes": "Yes", "no": "No"}
STATES = {
    "submitted": "Submitted",
    "failed": "Submitted, not passed on yet",
    "forwarded": "Passed on",
    "closed": "Passed on, answers erased",
}
#: What is said on the first page of an application, by what `note` says in its address.
NOTES = {
    "again": "You were not identified, and nothing was stored. You can try again.",
    "gone": "What you entered was deleted, because nothing happened for a while.",
}
CONSENT_NEEDED = "Please agree, or ask here at the counter."
CHANGED = "This was changed in the meantime. Please look at it once more."


class FieldSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A field as it stands in a page. `given`: its value is what the identification says; `text` is for reading."""

    field: FormField
    id: str
    value: str
    text: str
    given: bool

    @property
    def is_fixed(self) -> bool:
        """Whether it is shown and cannot be changed."""
        return self.given and self.field.locked

    def __repr__(self) -> str:
        return f"FieldSeen(id={self.id!r})"


class ApplicationSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An application for the list of staff. `state` is a message id."""

    application: Application
    name: str
    state: str
    age: str
    submitted: str


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """How values and instants are said: in which language, where."""

    locale: str
    zone: ZoneInfo
    say: Callable[[str], str]

    def fields(
        self, form: Form, values: Mapping[str, str], given: Mapping[str, str], wrong: Collection[str] = ()
    ) -> list[FieldSeen]:
        """What is `wrong` stands as it was typed."""
        return [
            FieldSeen(
                field=one,
                id=PREFIX + one.name,
                value=values.get(one.name, "") if one.name in wrong else self._typed(one, values.get(one.name, "")),
                text=self.text(one, values.get(one.name, "")),
                given=bool(given.get(one.name)) and given[one.name] == values.get(one.name),
            )
            for one in form.fields
        ]

    def text(self, field: FormField, value: str) -> str:
        """A value as it is read: a day in words, a choice by its name."""
        day = _day(value) if field.kind == "date" else None
        if day is not None:
            return written_date(day, self.locale)
        if field.kind == "yes_no" and value in YES_NO:
            return self.say(YES_NO[value])
        return field.words(value, self.locale)

    def mistake(self, form: Form, place: str, sentence: str) -> str:
        """A mistake with the label of its field, for the list above the form."""
        labels = [pick(one.label, self.locale) for one in form.fields if one.name == place]
        return ": ".join([*labels, self.say(sentence)])

    @staticmethod
    def _typed(field: FormField, value: str) -> str:
        """A day as the hint of its field shows one."""
        day = _day(value) if field.kind == "date" else None
        return f"{day:%d.%m.%Y}" if day else value

    def application(self, one: Application, name: str, now: datetime) -> ApplicationSeen:
        at = one.submitted_at or one.created_at
        said = spoken_date(at.astimezone(self.zone).date(), self.locale)
        return ApplicationSeen(
            application=one,
            name=name,
            state=STATES[one.state],
            age=format_timedelta(at - now, add_direction=True, locale=language_of(self.locale)),
            submitted=f"{said}, {spoken_time(at, self.locale, self.zone)}",
        )


def typed_fields(values: Mapping[str, str]) -> dict[str, str]:
    """What a form holds by the names of its fields; a foreign name stays as it is, and is a mistake later."""
    return {name.removeprefix(PREFIX): value for name, value in values.items()}


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        return None
