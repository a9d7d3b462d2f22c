"""The little Markdown that the pages are made of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

Row = Iterable[object]


def title(text: str, depth: int = 1) -> str:
    return f"{'#' * depth} {text}\n"


def code(text: str | StrEnum) -> str:
    return f"`{text}`"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def table(columns: Row, rows: Iterable[Row]) -> str:
    head = [cell(column) for column in columns]
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def definitions(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"- {name}: {text}\n" for name, text in rows)
