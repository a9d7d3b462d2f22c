"""The catalogue as one immutable revision: hosts, points, partners, themes, services, offers. Pure.

Texts are mappings from language to text (`{"de": "...", "en": "..."}`); Leichte Sprache is the language
`de-x-leicht`. Services are ordered by theme, not by office; an offer is a service at a point with what can be done
there, so that nobody is sent to a place where only information waits.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

import msgspec

from servicepunkt.core.hours.model import Both, Hours, HoursError, Osm, parse

Text = dict[str, str]
Capability = Literal["inform", "advise", "start", "apply", "identify", "pay", "sell", "book", "collect"]
CAPABILITIES: tuple[Capability, ...] = (
    "inform",
    "advise",
    "start",
    "apply",
    "identify",
    "pay",
    "sell",
    "book",
    "collect",
)
IDENTIFIER = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}\Z")
LEIKA_KEY = re.compile(r"^99\d{12}\Z")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is read from files: an unknown key is a mistake."""


class Address(Strict, frozen=True, kw_only=True):
    street: str
    postcode: str
    town: str
    floor: Text = {}
    directions: Text = {}


class Contract(Strict, frozen=True, kw_only=True):
    """`until` is None while nobody has given notice."""

    since: date | None = None
    until: date | None = None


class Host(Strict, frozen=True, kw_only=True):
    """The retailer that lends the place. `hours` (OSM) bound everything at its points."""

    id: str
    name: str
    kind: Literal["department_store", "supermarket", "bank_lobby", "library", "shop", "town_hall", "other"]
    hours: str
    contract: Contract = Contract()


class Point(Strict, frozen=True, kw_only=True):
    """The place itself. `staffed` (OSM): when somebody is there to help."""

    id: str
    name: Text
    host: str
    kind: Literal["fixed", "popup", "mobile"] = "fixed"
    address: Address
    staffed: str = ""
    area_m2: int | None = None
    help_phone: str = ""


class Partner(Strict, frozen=True, kw_only=True):
    """Who offers something; companies change, therefore validity and no deletion."""

    id: str
    name: str
    kind: Literal["authority", "municipal_enterprise", "company", "association"]
    data_protection: Literal["controller", "processor", "joint"] = "controller"
    valid_from: date | None = None
    valid_until: date | None = None
    website: str = ""
    phone: str = ""


class Theme(Strict, frozen=True, kw_only=True):
    id: str
    name: Text
    intro: Text = {}
    icon: str = ""
    order: int = 50


class DocumentNeed(Strict, frozen=True, kw_only=True):
    """Something to bring; `when` says for whom, if not for everybody."""

    text: Text
    when: Text = {}


class Service(Strict, frozen=True, kw_only=True):
    """A public service (or a partner's). `competence`: the partner that decides; `leika`: the 14-digit key."""

    id: str
    name: Text
    themes: tuple[str, ...]
    competence: str
    leika: str = ""
    summary: Text = {}
    description: Text = {}
    documents: tuple[DocumentNeed, ...] = ()
    fee: Text = {}
    duration: Text = {}
    legal_basis: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    online: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    ended: Text = {}


class Offer(Strict, frozen=True, kw_only=True):
    """A service at a point. `non_digital` is the way for people who are not online: every offer has one.

    `hours` (OSM) narrow the point's hours; `staffed` says that it needs somebody present; `accepted_for` names the
    partner that decides when the provider only takes applications in.
    """

    service: str
    point: str
    provider: str
    can: tuple[Capability, ...]
    non_digital: Text
    hours: str = ""
    staffed: bool = False
    accepted_for: str = ""
    hint: Text = {}
    valid_from: date | None = None
    valid_until: date | None = None


class Catalogue(Strict, frozen=True, kw_only=True):
    """Everything that one revision holds."""

    hosts: tuple[Host, ...] = ()
    points: tuple[Point, ...] = ()
    partners: tuple[Partner, ...] = ()
    themes: tuple[Theme, ...] = ()
    services: tuple[Service, ...] = ()
    offers: tuple[Offer, ...] = ()

    def host(self, host_id: str) -> Host | None:
        return next((host for host in self.hosts if host.id == host_id), None)

    def point(self, point_id: str) -> Point | None:
        return next((point for point in self.points if point.id == point_id), None)

    def partner(self, partner_id: str) -> Partner | None:
        return next((partner for partner in self.partners if partner.id == partner_id), None)

    def theme(self, theme_id: str) -> Theme | None:
        return next((theme for theme in self.themes if theme.id == theme_id), None)

    def service(self, service_id: str) -> Service | None:
        return next((service for service in self.services if service.id == service_id), None)

    def services_of(self, theme_id: str) -> list[Service]:
        return [service for service in self.services if theme_id in service.themes]

    def offers_of(self, service_id: str, point_id: str | None = None) -> list[Offer]:
        return [
            offer
            for offer in self.offers
            if offer.service == service_id and (point_id is None or offer.point == point_id)
        ]


