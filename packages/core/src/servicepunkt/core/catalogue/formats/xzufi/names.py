"""XZuFi's words: versions, classes, elements and codes, and what stands for them here. Pure.

Where each word comes from is said in docs/reference/xzufi.md. What no public source confirms is marked "unverified".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from servicepunkt.core.catalogue.records import Kind

Role = Literal["decides", "accepts", "contact"]
#: The `schemeAgencyID` of what this product writes: values are then our own ids.
OWN_AGENCY = "servicepunkt"
#: The target of the processing instruction that holds what XZuFi has no word for.
INSTRUCTION = "servicepunkt"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

#: Namespaces by version. That of 2.3.1 is unverified: it follows the pattern of 2.1.0 and 2.2.0.
NAMESPACES: Mapping[str, str] = {
    "2.2.0": "http://xoev.de/schemata/xzufi/2_2_0",
    "2.3.1": "http://xoev.de/schemata/xzufi/2_3_1",
}
#: What the root's `xzufiVersion` says. Other namespaces of this family are read when it says a version that is known.
VERSIONS: Mapping[str, str] = {"2.2": "2.2.0", "2.2.0": "2.2.0", "2.3": "2.3.1", "2.3.1": "2.3.1"}
FAMILIES = ("http://xoev.de/schemata/xzufi/", "urn:xoev-de:fim:standard:xzufi")

WRITE, DELETE = "schreibe", "loesche"
SERVICE, AUTHORITY, ONLINE = "leistung", "organisationseinheit", "onlinedienst"
TRANSFER, RESPONSIBILITY = "zustaendigkeitTransferObjekt", "zustaendigkeit"
#: What a `loesche` deletes, by its `klasse` in small letters.
DELETED: Mapping[str, Kind] = {
    "leistung": "services",
    "organisationseinheit": "partners",
    "zustaendigkeit": "responsibilities",
}


class Difference(msgspec.Struct, frozen=True):
    """One thing that the two versions call differently; the reader takes either name in either version."""

    what: str
    in_2_2_0: str
    in_2_3_1: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.in_2_3_1, self.in_2_2_0) if name)


LEIKA = Difference("key of the standard catalogue", "referenzLeiKa", "referenzLeistungsschluessel")
CHANNEL = Difference("channel of a module", "", "zugangskanal")
DOCUMENT_TYPE = Difference("kind of a document", "typ", "art")
INCOMING = Difference("incoming document within its element", "", "dokument")
IN_WORDS = Difference("documents to bring, in words", "beschreibung", "beschreibungEingehend")
OUT_WORDS = Difference("documents handed out, in words", "", "beschreibungAusgehend")
TRANSLATED = Difference("language put in by a machine", "", "kennzeichenMaschinelleUebersetzung")
DIFFERENCES = (LEIKA, CHANNEL, DOCUMENT_TYPE, INCOMING, IN_WORDS, OUT_WORDS, TRANSLATED)

#: Text modules that are fields of their own for every channel.
FIELDS: Mapping[str, str] = {"02": "official_name", "03": "name", "05": "summary", "06": "description"}
LEGAL_BASIS, NEEDED_DOCUMENTS, FORMS, FURTHER = "07", "08", "14", "15"
#: Own modules for words that XZuFi keeps beside figures.
DEADLINE_WORDS, FEE_WORDS, DURATION_WORDS, DOCUMENT_WORDS = "x-deadline", "x-fee", "x-duration", "x-documents-out"
OWN_MODULES = "urn:servicepunkt:textmodul"
#: Modules that are not taken over, and why.
LEFT_OUT: Mapping[str, str] = {"modulAuskunftshinweis": "words for those who answer telephones, not for citizens"}

#: Who is responsible how. The words decide; without words the code: 01 and 03 are read so by two public programs,
#: 02 is unverified and therefore only a contact.
ROLE_WORDS: Mapping[str, Role] = {
    "zuständige stelle": "decides",
    "ansprechpunkt": "contact",
    "annehmende stelle": "accepts",
    "antragsannehmende stelle": "accepts",
}
ROLE_CODES: Mapping[str, Role] = {"01": "decides", "02": "contact", "03": "contact"}
#: How a role is written: code and name. Who takes applications in is a contact to everybody else.
WRITTEN_ROLES: Mapping[Role, tuple[str, str]] = {
    "decides": ("01", "Zuständige Stelle"),
    "contact": ("03", "Ansprechpunkt"),
    "accepts": ("03", "Ansprechpunkt"),
}

#: `Pflichtangabetyp` of a document.
MANDATORY: Mapping[str, bool] = {"01": True, "02": False}
#: Channels of communication by the XÖV code list `erreichbarkeit`.
MAIL, PHONES, WEB = "01", ("02", "03"), "09"
#: `FreigabeStatus` of what is not for citizens: a draft, or no longer in use. For staff alone is written as a draft,
#: so that nobody else publishes it.
RELEASE, DRAFT = "statusBibliothek", "3"
NOT_PUBLIC: Mapping[str, str] = {DRAFT: "a draft", "7": "not in use"}
CHANNELS = ("000", "100", "200")
UNITS = ("JAHR", "MONAT", "WOCHE", "TAG", "WERKTAG", "ARBEITSTAG", "STUNDE", "MINUTE", "SEKUNDE")
#: Said of a service with an end whose source has no words for it.
ENDED = {"de": "Diese Leistung wird nicht mehr angeboten.", "en": "This service is no longer offered."}
#: Said of a responsibility that names no area.
NO_AREA = {"de": "Für welches Gebiet das gilt, ist nicht angegeben.", "en": "It is not said for which area this holds."}

#: Code lists that are written.
LISTS: Mapping[str, str] = {
    "leikaTextmodul": "urn:de:xzufi:codeliste:leistungstextmodulleika",
    "vertrauensniveau": "urn:xoev-de:fim:codeliste:vertrauensniveau",
    "typ": "urn:xoev-de:fim:codeliste:onlinedienstlinktyp",
    "kanal": "urn:de:xoev:codeliste:erreichbarkeit",
}
AREA_SCHEME = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:rs"
