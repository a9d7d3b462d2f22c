"""The catalogue as one immutable revision: hosts, points, partners, themes, services, offers, areas. Pure.

Texts are mappings from language to text (`{"de": "...", "en": "..."}`); Leichte Sprache is the language
`de-x-leicht`. A long text is plain, with empty lines between its paragraphs, or HTML: then it begins with `<`, and
nothing stands in it but what `html.clean` lets through. Services are ordered by theme, not by office; an offer is a
service at a point with what can be done there, so that nobody is sent to a place where only information waits.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal

import msgspec

from servicepunkt.core.hours.model import Both, Closure, Hours, Osm, Special, Whose, Words

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
#: How somebody comes to a service, by XZuFi's codes (`Zugangskanal`; 000 for any), and at the service point itself.
Channel = Literal["000", "100", "200", "point"]
#: Units of time by XZuFi (`Zeiteinheit`).
Unit = Literal["JAHR", "MONAT", "WOCHE", "TAG", "WERKTAG", "ARBEITSTAG", "STUNDE", "MINUTE", "SEKUNDE"]
#: Levels of trust by FIM (`vertrauensniveau`).
TrustLevel = Literal["", "00", "10", "15", "20", "30", "40"]
#: Headings of the standard catalogue (XZuFi, code list `leistungstextmodulleika`) as message ids. The service's own
#: fields hold 02 (`official_name`), 03 (`name`), 05 (`summary`) and 06 (`description`) for every channel.
MODULES = {
    "02": "Official name",
    "03": "Name",
    "05": "In short",
    "06": "Description",
    "07": "Legal basis",
    "08": "Required documents",
    "09": "Requirements",
    "11": "Procedure",
    "14": "Forms",
    "15": "Further information",
    "16": "Notes",
    "18": "Author",
    "22": "Competent authority",
    "23": "Contact point",
    "24": "Teaser",
    "25": "Legal remedies",
}
IDENTIFIER = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}\Z")
LEIKA_KEY = re.compile(r"^99\d{12}\Z")
ALWAYS, NEVER = "24/7", "off"


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is read from files: an unknown key is a mistake."""


class ExternalId(Strict, frozen=True, kw_only=True):
    """How somebody else names an object: unique within its agency only (XZuFi's `schemeAgencyID`)."""

    agency: str
    value: str


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


class OtherHours(Strict, frozen=True, kw_only=True):
    """An exception: on the days from `first` to `last` (both included) these `hours` (OSM) instead, or closed."""

    first: date
    last: date | None = None
    hours: str = NEVER
    reason: Text = {}


class Host(Strict, frozen=True, kw_only=True):
    """The retailer that lends the place. `hours` (OSM) bound everything at its points."""

    id: str
    name: str
    kind: Literal["department_store", "supermarket", "bank_lobby", "library", "shop", "town_hall", "other"]
    hours: str
    exceptions: tuple[OtherHours, ...] = ()
    contract: Contract = Contract()


class Point(Strict, frozen=True, kw_only=True):
    """The place itself. `staffed` (OSM): when somebody is there to help, `staffed_exceptions`: when not, or longer.

    `exceptions` narrow the host's hours; what opens on a day on which the host is closed stands at the host.
    """

    id: str
    name: Text
    host: str
    kind: Literal["fixed", "popup", "mobile"] = "fixed"
    address: Address
    exceptions: tuple[OtherHours, ...] = ()
    staffed: str = ""
    staffed_exceptions: tuple[OtherHours, ...] = ()
    area_m2: int | None = None
    help_phone: str = ""


class Partner(Strict, frozen=True, kw_only=True):
    """Who offers something; companies change, therefore validity and no deletion.

    `hours` (OSM) and `exceptions` narrow the hours of all its offers.
    """

    id: str
    name: str
    kind: Literal["authority", "municipal_enterprise", "company", "association"]
    data_protection: Literal["controller", "processor", "joint"] = "controller"
    valid_from: date | None = None
    valid_until: date | None = None
    hours: str = ""
    exceptions: tuple[OtherHours, ...] = ()
    website: str = ""
    phone: str = ""
    email: str = ""
    address: Address | None = None
    external: ExternalId | None = None


class Theme(Strict, frozen=True, kw_only=True):
    """What belongs together for citizens. `parent`: the theme that this one lies in.

    Services that come from elsewhere name no theme of this tenant. They are found here by `leika_groups`, the three
    digits of a key that say what it is about (115 is residence), or because `others` takes in what is in no theme.
    """

    id: str
    name: Text
    intro: Text = {}
    icon: str = ""
    order: int = 50
    parent: str = ""
    leika_groups: tuple[str, ...] = ()
    others: bool = False


class DocumentNeed(Strict, frozen=True, kw_only=True):
    """Something to bring; `when` says for whom, if not for everybody. What is handed out has the direction `out`.

    `type`: XZuFi's code of the kind of document. `original`: a copy is not enough.
    """

    text: Text
    when: Text = {}
    direction: Literal["in", "out"] = "in"
    type: str = ""
    mandatory: bool = True
    original: bool = False
    channel: Channel = "000"


