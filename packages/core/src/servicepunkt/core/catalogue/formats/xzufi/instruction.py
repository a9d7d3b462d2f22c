"""What XZuFi has no word for, in a processing instruction: `<?servicepunkt {"kind": ..., "record": {...}}?>`. Pure.

Within a `schreibe` it holds the fields that the element before it cannot say, at the top level a whole entry of a kind
that XZuFi does not know. Everybody else ignores it. Whoever reads it believes nothing in it: it is decoded as strictly
as a file of a tenant, and its texts are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from servicepunkt.core.catalogue.checks import Mistake, service_mistakes, text_mistakes
from servicepunkt.core.catalogue.formats.xzufi.elements import UnreadableError
from servicepunkt.core.catalogue.formats.xzufi.records import Record
from servicepunkt.core.catalogue.model import Service, Strict, Text
from servicepunkt.core.catalogue.records import ENTRIES, Kind

MAX_ID = 600  # letters


class Instruction(Strict, frozen=True, kw_only=True):
    """`id`: the entry's, at the top level, where no element has one."""

    kind: Kind
    record: dict[str, Any]
    id: str = ""


def write(kind: Kind, record: Record, name: str = "") -> str:
    """An instruction as text. It has no `>`, therefore it cannot end itself, and nothing but ASCII."""
    content = {"kind": kind} | ({"id": name} if name else {}) | {"record": record}
    return json.dumps(content, separators=(",", ":")).replace(">", "\\u003e")


def read(text: str | None) -> Instruction:
    """Raises UnreadableError."""
    try:
        found = msgspec.json.decode(text or "", type=Instruction)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise UnreadableError(f"instruction: {error}") from error
    if len(found.id) > MAX_ID or not found.id.isprintable():
        raise UnreadableError("instruction: this id cannot be")
    return found


def overlaid(record: Record, kind: Kind, rest: Instruction) -> Record:
    """A record with what an instruction adds to it; what is empty there is not said. Raises UnreadableError."""
    if rest.kind != kind or rest.id:
        raise UnreadableError(f"instruction: {rest.kind} {rest.id!r} is no rest of {kind}")
    made = record | rest.record
    return {field: content for field, content in made.items() if content not in ([], {}, None)}


def entry(kind: Kind, record: Record) -> msgspec.Struct:
    """The record as an entry of the catalogue. Raises UnreadableError for fields that are unknown or do not fit."""
    try:
        return msgspec.convert(record, ENTRIES[kind])
    except (msgspec.ValidationError, RecursionError) as error:
        raise UnreadableError(str(error)) from error


def look_at(made: msgspec.Struct, *, is_told: bool) -> None:
    """Raises UnreadableError when something in an entry may not be there.

    `is_told`: part of it comes from an instruction, so that its texts have not been cleaned here.
    """
    found: list[Mistake] = []
    if is_told:
        found += (mistake for place, text in texts(made) for mistake in text_mistakes(place, text))
    if isinstance(made, Service):
        if is_told:
            found += service_mistakes(made)
        elif not made.name and not made.leika:
            found.append(("name", "a service has a name, or a LeiKa key that brings one"))
    if found:
        raise UnreadableError("; ".join(dict.fromkeys(f"{place}: {sentence}" for place, sentence in found[:10])))


def texts(made: object, place: str = "") -> Iterator[tuple[str, Text]]:
    """Every text by language in an entry, with its place."""
    if isinstance(made, dict):
        yield place, made
    elif isinstance(made, tuple):
        for number, one in enumerate(made):
            yield from texts(one, f"{place}[{number}]")
    elif isinstance(made, msgspec.Struct):
        for field in made.__struct_fields__:
            yield from texts(getattr(made, field), f"{place}.{field}" if place else field)
