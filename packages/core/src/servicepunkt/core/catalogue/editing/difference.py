"""What differs between two catalogues, entry by entry, value by value, word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec

from servicepunkt.core.catalogue.layers import MODULES, Path, Record, difference
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.records import records_of

Sign = Literal["added", "removed", "changed"]
Kept = Literal["same", "added", "removed"]
WORD = re.compile(r"\s+|\w+|[^\w\s]")
BLOCK = re.compile(r"[^\n]*\n+|[^\n]+")
#: More words than this are compared by lines: the comparison takes the square of their number.
MOST_WORDS = 2000


class Piece(msgspec.Struct, frozen=True):
    """A part of a text that stays, comes or goes."""

    kept: Kept
    text: str


class EntryChange(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that differs: what it was, and what it is, as records; nothing where it is not there."""

    kind: str
    id: str
    sign: Sign
    before: Record = {}
    after: Record = {}

    @property
    def name(self) -> Any:
        return self.after.get("name") or self.before.get("name") or ""

    def values(self) -> list[tuple[Path, Any, Any]]:
        """(path, before, after) of each value that differs."""
        return difference(self.before, self.after)


def changes(before: Catalogue, after: Catalogue) -> list[EntryChange]:
    """Every entry that differs, services first."""
    old, new = records_of(before), records_of(after)
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]
    return [_change(key, old, new) for key in sorted(keys, key=lambda key: (key[0] != "services", key))]


def _change(
    key: tuple[str, str], old: Mapping[tuple[str, str], Record], new: Mapping[tuple[str, str], Record]
) -> EntryChange:
    sign: Sign = "added" if key not in old else "removed" if key not in new else "changed"
    return EntryChange(kind=key[0], id=key[1], sign=sign, before=old.get(key, {}), after=new.get(key, {}))


def words(before: str, after: str) -> list[Piece]:
    """A text as it was and as it is in one, word by word."""
    old, new = WORD.findall(before), WORD.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        old, new = BLOCK.findall(before), BLOCK.findall(after)
        if len(old) + len(new) > MOST_WORDS:
            return [Piece("removed", before), Piece("added", after)]
    found: list[tuple[str, str, str]] = []  # (the same, gone, come)
    for verb, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[old_start:old_end]), "".join(new[new_start:new_end])
        if verb != "equal" and len(found) > 1 and found[-1][0].isspace():
            # A space that alone stays between two changes tells nobody anything: both are one change.
            space, (_, gone_before, come_before) = found.pop()[0], found.pop()
            found.append(("", gone_before + space + gone, come_before + space + come))
        else:
            found.append((gone, "", "") if verb == "equal" else ("", gone, come))
    signs: tuple[Kept, ...] = ("same", "removed", "added")
    return [Piece(sign, text) for part in found for sign, text in zip(signs, part, strict=True) if text]


def plain_text(path: Path, value: Any) -> str:
    """A value as people read it in a comparison: texts as they are, lists a line each."""
    match value:
        case None:
            return ""
        case str():
            return value
        case (str() as said, bool()) if path.startswith(f"{MODULES}/"):
            return said
        case list() | tuple():
            return "\n".join(plain_text(path, one) for one in value)
        case dict():
            return " · ".join(f"{key}: {plain_text(path, one)}" for key, one in value.items() if one not in ("", None))
        case _:
            return str(value)