class Module(Strict, frozen=True, kw_only=True):
    """A text under one of the headings of the standard (`MODULES`), or of one's own (`x-...`), for one channel.

    `translated`: the languages into which a machine has put it.
    """

    code: str
    text: Text
    channel: Channel = "000"
    translated: tuple[str, ...] = ()


class Fee(Strict, frozen=True, kw_only=True):
    """What a service costs: one amount, from one to another, or nothing (both None). `type`: XZuFi's `Kostentyp`."""

    amount: Decimal | None = None
    amount_to: Decimal | None = None
    currency: str = "EUR"
    type: str = ""
    prepaid: bool = False
    channel: Channel = "000"
    text: Text = {}

    @property
    def is_free(self) -> bool:
        return self.amount is None and self.amount_to is None


class Duration(Strict, frozen=True, kw_only=True):
    """How long something takes, or by when it has to be done. `type`: XZuFi's `Fristtyp`, for deadlines."""

    kind: Literal["processing", "deadline"]
    least: int
    unit: Unit
    most: int | None = None
    most_unit: Unit | None = None
    type: str = ""
    channel: Channel = "000"
    text: Text = {}


class Link(Strict, frozen=True, kw_only=True):
    """An online service, a form or a page. `trust_level`: how surely somebody has to show who he is.

    `areas`: keys of the areas in which it may be used, none for everywhere. `on_terminal`: it may be opened there.
    """

    kind: Literal["online", "form", "booking", "page"]
    url: str
    name: Text = {}
    trust_level: TrustLevel = ""
    areas: tuple[str, ...] = ()
    on_terminal: bool = False


class LegalReference(Strict, frozen=True, kw_only=True):
    """A law or a part of it, and where it can be read."""

    citation: str
    url: str


class Service(Strict, frozen=True, kw_only=True):
    """A public service (or a partner's). `competence`: the partner that decides; `leika`: its 14-digit keys.

    A service with a key takes what it does not say itself from the national service of that key. `name` is what
    citizens call it, `official_name` what the administration does. `keywords` are hidden words to find it by.
    `fee` and `duration` say in words what `fees` and `durations` say in figures. `audience`: XZuFi's codes of
    `Leistungsadressat` (001: citizens).
    """

    id: str
    name: Text = {}
    themes: tuple[str, ...] = ()
    competence: str = ""
    leika: tuple[str, ...] = ()
    official_name: Text = {}
    summary: Text = {}
    description: Text = {}
    modules: tuple[Module, ...] = ()
    documents: tuple[DocumentNeed, ...] = ()
    fee: Text = {}
    fees: tuple[Fee, ...] = ()
    duration: Text = {}
    durations: tuple[Duration, ...] = ()
    legal_basis: tuple[str | LegalReference, ...] = ()
    links: tuple[Link, ...] = ()
    keywords: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    visibility: Literal["public", "staff"] = "public"
    valid_from: date | None = None
    valid_until: date | None = None
    ended: Text = {}
    external: ExternalId | None = None

    def module(self, code: str, channel: Channel = "000") -> Module | None:
        """The text under a heading for a channel, else the one for every channel."""
        for wanted in (channel, "000"):
            if found := next((one for one in self.modules if (one.code, one.channel) == (code, wanted)), None):
                return found
        return None

    def links_of(self, kind: str) -> list[Link]:
        return [link for link in self.links if link.kind == kind]


