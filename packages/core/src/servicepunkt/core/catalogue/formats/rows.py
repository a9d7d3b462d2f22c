"""Rows of a CSV file (RFC 4180), whatever a spreadsheet has made of it: delimiter, encoding, quotes, formulas. Pure.

The delimiter is what parts the names in the header. A row that cannot be read is refused with its line; a quotation
mark that is never closed ends the file, because nobody can say which rows it has swallowed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import BinaryIO

import msgspec

from servicepunkt.core.catalogue.formats.model import Limits, Refused, SourceError
from servicepunkt.core.catalogue.formats.texts import Decoder, lines
from servicepunkt.core.catalogue.records import Kind

DELIMITERS = (";", ",", "\t")
MAX_COLUMNS = 200
MAX_ROW = 2 * 1024 * 1024  # letters, over all its lines
#: Spreadsheets take a cell that begins with one of these for a formula (OWASP, "CSV Injection").
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NEUTRALISED = re.compile("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


class Row(msgspec.Struct, frozen=True):
    """A row by the names of its columns; empty cells are left out. `is_legacy`: it was not UTF-8."""

    line: int
    cells: dict[str, str]
    is_legacy: bool


class _Feed:
    """Decoded lines for the reader of rows, not more for one row than a row may have."""

    def __init__(self, file: BinaryIO, part: str, limits: Limits) -> None:
        self._lines = lines(file, part, limits.bytes)
        self._decoder = Decoder(part)
        self._part = part
        self._letters = 0
        self.line = 0
        self.is_legacy = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        text = self._decoder.decode(next(self._lines))
        self.line += 1
        self.is_legacy = self.is_legacy or (self._decoder.is_legacy and not text.isascii())
        self._letters += len(text)
        if self._letters > MAX_ROW:
            raise SourceError(f"{self._part}: the row that ends in line {self.line} is longer than {MAX_ROW} letters")
        return text

    def begin(self) -> None:
        """A new row begins."""
        self._letters = 0
        self.is_legacy = False


def read(
    file: BinaryIO, part: str, kind: Kind, limits: Limits, *, is_column: Callable[[str], bool], required: Iterable[str]
) -> Iterator[Row | Refused]:
    """The rows below the header. Raises SourceError with every column that is unknown, missing or there twice."""
    feed = _Feed(file, part, limits)
    try:
        first = next(feed)
    except StopIteration:
        raise SourceError(f"{part}: the file is empty") from None
    delimiter, names = _header(first, part, is_column, required)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    rows = 0
    while True:
        line, problem = feed.line + 1, ""
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "limit" in str(error) or "end of data" in str(error):
                raise SourceError(
                    f"{part}: line {line}: a quotation mark is not closed, or a cell is too long"
                ) from error
            cells, problem = [], f"this row cannot be read: {error}"
        if not problem and not any(cells):
            continue
        rows += 1
        if rows > limits.records:
            raise SourceError(f"{part}: more than {limits.records} records")
        if problem := problem or _problem(names, cells):
            yield Refused(place=f"{part}: line {line}", kind=kind, reason=problem)
        else:
            found = {name: denormalised(cell) for name, cell in zip(names, cells, strict=True) if cell}
            yield Row(line, found, feed.is_legacy)


def _problem(names: list[str], cells: list[str]) -> str:
    if len(cells) != len(names):
        return f"the row has {len(cells)} cells, the header has {len(names)}"
    nameless = [cell for name, cell in zip(names, cells, strict=True) if cell and not name]
    return f"{nameless[0][:80]!r} stands in a column without a name" if nameless else ""


def _header(first: str, part: str, is_column: Callable[[str], bool], required: Iterable[str]) -> tuple[str, list[str]]:
    """The delimiter with which most of the names are known ones, and the names."""

    def names_by(delimiter: str) -> list[str]:
        try:
            return [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            return []

    by_delimiter = {delimiter: names_by(delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda one: sum(is_column(name) for name in by_delimiter[one]))
    names = by_delimiter[delimiter]
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"{part}: line 1: more than {MAX_COLUMNS} columns")
    said = [name for name in names if name]
    unknown = [name[:80] for name in said if not is_column(name)]
    missing = [name for name in required if name not in said]
    twice = sorted({name[:80] for name in said if said.count(name) > 1})
    problems = [f"there is no column {name!r} here" for name in unknown]
    problems += [f"the column {name!r} is missing" for name in missing]
    problems += [f"the column {name!r} stands there twice" for name in twice]
    if problems:
        raise SourceError(f"{part}: line 1: {'; '.join(problems)}")
    return delimiter, names


def write(header: list[str], rows: Iterable[list[str]]) -> Iterator[bytes]:
    """A file for spreadsheets: UTF-8 with its mark, semicolons, every cell in quotes, no cell a formula."""
    yield b"\xef\xbb\xbf"
    for cells in chain([header], rows):
        out = io.StringIO()
        csv.writer(out, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(neutralised, cells))
        yield out.getvalue().encode()


def neutralised(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: with an apostrophe before it."""
    return f"'{text}" if _FORMULA.match(text) else text


def denormalised(cell: str) -> str:
    """A cell as the text that it stands for: line ends of one kind, without the apostrophe before a formula."""
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    return text[1:] if _NEUTRALISED.match(text) else text
