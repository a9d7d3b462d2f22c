"""Addresses: links of modules, laws, and online services as links of the services that they belong to. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from lxml import etree

from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi.elements import (
    Key,
    Notes,
    Parts,
    UnreadableError,
    code,
    every,
    first,
    key,
    language,
    line,
    lines,
    parts,
    said,
)
from servicepunkt.core.catalogue.formats.xzufi.records import Modules, Record, without_empty
from servicepunkt.core.catalogue.html import is_address

TRUST_LEVELS = ("00", "10", "15", "20", "30", "40")
_LAWS = re.compile(r"<ul>(?:<li>(?:[^<]+|<a href=\"[^\"]+\">[^<]+</a>)</li>)+</ul>\Z")
_LAW = re.compile(r"<li>(?:<a href=\"([^\"]+)\">)?([^<]+)(?:</a>)?</li>")


class Online(NamedTuple):
    """An online service: its key, its links (`areas` and the services that it belongs to stand elsewhere)."""

    key: Key
    links: tuple[Record, ...]


def online(element: etree._Element, notes: Notes) -> Online:
    """Raises UnreadableError for one that cannot be opened."""
    found = parts(element)
    named = key(first(found, "id"))
    if named is None:
        raise UnreadableError("it has no id")
    title = lines(every(found, "bezeichnung"), notes)
    level = code(first(found, "vertrauensniveau"))
    urls = [said(first(parts(link), "link", "uri")) or said(link) for link in every(found, "link")]
    for url in urls:
        if url and not is_address(url):
            notes.say(f"{url[:80]!r} is no address")
    links = tuple(
        without_empty({"kind": "online", "url": url, "name": title, "trust_level": level * (level in TRUST_LEVELS)})
        for url in dict.fromkeys(urls)
        if is_address(url)
    )
    if not links:
        raise UnreadableError("; ".join(["it has no address", *notes]))
    return Online(named, links)


def has_links(element: etree._Element) -> bool:
    """Whether modules lead anywhere; most do not, and need not be looked through."""
    return next(element.iter("{*}weiterfuehrenderLink", "{*}linkKostenbildung"), None) is not None


def further_links(found: Parts, notes: Notes) -> list[Record]:
    """Forms, then pages, that modules lead to; each address once."""
    forms, pages = _Titles(), _Titles()
    for name, elements in found.items():
        for element in elements if name.startswith("modul") else ():
            inner = parts(element)
            number = _number(inner)
            if number == names.LEGAL_BASIS:
                continue
            into = forms if number == names.FORMS else pages
            costs = (one for cost in every(inner, "kosten") for one in every(parts(cost), "linkKostenbildung"))
            for link in (*every(inner, "weiterfuehrenderLink"), *costs):
                into.add(link, notes)
    made = [{"kind": "form"} | link for link in forms.records()]
    return made + [{"kind": "page"} | link for link in pages.records() if link["url"] not in forms]


def linked_laws(found: Parts, notes: Notes) -> list[Record]:
    """The links of module 07."""
    laws = _Titles()
    for element in every(found, "modulText"):
        inner = parts(element)
        if _number(inner) == names.LEGAL_BASIS:
            for link in every(inner, "weiterfuehrenderLink"):
                laws.add(link, notes)
    return [{"citation": next(iter(titles.values()), url), "url": url} for url, titles in laws.items()]


def listed_laws(modules: Modules) -> list[Record | str]:
    """A module 07 that is nothing but a list of laws in one language, as that list."""
    place = (names.LEGAL_BASIS, "000")
    text = modules.get(place, {})
    only = next(iter(text.values()), "")
    if len(text) != 1 or not _LAWS.match(only):
        return []
    listed = [(line(url), line(words)) for url, words in _LAW.findall(only)]
    if not all(words and (not url or is_address(url)) for url, words in listed):
        return []
    del modules[place]
    return [{"citation": words, "url": url} if url else words for url, words in listed]


def _number(inner: Parts) -> str:
    return code(first(inner, "leikaTextmodul")).zfill(2)


class _Titles(dict[str, dict[str, str]]):
    """Titles by address and language."""

    def add(self, link: etree._Element, notes: Notes) -> None:
        inner = parts(link)
        url = said(first(inner, "uri")) or said(link)
        if not is_address(url):
            if url:
                notes.say(f"{url[:80]!r} is no address")
            return
        titles = self.setdefault(url, {})
        if (title := line(said(first(inner, "titel")))) and (tongue := language(link, notes)):
            titles.setdefault(tongue, title)

    def records(self) -> list[Record]:
        return [without_empty({"url": url, "name": titles}) for url, titles in self.items()]
