"""HSDS 3 (Open Referral) as JSON: the answer of its `GET /services?full=true` with every public service. Write only.

The standard has one language and names things by UUID: texts are German, else in any language, and each UUID is made
from the address of the thing, so that it stays the same. Hours are given where they are a plain week (`weekly`), in
the local time of the place. Where a service is got online is a virtual location.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from uuid import NAMESPACE_URL, uuid5

import msgspec
from babel import Locale

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.formats.linked import Node, filled
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.formats.public import Public, area_address, iri, service_address, thing_address
from servicepunkt.core.catalogue.formats.weekly import expressions, week_of
from servicepunkt.core.catalogue.model import Address, Catalogue, Fee, Link, Offer, Partner, Service, Text, pick
from servicepunkt.core.hours.model import Hours

LANGUAGE = "de"
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LANGUAGES = Locale(LANGUAGE).languages


def write(catalogue: Catalogue, base: str, *, day: date | None = None) -> Iterator[bytes]:
    """Every public service (on a `day`: every one that is valid then), each with all that belongs to it."""
    public = Public(catalogue, day)
    number = len(public.services)
    head = {"total_items": number, "total_pages": 1, "page_number": 1, "size": number}
    head |= {"first_page": True, "last_page": True, "empty": number == 0}
    yield msgspec.json.encode(head)[:-1] + b',"contents":['
    before = b"\n"
    for service in public.services:
        yield before + msgspec.json.encode(_service(public, base, service))
        before = b",\n"
    yield b"\n]}\n"


def _id(address: str) -> str:
    return str(uuid5(NAMESPACE_URL, address))


def _said(text: Text) -> str:
    return html.plain(pick(text, LANGUAGE)).strip()


def _service(public: Public, base: str, service: Service) -> Node:
    address = service_address(base, service.id)
    deciding = public.deciding(service)
    name, official = _said(service.name), _said(service.official_name)
    spoken = dict.fromkeys(language for offer in public.offers(service) for language in offer.languages)
    return filled(
        {
            "id": _id(address),
            "organization_id": _id(thing_address(base, "partner", deciding[0].id)) if deciding else "",
            "name": name or official or service.id,
            "alternate_name": official if name else "",
            "description": _said(service.description) or _said(service.summary),
            "url": address,
            "email": deciding[0].email if deciding else "",
            "status": "active",
            "application_process": _module(service, "11"),
            "fees_description": _said(service.fee),
            "eligibility_description": _module(service, "09"),
            "alert": _said(service.ended),
            "service_areas": _areas(public, address, service),
            "service_at_locations": [_at_point(public, base, address, one) for one in public.offers(service)]
            + [_online(address, number, one) for number, one in enumerate(service.links) if one.kind != "page"],
            "languages": [_language(address, one) for one in spoken],
            "organization": _organisation(base, deciding[0]) if deciding else None,
            "cost_options": [_cost(address, number, one) for number, one in enumerate(service.fees)],
            "required_documents": [
                {"id": _id(f"{address}#document-{number}"), "document": _with_condition(one.text, one.when)}
                for number, one in enumerate(service.documents)
                if one.direction == "in"
            ],
            "attributes": _attributes(public, base, address, service),
        }
    )


def _module(service: Service, code: str) -> str:
    found = service.module(code)
    return _said(found.text) if found else ""


def _with_condition(text: Text, when: Text) -> str:
    return " – ".join(filter(None, (_said(text), _said(when))))


def _areas(public: Public, address: str, service: Service) -> list[Node]:
    keys = dict.fromkeys(one.area for one in public.responsibilities(service))
    return [
        filled(
            {
                "id": _id(f"{address}#area-{key}"),
                "name": public.areas[key].name if key in public.areas else key or "Deutschland",
                "description": ", ".join(public.areas[key].postcodes) if key in public.areas else "",
                "uri": area_address(key),
            }
        )
        for key in keys
    ]


def _at_point(public: Public, base: str, address: str, offer: Offer) -> Node:
    here = f"{address}#point-{offer.point}-{offer.provider}"
    point = public.points[offer.point]
    location = thing_address(base, "point", point.id)
    return filled(
        {
            "id": _id(here),
            "description": _said(offer.hint),
            "schedules": _schedules(here, public.hours_at(offer)),
            "location": filled(
                {
                    "id": _id(location),
                    "location_type": "physical",
                    "name": _said(point.name),
                    "description": _said(point.address.floor),
                    "transportation": _said(point.address.directions),
                    "addresses": [_address(public, location, point.address)],
                    "phones": [_phone(location, point.help_phone)] if point.help_phone else [],
                    "schedules": _schedules(location, public.hours_of(point)),
                }
            ),
        }
    )


def _online(address: str, number: int, link: Link) -> Node:
    here = f"{address}#online-{number}"
    location = {"id": _id(f"{here}-location"), "location_type": "virtual", "url": iri(link.url)}
    return filled({"id": _id(here), "location": filled(location | {"name": _said(link.name)})})


def _address(public: Public, location: str, address: Address) -> Node:
    """`state_province` is demanded: the Land of the tenant's own area, empty where the catalogue has not got it."""
    land = public.areas.get(public.home[0].ars[:2]) if public.home else None
    return {
        "id": _id(f"{location}-address"),
        "address_1": address.street,
        "city": address.town,
        "state_province": land.name if land else "",
        "postal_code": address.postcode,
        "country": "DE",
        "address_type": "physical",
    }


