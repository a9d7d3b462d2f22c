"""CPSV-AP 3.2.0 (SEMIC) in JSON-LD: the public services of a catalogue as Europe describes them. Write only.

The standard demands a competent authority that is a public organisation, a name and a description. A service on which
no office and no municipal enterprise decides is none of its services and is left out; without a description its summary
or its name stands there. Terms are written as compact IRIs, so that the context needs no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeVar

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.linked import Node, filled, graph, literals, processing_time
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.formats.public import Public, area_address, iri, service_address, thing_address
from servicepunkt.core.catalogue.formats.weekly import expressions
from servicepunkt.core.catalogue.model import (
    Catalogue,
    DocumentNeed,
    Fee,
    LegalReference,
    Link,
    Offer,
    Partner,
    Responsibility,
    Service,
    Text,
)

CONTEXT = {
    "cpsv": "http://purl.org/vocab/cpsv#",
    "cv": "http://data.europa.eu/m8g/",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "eli": "http://data.europa.eu/eli/ontology#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "locn": "http://www.w3.org/ns/locn#",
    "org": "http://www.w3.org/ns/org#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "time": "http://www.w3.org/2006/time#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
AUTHORITY = "http://publications.europa.eu/resource/authority"
COUNTRY = f"{AUTHORITY}/country/DEU"
LEIKA = "urn:de:fim:leika:leistung"
PUBLIC_KINDS = ("authority", "municipal_enterprise")
#: Languages by the codes of the EU's Publications Office.
LANGUAGES = {
    "ar": "ARA",
    "bg": "BUL",
    "cs": "CES",
    "da": "DAN",
    "de": "DEU",
    "el": "ELL",
    "en": "ENG",
    "es": "SPA",
    "fa": "FAS",
    "fr": "FRA",
    "hr": "HRV",
    "hu": "HUN",
    "it": "ITA",
    "nl": "NLD",
    "pl": "POL",
    "pt": "POR",
    "ro": "RON",
    "ru": "RUS",
    "tr": "TUR",
    "uk": "UKR",
}
Thing = TypeVar("Thing")
REQUIREMENTS: Text = {"de": "Voraussetzungen", "en": "Requirements"}


def write(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:
    """Every public service (on a `day`: every one that is valid then), then what several of them name, once."""
    yield from graph(CONTEXT, _nodes(Public(catalogue, day), base))


class _Shared:
    """What several services name: written once, after them."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def refer(self, address: str, kind: str, **said: object) -> Node:
        self.nodes.setdefault(address, filled({"@id": address, "@type": kind} | said))
        return {"@id": address}


def _nodes(public: Public, base: str) -> Iterator[Node]:
    shared = _Shared()
    partners: dict[str, Partner] = {}
    for service in public.services:
        deciding = [one for one in public.deciding(service) if one.kind in PUBLIC_KINDS]
        name = service.name or service.official_name
        if deciding and literals(name):
            partners |= {one.id: one for one in deciding}
            partners |= {one.provider: public.partners[one.provider] for one in public.offers(service)}
            yield _service(public, base, service, name, deciding, shared)
    spatial = [address for area in public.home if (address := area_address(area.ars))] or [COUNTRY]
    for partner in partners.values():
        yield _organisation(base, partner, [shared.refer(one, "dct:Location") for one in spatial])
    yield from shared.nodes.values()


