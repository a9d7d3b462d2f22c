"""What of a catalogue anybody may have: the part that exports for others show, and the addresses of its things. Pure.

Services for staff alone stay inside, and whatever only they name. With a `day`, what is not valid on it stays out too.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import quote

import msgspec

from servicepunkt.core.catalogue.competence import level_of
from servicepunkt.core.catalogue.model import (
    Area,
    Catalogue,
    Offer,
    Partner,
    Point,
    Responsibility,
    Service,
    is_valid,
    offer_hours,
    point_hours,
)
from servicepunkt.core.hours.model import Hours

#: The keys of areas as addresses (DCAT-AP.de, `politicalGeocoding`), by the level of the key.
AREA_ADDRESS = "http://dcat-ap.de/def/politicalGeocoding"
AREA_KEYS = {
    "municipality": "regionalKey",
    "association": "municipalAssociationKey",
    "district": "districtKey",
    "land": "stateKey",
}
_ALLOWED = "".join(chr(letter) for letter in range(0x21, 0x7F) if chr(letter) not in '<>"{}|\\^`')


def everybodys(catalogue: Catalogue) -> Catalogue:
    """The catalogue without services for staff, and without what refers to them."""
    hidden = {service.id for service in catalogue.services if service.visibility != "public"}
    if not hidden:
        return catalogue
    return msgspec.structs.replace(
        catalogue,
        services=tuple(one for one in catalogue.services if one.id not in hidden),
        offers=tuple(one for one in catalogue.offers if one.service not in hidden),
        responsibilities=tuple(one for one in catalogue.responsibilities if one.service not in hidden),
    )


class Public:
    """A catalogue as others see it, with everything by its id."""

    def __init__(self, catalogue: Catalogue, day: date | None = None) -> None:
        def holds(entry: Service | Partner | Offer | Area) -> bool:
            return day is None or is_valid(entry.valid_from, entry.valid_until, day)

        catalogue = everybodys(catalogue)
        self._catalogue = catalogue
        self.services = [one for one in catalogue.services if holds(one)]
        self.partners = {one.id: one for one in catalogue.partners if holds(one)}
        self.points = {one.id: one for one in catalogue.points}
        self.themes = {one.id: one for one in catalogue.themes}
        self.areas = {one.ars: one for one in catalogue.areas}
        self.home = [one for one in catalogue.areas if one.home and holds(one)]
        shown = {one.id for one in self.services}
        self._offers: dict[str, list[Offer]] = {}
        for offer in catalogue.offers:
            can_be_got = offer.point in self.points and offer.provider in self.partners
            if offer.service in shown and can_be_got and holds(offer):
                self._offers.setdefault(offer.service, []).append(offer)
        self._responsibilities: dict[str, list[Responsibility]] = {}
        for one in catalogue.responsibilities:
            if one.service in shown and one.authority in self.partners and level_of(one.area) is not None:
                self._responsibilities.setdefault(one.service, []).append(one)

    def offers(self, service: Service) -> list[Offer]:
        return self._offers.get(service.id, [])

    def responsibilities(self, service: Service, *roles: str) -> list[Responsibility]:
        return [one for one in self._responsibilities.get(service.id, []) if not roles or one.role in roles]

    def deciding(self, service: Service) -> list[Partner]:
        """Who decides: the service's own competence first, then who is responsible somewhere."""
        names = [service.competence, *(one.authority for one in self.responsibilities(service, "decides"))]
        return [self.partners[name] for name in dict.fromkeys(names) if name in self.partners]

    def hours_of(self, point: Point) -> Hours:
        return point_hours(self._catalogue, point)

    def hours_at(self, offer: Offer) -> Hours:
        return offer_hours(self._catalogue, offer)


def service_address(base: str, service: str) -> str:
    return f"{base.rstrip('/')}/service/{quote(service, safe='')}"


def thing_address(base: str, kind: str, name: str) -> str:
    """The address of what has no page of its own: a place in the tenant's first page."""
    return f"{base.rstrip('/')}/#{kind}-{quote(name, safe='')}"


def area_address(ars: str) -> str:
    """The address of an area by its key; empty for the whole country and for what is no key."""
    key = AREA_KEYS.get(level_of(ars) or "")
    return f"{AREA_ADDRESS}/{key}/{ars}" if key else ""


def iri(address: str) -> str:
    """An address with nothing in it that may not stand in one."""
    return quote(address, safe=_ALLOWED)