def _phone(owner: str, number: str) -> Node:
    return {"id": _id(f"{owner}-phone"), "number": number, "type": "voice"}


def _organisation(base: str, partner: Partner) -> Node:
    address = thing_address(base, "partner", partner.id)
    return filled(
        {
            "id": _id(address),
            "name": partner.name,
            "description": partner.name,  # demanded; the catalogue has none of its own
            "email": partner.email,
            "website": iri(partner.website),
            "uri": address,
            "phones": [_phone(address, partner.phone)] if partner.phone else [],
        }
    )


def _schedules(owner: str, hours: Hours) -> list[Node]:
    """A rule for each pair of times; `description` has the hours as OSM writes them, with the rule for holidays."""
    week = week_of(hours)
    said = expressions(hours)
    if week is None:
        return [{"id": _id(f"{owner}-schedule"), "description": said}] if said else []
    return [
        {
            "id": _id(f"{owner}-schedule-{number}"),
            "freq": "WEEKLY",
            "interval": 1,
            "byday": ",".join(DAYS[day] for day in one.days),
            "opens_at": one.opens,
            "closes_at": "00:00" if one.closes == "24:00" else one.closes,
            "description": said,
        }
        for number, one in enumerate(week.openings)
    ]


def _language(address: str, code: str) -> Node:
    return {"id": _id(f"{address}#language-{code}"), "name": _LANGUAGES.get(code, code), "code": code}


def _cost(address: str, number: int, fee: Fee) -> Node:
    """Of a range the lower end is the amount, and the description says both."""
    lowest = next((amount for amount in (fee.amount, fee.amount_to) if amount is not None), None)
    bounds = [f"{amount:f}" for amount in (fee.amount, fee.amount_to) if amount is not None]
    return filled(
        {
            "id": _id(f"{address}#cost-{number}"),
            "option": _said(fee.text),
            "currency": fee.currency,
            "amount": 0.0 if lowest is None else float(lowest),
            "amount_description": f"{'–'.join(bounds)} {fee.currency}" if fee.amount_to is not None else "",
        }
    )


def _attributes(public: Public, base: str, address: str, service: Service) -> list[Node]:
    """What it is about: our themes, and the keys of the national catalogue."""
    terms = [
        (thing_address(base, "theme", one), one, _said(public.themes[one].name), "")
        for one in service.themes
        if one in public.themes
    ]
    terms += [(f"urn:de:fim:leika:leistung:{key}", key, key, "LeiKa") for key in service.leika]
    return [
        {
            "id": _id(f"{address}#attribute-{code}"),
            "link_entity": "service",
            "taxonomy_term": filled(
                {
                    "id": _id(term),
                    "code": code,
                    "name": name,
                    "description": name,
                    "taxonomy": taxonomy,
                    "language": LANGUAGE,
                    "term_uri": term,
                }
            ),
        }
        for term, code, name, taxonomy in terms
    ]


FORMAT = Format(name="hsds", parts=("services",), is_whole=True, write=write)
