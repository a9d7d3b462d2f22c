"""Where each key and value of a TOML document stands: tomllib gives what a document says, and not where. Pure.

The document has been read by tomllib before: what is looked at here is TOML.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import NamedTuple

Path = tuple[str | int, ...]
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_BARE = re.compile(r"[^,\]}\n#]+")


class Place(NamedTuple):
    """Line and column in a file, both from 1."""

    line: int
    column: int


def places(text: str) -> dict[Path, Place]:
    """The place of every key of every table, and of every value in a list, by the path that leads to it."""
    return _Reader(text.replace("\r\n", "\n")).read()


def nearest(found: Mapping[Path, Place], path: Path) -> Place:
    """The place of a path, or of the nearest thing around it that stands in the file."""
    while path and path not in found:
        path = path[:-1]
    return found.get(path, Place(1, 1))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._found: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}  # of arrays of tables

    def read(self) -> dict[Path, Place]:
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            begin = self._at
            if self._take("[["):
                table = self._array_of_tables(begin)
            elif self._take("["):
                table = self._names((), begin)
                self._skip(_SPACE)
                self._take("]")
            else:
                self._assignment(table)
        return {path: self._place(at) for path, at in self._found.items()}

    def _array_of_tables(self, begin: int) -> Path:
        path = self._names((), begin, is_array=True)
        number = self._lengths.get(path, 0)
        self._lengths[path] = number + 1
        self._found[*path, number] = begin
        self._skip(_SPACE)
        self._take("]]")
        return (*path, number)

    def _names(self, path: Path, begin: int | None = None, *, is_array: bool = False) -> Path:
        """A key with its dots, below a path; where it leads through an array of tables, its last table is meant."""
        while True:
            self._skip(_SPACE)
            at = self._at
            path = (*path, self._name())
            self._found.setdefault(path, at if begin is None else begin)
            self._skip(_SPACE)
            is_last = not self._take(".")
            if path in self._lengths and not (is_last and is_array):
                path = (*path, self._lengths[path] - 1)
            if is_last:
                return path

    def _name(self) -> str:
        found = self._match(_KEY)
        if found[0] in "\"'":
            [said] = tomllib.loads(f"{found} = 0")
            return said
        return found

    def _assignment(self, table: Path) -> None:
        path = self._names(table)
        self._skip(_SPACE)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self._take("["):
            for number in self._members("]"):
                self._found[*path, number] = self._at
                self._value((*path, number))
        elif self._take("{"):
            for _ in self._members("}"):
                self._assignment(path)
        elif self._text[self._at] in "\"'":
            self._match(_STRING)
        else:
            self._match(_BARE)

    def _members(self, end: str) -> Iterator[int]:
        number = 0
        while True:
            self._skip(_BLANK)
            if self._take(end):
                return
            yield number
            number += 1
            self._skip(_BLANK)
            self._take(",")

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None or found.end() == self._at:
            raise ValueError(f"this is no TOML, at letter {self._at}")
        self._at = found.end()
        return found[0]

    def _take(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._at += len(sign)
            return True
        return False

    def _place(self, at: int) -> Place:
        line = bisect_left(self._ends, at)
        return Place(line + 1, at - (self._ends[line - 1] + 1 if line else 0) + 1)
