"""The list of services of the nation (Leistungskatalog, LeiKa; FIM): official names and legal bases by key.

A table (CSV) with the columns `leistungsschluessel` and `bezeichnung`, and `rechtsgrundlage` where it has one; others
are not looked at. As a source of the layer `federation` it gives a town's services their official name and their law.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from servicepunkt.core.catalogue.formats import rows
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Refused, Upsert
from servicepunkt.core.catalogue.formats.texts import LEGACY_NOTE, control_characters, spoilt_key
from servicepunkt.core.catalogue.html import is_address

PART = "leika"
KEY, NAME, LAW = "leistungsschluessel", "bezeichnung", "rechtsgrundlage"
DIGITS = 14
#: "§ 10 Absatz 1 PAuswG [https://…]", several one after the other.
_LAW = re.compile(r"([^\[\]]+)\[([^\[\]\s]*)\]")


def read(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """An Upsert for each key. Raises SourceError for a table that cannot be read on."""
    known: set[str] = set()
    for row in rows.read(files[PART], PART, "services", limits, is_column=bool, required=[KEY, NAME]):
        if isinstance(row, Refused):
            yield row
            continue
        place, key = f"{PART}: line {row.line}", row.cells.get(KEY, "").strip()
        if problem := _problem(row.cells, key, known):
            yield Refused(place=place, kind="services", id=_id(key) if key in known else "", reason=problem)
            continue
        known.add(key)
        name = " ".join(row.cells[NAME].split())
        record: dict[str, Any] = {"id": _id(key), "leika": [key], "name": {"de": name}, "official_name": {"de": name}}
        if laws := list(_laws(row.cells.get(LAW, ""))):
            record["legal_basis"] = laws
        notes = (LEGACY_NOTE,) * row.is_legacy
        yield Upsert(kind="services", id=record["id"], record=record, place=place, notes=notes)


def _problem(cells: Mapping[str, str], key: str, known: set[str]) -> str:
    if letter := control_characters(cells):
        return f"the row has a character that no text has ({letter})"
    if reason := spoilt_key(key, DIGITS):
        return reason
    if key in known:
        return f"the key {key} stands there twice"
    return "" if cells.get(NAME, "").strip() else "a service has a name"


def _id(key: str) -> str:
    return f"leika-{key}"


def _laws(said: str) -> Iterator[dict[str, str] | str]:
    """Citations with their address where it is one."""
    end = 0
    for found in _LAW.finditer(said):
        citation, url, end = " ".join(found[1].strip(" ,;\n").split()), found[2], found.end()
        if citation:
            yield {"citation": citation, "url": url} if is_address(url) else citation
    if rest := " ".join(said[end:].strip(" ,;\n").split()):
        yield rest


FORMAT = Format(name="leika", parts=(PART,), is_whole=True, read=read)
