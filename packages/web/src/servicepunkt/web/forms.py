"""HTML forms: what was typed becomes a struct, or a list of every mistake in words.

The words are ours: what msgspec says of a value is told apart here and nowhere else, and never shown on a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile

from servicepunkt.core.errors import InvalidInputError

CSRF_FIELD = "_csrf_token"
FormType = TypeVar("FormType", bound=msgspec.Struct)
DOES_NOT_FIT = "What you entered here does not fit."
FOREIGN_FIELD = "The form holds something that does not belong there."
MISSING = "This must not be left out."
TOO_LONG = "This is too long."
TOO_SHORT = "This is too short."
NO_CHOICE = "This cannot be chosen."
NO_NUMBER = "This is not a number that fits."
# How msgspec's sentences begin, and what we say for it.
SAID: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Object contains unknown field"), FOREIGN_FIELD),
    (re.compile(r"Object missing required field|Expected `.*`, got `null`"), MISSING),
    (re.compile(r"Expected `\w+` of length <="), TOO_LONG),
    (re.compile(r"Expected `\w+` of length >="), TOO_SHORT),
    (re.compile(r"Invalid enum value"), NO_CHOICE),
    (re.compile(r"Expected `(int|float|decimal)\b"), NO_NUMBER),
)


class PersonalForm(msgspec.Struct, frozen=True, kw_only=True):
    """Base of forms with what a person typed of himself: it appears in no log and no trace."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


async def typed(request: Request[Any, Any, Any]) -> dict[str, str]:
    """What the form holds, without its token, to be shown again. Of a repeated field the last value counts.

    Raises InvalidInputError where a file was sent in place of text, or a NUL, which no database column takes.
    """
    form = await request.form()
    values = {name: value for name, value in form.items() if name != CSRF_FIELD}
    for value in values.values():
        if isinstance(value, UploadFile):
            await value.close()
    if not all(isinstance(value, str) and "\0" not in value for value in values.values()):
        raise InvalidInputError([("", FOREIGN_FIELD)])
    return values


async def uploaded(request: Request[Any, Any, Any], name: str) -> bytes:
    """The content of a file that a form holds; empty where none was chosen. Raises InvalidInputError."""
    value = (await request.form()).get(name)
    if not isinstance(value, UploadFile):
        raise InvalidInputError([(name, MISSING)])
    try:
        return await value.read()
    finally:
        await value.close()


def convert(values: Mapping[str, str], kind: type[FormType], sentences: Mapping[str, str]) -> FormType:
    """The form as a struct; a field that is not in the struct is a mistake.

    `sentences` says for each field what to enter, as a message id; for a field that it leaves out a general sentence
    stands. Raises InvalidInputError with every mistake.
    """
    mistakes = []
    given: dict[str, Any] = {}
    fields = msgspec.structs.fields(kind)
    for field in fields:
        if field.name not in values and not field.required:
            continue
        try:
            given[field.name] = msgspec.convert(values.get(field.name), field.type, strict=False)
        except msgspec.ValidationError as error:
            mistakes.append((field.name, sentences.get(field.name) or sentence_of(str(error))))
    if set(values) - {field.name for field in fields}:
        mistakes.append(("", FOREIGN_FIELD))
    if mistakes:
        raise InvalidInputError(mistakes)
    return kind(**given)


def sentence_of(said: str) -> str:
    """Our sentence, as a message id, for one of msgspec's; `DOES_NOT_FIT` where it says something else."""
    return next((sentence for pattern, sentence in SAID if pattern.match(said)), DOES_NOT_FIT)
