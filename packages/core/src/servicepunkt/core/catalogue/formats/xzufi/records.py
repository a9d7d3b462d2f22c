"""Records of ours while they are made: without what is empty, with modules by code and channel. Pure."""

from __future__ import annotations

import re
from typing import Any

from servicepunkt.core.catalogue.checks import OWN_MODULE
from servicepunkt.core.catalogue.formats.xzufi.elements import Key, Notes, Parts, every, key, together
from servicepunkt.core.catalogue.model import Text

Record = dict[str, Any]
_NOT_IN_CODE = re.compile(r"[^a-z0-9]+")


def without_empty(record: Record) -> Record:
    return {field: content for field, content in record.items() if content not in ([], {}, "", None)}


def external(named: Key, found: Parts) -> Record:
    """How somebody else names it: its id, or for what we wrote ourselves its secondary id."""
    if not named.is_own and named.agency:
        return {"external": {"agency": named.agency, "value": named.value}}
    others = (key(element) for element in every(found, "idSekundaer") if named.is_own)
    other = next((one for one in others if one is not None and one.agency), None)
    return {"external": {"agency": other.agency, "value": other.value}} if other is not None else {}


def own_code(given: str) -> str:
    """A code of our own for a text module that is not of the standard."""
    if OWN_MODULE.match(given):
        return given
    return f"x-{_NOT_IN_CODE.sub('-', given.casefold()).strip('-')[:40].strip('-') or 'text'}"


class Modules(dict[tuple[str, str], Text]):
    """Text modules by code and channel."""

    def first(self, number: str, way: str, text: Text, notes: Notes) -> None:
        """Add a module of which there is one for each code, channel and language: the first one counts."""
        before = self.get((number, way), {})
        if before.keys() & text.keys():
            notes.say(f"text module {number} stands there twice for one channel and language: the first one counts")
        if text or before:
            self[number, way] = text | before

    def more(self, number: str, way: str, text: Text) -> None:
        """Add words below those that are there."""
        if text:
            self[number, way] = together(self.get((number, way), {}), text)

    def records(self, translated: frozenset[str]) -> list[Record]:
        """As a service has them, in the order of their codes. `translated`: languages put in by a machine."""
        made = []
        for (number, way), text in sorted(self.items()):
            record: Record = {"code": number, "text": text}
            if way != "000":
                record["channel"] = way
            if languages := [tongue for tongue in text if tongue in translated]:
                record["translated"] = languages
            made.append(record)
        return made
