"""What in a parsed document does not fit its struct: every mistake at once, where msgspec stops at the first. Pure.

A document without mistakes here is one that msgspec converts, and the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from servicepunkt.core.rules import RULES, Broken, Rule, Term, closest, rule
from servicepunkt.tenants.places import Path

Mistake = tuple[Path, Broken]
Decoded = TypeVar("Decoded")

UNKNOWN_KEY = rule("SP1012", "this key does not exist here: {name}")
MISSING_KEY = rule("SP1013", "this key is missing: {name}")
NO_CHOICE = rule("SP1014", "{name!r} is none of: {known}")
WRONG_TYPE = rule("SP1015", "this is {found}, and should be {wanted}")
TOO_SMALL = rule("SP1016", "{found} is too little: it begins at {limit}")
TOO_LARGE = rule("SP1017", "{found} is too much: it ends at {limit}")
TOO_SHORT = rule("SP1018", "this is too short: at least {limit}")
TOO_LONG = rule("SP1019", "this is too long: at most {limit}")
WRONG_PATTERN = rule("SP1020", "{found!r} is not written as it should be: {limit}")
NOT_TOGETHER = rule("SP1021", "{why}")
CONTROL = rule(
    "SP1024", "there is a control character here, number {number}", "It cannot be seen, and no text needs it."
)
SHOWN = 80
#: Control characters of ISO 8859-1 but tabulator and line ends; PostgreSQL takes no NUL at all.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

LIMITS: Mapping[str, tuple[Rule, Callable[[Any, Any], bool]]] = {
    "ge": (TOO_SMALL, lambda value, limit: value < limit),
    "le": (TOO_LARGE, lambda value, limit: value > limit),
    "min_length": (TOO_SHORT, lambda value, limit: len(value) < limit),
    "max_length": (TOO_LONG, lambda value, limit: len(value) > limit),
    "pattern": (WRONG_PATTERN, lambda value, limit: re.search(limit, value) is None),
}
#: What a value is called.
WORDS: Mapping[type, Term] = {
    str: Term("a text"),
    bool: Term("true or false"),
    int: Term("a whole number"),
    float: Term("a number"),
    dict: Term("a table"),
    list: Term("a list"),
    datetime: Term("a moment"),
    date: Term("a day"),
    time: Term("a time of day"),
}
KINDS: Mapping[type[inspect.Type], tuple[type, ...]] = {
    inspect.StrType: (str,),
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (float, int),
    inspect.DateType: (date,),
    inspect.DecimalType: (int, float, str),
    inspect.DictType: (dict,),
    inspect.StructType: (dict,),
    inspect.VarTupleType: (list,),
    inspect.ListType: (list,),
}


def decode(value: Any, kind: type[Decoded], path: Path = ()) -> tuple[Decoded | None, list[Mistake]]:
    """The value as a `kind`, or None and every mistake with its path."""
    found = list(_mistakes(value, _info(cast("Hashable", kind)), path))
    if found:
        return None, found
    try:
        return msgspec.convert(value, kind), []
    except msgspec.ValidationError as error:
        return None, list(_refused(error, path))


@lru_cache(maxsize=256)
def _info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _mistakes(value: Any, info: inspect.Type, path: Path) -> Iterator[Mistake]:
    match info:
        case inspect.Metadata():
            yield from _mistakes(value, info.type, path)
        case inspect.UnionType():
            yield from _of_union(value, info, path)
        case inspect.LiteralType():
            if value not in info.values:
                yield path, no_choice(value, [str(one) for one in info.values])
        case _ if not _is_a(value, info):
            yield path, wrong_type(value, [info])
        case inspect.FloatType() | inspect.DecimalType() if _is_endless(value):
            yield path, wrong_type(value, [info])
        case inspect.StrType() if found := _CONTROL.search(value):
            yield path, CONTROL(number=ord(found[0]))
        case inspect.StructType():
            yield from _of_struct(value, info, path)
        case inspect.VarTupleType() | inspect.ListType():
            for number, item in enumerate(value):
                yield from _mistakes(item, info.item_type, (*path, number))
            yield from _bounds(value, info, path)
        case inspect.DictType():
            for key, item in value.items():
                yield from _mistakes(key, info.key_type, (*path, key))
                yield from _mistakes(item, info.value_type, (*path, key))
        case _:
            yield from _bounds(value, info, path)


def _is_a(value: Any, info: inspect.Type) -> bool:
    kinds = KINDS.get(type(info))
    if kinds is None:
        return (value is None) == isinstance(info, inspect.NoneType)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) and not (isinstance(value, datetime) and datetime not in kinds)


def _is_endless(value: Any) -> bool:
    """Whether this is infinite, or no number at all, in the words of TOML or of Python's decimals."""
    with suppress(ArithmeticError):
        return isinstance(value, (int, float, str)) and not Decimal(str(value)).is_finite()
    return False


