"""The attributes of a PID under our names, which are others in each format (PID rulebook 1.7, §3.1.2 and §4.1). Pure.

`PID` is the whole of it: our name, where a claim stands in an SD-JWT VC, what it is called in an mdoc, how it is read.
Age is no attribute of the rulebook any more; some PIDs still carry it, and it is preferred to a date of birth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Answers, Attributes, PartialDate, Place
from servicepunkt.eid.wallet.countries import as_on_cards

DOCTYPE = NAMESPACE = "eu.europa.ec.eudi.pid.1"
#: Types of an SD-JWT VC: Germany's, and the common one that it extends.
VCTS = ("urn:eudi:pid:de:1", "urn:eudi:pid:1")
#: Of one claim: the rulebook allows 150, an address in one piece has more.
MOST_LETTERS = 500
#: `sex`: 1 and 2 as in ISO/IEC 5218, 3 to 6 other, intersex, diverse and open; 0 and 9 say nothing.
SEXES = {0: "", 1: "M", 2: "F", 3: "X", 4: "X", 5: "X", 6: "X", 9: ""}

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?", re.ASCII)

Path = tuple[str, ...]


class PidAttribute(msgspec.Struct, frozen=True):
    """`claims`: paths in an SD-JWT VC; `elements`: names in an mdoc; `read`: their values, in this order, to ours."""

    claims: tuple[Path, ...]
    elements: tuple[str, ...]
    read: Callable[[Sequence[Any]], Any]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a wallet is asked for, by the names of `model.Attributes`.

    `required`: without them there is no answer. `optional`: at most four, shown where the person has and gives them.
    `age`: whether somebody is so old, and nothing else of it. Raises ValueError for a name that no PID has.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    age: int | None = None

    def __post_init__(self) -> None:
        names = self.required + self.optional
        if unknown := set(names) - PID.keys():
            raise ValueError(f"no attribute of a PID: {min(unknown)}")
        if len(set(names)) != len(names) or len(self.optional) > 4 or not (names or self.age):
            raise ValueError("an attribute twice, more than four optional ones, or nothing at all")
        if self.age is not None and not 1 <= self.age <= 99:
            raise ValueError("an age is 1 to 99 years")


def age_claim(age: int) -> Path:
    return ("age_equal_or_over", str(age))


def age_element(age: int) -> str:
    return f"age_over_{age:02}"


def from_sdjwt(claims: Mapping[str, Any], ask: Ask, today: date) -> tuple[Attributes, Answers]:
    """What was asked for, from the claims of an SD-JWT VC. Raises MalformedError for a claim of another kind."""
    return _read(
        lambda attribute: [_at(claims, path) for path in attribute.claims],
        lambda age: _at(claims, age_claim(age)),
        ask,
        today,
    )


def from_mdoc(spaces: Mapping[str, Mapping[str, Any]], ask: Ask, today: date) -> tuple[Attributes, Answers]:
    """The same from the elements of an mdoc. Raises MalformedError."""
    elements = spaces.get(NAMESPACE, {})
    return _read(
        lambda attribute: [elements.get(name) for name in attribute.elements],
        lambda age: elements.get(age_element(age)),
        ask,
        today,
    )


def _read(
    values: Callable[[PidAttribute], Sequence[Any]], age: Callable[[int], Any], ask: Ask, today: date
) -> tuple[Attributes, Answers]:
    def read(names: Collection[str]) -> dict[str, Any]:
        found = {name: values(PID[name]) for name in names}
        return {name: PID[name].read(some) for name, some in found.items() if any(one is not None for one in some)}

    attributes = Attributes(**read(ask.required + ask.optional))
    if ask.age is None:
        return attributes, Answers()
    said = age(ask.age)
    if said is None:
        born = read(("date_of_birth",)).get("date_of_birth")
        said = None if born is None else is_so_old(born, ask.age, today)
    if said is not None and not isinstance(said, bool):
        raise MalformedError(what="PID", why="an age that is neither yes nor no")
    return attributes, Answers(old_enough=said)


def is_so_old(born: PartialDate, years: int, today: date) -> bool | None:
    """Whether somebody has had that birthday for sure; None where not even the year is known.

    Who was born on 29 February is a year older on 1 March of other years.
    """
    latest = born.latest
    if latest is None:
        return None
    return (latest.year + years, latest.month, latest.day) <= (today.year, today.month, today.day)


def _at(claims: Mapping[str, Any], path: Path) -> Any:
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _letters(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MOST_LETTERS or not value.isprintable():
        raise MalformedError(what="PID", why="no text")
    return value


def _text(values: Sequence[Any]) -> str:
    return _letters(values[0])


def _country(values: Sequence[Any]) -> str:
    return as_on_cards(_letters(values[0]))


def _nationality(values: Sequence[Any]) -> str:
    """One, or several one after the other."""
    listed = values[0] if isinstance(values[0], list | tuple) else [values[0]]
    if len(listed) > 10:
        raise MalformedError(what="PID", why="too many nationalities")
    return ", ".join(as_on_cards(_letters(one)) for one in listed)


def _born(values: Sequence[Any]) -> PartialDate:
    """'1964-08-12', '1964-08' or '1964', or a day in CBOR."""
    value = values[0]
    if isinstance(value, date) and not isinstance(value, datetime):
        return PartialDate(value.year, value.month, value.day)
    text = _letters(value)
    if not _DATE.fullmatch(text):
        raise MalformedError(what="PID", why="no date")
    return PartialDate.parse(text.replace("-", "").ljust(8))


def _day(values: Sequence[Any]) -> date:
    value = values[0]
    if isinstance(value, datetime):
        return value.date()
    if (found := _born(values).day_known) is None:
        raise MalformedError(what="PID", why="a day of which a part is missing")
    return found


def _sex(values: Sequence[Any]) -> str:
    value = values[0]
    if isinstance(value, bool) or not isinstance(value, int) or value not in SEXES:
        raise MalformedError(what="PID", why="no sex of the list")
    return SEXES[value]


def _birth_place(values: Sequence[Any]) -> Place:
    value = values[0]
    if not isinstance(value, Mapping):
        return Place(city=_letters(value))
    city, state, country = (_letters(value.get(name)) for name in ("locality", "region", "country"))
    return Place(city=city, state=state, country=as_on_cards(country))


def _address(values: Sequence[Any]) -> Place:
    street, zip_code, city, country = (_letters(value) for value in values)
    return Place(street=street, zip_code=zip_code, city=city, country=as_on_cards(country))


PID: Mapping[str, PidAttribute] = {
    "given_names": PidAttribute((("given_name",),), ("given_name",), _text),
    "family_names": PidAttribute((("family_name",),), ("family_name",), _text),
    "birth_name": PidAttribute((("birth_family_name",),), ("family_name_birth",), _text),
    "date_of_birth": PidAttribute((("birthdate",),), ("birth_date",), _born),
    "place_of_birth": PidAttribute((("place_of_birth", "locality"),), ("place_of_birth",), _birth_place),
    "nationality": PidAttribute((("nationalities",),), ("nationality",), _nationality),
    "sex": PidAttribute((("sex",),), ("sex",), _sex),
    "address": PidAttribute(
        (("address", "street_address"), ("address", "postal_code"), ("address", "locality"), ("address", "country")),
        ("resident_street", "resident_postal_code", "resident_city", "resident_country"),
        _address,
    ),
    "issuing_country": PidAttribute((("issuing_country",),), ("issuing_country",), _country),
    "valid_until": PidAttribute((("date_of_expiry",),), ("expiry_date",), _day),
    "email": PidAttribute((("email",),), ("email_address",), _text),
    "phone": PidAttribute((("phone_number",),), ("mobile_phone_number",), _text),
}
