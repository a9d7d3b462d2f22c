"""A theme's services as a list that can be looked through: a long one by letters, at a terminal in pages. Pure.

A terminal shows no scroll bar: what does not fit on a screen stands on the next page.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from servicepunkt.core.catalogue.model import Service, pick
from servicepunkt.web.terminal.content import OfferSeen

LONG, ON_A_PAGE = 40, 8
OTHER_SIGNS = "0–9"


class Entry(msgspec.Struct, frozen=True):
    """A service with its offer here; without one only what it is can be read."""

    service: Service
    seen: OfferSeen | None = None


class Group(msgspec.Struct, frozen=True):
    """Services whose names begin alike; without a letter in the order in which they were given."""

    letter: str
    entries: tuple[Entry, ...]


class Letter(msgspec.Struct, frozen=True):
    """Where in the list a letter begins: on which page of a terminal."""

    letter: str
    page: int


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on this page. `letters` is empty where the list is short; `page` counts from 1 to `pages`."""

    offered: tuple[Entry, ...]
    groups: tuple[Group, ...]
    letters: tuple[Letter, ...] = ()
    page: int = 1
    pages: int = 1


def listing(
    offers: Sequence[OfferSeen], more: Iterable[Service], locale: str, *, page: int = 1, in_pages: bool = False
) -> Listing:
    """What is offered here first, then what can only be read; beyond `LONG` by letters, `in_pages` at a terminal."""
    offered = [Entry(seen.service, seen) for seen in offers]
    rest = [Entry(service) for service in more]
    if len(offered) + len(rest) <= LONG:
        return Listing(offered=tuple(offered), groups=(Group("", tuple(rest)),) if rest else ())
    if len(offered) > LONG:
        # Too many to look through in any other order than that of their names.
        offered, rest = [], offered + rest
    rest.sort(key=lambda entry: _folded(entry, locale))
    everything = offered + rest
    letters: dict[str, int] = {}
    for place, entry in enumerate(everything[len(offered) :], start=len(offered)):
        letters.setdefault(letter_of(entry, locale), place // ON_A_PAGE + 1)
    pages = -(-len(everything) // ON_A_PAGE) if in_pages else 1
    page = min(max(page, 1), pages)
    first = (page - 1) * ON_A_PAGE
    shown = everything[first : first + ON_A_PAGE] if in_pages else everything
    here = max(0, len(offered) - first) if in_pages else len(offered)
    return Listing(
        offered=tuple(shown[:here]),
        groups=tuple(
            Group(letter, tuple(some)) for letter, some in groupby(shown[here:], lambda entry: letter_of(entry, locale))
        ),
        letters=tuple(Letter(letter, at) for letter, at in letters.items()),
        page=page,
        pages=pages,
    )


def letter_of(entry: Entry, locale: str) -> str:
    """The letter under which a name stands: ä as a; what begins with none comes first, together."""
    first = _folded(entry, locale)[:1].upper()
    return first if first.isalpha() else OTHER_SIGNS


def _folded(entry: Entry, locale: str) -> str:
    """A name as it is sorted: without accents, and without the quotation marks around its first word."""
    bare = "".join(sign for sign in unicodedata.normalize("NFD", pick(entry.service.name, locale)) if sign.isalnum())
    return bare.casefold()
