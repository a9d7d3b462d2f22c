"""Forms, what is answered in them, and on which way an application goes. Pure.

What somebody answered is personal: the `repr` of each struct that holds it names fields and never their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Protocol
from uuid import UUID

import msgspec
from msgspec import Meta

from servicepunkt.core.catalogue.model import Text, pick
from servicepunkt.core.errors import ConflictError, ServicepunktError
from servicepunkt.core.identification import Identified
from servicepunkt.core.mail import ADDRESS

#: The states of an application, and to which it may go from each. A draft whose time is over is deleted; what failed
#: is tried again.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "draft": frozenset({"submitted"}),
    "submitted": frozenset({"forwarded", "failed"}),
    "failed": frozenset({"forwarded", "failed"}),
    "forwarded": frozenset({"closed"}),
    "closed": frozenset(),
}
STATES = tuple(TRANSITIONS)
#: Those in which it waits for its receiver.
WAITING = ("submitted", "failed")
#: How long a draft stays after somebody last touched it.
DRAFT = timedelta(minutes=15)
Kind = Literal["text", "longtext", "date", "choice", "email", "phone", "yes_no"]
LETTERS: Mapping[Kind, int] = {"text": 200, "longtext": 2000, "email": 254, "phone": 40}
#: No value of a form is longer, whatever its field says.
MOST_LETTERS = 10_000
MOST_FIELDS = 100
RECEIPT = re.compile(r"[\x20-\x7e]{1,200}")

MISSING = "This must not be left out."
TOO_LONG = "This is too long."
UNSEEN = "There is something here that cannot be seen. Please type it again."
NO_DATE = "Please enter a date, for example 31.12.1980."
NO_CHOICE = "This cannot be chosen."
NO_EMAIL = "This is not an e-mail address."
NO_PHONE = "This is not a telephone number."
NO_ANSWER = "Please choose yes or no."
FOREIGN = "The form holds something that does not belong there."
# Controls but the end of a line, separators, and what turns the direction of writing: a paper would show another text.
_UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)|(?P<d>\d{1,2})\.\s?(?P<m>\d{1,2})\.\s?(?P<y>\d{4})")
_PHONE = re.compile(r"\+?[0-9 ()/-]+")


class ApplicationGoneError(ServicepunktError):
    """A draft whose time is over, that was submitted, or that belongs to another session: not told apart."""

    code = "SP8251"
    status = 410
    citizen = "What you entered was deleted, because nothing happened for a while."
    staff = "There is no such draft in this session."
    next_step = "Please begin again."


class LevelTooLowError(ServicepunktError):
    """Somebody came through a door that does not reach the level of assurance that the form needs."""

    code = "SP8252"
    status = 403
    citizen = "This way of identifying is not enough for this application."
    staff = "The level of assurance is below what the form needs."
    next_step = "Please choose another way, or ask here at the counter."


class NotEntitledError(ServicepunktError):
    """Somebody is too young, or does not live where the form asks for it, or it could not be found out."""

    code = "SP8255"
    status = 403
    citizen = "This application is not for you, as far as your identification shows."
    staff = "The age or the place of residence does not fit the form, or is not known."
    next_step = "Please ask here at the counter. Nothing of your identification was stored."


class ConnectorError(ServicepunktError):
    """A receiver did not take an application; raised by connectors. Its words quote nobody."""

    code = "SP8254"
    status = 502
    staff = "The receiver did not take the application."
    next_step = "It is tried again by itself; look at the connector's settings if it goes on."


class Option(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be chosen: `value` is what the receiver gets."""

    value: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")]
    words: Text