def _service(public: Public, base: str, service: Service, name: Text, deciding: list[Partner], shared: _Shared) -> Node:
    address = service_address(base, service.id)
    channels = list(_channels(public, base, service, shared))
    at_point = [one["@id"] for one in channels if one["@id"].startswith(f"{address}#point-")]
    needed = [one for one in service.documents if one.direction == "in"]
    spoken = dict.fromkeys(language for offer in public.offers(service) for language in offer.languages)
    return filled(
        {
            "@id": address,
            "@type": "cpsv:PublicService",
            "dct:identifier": service.id,
            "dct:title": literals(name),
            "dct:description": literals(service.description) or literals(service.summary) or literals(name),
            "cv:hasCompetentAuthority": [{"@id": thing_address(base, "partner", one.id)} for one in deciding],
            "cv:hasChannel": channels,
            "cv:hasCost": [
                _cost(address, number, one, service, at_point, shared) for number, one in _numbered(service.fees)
            ]
            or _cost_in_words(address, service),
            "cv:processingTime": _duration(processing_time(service, "000")),
            "cpsv:hasInput": [_evidence(address, number, one) for number, one in _numbered(needed)],
            "cv:hasInputType": [_evidence_type(address, number, one) for number, one in _numbered(needed)],
            "cpsv:produces": [
                _described(f"{address}#output-{number}", "cv:Output", one)
                for number, one in _numbered(one for one in service.documents if one.direction == "out")
            ],
            "cv:holdsRequirement": _requirements(address, service),
            "cv:hasLegalResource": [_legal(address, number, one) for number, one in _numbered(service.legal_basis)],
            "cv:contactPoint": [_contact(base, one) for one in deciding if one.phone or one.email or one.website],
            "dcat:keyword": [{"@language": "de", "@value": word} for word in service.keywords],
            "dct:language": [
                shared.refer(f"{AUTHORITY}/language/{LANGUAGES[language]}", "dct:LinguisticSystem")
                for language in spoken
                if language in LANGUAGES
            ],
            "cv:thematicArea": [
                shared.refer(
                    thing_address(base, "theme", one),
                    "skos:Concept",
                    **{"skos:prefLabel": literals(public.themes[one].name)},
                )
                for one in service.themes
                if one in public.themes
            ],
            "cv:isClassifiedBy": [
                shared.refer(f"{LEIKA}:{key}", "skos:Concept", **{"skos:notation": key}) for key in service.leika
            ],
            "dct:audience": [
                shared.refer(thing_address(base, "audience", code), "skos:Concept", **{"skos:notation": code})
                for code in service.audience
            ],
            "dct:spatial": _spatial(public, public.responsibilities(service), shared),
        }
    )


def _numbered(things: Iterable[Thing]) -> Iterator[tuple[int, Thing]]:
    return iter(enumerate(things, start=1))


def _spatial(public: Public, responsibilities: list[Responsibility], shared: _Shared) -> list[Node]:
    found = dict.fromkeys(one.area for one in responsibilities)
    names = {ars: public.areas[ars].name if ars in public.areas else "" for ars in found}
    return [shared.refer(area_address(ars), "dct:Location", **{"dct:title": names[ars]}) for ars in found if ars]


def _duration(said: str) -> Node | None:
    return {"@type": "xsd:duration", "@value": said} if said else None


def _channels(public: Public, base: str, service: Service, shared: _Shared) -> Iterator[Node]:
    address = service_address(base, service.id)
    for offer in public.offers(service):
        yield _at_point(public, base, service, offer, f"{address}#point-{offer.point}-{offer.provider}")
    for number, link in _numbered(link for link in service.links if link.kind != "page"):
        yield _online(f"{address}#online-{number}", link, shared)


def _at_point(public: Public, base: str, service: Service, offer: Offer, address: str) -> Node:
    where = public.points[offer.point]
    lines = {language: [where.name.get(language, ""), said] for language, said in offer.hint.items()}
    text = {language: ": ".join(filter(None, said)) for language, said in lines.items()} or where.name
    hours = expressions(public.hours_at(offer))
    return filled(
        {
            "@id": address,
            "@type": "cv:Channel",
            "dct:identifier": address,
            "dct:description": literals(text),
            "cv:ownedBy": {"@id": thing_address(base, "partner", offer.provider)},
            "cv:openingHours": _opening(f"{address}-hours", hours),
            "cv:processingTime": _duration(processing_time(service, "point")),
        }
    )


def _opening(address: str, hours: str) -> Node | None:
    """As OSM writes them: the standard has a text for this, and the rules of holidays are in it."""
    text = {"@language": "en", "@value": hours}
    return {"@id": address, "@type": "time:TemporalEntity", "dct:description": text} if hours else None


def _online(address: str, link: Link, shared: _Shared) -> Node:
    return filled(
        {
            "@id": address,
            "@type": "cv:Channel",
            "dct:identifier": address,
            "dct:description": literals(link.name),
            "foaf:page": shared.refer(iri(link.url), "foaf:Document"),
        }
    )


