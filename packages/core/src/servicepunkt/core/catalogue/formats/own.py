"""Our own TOML: a catalogue as tenant packs have it in their `catalogue` folder, every kind of entry. Both ways.

A file is read as a whole, because TOML cannot be read otherwise; therefore it may have `MAX_TOML` bytes at most. What
is written has one form for one catalogue: entries in the order of the catalogue, fields in that of the model, without
those that say nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec

from servicepunkt.core import toml
from servicepunkt.core.catalogue.checks import service_mistakes
from servicepunkt.core.catalogue.competence import level_of
from servicepunkt.core.catalogue.formats.model import (
    Change,
    Counted,
    Format,
    Limits,
    Refused,
    SourceError,
    Upsert,
)
from servicepunkt.core.catalogue.formats.texts import control_characters
from servicepunkt.core.catalogue.model import IDENTIFIER, Area, Catalogue, Service
from servicepunkt.core.catalogue.records import ENTRIES, KINDS, Kind, record_id

CATALOGUE = "catalogue"
MAX_TOML = 16 * 1024 * 1024
MAX_PARTS = 64  # of a key with dots; tomllib takes the square of their number
_LONG_KEY = re.compile(rf"(?<![\w.-])(?:(?:[\w-]++|\"[^\"\n]*\"|'[^'\n]*')[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}")
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*[\"']?([a-z]+)[\"']?[ \t]*\]\][ \t]*(?:#.*)?\r?$", re.MULTILINE)


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """An Upsert for each entry, with the line of its header where that can be told. Raises SourceError."""
    try:
        text = Counted(files[CATALOGUE], min(limits.bytes, MAX_TOML)).read().decode("utf-8-sig")
        if _LONG_KEY.search(text):
            raise SourceError(f"{CATALOGUE}: a key has more than {MAX_PARTS} parts")
        document = tomllib.loads(text, parse_float=_decimal)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{CATALOGUE}: {error}") from error
    if not document:
        raise SourceError(f"{CATALOGUE}: the file holds nothing")
    records = 0
    for key, entries in document.items():
        kind = next((one for one in KINDS if one == key), None)
        if kind is None:
            yield Refused(place=f"{CATALOGUE}: {key[:80]}", reason="this key does not exist here")
        elif not isinstance(entries, list):
            yield Refused(place=f"{CATALOGUE}: [[{kind}]]", kind=kind, reason="this is a list of tables")
        else:
            records += len(entries)
            if records > limits.records:
                raise SourceError(f"{CATALOGUE}: more than {limits.records} records")
            yield from _entries(kind, entries, _lines_of(kind, text, len(entries)))


def _decimal(said: str) -> Decimal:
    return Decimal(said.replace("_", ""))


def _lines_of(kind: Kind, text: str, number: int) -> list[int]:
    """The lines of the headers; none when they are not as many as the entries (written inline, or inside a text)."""
    found, line, at = [], 1, 0
    for header in _HEADER.finditer(text):
        if header[1] == kind:
            line += text.count("\n", at, header.start())
            at = header.start()
            found.append(line)
    return found if len(found) == number else []


def _entries(kind: Kind, entries: list[Any], lines: list[int]) -> Iterator[Change]:
    known: set[str] = set()
    for number, entry in enumerate(entries):
        at = f" (line {lines[number]})" if lines else ""
        place = f"{CATALOGUE}: [[{kind}]] {number + 1}{at}"
        try:
            made = msgspec.convert(entry, ENTRIES[kind])
            record = msgspec.to_builtins(entry)
            name = record_id(kind, record)
            problems = list(_mistakes(made, name))
        except msgspec.ValidationError as error:
            said = entry.get("id") if isinstance(entry, dict) else None
            name = said[:80] if isinstance(said, str) else ""
            yield Refused(place=place, kind=kind, id=name, reason=str(error))
            continue
        if letter := control_characters(record):
            problems.append(f"there is a character that no text has ({letter})")
        if name in known:
            problems.append("this entry stands there twice")
        if problems:
            yield Refused(place=place, kind=kind, id=name, reason="; ".join(problems))
            continue
        known.add(name)
        yield Upsert(kind=kind, id=name, record=record, place=place)


def _mistakes(entry: msgspec.Struct, name: str) -> Iterator[str]:
    if hasattr(entry, "id") and not IDENTIFIER.match(name):
        yield "an id has small letters, digits and hyphens"
    if isinstance(entry, Area) and (not name or level_of(name) is None):
        yield "a key has 2, 5, 9 or 12 digits, as text"
    if isinstance(entry, Service):
        yield from (f"{where}: {sentence}" for where, sentence in service_mistakes(entry))


def write(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:  # noqa: ARG001 - all of it
    """The whole catalogue, what is for staff alone too."""
    is_empty = True
    for kind in KINDS:
        for entry in getattr(catalogue, kind):
            yield ("" if is_empty else "\n").encode() + "\n".join(toml.table(kind, entry)).encode() + b"\n"
            is_empty = False
    if is_empty:
        yield b"services = []\n"


FORMAT = Format(name="own", parts=(CATALOGUE,), is_whole=True, read=read, write=write)
