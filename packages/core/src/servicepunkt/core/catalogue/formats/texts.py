"""Texts from files of others: encodings, letters that no text has, keys that a spreadsheet has spoilt. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.model import Counted, SourceError

LEGACY = "cp1252"
LEGACY_NOTE = "read as Windows-1252 (cp1252), because it is not UTF-8"
MAX_LINE = 2 * 1024 * 1024  # bytes
_CHUNK = 64 * 1024
_AS_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+|[0-9]+[.,]0+", re.IGNORECASE)


def lines(file: BinaryIO, part: str, most: int) -> Iterator[bytes]:
    """The lines of a file with their ends, a part of it in memory at a time. Raises SourceError."""
    source, rest, number = Counted(file, most), b"", 0
    while chunk := source.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield _short(line, part, number) + b"\n"
        _short(rest, part, number + 1)
    if rest:
        yield rest


def _short(line: bytes, part: str, number: int) -> bytes:
    if len(line) > MAX_LINE:
        raise SourceError(f"{part}: line {number} is longer than {MAX_LINE} bytes")
    return line


class Decoder:
    """Lines as text: UTF-8, with or without a mark of its order, or Windows-1252 from the first line on that is not.

    Raises SourceError for UTF-16, for a line in another encoding than those before it, and for bytes that are neither.
    """

    def __init__(self, part: str) -> None:
        self._part = part
        self._number = 0
        self._is_utf8 = False
        self.is_legacy = False

    def decode(self, line: bytes) -> str:
        self._number += 1
        if self._number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise SourceError(f"{self._part}: this is UTF-16; save the file as UTF-8")
            if line.startswith(b"\xef\xbb\xbf"):
                self._is_utf8, line = True, line[3:]
        try:
            if self.is_legacy:
                return line.decode(LEGACY)
            text = line.decode()
        except UnicodeDecodeError as error:
            if self._is_utf8 or self.is_legacy:
                raise SourceError(f"{self._part}: line {self._number}: {error}") from error
            self.is_legacy = True
            self._number -= 1
            return self.decode(line)
        self._is_utf8 = self._is_utf8 or not line.isascii()
        return text


def control_characters(value: Any) -> str:
    """The first letter in a record that no text has, by its code; else empty. Tabs and line ends may be there."""
    if isinstance(value, str):
        letter = html.CONTROL.search(value)
        return f"U+{ord(letter[0]):04X}" if letter else ""
    inside: Sequence[Any] = ()
    if isinstance(value, Mapping):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        inside = value
    return next((found for one in inside if (found := control_characters(one))), "")


def cleaned(given: str) -> tuple[str, str]:
    """HTML from outside as a long text, and what was taken out of it; empty where nothing was that somebody wrote."""
    made = html.clean(given)
    if not made and html.plain(given).strip():
        return made, "nothing of this text may be shown"
    folded = given.casefold()
    return made, "scripts were taken out" if "<script" in folded or "javascript:" in folded else ""


def spoilt_key(key: str, digits: int) -> str:
    """Why something is no key of so many digits, and whether a spreadsheet has spoilt it; empty when it is one."""
    if re.fullmatch(rf"[0-9]{{{digits}}}", key, re.ASCII):
        return ""
    if _AS_NUMBER.fullmatch(key):
        return f"{key!r}: a spreadsheet has made a number of this key, its digits are lost; format the column as text"
    if re.fullmatch(rf"[1-9][0-9]{{{digits - 2}}}", key, re.ASCII) and not key.startswith("99"):
        return f"{key!r} has {digits - 1} digits instead of {digits}: a spreadsheet has taken its leading zero away"
    return f"{key[:80]!r} is no key of {digits} digits"
