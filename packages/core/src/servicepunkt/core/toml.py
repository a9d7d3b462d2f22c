"""TOML from structs, in one form for one content; what says nothing is left out. Python reads TOML and writes none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from servicepunkt.core.catalogue.records import default

WIDE = 100  # letters of a line of a list
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPED = re.compile('[\x00-\x1f"\\\\\x7f]')
_ESCAPED_IN_LINES = re.compile('[\x00-\x08\x0b-\x1f\\\\\x7f]|"(?=""|\\Z)')


def table(header: str, entry: msgspec.Struct, *, is_one: bool = False) -> Iterator[str]:
    """The lines of a table with its values first, then the tables inside it. `is_one`: it is in no list of tables."""
    yield f"[{header}]" if is_one else f"[[{header}]]"
    inside = []
    for name, value in said(entry):
        if isinstance(value, tuple) and value and all(isinstance(one, msgspec.Struct) for one in value):
            inside.append((name, value))
        else:
            yield from assignment(name, value)
    for name, value in inside:
        for one in value:
            yield ""
            yield from table(f"{header}.{name}", one)


def said(entry: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Fields that say something: those that are demanded, and those that are not as they would be unsaid."""
    for field in _fields(type(entry)):
        value = getattr(entry, field.name)
        if field.required or value not in (None, default(field)):
            yield field.encode_name, value


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def assignment(key: str, value: Any) -> Iterator[str]:
    """A line for each value, with dots between the names of tables inside tables."""
    inside: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        inside = [(key_of(name), one) for name, one in value.items()]
    elif isinstance(value, msgspec.Struct):
        inside = list(said(value))
    if inside:
        for name, one in inside:
            yield from assignment(f"{key}.{name}", one)
    else:
        yield f"{key} = {_value(value)}"


def key_of(name: str) -> str:
    """A name as a key, in quotation marks where it needs them."""
    return name if _BARE.fullmatch(name) else string(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return f'"{value}"'  # as text: a number with a point is not exact everywhere
        case date():
            return value.isoformat()
        case str():
            return lines(value) if "\n" in value else string(value)
        case tuple() | list():
            return _list([_inline(one) for one in value])
        case _:
            return _inline(value)


def _inline(value: Any) -> str:
    """A value that stands in a list: on one line."""
    match value:
        case str():
            return string(value)
        case Mapping():
            return "{" + ", ".join(f"{key_of(name)} = {_inline(one)}" for name, one in value.items()) + "}"
        case msgspec.Struct():
            return "{ " + ", ".join(f"{name} = {_inline(one)}" for name, one in said(value)) + " }"
        case _:
            return _value(value)


def _list(parts: list[str]) -> str:
    line = f"[{', '.join(parts)}]"
    return line if len(line) <= WIDE else "[\n" + "".join(f"    {part},\n" for part in parts) + "]"


def string(text: str) -> str:
    """A text on one line."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def lines(text: str) -> str:
    """A text over several lines."""
    return '"""\n' + _ESCAPED_IN_LINES.sub(_escape, text) + '"""'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}"
