"""schema.org in JSON-LD: each public service with who decides, where and how it is got, and what it costs. Write only.

A service on which an office decides, or that the national catalogue knows, is a `GovernmentService`; what companies and
associations offer is a `Service`. Hours stand where they are a plain week (`weekly`); the hours of an offer that differ
from those of its point stand in a place inside the point. Pages about a service are `subjectOf`, not `sameAs`: two
services may name the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from servicepunkt.core.catalogue.formats.linked import Node, filled, graph, literals, processing_time
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.formats.public import Public, area_address, iri, service_address, thing_address
from servicepunkt.core.catalogue.formats.weekly import week_of
from servicepunkt.core.catalogue.model import (
    Address,
    Catalogue,
    Fee,
    Link,
    Offer,
    Partner,
    Point,
    Responsibility,
    Service,
)
from servicepunkt.core.hours.model import Hours

CONTEXT = "https://schema.org"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOLIDAYS = "PublicHolidays"
ADDRESSEE = "XZuFi Leistungsadressat"
LEIKA = "urn:de:fim:leika:leistung"


def write(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:
    """Every public service (on a `day`: every one that is valid then), then the organisations and points they name."""
    yield from graph(CONTEXT, _nodes(Public(catalogue, day), base))


def _nodes(public: Public, base: str) -> Iterator[Node]:
    partners: dict[str, Partner] = {}
    points: dict[str, Point] = {}
    for service in public.services:
        offers = public.offers(service)
        partners |= {one.id: one for one in public.deciding(service)}
        partners |= {one.provider: public.partners[one.provider] for one in offers}
        points |= {one.point: public.points[one.point] for one in offers}
        yield _service(public, base, service)
    for partner in partners.values():
        yield _organisation(base, partner)
    for point in points.values():
        yield _point(public, base, point)


def _service(public: Public, base: str, service: Service) -> Node:
    deciding = public.deciding(service)
    is_official = not deciding or bool(service.leika) or any(one.kind == "authority" for one in deciding)
    address = service_address(base, service.id)
    operators = dict.fromkeys(one.provider for one in public.offers(service))
    named = {one.id for one in deciding}
    node: Node = {
        "@id": address,
        "@type": "GovernmentService" if is_official else "Service",
        "url": address,
        "name": literals(service.name or service.official_name),
        "alternateName": literals(service.official_name) if service.name else [],
        "description": literals(service.description or service.summary),
        "disambiguatingDescription": literals(service.summary) if service.description else [],
        "identifier": [{"@type": "PropertyValue", "propertyID": "LeiKa", "value": key} for key in service.leika],
        "additionalType": [f"{LEIKA}:{key}" for key in service.leika],
        "category": [text for name in service.themes if name in public.themes for text in _theme(public, name)],
        "provider": [{"@id": thing_address(base, "partner", one.id)} for one in deciding],
        "areaServed": _areas(public, public.responsibilities(service)),
        "audience": [
            {"@type": "Audience", "identifier": {"@type": "PropertyValue", "propertyID": ADDRESSEE, "value": code}}
            for code in service.audience
        ],
        "availableChannel": list(_channels(public, base, service)),
        "offers": [_price(fee, service) for fee in service.fees] or _priced_in_words(service),
        "serviceOutput": [
            {"@type": "Thing", "name": literals(one.text)} for one in service.documents if one.direction == "out"
        ],
        "subjectOf": [
            filled({"@type": "WebPage", "url": iri(link.url), "name": literals(link.name)})
            for link in service.links_of("page")
        ],
    }
    if is_official:
        decided = public.responsibilities(service, "decides")
        node["serviceOperator"] = [
            {"@id": thing_address(base, "partner", name)} for name in operators if name not in named
        ]
        node["jurisdiction"] = _areas(public, decided) or (
            [] if decided else [_area(public, a.ars) for a in public.home]
        )
    return filled(node)


def _theme(public: Public, name: str) -> list[Node]:
    return literals(public.themes[name].name)


def _areas(public: Public, responsibilities: Iterable[Responsibility]) -> list[Node]:
    return [_area(public, ars) for ars in dict.fromkeys(one.area for one in responsibilities)]


def _area(public: Public, ars: str) -> Node:
    if not ars:
        return {"@type": "Country", "name": "DE"}
    known = public.areas.get(ars)
    identifier = {"@type": "PropertyValue", "propertyID": "ARS", "value": ars}
    name = known.name if known else ""
    return filled({"@type": "AdministrativeArea", "@id": area_address(ars), "name": name, "identifier": identifier})


def _channels(public: Public, base: str, service: Service) -> Iterator[Node]:
    """At points, where somebody is asked or takes applications in, online, and without a computer."""
    ways: dict[str, dict[str, str]] = {}
    for offer in public.offers(service):
        yield _at_point(public, base, service, offer)
        if offer.non_digital:
            ways.setdefault(repr(sorted(offer.non_digital.items())), offer.non_digital)
    for one in public.responsibilities(service, "accepts", "contact"):
        yield _at_authority(public.partners[one.authority], one)
    for link in service.links:
        if link.kind != "page":
            yield _online(service, link)
    for text in ways.values():
        yield {"@type": "ServiceChannel", "description": literals(text)}


def _at_point(public: Public, base: str, service: Service, offer: Offer) -> Node:
    point = public.points[offer.point]
    place: Node = {"@id": thing_address(base, "point", point.id)}
    if (hours := _opening(public.hours_at(offer))) != _opening(public.hours_of(point)):
        # The hours of the point would be wrong for this service; where its own cannot be said, none are.
        inside = {"@type": "Place", "address": _address(point.address), "openingHoursSpecification": hours}
        place = filled(inside | {"containedInPlace": place})
    return filled(
        {
            "@type": "ServiceChannel",
            "serviceLocation": place,
            "description": literals(offer.hint),
            "availableLanguage": list(offer.languages),
            "processingTime": processing_time(service, "point", "000"),
            "servicePhone": _phone(point.help_phone),
        }
    )


def _at_authority(partner: Partner, responsibility: Responsibility) -> Node:
    place = {"@type": "Place", "name": partner.name, "address": _address(partner.address)} if partner.address else None
    return filled(
        {
            "@type": "ServiceChannel",
            "name": partner.name,
            "description": literals(responsibility.caveat),
            "serviceLocation": place,
            "serviceUrl": iri(responsibility.booking or partner.website),
            "servicePhone": _phone(partner.phone),
        }
    )


def _online(service: Service, link: Link) -> Node:
    return filled(
        {
            "@type": "ServiceChannel",
            "serviceUrl": iri(link.url),
            "name": literals(link.name),
            "processingTime": processing_time(service, "000") if link.kind == "online" else "",
        }
    )


def _phone(number: str) -> Node | None:
    return {"@type": "ContactPoint", "telephone": number} if number else None


def _price(fee: Fee, service: Service) -> Node:
    node: Node = {"@type": "Offer", "priceCurrency": fee.currency, "description": literals(fee.text or service.fee)}
    if fee.is_free:
        return filled(node | {"price": "0"})
    if fee.amount is not None and fee.amount_to is None:
        return filled(node | {"price": f"{fee.amount:f}"})
    bounds = {"minPrice": fee.amount, "maxPrice": fee.amount_to}
    specification: dict[str, Any] = {"@type": "PriceSpecification", "priceCurrency": fee.currency}
    specification |= {name: f"{amount:f}" for name, amount in bounds.items() if amount is not None}
    return filled(node | {"priceSpecification": specification})


def _priced_in_words(service: Service) -> list[Node]:
    return [{"@type": "Offer", "description": literals(service.fee)}] if service.fee else []


def _organisation(base: str, partner: Partner) -> Node:
    return filled(
        {
            "@id": thing_address(base, "partner", partner.id),
            "@type": "GovernmentOrganization" if partner.kind == "authority" else "Organization",
            "name": partner.name,
            "url": iri(partner.website),
            "telephone": partner.phone,
            "email": partner.email,
            "address": _address(partner.address) if partner.address else None,
        }
    )


def _point(public: Public, base: str, point: Point) -> Node:
    return filled(
        {
            "@id": thing_address(base, "point", point.id),
            "@type": "Place",
            "name": literals(point.name),
            "address": _address(point.address),
            "description": literals(point.address.directions or point.address.floor),
            "telephone": point.help_phone,
            "openingHoursSpecification": _opening(public.hours_of(point)),
        }
    )


def _address(address: Address) -> Node:
    return filled(
        {
            "@type": "PostalAddress",
            "streetAddress": address.street,
            "postalCode": address.postcode,
            "addressLocality": address.town,
            "addressCountry": "DE",
        }
    )


def _opening(hours: Hours) -> list[Node]:
    """A plain week; a closed holiday opens and closes at 00:00, a whole day is 00:00 to 23:59, as schema.org has it."""
    week = week_of(hours)
    if week is None or not week.openings:
        return []
    found = [_specification([DAYS[day] for day in one.days], one.opens, one.closes) for one in week.openings]
    if week.holidays is not None:
        found += [_specification([HOLIDAYS], *times) for times in week.holidays or (("00:00", "00:00"),)]
    return found


def _specification(days: list[str], opens: str, closes: str) -> Node:
    if closes == "24:00":
        closes = "23:59" if opens == "00:00" else "00:00"  # before `opens`: it is on the next day
    return {"@type": "OpeningHoursSpecification", "dayOfWeek": days, "opens": opens, "closes": closes}


FORMAT = Format(name="schema-org", parts=("catalogue",), is_whole=True, write=write)