def pick(text: Text, locale: str) -> str:
    """The text in `locale`, else in its base language, else in German, else in any language, else empty."""
    for language in (locale, locale.partition("-")[0], "de"):
        if language in text:
            return text[language]
    return next(iter(text.values()), "")


def is_valid(first: date | None, last: date | None, day: date) -> bool:
    """Whether `day` lies in [first, last], open ends included."""
    return (first is None or first <= day) and (last is None or day <= last)


def is_current(catalogue: Catalogue, service: Service, offer: Offer, day: date) -> bool:
    """Whether something can still be done: service, offer and provider are all valid on `day`."""
    provider = catalogue.partner(offer.provider)
    return (
        is_valid(service.valid_from, service.valid_until, day)
        and is_valid(offer.valid_from, offer.valid_until, day)
        and (provider is None or is_valid(provider.valid_from, provider.valid_until, day))
    )


def point_hours(catalogue: Catalogue, point: Point) -> Hours:
    """When people can enter the point: the host's hours."""
    host = catalogue.host(point.host)
    return Osm(host.hours if host else "off")


def offer_hours(catalogue: Catalogue, offer: Offer) -> Hours:
    """The host's hours, narrowed by the offer's and, where somebody must be present, by the staff's."""
    point = catalogue.point(offer.point)
    if point is None:
        return Osm("off")
    narrower = [offer.hours] if offer.hours else []
    if offer.staffed and point.staffed:
        narrower.append(point.staffed)
    return Both((point_hours(catalogue, point), *(Osm(expression) for expression in narrower)))


def mistakes(catalogue: Catalogue) -> list[tuple[str, str]]:
    """Every broken reference, key and expression as (place, sentence)."""
    found: list[tuple[str, str]] = []
    ids: dict[str, set[str]] = {}
    for kind in ("hosts", "points", "partners", "themes", "services"):
        known: set[str] = set()
        for entry in getattr(catalogue, kind):
            if not IDENTIFIER.match(entry.id):
                found.append((f"{kind}.{entry.id}", "an id has small letters, digits and hyphens"))
            if entry.id in known:
                found.append((f"{kind}.{entry.id}", "this id is used twice"))
            known.add(entry.id)
        ids[kind] = known

    def refer(place: str, kind: str, value: str) -> None:
        if value not in ids[kind]:
            found.append((place, f"there is no {kind[:-1]} {value!r}"))

    def hours(place: str, expression: str) -> None:
        try:
            parse(expression)
        except HoursError as error:
            found.append((place, error.staff_sentence))

    for host in catalogue.hosts:
        hours(f"hosts.{host.id}.hours", host.hours)
    for point in catalogue.points:
        refer(f"points.{point.id}.host", "hosts", point.host)
        if point.staffed:
            hours(f"points.{point.id}.staffed", point.staffed)
    for service in catalogue.services:
        refer(f"services.{service.id}.competence", "partners", service.competence)
        for theme in service.themes:
            refer(f"services.{service.id}.themes", "themes", theme)
        if service.leika and not LEIKA_KEY.match(service.leika):
            found.append((f"services.{service.id}.leika", "a LeiKa key is 99 and 12 more digits"))
        if service.valid_until and not service.ended:
            found.append((f"services.{service.id}.ended", "a service that ends says so in `ended`"))
    for number, offer in enumerate(catalogue.offers):
        place = f"offers[{number}] ({offer.service})"
        refer(f"{place}.service", "services", offer.service)
        refer(f"{place}.point", "points", offer.point)
        refer(f"{place}.provider", "partners", offer.provider)
        if offer.accepted_for:
            refer(f"{place}.accepted_for", "partners", offer.accepted_for)
        if not offer.can:
            found.append((f"{place}.can", "an offer says what can be done"))
        if offer.hours:
            hours(f"{place}.hours", offer.hours)
    return found