def _of_union(value: Any, info: inspect.UnionType, path: Path) -> Iterator[Mistake]:
    structs = [one for one in info.types if isinstance(one, inspect.StructType) and one.tag_field is not None]
    if isinstance(value, dict) and structs:
        field = structs[0].tag_field or ""
        known = {str(one.tag): one for one in structs}
        if field not in value:
            yield path, MISSING_KEY(name=field)
        elif (chosen := known.get(str(value[field]))) is None:
            yield (*path, field), no_choice(value[field], list(known))
        else:
            yield from _of_struct(value, chosen, path)
        return
    fitting = [one for one in info.types if isinstance(one, inspect.LiteralType) or _is_a(value, one)]
    found = [list(_mistakes(value, one, path)) for one in fitting]
    yield from min(found, key=len, default=[(path, wrong_type(value, info.types))])


def _of_struct(value: dict[str, Any], info: inspect.StructType, path: Path) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in info.fields}
    known = {*fields, *([info.tag_field] if info.tag_field else [])}
    found = [
        ((*path, key), UNKNOWN_KEY(name=key, near=closest(key, sorted(known)))) for key in value if key not in known
    ]
    for name, field in fields.items():
        if name in value:
            found += _mistakes(value[name], field.type, (*path, name))
        elif field.required:
            found.append((path, MISSING_KEY(name=name)))
    yield from found
    if not found:
        try:
            msgspec.convert(value, info.cls)
        except msgspec.ValidationError as error:
            yield from _refused(error, path)


def _refused(error: msgspec.ValidationError, path: Path) -> Iterator[Mistake]:
    """What a struct itself refused: its own sentences where it brings them."""
    own = getattr(error.__cause__, "mistakes", None)
    if own is None:
        yield path, NOT_TOGETHER(why=str(error.__cause__ or error))
        return
    for place, said in own:
        broken = said if isinstance(said, Broken) else RULES[said]()
        yield ((*path, place) if place else path), broken


def _bounds(value: Any, info: Any, path: Path) -> Iterator[Mistake]:
    """The limits that a type carries."""
    for name, (broken, breaks) in LIMITS.items():
        limit = getattr(info, name, None)
        if limit is not None and breaks(value, limit):
            yield path, broken(found=shown(value), limit=limit)


def no_choice(value: Any, known: Sequence[str]) -> Broken:
    return NO_CHOICE(name=value if isinstance(value, (int, bool)) else shown(value), known=", ".join(known),
                     near=closest(str(value)[:SHOWN], known))  # fmt: skip


def wrong_type(value: Any, wanted: Sequence[inspect.Type]) -> Broken:
    kinds = dict.fromkeys(WORDS[KINDS[type(one)][0]] for one in wanted if type(one) in KINDS)
    return WRONG_TYPE(found=_word(value), wanted=tuple(kinds))


def _word(value: Any) -> Term:
    if _is_endless(value):
        return Term("no finite number")
    return next((word for kind, word in WORDS.items() if type(value) is kind), Term("something else"))


def shown(value: Any) -> str:
    """A value for a sentence: never longer than a line."""
    text = str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
