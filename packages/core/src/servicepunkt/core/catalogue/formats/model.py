"""What a format gives: one change after the other, with its place in the file; and what it may cost at most. Pure.

A reader never raises for a record that it cannot read: it says which and why, and goes on. It raises `SourceError` for
a file that cannot be read on: then nothing of it counts.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, BinaryIO, Protocol, runtime_checkable

import msgspec

from servicepunkt.core.catalogue.model import IDENTIFIER, Catalogue
from servicepunkt.core.catalogue.records import Kind
from servicepunkt.core.errors import ServicepunktError

#: What an imported record may be, in the order in which they refer to each other.
MAX_BYTES = 512 * 1024 * 1024  # of one file
MAX_RECORDS = 1_000_000
MAX_NOTES = 20  # remarks about one record
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


class SourceError(ServicepunktError):
    """A file cannot be read on: no such format, broken, too large, or dangerous."""

    code = "SP2002"
    status = 422
    citizen = "This file cannot be read."
    staff = "The file cannot be read; nothing of it was taken over."
    next_step = "Look at the place that is named, and ask whoever made the file."


class Upsert(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as the source has it: fields of its struct in `model` as JSON has them, without those it does not say.

    `notes`: what was changed while it was read, such as HTML that is not shown.
    """

    kind: Kind
    id: str
    record: dict[str, Any]
    place: str
    notes: tuple[str, ...] = ()


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that the source has no longer."""

    kind: Kind
    id: str
    place: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A record that cannot be taken over, and why; `kind` and `id` as far as they could be read."""

    place: str
    reason: str
    kind: str = ""
    id: str = ""


Change = Upsert | Delete | Refused


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may cost at most."""

    bytes: int = MAX_BYTES
    records: int = MAX_RECORDS


@runtime_checkable
class Write(Protocol):
    """Writes a catalogue. With a `day`, what is not valid on it stays out where the format is for the public."""

    def __call__(self, catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]: ...


class Format(msgspec.Struct, frozen=True, kw_only=True):
    """A format by name. `parts`: the files that it is made of. `is_whole`: a file is all that its source has, so that
    what does not stand in it is gone; else it says itself what is gone.

    `read` is called with the open files by part and yields changes with bounded memory. `write` yields the bytes of the
    format, of a catalogue whose pages stand at an address, on a day; None for one that is only read.
    """

    name: str
    parts: tuple[str, ...]
    is_whole: bool
    read: Callable[[Mapping[str, BinaryIO], Limits], Iterator[Change]] | None = None
    write: Write | None = None


def identifier(*parts: str) -> str:
    """An id of ours for a name of somebody else: readable where it can be, else made unique by a digest."""
    said = "-".join(part for part in parts if part)
    plain = unicodedata.normalize("NFKD", said.casefold()).encode("ascii", "ignore").decode()
    made = _NOT_IN_ID.sub("-", plain).strip("-")
    if IDENTIFIER.match(made) and made == said.casefold():
        return made
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    return f"{made[:54].strip('-')}-{digest}".lstrip("-")


class Counted:
    """A file that ends with a `SourceError` when more is read from it than it may have."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._left, self._limit = file, limit, limit

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(found)
        if self._left < 0:
            raise SourceError(f"the file has more than {self._limit} bytes")
        return found
