"""A page of text in words of one language, without any layout: paper, receipt and voice are made of it. Pure."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a sheet; `tick` has a box to tick. `language`: another one than the sheet's."""

    kind: Literal["paragraph", "heading", "item", "tick"]
    text: str
    note: str = ""
    mark: str = ""
    language: str = ""
    depth: int = 0
    number: int | None = None


Part = Literal["bring", "get", "costs", "lasts", "where", "ways", "decides"]


class Section(msgspec.Struct, frozen=True):
    part: Part
    title: str
    lines: tuple[Line, ...]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A checklist in one language. `address` is where its code leads, with `address_words` below it.

    `source` says what it was made of, `page_words` has places for `page` and `pages`, `day` is the day it was made.
    """

    locale: str
    kind: str
    title: str
    title_language: str = ""
    issuer: str
    lead: tuple[Line, ...]
    sections: tuple[Section, ...]
    address: str
    address_words: str
    source: str
    page_words: str
    day: date