class Offer(Strict, frozen=True, kw_only=True):
    """A service at a point. `non_digital` is the way for people who are not online: every offer has one.

    `hours` (OSM) narrow the point's hours; `staffed` says that it needs somebody present; `accepted_for` names the
    partner that decides when the provider only takes applications in. `languages`: what is spoken there.
    `appointment`: whether one is needed, empty where nobody has said.
    `modules` say what differs at this point from what the service says everywhere.
    """

    service: str
    point: str
    provider: str
    can: tuple[Capability, ...]
    non_digital: Text
    hours: str = ""
    exceptions: tuple[OtherHours, ...] = ()
    staffed: bool = False
    accepted_for: str = ""
    hint: Text = {}
    appointment: Literal["", "none", "possible", "required"] = ""
    languages: tuple[str, ...] = ()
    modules: tuple[Module, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None


class Area(Strict, frozen=True, kw_only=True):
    """A municipality, association, district or Land, by its key (Amtlicher Regionalschlüssel).

    `home`: the tenant's own. `successor`: what it has become, by key, when it ended.
    """

    ars: str
    name: str
    postcodes: tuple[str, ...] = ()
    home: bool = False
    valid_from: date | None = None
    valid_until: date | None = None
    successor: str = ""


class Responsibility(Strict, frozen=True, kw_only=True):
    """Who is responsible for a service in an area. `caveat`: what has to be asked before this holds.

    `role`: who decides, who takes applications in for whom decides, or whom to ask. `area`: digits of an ARS, none for
    the whole country. `booking`: where an appointment for this service is made there.
    """

    service: str
    authority: str
    area: str = ""
    role: Literal["decides", "accepts", "contact"] = "decides"
    caveat: Text = {}
    booking: str = ""


class Catalogue(Strict, frozen=True, kw_only=True, dict=True):
    """Everything that one revision holds. What is looked up by its id is listed once for each catalogue."""

    hosts: tuple[Host, ...] = ()
    points: tuple[Point, ...] = ()
    partners: tuple[Partner, ...] = ()
    themes: tuple[Theme, ...] = ()
    services: tuple[Service, ...] = ()
    offers: tuple[Offer, ...] = ()
    areas: tuple[Area, ...] = ()
    responsibilities: tuple[Responsibility, ...] = ()

    def host(self, host_id: str) -> Host | None:
        return self._hosts.get(host_id)

    def point(self, point_id: str) -> Point | None:
        return self._points.get(point_id)

    def points_on(self, day: date) -> list[Point]:
        """The points that there are on a day: those whose host has a contract then, or none that says when."""
        return [
            point
            for point in self.points
            if (host := self.host(point.host)) is None or is_valid(host.contract.since, host.contract.until, day)
        ]

    def partner(self, partner_id: str) -> Partner | None:
        return self._partners.get(partner_id)

    def theme(self, theme_id: str) -> Theme | None:
        return self._themes.get(theme_id)

    def service(self, service_id: str) -> Service | None:
        return self._services.get(service_id)

    def services_of(self, theme_id: str) -> list[Service]:
        return [service for service in self.services if theme_id in service.themes]

    def offers_of(self, service_id: str, point_id: str | None = None) -> list[Offer]:
        return [
            offer
            for offer in self.offers
            if offer.service == service_id and (point_id is None or offer.point == point_id)
        ]

    @cached_property
    def _hosts(self) -> dict[str, Host]:
        return {one.id: one for one in reversed(self.hosts)}

    @cached_property
    def _points(self) -> dict[str, Point]:
        return {one.id: one for one in reversed(self.points)}

    @cached_property
    def _partners(self) -> dict[str, Partner]:
        return {one.id: one for one in reversed(self.partners)}

    @cached_property
    def _themes(self) -> dict[str, Theme]:
        return {one.id: one for one in reversed(self.themes)}

    @cached_property
    def _services(self) -> dict[str, Service]:
        return {one.id: one for one in reversed(self.services)}


def pick(text: Text, locale: str) -> str:
    """The text in `locale`, else in its base language, else in German, else in any language, else empty."""
    for language in (locale, locale.partition("-")[0], "de"):
        if language in text:
            return text[language]
    return next(iter(text.values()), "")


def stand_in(text: Text, locale: str) -> str:
    """The language of what `pick` gives where `locale` and its base language are missing; empty where they are not."""
    if not text or locale in text or locale.partition("-")[0] in text:
        return ""
    return "de" if "de" in text else next(iter(text))


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


def host_hours(host: Host) -> Hours:
    """When people can enter the house."""
    return _part("host", host.hours, host.exceptions, host.name)


def point_hours(catalogue: Catalogue, point: Point) -> Hours:
    """When people can enter the point: the host's hours, without the days on which the point itself is closed."""
    host = catalogue.host(point.host)
    hosts = host_hours(host) if host else Osm(NEVER, Whose("host"))
    return Both((hosts, _part("point", ALWAYS, point.exceptions, point.name))) if point.exceptions else hosts


def staff_hours(catalogue: Catalogue, point: Point) -> Hours:
    """When somebody is at the point to help."""
    return Both((point_hours(catalogue, point), _part("staff", point.staffed or ALWAYS, point.staffed_exceptions)))


def offer_hours(catalogue: Catalogue, offer: Offer) -> Hours:
    """The point's hours, narrowed by the provider's, the offer's and, where somebody must be present, the staff's."""
    point, provider = catalogue.point(offer.point), catalogue.partner(offer.provider)
    if point is None:
        return Osm(NEVER)
    narrower = []
    if provider and (provider.hours or provider.exceptions):
        narrower.append(_part("partner", provider.hours or ALWAYS, provider.exceptions, provider.name))
    if offer.hours or offer.exceptions:
        narrower.append(_part("offer", offer.hours or ALWAYS, offer.exceptions))
    if offer.staffed and (point.staffed or point.staffed_exceptions):
        narrower.append(_part("staff", point.staffed or ALWAYS, point.staffed_exceptions))
    return Both((point_hours(catalogue, point), *narrower))


def _part(role: str, expression: str, exceptions: tuple[OtherHours, ...], name: str | Text = "") -> Hours:
    """Somebody's hours with exceptions around them, the last one in the file outermost."""
    hours: Hours = Osm(expression, Whose(role, _words(name)))
    for other in exceptions:
        last, reason = other.last or other.first, _words(other.reason)
        if other.hours == NEVER:
            hours = Closure(hours, other.first, last, reason)
        else:
            hours = Special(hours, other.first, other.hours, last, reason)
    return hours


def _words(text: str | Text) -> Words:
    """A name that is the same in every language stands under none."""
    return tuple(sorted(text.items())) if isinstance(text, dict) else (("", text),) if text else ()
