"""Entries of ours as elements of XZuFi 2.3.1. Pure.

Elements stand in the order of the standard's own schemas (as the FIM portal publishes them), and only where there is
something to say. What has no word there is left out; `writer` finds out what that was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Protocol, TypeVar

from lxml import etree

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.xzufi import names
from servicepunkt.core.catalogue.formats.xzufi.instruction import texts
from servicepunkt.core.catalogue.model import (
    MODULES,
    DocumentNeed,
    Duration,
    Fee,
    LegalReference,
    Link,
    Module,
    Partner,
    Responsibility,
    Service,
    Text,
)

NAMESPACE = names.NAMESPACES["2.3.1"]
NSMAP = {"xzufi": NAMESPACE, "xsi": names.XSI}
#: Code of a link that opens the online service.
ONLINE_LINK = "01"
_TYPE = f"{{{names.XSI}}}type"
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HOUSE = re.compile(r"^(.*\S) (\d\S*(?: [a-zA-Z])?)\Z", re.DOTALL)
#: Which links stand in which text module.
_LINKED = {"form": names.FORMS, "page": names.FURTHER, "booking": names.FURTHER}
#: Own modules that are the words of a module with figures, by the name of that module.
_WORDS = {
    "modulFrist": names.DEADLINE_WORDS,
    "modulBearbeitungsdauer": names.DURATION_WORDS,
    "modulKosten": names.FEE_WORDS,
    "modulDokument": names.DOCUMENT_WORDS,
}


class Channelled(Protocol):
    @property
    def channel(self) -> str: ...


Item = TypeVar("Item", bound=Channelled)


def element(name: str) -> etree._Element:
    """A root of its own, for one record."""
    return etree.Element(f"{{{NAMESPACE}}}{name}", nsmap=NSMAP)


def put(parent: etree._Element, name: str, said: str = "", **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    if said:
        made.text = _ILLEGAL.sub("", said)
    return made


def put_code(parent: etree._Element, name: str, code: str, said: str = "") -> None:
    """A code: the wrapper is in the namespace, `code` and `name` are in none."""
    wrapper = put(parent, name, **({"listURI": names.LISTS[name]} if name in names.LISTS else {}))
    etree.SubElement(wrapper, "code").text = _ILLEGAL.sub("", code)
    if said:
        etree.SubElement(wrapper, "name").text = said


def put_id(parent: etree._Element, name: str, agency: str, value: str) -> None:
    put(parent, name, value, schemeAgencyID=_ILLEGAL.sub("", agency))


def put_lines(parent: etree._Element, name: str, text: Text) -> None:
    """Names, as HTML without any tag."""
    for language, said in text.items():
        put(parent, name, said.replace("&", "&amp;").replace("<", "&lt;"), languageCode=language)


def put_texts(parent: etree._Element, name: str, text: Text) -> None:
    """Long texts, as HTML."""
    for language, said in text.items():
        put(parent, name, html.markup(said), languageCode=language)


def online_id(service: Service, number: int) -> str:
    """The id of an online service; it has dots, so that it is no id of an entry."""
    return f"{service.id}.online.{number}"


def service(parent: etree._Element, made: Service, agency: str) -> None:
    """A `leistung` below `parent`."""
    top = put(parent, names.SERVICE)
    put_id(top, "id", agency, made.id)
    if made.external is not None:
        put_id(top, "idSekundaer", made.external.agency, made.external.value)
    if made.visibility == "staff":
        put_code(top, names.RELEASE, names.DRAFT)
    for key in made.leika:
        put(top, names.LEIKA.in_2_3_1, key)
    for audience in made.audience:
        put_code(top, "leistungsadressat", audience)
    _text_modules(top, made)
    _own_modules(top, made)
    deadlines = [one for one in made.durations if one.kind == "deadline"]
    for module, some, words in _modules(top, "modulFrist", deadlines, _words(made, "modulFrist")):
        for duration in some:
            _duration(put(module, "frist"), duration)
        put_texts(module, "beschreibung", words)
    processing = [one for one in made.durations if one.kind == "processing"]
    words_of = _words(made, "modulBearbeitungsdauer", made.duration)
    for module, some, words in _modules(top, "modulBearbeitungsdauer", processing, words_of):
        for duration in some:
            _duration(put(module, "bearbeitungsdauer"), duration)
        put_texts(module, "beschreibung", words)
    for module, fees, words in _modules(top, "modulKosten", made.fees, _words(made, "modulKosten", made.fee)):
        for fee in fees:
            _fee(put(module, "kosten"), fee)
        put_texts(module, "beschreibung", words)
    for module, documents, words in _modules(top, "modulDokument", made.documents, _words(made, "modulDokument")):
        for document in sorted(documents, key=lambda one: one.direction):
            _document(module, document)
        put_texts(module, names.OUT_WORDS.in_2_3_1, words)
    if made.keywords:
        module = put(top, "modulBegriffImKontext")
        for word in made.keywords:
            put_lines(put(module, "begriffImKontext"), "begriff", {"de": word})
    _languages(top, made)
    _validity(top, made)


def _text_modules(top: etree._Element, made: Service) -> None:
    links = _links(made)
    listed = _laws(made)
    fields = [(number, "000", getattr(made, field)) for number, field in names.FIELDS.items()]
    modules = [
        (one.code, one.channel, one.text)
        for one in made.modules
        if one.code in MODULES and one.channel != "point" and (one.code not in names.FIELDS or one.channel != "000")
    ]
    if listed and not any(number == names.LEGAL_BASIS and way == "000" for number, way, _ in modules):
        modules.append((names.LEGAL_BASIS, "000", {"de": listed}))
    present = {number for number, way, _ in modules if way == "000"}
    modules += [(number, "000", {}) for number in links if number not in present]
    for number, way, text in [*fields, *modules]:
        linked = links.get(number, ()) if way == "000" else ()
        if not text and not linked:
            continue
        module = put(top, "modulText")
        put_code(module, "zugangskanal", way)
        put_code(module, "leikaTextmodul", number)
        (put_lines if number in ("02", "03") else put_texts)(module, "inhalt", text)
        for url, titles in linked:
            for language, title in titles.items() or [("", "")]:
                link = put(module, "weiterfuehrenderLink", **({"languageCode": language} if language else {}))
                put(link, "uri", url)
                if title:
                    put(link, "titel", title.replace("&", "&amp;").replace("<", "&lt;"))


def _links(made: Service) -> dict[str, list[tuple[str, Text]]]:
    """Addresses and their titles by the text module in which they stand."""
    found: dict[str, list[tuple[str, Text]]] = {}
    if made.legal_basis and not _laws(made):
        found[names.LEGAL_BASIS] = [
            (law.url, {"de": law.citation}) for law in made.legal_basis if isinstance(law, LegalReference)
        ]
    for link in made.links:
        if link.kind in _LINKED:
            found.setdefault(_LINKED[link.kind], []).append((link.url, link.name))
    return found


def _laws(made: Service) -> str:
    """The laws as a list, when some of them have no address; empty when all have one."""
    if all(isinstance(law, LegalReference) for law in made.legal_basis):
        return ""
    items = (
        f'<a href="{escape(law.url)}">{escape(law.citation, quote=False)}</a>'
        if isinstance(law, LegalReference)
        else escape(law, quote=False)
        for law in made.legal_basis
    )
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _own_modules(top: etree._Element, made: Service) -> None:
    for one in made.modules:
        if one.code in MODULES or one.channel == "point" or _is_words(one):
            continue
        module = put(top, "modulTextIndividuell")
        put_code(module, "zugangskanal", one.channel)
        put_code(module, "individuellesTextmodultyp", one.code)
        put_texts(module, "inhalt", one.text)


def _is_words(module: Module) -> bool:
    """Whether it stands as the words of a module with figures; fees and durations have fields of their own for 000."""
    if module.channel == "000" and module.code in (names.FEE_WORDS, names.DURATION_WORDS):
        return False
    return module.code in _WORDS.values() and module.channel != "point"


def _words(made: Service, name: str, for_all: Text | None = None) -> dict[str, Text]:
    """What a module with figures says in words, by channel."""
    found = {"000": for_all} if for_all else {}
    found |= {one.channel: one.text for one in made.modules if one.code == _WORDS[name] and _is_words(one)}
    return found


def _modules(
    top: etree._Element, name: str, items: Iterable[Item], words: dict[str, Text]
) -> Iterator[tuple[etree._Element, list[Item], Text]]:
    """A module for each run of items of one channel, and for words without any."""
    left = dict(words)
    runs = [(way, list(some)) for way, some in groupby(items, key=lambda one: one.channel) if way != "point"]
    runs += [(way, []) for way in words if way not in {way for way, _ in runs}]
    for way, some in runs:
        module = put(top, name)
        put_code(module, "zugangskanal", way)
        yield module, some, left.pop(way, {})


def _fee(top: etree._Element, fee: Fee) -> None:
    if fee.type:
        put_code(top, "typ", fee.type)
    kind = "KostenFrei" if fee.is_free else "KostenFix" if fee.amount_to is None else "KostenVariabel"
    choice = put(top, "kostenauswahl", **{_TYPE: f"xzufi:{kind}"})
    least = "betragUntergrenze" if kind == "KostenVariabel" else "betrag"
    for name, amount in ((least, fee.amount), ("betragObergrenze", fee.amount_to)):
        if amount is not None:
            put(choice, name, format(amount, "f"), currencyCode=fee.currency)
    put_texts(top, "beschreibung", fee.text)
    if fee.prepaid:
        put(top, "vorkasse", "true")


def _duration(top: etree._Element, duration: Duration) -> None:
    if duration.type and duration.kind == "deadline":
        put_code(top, "typ", duration.type)
    choice = put(top, "fristauswahl", **{_TYPE: "xzufi:FristDauer"})
    put(choice, "dauer", str(duration.least))
    put_code(choice, "einheit", duration.unit)
    if duration.most is not None:
        put(choice, "dauerBis", str(duration.most))
    if duration.most_unit is not None:
        put_code(choice, "einheitBis", duration.most_unit)
    put_texts(top, "beschreibung", duration.text)


def _document(module: etree._Element, document: DocumentNeed) -> None:
    if document.direction == "in":
        top = put(module, "dokumentEingehend")
        put_code(top, "pflichtangabetyp", "01" if document.mandatory else "02")
        top = put(top, names.INCOMING.in_2_3_1)
    else:
        top = put(module, "dokumentAusgehend")
    if document.type:
        put_code(top, names.DOCUMENT_TYPE.in_2_3_1, document.type)
    put_lines(top, "bezeichnung", document.text)
    put_texts(top, "beschreibung", document.when)


def _languages(top: etree._Element, made: Service) -> None:
    """Every language of the service; one put in by a machine when all modules in it say so."""
    by_machine: dict[str, bool] = {}
    for module in made.modules:
        for language in module.text:
            by_machine[language] = by_machine.get(language, True) and language in module.translated
    for language in sorted({language for _, text in texts(made) for language in text}):
        version = put(top, "sprachversion")
        put(version, "languageCode", language)
        put(version, names.TRANSLATED.in_2_3_1, "true" if by_machine.get(language) else "false")


def _validity(top: etree._Element, made: Service | Partner) -> None:
    if made.valid_from is None and made.valid_until is None:
        return
    period = put(top, "gueltigkeit")
    if made.valid_from is not None:
        put(period, "beginn", f"{made.valid_from.isoformat()}T00:00:00")
    if made.valid_until is not None:
        put(period, "ende", f"{made.valid_until.isoformat()}T23:59:59")
    if isinstance(made, Service):
        put_lines(period, "zusatz", made.ended)


def online(parent: etree._Element, of: Service, number: int, link: Link, agency: str) -> None:
    """An `onlinedienst` below `parent`."""
    top = put(parent, names.ONLINE)
    put_id(top, "id", agency, online_id(of, number))
    put_lines(top, "bezeichnung", link.name)
    inner = put(top, "link")
    put_code(inner, "typ", ONLINE_LINK)
    put(inner, "link", link.url)
    if link.trust_level:
        put_code(top, "vertrauensniveau", link.trust_level)


def online_responsibility(parent: etree._Element, of: Service, number: int, link: Link, agency: str) -> None:
    """Says which service an online service belongs to, and where."""
    top = put(parent, names.TRANSFER)
    put_id(top, "uebergeordnetesObjektID", agency, online_id(of, number))
    inner = put(top, names.RESPONSIBILITY)
    put_id(inner, "id", agency, f"{online_id(of, number)}.responsible")
    put_id(inner, "leistungID", agency, of.id)
    for area in link.areas:
        _area(inner, area)


def responsibility(parent: etree._Element, made: Responsibility, name: str, agency: str) -> None:
    """A `zustaendigkeitTransferObjekt` below `parent`."""
    top = put(parent, names.TRANSFER)
    put_id(top, "uebergeordnetesObjektID", agency, made.authority)
    inner = put(top, names.RESPONSIBILITY)
    put_id(inner, "id", agency, name)
    put_id(inner, "leistungID", agency, made.service)
    _area(inner, made.area)
    put_code(inner, "rolle", *names.WRITTEN_ROLES[made.role])


def _area(parent: etree._Element, area: str) -> None:
    """A key with zeros up to twelve digits, as everybody else writes it."""
    put(parent, "gebietID", area.ljust(12, "0"), schemeID=names.AREA_SCHEME)


def partner(parent: etree._Element, made: Partner, agency: str) -> None:
    """An `organisationseinheit` below `parent`."""
    top = put(parent, names.AUTHORITY)
    put_id(top, "id", agency, made.id)
    if made.external is not None:
        put_id(top, "idSekundaer", made.external.agency, made.external.value)
    put_lines(put(top, "name"), "name", {"de": made.name})
    if made.address is not None:
        where = put(top, "anschrift")
        house = _HOUSE.match(made.address.street)
        put(where, "strasse", house[1] if house else made.address.street)
        if house:
            put(where, "hausnummer", house[2])
        put(where, "postleitzahl", made.address.postcode)
        put(where, "ort", made.address.town)
    for kind, way in ((names.PHONES[0], made.phone), (names.MAIL, made.email)):
        if way:
            reached = put(top, "kommunikation")
            put_code(reached, "kanal", kind)
            put(reached, "kennung", way)
    if made.website:
        put(put(top, "internetadresse"), "uri", made.website)
    _validity(top, made)