class FormField(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question. `from` names the attribute that answers it beforehand; with `locked` that answer stands.

    `letters`: the most that may be typed, by default what `LETTERS` says for the kind.
    """

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z")]
    label: Text
    help: Text = {}
    kind: Kind = "text"
    required: bool = True
    source: str = msgspec.field(default="", name="from")
    locked: bool = False
    choices: tuple[Option, ...] = ()
    letters: Annotated[int, Meta(ge=1, le=MOST_LETTERS)] | None = None

    @property
    def most(self) -> int:
        return self.letters or LETTERS.get(self.kind, 40)

    def words(self, value: str, locale: str) -> str:
        """A choice in words; everything else as it is."""
        return next((pick(one.words, locale) for one in self.choices if one.value == value), value)


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application for a service of the catalogue.

    `level`: of assurance (0 to 3, see `identification.LEVELS`). `age`: only for those who are so old, `community`: only
    for those who live where the municipality's key on the card begins so (0276 for Germany, then Land, district and so
    on); of both nothing but yes or no is asked. `purpose`: what the answers are for, as it is read
    before anybody identifies. `then`: what happens next, and by when. `also`: attributes that plugins need to answer
    fields, beside those that fields name. `keep_days`: how long the answers stay after they were forwarded.
    """

    service: str
    level: Annotated[int, Meta(ge=0, le=3)] = 0
    age: Annotated[int, Meta(ge=1, le=120)] | None = None
    community: Annotated[str, Meta(pattern=r"^(0276(\d\d){0,5})?\Z")] = ""
    purpose: Text
    consent: Text
    then: Text = {}
    also: tuple[str, ...] = ()
    fields: Annotated[tuple[FormField, ...], Meta(min_length=1, max_length=MOST_FIELDS)]
    connector: Annotated[str, Meta(min_length=1, max_length=60)] = "folder"
    keep_days: Annotated[int, Meta(ge=1, le=3660)] = 30

    def is_for(self, identified: Identified) -> bool:
        """Whether somebody is old enough and lives there, as far as the form asks for it."""
        old_enough = self.age is None or identified.old_enough is True
        return old_enough and (not self.community or identified.lives_there is True)

    def asked(self, known: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(required, optional) attributes: those of `known` that fields name; what only may be answered is optional."""
        named = [one for one in self.fields if one.source in known]
        required = dict.fromkeys(one.source for one in named if one.required)
        optional = dict.fromkeys((*(one.source for one in named), *self.also))
        return tuple(required), tuple(name for name in optional if name not in required)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody identified, and what of it answers fields: `given` by the field's name."""

    provider: str
    level: int
    at: datetime
    proof: str
    given: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Person(provider={self.provider!r}, level={self.level}, given={sorted(self.given)})"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a submitted application. `text`: the value in words. `given`: by the identification, not typed."""

    name: str
    kind: Kind
    label: str
    value: str
    text: str
    given: bool = False

    def __repr__(self) -> str:
        return f"Answer(name={self.name!r}, given={self.given})"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What of an application is sealed: of a draft `values` as they were typed, of a submitted one `answers`. `door`:
    the one that was chosen last."""

    values: dict[str, str] = {}
    door: str = ""
    person: Person | None = None
    title: str = ""
    consent: str = ""
    answers: tuple[Answer, ...] = ()

    def __repr__(self) -> str:
        return f"Content(values={sorted(self.values)}, person={self.person!r})"


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `id` is also the key under which somebody identifies; `session` the digest of the browser's cookie.

    `version` counts what was changed in a draft. `sealed` holds the `Content`; None once it was erased. `receipt`: the
    receiver's own reference. `ends_at`: when a draft ends, or the content of what was forwarded is erased.
    """

    id: UUID
    session: bytes
    service: str
    point: str
    place: Literal["terminal", "web"]
    locale: str
    reference: str
    state: str = "draft"
    version: int = 0
    sealed: bytes | None = None
    connector: str
    keep_days: int
    receipt: str = ""
    attempts: int = 0
    created_at: datetime
    changed_at: datetime
    submitted_at: datetime | None = None
    ends_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether this is a draft that somebody may still fill in."""
        return self.state == "draft" and self.ends_at is not None and now < self.ends_at


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given. `reference` is the applicant's; `id` is the same however often it is sent."""

    id: UUID
    tenant: str
    reference: str
    service: str
    title: str
    point: str
    place: str
    language: str
    submitted_at: datetime
    consent: str
    person: Person | None
    answers: tuple[Answer, ...]

    def __repr__(self) -> str:
        return f"Submission(reference={self.reference!r}, service={self.service!r})"


class ApplicationConnector(Protocol):
    """Hands applications on to whoever decides. `name` is what forms of the tenant file call it."""

    name: str

    async def send(self, application: Submission) -> str:
        """The receiver's own reference: 1 to 200 printable letters of ASCII.

        May be asked several times for one id, and does the same once. Raises ConnectorError; whatever it raises, the
        application stays and is sent again.
        """
        ...


def move(state: str, to: str) -> str:
    """The next state. Raises ConflictError for a move that the table does not have."""
    if to not in TRANSITIONS.get(state, frozenset()):
        raise ConflictError(f"an application cannot go from {state} to {to}")
    return to


def prefilled(form: Form, known: Mapping[str, str]) -> dict[str, str]:
    """By the field's name, what is known of it; what cannot be chosen is not known."""
    found = {one.name: known[one.source][:MOST_LETTERS] for one in form.fields if known.get(one.source)}
    options = {one.name: {option.value for option in one.choices} for one in form.fields if one.kind == "choice"}
    return {name: value for name, value in found.items() if value in options.get(name, {value})}


def read(
    form: Form, typed: Mapping[str, str], given: Mapping[str, str]
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The values to keep, and every mistake as (field, sentence).

    What fits is written in one way (a date as 1980-12-31), what does not stays as it was typed. A locked field that is
    given keeps what was given, whatever was typed.
    """
    kept: dict[str, str] = {}
    mistakes = [("", FOREIGN)] if typed.keys() - {one.name for one in form.fields} else []
    for field in form.fields:
        if field.locked and field.name in given:
            kept[field.name] = given[field.name]
            continue
        raw = typed.get(field.name, "")
        value, mistake = _read(field, raw)
        kept[field.name] = raw[:MOST_LETTERS] if mistake else value
        if mistake:
            mistakes.append((field.name, mistake))
    return kept, mistakes


def answers(form: Form, values: Mapping[str, str], given: Mapping[str, str], locale: str) -> tuple[Answer, ...]:
    """What was answered, in the words of a language; what was left empty is left out."""
    return tuple(
        Answer(
            name=one.name,
            kind=one.kind,
            label=pick(one.label, locale),
            value=values[one.name],
            text=one.words(values[one.name], locale),
            given=given.get(one.name) == values[one.name],
        )
        for one in form.fields
        if values.get(one.name)
    )


def _read(field: FormField, raw: str) -> tuple[str, str]:
    """(value, mistake): one of them is empty."""
    value = raw.replace("\r\n", "\n").replace("\t", " ").strip()
    if field.kind != "longtext":
        value = " ".join(value.split())
    if not value:
        return "", MISSING if field.required else ""
    if _UNSEEN.search(value):
        return "", UNSEEN
    if len(value) > field.most:
        return "", TOO_LONG
    return READ[field.kind](field, value)


def _text(_: FormField, value: str) -> tuple[str, str]:
    return value, ""


def _date(_: FormField, value: str) -> tuple[str, str]:
    found = _DATE.fullmatch(value)
    if found is None or not value.isascii():
        return "", NO_DATE
    parts = found.groupdict()
    year, month, day = (int(parts[one] or parts[other]) for one, other in (("year", "y"), ("month", "m"), ("day", "d")))
    try:
        return date(year, month, day).isoformat(), ""
    except ValueError:
        return "", NO_DATE


def _choice(field: FormField, value: str) -> tuple[str, str]:
    return (value, "") if any(one.value == value for one in field.choices) else ("", NO_CHOICE)


def _email(_: FormField, value: str) -> tuple[str, str]:
    return (value, "") if ADDRESS.match(value) else ("", NO_EMAIL)


def _phone(_: FormField, value: str) -> tuple[str, str]:
    digits = sum(sign.isdigit() for sign in value)
    return (value, "") if _PHONE.fullmatch(value) and 5 <= digits <= 15 else ("", NO_PHONE)


def _yes_no(_: FormField, value: str) -> tuple[str, str]:
    return (value, "") if value in ("yes", "no") else ("", NO_ANSWER)


READ: Mapping[Kind, Callable[[FormField, str], tuple[str, str]]] = {
    "text": _text,
    "longtext": _text,
    "date": _date,
    "choice": _choice,
    "email": _email,
    "phone": _phone,
    "yes_no": _yes_no,
}
