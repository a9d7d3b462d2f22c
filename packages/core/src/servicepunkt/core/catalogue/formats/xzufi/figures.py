"""Fees, durations and documents of a `leistung`, with the words that stand beside their figures. Pure.

`kostenauswahl` and `fristauswahl` are a choice of types. How the choice is written in XML is unverified: amounts and
durations are looked for at any depth, and that nothing is to be paid by the name of an element or of a type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from lxml import etree

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi.elements import (
    Notes,
    Parts,
    code,
    every,
    first,
    is_yes,
    line,
    lines,
    local,
    long_texts,
    parts,
    said,
    together,
    value,
)
from servicepunkt.core.catalogue.formats.xzufi.records import Modules, Record, without_empty
from servicepunkt.core.catalogue.model import Text

_AMOUNT = re.compile(r"^\d{1,12}(?:[.,]\d{1,4})?\Z", re.ASCII)
_WHOLE = re.compile(r"^\d{1,9}\Z", re.ASCII)
_CURRENCY = re.compile(r"^[A-Z]{3}\Z")
_FREE = {"kostenfrei", "frei", "beschreibungkostenfreiheit"}
_TYPE = f"{{{names.XSI}}}type"


def channel(found: Parts, notes: Notes) -> str:
    """The channel of a module; 000 where none is said."""
    given = code(first(found, *names.CHANNEL.names)) or "000"
    if given not in names.CHANNELS:
        notes.say(f"{given[:20]!r} is no channel")
        return "000"
    return given


def fees(found: Parts, modules: Modules, notes: Notes) -> tuple[list[Record], Text]:
    """Fees in figures and in words."""
    made: list[Record] = []
    words = Words("modulKosten", names.FEE_WORDS)
    for inner, way in words.of(found, modules, notes):
        for element in every(inner, "kosten"):
            made += _fee(element, way, notes)
    return made, words.for_all


def durations(found: Parts, modules: Modules, notes: Notes) -> tuple[list[Record], Text]:
    """Durations and deadlines in figures, and how long it takes in words; words of deadlines are a module."""
    made: list[Record] = []
    processing = Words("modulBearbeitungsdauer", names.DURATION_WORDS)
    for inner, way in processing.of(found, modules, notes):
        for element in every(inner, "bearbeitungsdauer"):
            made += _duration(element, "processing", way, modules, notes)
    deadlines = Words("modulFrist", names.DEADLINE_WORDS)
    for inner, way in deadlines.of(found, modules, notes):
        for element in every(inner, "frist"):
            made += _duration(element, "deadline", way, modules, notes)
    modules.more(names.DEADLINE_WORDS, "000", deadlines.for_all)
    return made, processing.for_all


def documents(found: Parts, modules: Modules, notes: Notes) -> list[Record]:
    """What to bring and what is handed out; what is said of all documents of a kind becomes a module."""
    made: list[Record] = []
    for element in every(found, "modulDokument"):
        inner = parts(element)
        way = channel(inner, notes)
        for name, direction in (("dokumentEingehend", "in"), ("dokumentAusgehend", "out")):
            for one in every(inner, name):
                made += _document(one, direction, way, notes)
        for number, wanted in ((names.NEEDED_DOCUMENTS, names.IN_WORDS), (names.DOCUMENT_WORDS, names.OUT_WORDS)):
            modules.more(number, way, long_texts(every(inner, *wanted.names), notes, "modulDokument"))
    return made


class Words:
    """What the modules of one name say in words: `for_all` for every channel, else as modules with a code of ours."""

    def __init__(self, name: str, number: str) -> None:
        self._name, self._number = name, number
        self.for_all: Text = {}

    def of(self, found: Parts, modules: Modules, notes: Notes) -> Iterator[tuple[Parts, str]]:
        """Each module with its channel."""
        for element in every(found, self._name):
            inner = parts(element)
            way = channel(inner, notes)
            text = long_texts(every(inner, "beschreibung"), notes, self._name)
            if way == "000":
                self.for_all = together(self.for_all, text)
            else:
                modules.more(self._number, way, text)
            yield inner, way


def _fee(element: etree._Element, way: str, notes: Notes) -> Iterator[Record]:
    inside = list(element.iter("{*}*"))
    inner = parts(element)
    record: Record = {"type": code(first(inner, "typ")), "prepaid": is_yes(inner, "vorkasse") or None}
    record["text"] = long_texts([one for one in inside if local(one).startswith("beschreibung")], notes, "kosten")
    amounts = []
    for field, wanted in (("amount", ("betrag", "betragUntergrenze")), ("amount_to", ("betragObergrenze",))):
        amount = next((one for one in inside if local(one) in wanted), None)
        if amount is None:
            continue
        if not _AMOUNT.match(said(amount)):
            notes.say(f"{said(amount)[:40]!r} is no amount")
            return
        amounts.append(Decimal(said(amount).replace(",", ".")))
        record[field] = str(amounts[-1])
        currency = amount.get("currencyCode") or amount.get("currencyID") or "EUR"
        if currency != "EUR" and _CURRENCY.match(currency):
            record["currency"] = currency
    if amounts != sorted(amounts):
        notes.say(f"from {amounts[0]} to {amounts[1]} is no range of amounts")
    elif amounts or _is_free(inside):
        yield _for(way, without_empty(record))
    else:
        notes.say("a fee without an amount is not taken over as a figure")


def _is_free(inside: list[etree._Element]) -> bool:
    types = ((one.get(_TYPE) or "").rpartition(":")[2].casefold() for one in inside)
    return any(local(one).casefold() in _FREE for one in inside) or any(one in _FREE for one in types)


def _duration(element: etree._Element, kind: str, way: str, modules: Modules, notes: Notes) -> Iterator[Record]:
    figures = {local(one): one for one in element.iter("{*}*")}
    inner = parts(element)
    text = long_texts(every(inner, "beschreibung"), notes, kind)
    least, unit = said(figures.get("dauer")), _unit(figures.get("einheit"))
    if not _WHOLE.match(least) or not unit:
        days = " – ".join(filter(None, (_day(figures.get("von")), _day(figures.get("bis")))))
        notes.say(f"{kind}: {days or least or 'nothing'!r} is not taken over as a figure")
        number = names.DEADLINE_WORDS if kind == "deadline" else names.DURATION_WORDS
        modules.more(number, way, together(text, {"de": days} if days else {}))
        return
    record: Record = {"kind": kind, "least": int(least), "unit": unit, "text": text}
    record["type"] = code(first(inner, "typ"))
    most = said(figures.get("dauerBis"))
    if _WHOLE.match(most):
        record |= {"most": int(most), "most_unit": _unit(figures.get("einheitBis"))}
    yield _for(way, without_empty(record))


def _unit(element: etree._Element | None) -> str:
    unit = code(element).upper()
    return unit if unit in names.UNITS else ""


def _day(element: etree._Element | None) -> str:
    """The day of a date, or of a month and a day, as it is written."""
    return line("".join(str(text) for text in element.itertext()))[:40] if element is not None else ""


def _document(element: etree._Element, direction: str, way: str, notes: Notes) -> Iterator[Record]:
    outer = parts(element)
    wrapped = first(outer, *names.INCOMING.names)
    inner = parts(wrapped) if wrapped is not None else outer
    kind = first(inner, *names.DOCUMENT_TYPE.names)
    text = lines(every(inner, "bezeichnung"), notes)
    if not text and (other := line(value(parts(kind), "nichtGelisteterWert"))):
        text = {"de": other}
    if not text:
        notes.say("a document without a name is not taken over")
        return
    words = long_texts(every(inner, "beschreibung"), notes, "dokument")
    record: Record = {"text": text, "when": {tongue: html.plain(said) for tongue, said in words.items()}}
    if kind is not None:
        record["type"] = code(kind)
    if direction == "out":
        record["direction"] = direction
    elif not names.MANDATORY.get(code(first(outer, "pflichtangabetyp")), True):
        record["mandatory"] = False
    yield _for(way, without_empty(record))


def _for(way: str, record: Record) -> Record:
    """With the channel, except for the one that stands for every channel."""
    return record if way == "000" else record | {"channel": way}
