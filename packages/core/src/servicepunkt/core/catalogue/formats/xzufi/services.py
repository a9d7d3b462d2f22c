"""A `leistung` as a record of ours. Pure.

Texts are HTML in XZuFi; here names are one line of plain text and everything else is a long text (`html`). Figures
stand beside the words that say the same, because in real exports most fees are prose.
"""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.xzufi import figures, links, names
from servicepunkt.core.catalogue.formats.xzufi.elements import (
    Notes,
    Parts,
    UnreadableError,
    code,
    day,
    every,
    first,
    is_yes,
    key,
    language,
    line,
    lines,
    long_texts,
    markup,
    parts,
    said,
    value,
)
from servicepunkt.core.catalogue.formats.xzufi.records import Modules, Record, external, own_code, without_empty
from servicepunkt.core.catalogue.model import LEIKA_KEY, MODULES, Text


def service(element: etree._Element, online: Iterable[Record], notes: Notes) -> Record:
    """Its record, without what it does not say. `online`: the links of its online services. Raises UnreadableError."""
    found = parts(element)
    named = key(first(found, "id"))
    if named is None:
        raise UnreadableError("it has no id")
    modules = _modules(found, notes)
    fields = {field: modules.pop((number, "000"), {}) for number, field in names.FIELDS.items()}
    fields |= {field: _named(fields[field]) for field in ("official_name", "name")}
    fees, fee = figures.fees(found, modules, notes)
    durations, duration = figures.durations(found, modules, notes)
    documents = figures.documents(found, modules, notes)
    leads_on = links.has_links(element)
    further = links.further_links(found, notes) if leads_on else []
    laws = links.linked_laws(found, notes) if leads_on else []
    record: Record = {
        "id": named.id,
        "leika": _leika(found, notes),
        **fields,
        "name": fields["name"] or fields["official_name"],
        "documents": documents,
        "fee": fee,
        "fees": fees,
        "duration": duration,
        "durations": durations,
        "legal_basis": laws or links.listed_laws(modules),
        "links": _with_trust([*online, *further], code(first(found, "vertrauensniveau"))),
        "keywords": _keywords(found),
        "audience": list(dict.fromkeys(filter(None, map(code, every(found, "leistungsadressat"))))),
        "visibility": _visibility(found, notes),
        "modules": modules.records(_translated(found, notes)),
        **_validity(found, notes),
        **external(named, found),
    }
    for name in names.LEFT_OUT.keys() & found.keys():
        notes.say(f"{name} is not taken over: {names.LEFT_OUT[name]}")
    return without_empty(record)


def _modules(found: Parts, notes: Notes) -> Modules:
    modules = Modules()
    for element in every(found, "modulText"):
        inner = parts(element)
        number = code(first(inner, "leikaTextmodul")).zfill(2)
        if number not in MODULES:
            notes.say(f"{number[:20]!r} is no text module of the standard")
            number = own_code(number)
        text = long_texts(every(inner, "inhalt"), notes, f"text module {number}")
        modules.first(number, figures.channel(inner, notes), text, notes)
    for element in every(found, "modulTextIndividuell"):
        inner = parts(element)
        kind = first(inner, "individuellesTextmodultyp")
        number = own_code(code(kind) or value(parts(kind), "name"))
        text = long_texts(every(inner, "inhalt"), notes, f"text module {number}")
        modules.first(number, figures.channel(inner, notes), text, notes)
    return modules


def _named(text: Text) -> Text:
    """A text module as a name: one line of plain text."""
    return {tongue: named for tongue, words in text.items() if (named := " ".join(html.plain(words).split()))}


def _leika(found: Parts, notes: Notes) -> list[str]:
    given = [code(element) for element in every(found, *names.LEIKA.names)]
    for one in given:
        if one and not LEIKA_KEY.match(one):
            notes.say(f"{one[:40]!r} is no LeiKa key")
    return list(dict.fromkeys(one for one in given if LEIKA_KEY.match(one)))


def _keywords(found: Parts) -> list[str]:
    words = (
        line(markup(term))
        for element in every(found, "modulBegriffImKontext")
        for one in every(parts(element), "begriffImKontext")
        for term in every(parts(one), "begriff")
    )
    return list(dict.fromkeys(word for word in words if word))


def _with_trust(found: list[Record], level: str) -> list[Record]:
    """Online services that say no level of trust have that of the service."""
    if level not in links.TRUST_LEVELS:
        return found
    return [{"trust_level": level} | link if link["kind"] == "online" else link for link in found]


def _visibility(found: Parts, notes: Notes) -> str:
    for name in ("statusKatalog", names.RELEASE):
        if why := names.NOT_PUBLIC.get(code(first(found, name))):
            notes.say(f"{name} says that this is {why}: only staff see it")
            return "staff"
    return ""


def _translated(found: Parts, notes: Notes) -> frozenset[str]:
    """The languages into which a machine has put the service."""
    return frozenset(
        language(element, notes, value(inner, "languageCode"))
        for element in every(found, "sprachversion")
        if is_yes(inner := parts(element), *names.TRANSLATED.names)
    )


def _validity(found: Parts, notes: Notes) -> Record:
    """From the first beginning to the last end; a period without one of them is open."""
    periods = [parts(element) for element in every(found, "gueltigkeit")]
    begins = [day(said(first(one, "beginn"))) for one in periods]
    ends = [day(said(first(one, "ende"))) for one in periods]
    known_begins, known_ends = [one for one in begins if one], [one for one in ends if one]
    record: Record = {}
    if known_begins and len(known_begins) == len(begins):
        record["valid_from"] = min(known_begins).isoformat()
    if known_ends and len(known_ends) == len(ends):
        record["valid_until"] = max(known_ends).isoformat()
        record["ended"] = lines([text for one in periods for text in every(one, "zusatz")], notes) or dict(names.ENDED)
    for one in periods:
        for name in ("beginn", "ende"):
            if (given := said(first(one, name))) and day(given) is None:
                notes.say(f"{given[:40]!r} is no day")
    return record
