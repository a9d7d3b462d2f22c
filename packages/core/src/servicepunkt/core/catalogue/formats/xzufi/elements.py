"""Small looks into elements of XZuFi: children by name whatever their namespace, codes, ids, texts by language. Pure.

Wrappers of codes are in XZuFi's namespace, their children `code` and `name` in none; what may stand once in one version
may stand often in the next. Therefore nothing here asks for a namespace or a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from html import escape
from typing import NamedTuple

from lxml import etree

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.checks import LANGUAGE, MAX_TEXT
from servicepunkt.core.catalogue.formats.model import MAX_NOTES, identifier
from servicepunkt.core.catalogue.formats.texts import cleaned
from servicepunkt.core.catalogue.formats.xzufi.names import OWN_AGENCY
from servicepunkt.core.catalogue.model import IDENTIFIER, Text

DEFAULT_LANGUAGE = "de"
MAX_VALUE = 300  # letters of an id, a code or an address of somebody
_DATE = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:T.*|[+-]\d{2}:\d{2}|Z)?\Z", re.ASCII | re.DOTALL)

Parts = Mapping[str, list[etree._Element]]


class UnreadableError(ValueError):
    """A record cannot be taken over; the message says why."""


class Key(NamedTuple):
    """How somebody names an object: unique only with its agency and its class."""

    agency: str
    value: str

    def __str__(self) -> str:
        return f"{self.agency}/{self.value}" if self.agency else self.value

    @property
    def is_own(self) -> bool:
        return self.agency == OWN_AGENCY or self.agency.startswith(f"{OWN_AGENCY}:")

    @property
    def id(self) -> str:
        """Our id for it. Raises UnreadableError for one of ours that is none."""
        if not self.is_own:
            return identifier(self.agency, self.value)
        if not IDENTIFIER.match(self.value):
            raise UnreadableError(f"{self.value[:80]!r} is no id of ours")
        return self.value


class Notes(list[str]):
    """Remarks about one record, each once, not more than `MAX_NOTES`."""

    def say(self, sentence: str) -> None:
        if sentence not in self and len(self) < MAX_NOTES:
            self.append(sentence)


def local(element: etree._Element) -> str:
    """The name of an element without its namespace; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def parts(element: etree._Element | None) -> Parts:
    """The children of an element by their names."""
    found: dict[str, list[etree._Element]] = {}
    for child in element if element is not None else ():
        found.setdefault(local(child), []).append(child)
    return found


def every(found: Parts, *names: str) -> list[etree._Element]:
    return [element for name in names for element in found.get(name, ())]


def first(found: Parts, *names: str) -> etree._Element | None:
    return next(iter(every(found, *names)), None)


def said(element: etree._Element | None) -> str:
    """What stands in an element itself."""
    return (element.text or "").strip() if element is not None else ""


def code(element: etree._Element | None) -> str:
    """The code in an element: its child `code`, or what stands in it itself."""
    if element is None:
        return ""
    return said(next((child for child in element if local(child) == "code"), element))[:MAX_VALUE]


def value(found: Parts, *names: str) -> str:
    return said(first(found, *names))[:MAX_VALUE]


def is_yes(found: Parts, *names: str) -> bool:
    return value(found, *names).casefold() in ("true", "1")


def key(element: etree._Element | None) -> Key | None:
    """The id that stands in an element, or None."""
    named = said(element)
    if element is None or not named or len(named) > MAX_VALUE:
        return None
    return Key((element.get("schemeAgencyID") or "").strip()[:MAX_VALUE], named)


def day(text: str) -> date | None:
    """The day of a date or a time as it is written there, without moving it to another zone."""
    found = _DATE.match(text)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def language(element: etree._Element, notes: Notes, beside: str = "") -> str:
    """The language of a text, with small letters before the first hyphen; German where nothing is said.

    `beside`: where a child says it instead of the attribute.
    """
    given = element.get("languageCode") or beside or DEFAULT_LANGUAGE
    if not (tidy := _tidy_language(given)):
        notes.say(f"{given[:40]!r} is no language")
    return tidy


@lru_cache(maxsize=1000)
def _tidy_language(given: str) -> str:
    base, hyphen, rest = given.strip().replace("_", "-").partition("-")
    tidy = f"{base.lower()}{hyphen}{rest}"
    return tidy if LANGUAGE.match(tidy) else ""


def markup(element: etree._Element) -> str:
    """The HTML in an element: as text, or as elements that somebody forgot to escape."""
    if not len(element):
        return element.text or ""
    return escape(element.text or "", quote=False) + "".join(_unwrapped(child) for child in element)


def _unwrapped(element: etree._Element) -> str:
    tail = escape(element.tail or "", quote=False)
    name = local(element)
    if not name:
        return tail
    target = f' href="{escape(element.get("href") or "")}"' if name == "a" else ""
    return f"<br>{tail}" if name == "br" else f"<{name}{target}>{markup(element)}</{name}>{tail}"


def _needs_cleaning(text: str) -> bool:
    return "<" in text or "&" in text or html.CONTROL.search(text) is not None


def _tidy(text: str) -> str:
    """A text without any markup, as `html.clean` makes it, only sooner."""
    return " ".join(text.replace("\u200b", "").split())


def long_text(text: str) -> str:
    """HTML as a long text."""
    return html.clean(text) if _needs_cleaning(text) else _tidy(text)


def line(text: str) -> str:
    """HTML as one line of plain text, for names and titles."""
    return " ".join(html.plain(long_text(text)).split())


def long_texts(elements: Iterable[etree._Element], notes: Notes, what: str) -> Text:
    """Long texts by language; what stands there twice is one text after the other. Raises UnreadableError."""
    found: Text = {}
    for element in elements:
        given = markup(element)
        if not given.strip() or not (tongue := language(element, notes)):
            continue
        text, note = cleaned(given) if _needs_cleaning(given) else (_tidy(given), "")
        if note:
            notes.say(f"{what}: {note}")
        if text:
            found[tongue] = joined(found[tongue], text) if tongue in found else text
            if len(found[tongue]) > MAX_TEXT:
                raise UnreadableError(f"{what}: a text has at most {MAX_TEXT} letters")
    return found


def lines(elements: Iterable[etree._Element], notes: Notes) -> Text:
    """Names by language; the first one of each language."""
    found: Text = {}
    for element in elements:
        if (named := line(markup(element))) and (tongue := language(element, notes)):
            found.setdefault(tongue, named)
    return found


def joined(before: str, after: str) -> str:
    """Two long texts as one."""
    return before if before == after else html.clean(html.markup(before) + html.markup(after))


def together(before: Text, after: Text) -> Text:
    """Texts by language, one after the other where both say something."""
    return before | {
        tongue: joined(before[tongue], text) if tongue in before else text for tongue, text in after.items()
    }