def _cost(service_at: str, number: int, fee: Fee, service: Service, at_point: list[str], shared: _Shared) -> Node:
    """A range has no value, because the standard knows one alone: it stands in the description."""
    exact = "0" if fee.is_free else f"{fee.amount:f}" if fee.amount is not None and fee.amount_to is None else ""
    text = literals(fee.text) or literals(service.fee)
    if not exact and not fee.text:
        bounds = [f"{amount:f}" if amount is not None else "" for amount in (fee.amount, fee.amount_to)]
        text = [{"@language": "de", "@value": f"{'–'.join(bounds)} {fee.currency}"}]
    return filled(
        {
            "@id": f"{service_at}#cost-{number}",
            "@type": "cv:Cost",
            "dct:identifier": f"{service_at}#cost-{number}",
            "cv:hasValue": {"@type": "xsd:double", "@value": exact} if exact else None,
            "cv:currency": shared.refer(f"{AUTHORITY}/currency/{iri(fee.currency)}", "skos:Concept"),
            "dct:description": text,
            "cv:ifAccessedThrough": {"@id": at_point[0]} if fee.channel == "point" and len(at_point) == 1 else None,
        }
    )


def _cost_in_words(service_at: str, service: Service) -> list[Node]:
    address = f"{service_at}#cost"
    text = literals(service.fee)
    return [{"@id": address, "@type": "cv:Cost", "dct:identifier": address, "dct:description": text}] if text else []


def _evidence(service_at: str, number: int, one: DocumentNeed) -> Node:
    kind = {"dct:conformsTo": {"@id": f"{service_at}#evidence-type-{number}"}}
    return _described(f"{service_at}#evidence-{number}", "cv:Evidence", one) | kind


def _evidence_type(service_at: str, number: int, one: DocumentNeed) -> Node:
    return _described(f"{service_at}#evidence-type-{number}", "cv:EvidenceType", one)


def _described(address: str, kind: str, one: DocumentNeed) -> Node:
    return filled(
        {
            "@id": address,
            "@type": kind,
            "dct:identifier": address,
            "dct:title": literals(one.text),
            "dct:description": literals(one.when),
        }
    )


def _requirements(service_at: str, service: Service) -> list[Node]:
    module = service.module("09")
    text = literals(module.text) if module else []
    address = f"{service_at}#requirements"
    node = {"@id": address, "@type": "cv:Requirement", "dct:identifier": address, "dct:title": literals(REQUIREMENTS)}
    return [node | {"dct:description": text}] if text else []


def _legal(service_at: str, number: int, basis: str | LegalReference) -> Node:
    url, citation = ("", basis) if isinstance(basis, str) else (basis.url, basis.citation)
    return filled(
        {
            "@id": iri(url) or f"{service_at}#legal-{number}",
            "@type": "eli:LegalResource",
            "dct:title": [{"@language": "de", "@value": html.plain(citation)}],
        }
    )


def _contact(base: str, partner: Partner) -> Node:
    page = {"@id": iri(partner.website), "@type": "foaf:Document"} if partner.website else None
    return filled(
        {
            "@id": thing_address(base, "contact", partner.id),
            "@type": "cv:ContactPoint",
            "cv:telephone": partner.phone,
            "cv:email": partner.email,
            "cv:contactPage": page,
        }
    )


def _organisation(base: str, partner: Partner, spatial: list[Node]) -> Node:
    is_public = partner.kind in PUBLIC_KINDS
    address = partner.address
    return filled(
        {
            "@id": thing_address(base, "partner", partner.id),
            "@type": ["cv:PublicOrganisation", "org:Organization"] if is_public else ["org:Organization"],
            "skos:prefLabel": [{"@language": "de", "@value": partner.name}],
            "dct:identifier": partner.id,
            "dct:title": [{"@language": "de", "@value": partner.name}],
            "dct:spatial": spatial if is_public else [],
            "locn:address": filled(
                {
                    "@id": thing_address(base, "address", partner.id),
                    "@type": "locn:Address",
                    "locn:thoroughfare": [{"@language": "de", "@value": address.street}],
                    "locn:postCode": address.postcode,
                    "locn:postName": [{"@language": "de", "@value": address.town}],
                }
            )
            if address
            else None,
        }
    )


FORMAT = Format(name="cpsv-ap", parts=("catalogue",), is_whole=True, write=write)
