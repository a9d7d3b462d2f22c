"""What citizens read about themes, services and offers: the catalogue as seen at one place and instant. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from servicepunkt.core.catalogue.checklist import AT_POINT, to_bring
from servicepunkt.core.catalogue.model import (
    MODULES,
    Catalogue,
    Channel,
    DocumentNeed,
    Offer,
    Partner,
    Point,
    Responsibility,
    Service,
    Text,
    Theme,
    is_current,
    is_valid,
    offer_hours,
    pick,
    point_hours,
    staff_hours,
)
from servicepunkt.core.catalogue.search.index import Found
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.hours.model import Calendar, Hours, State, state
from servicepunkt.core.hours.reasons import Cause, why

# What can be done, as message ids.
CAPABILITIES = {
    "inform": "Get information",
    "advise": "Get advice",
    "start": "Begin",
    "apply": "Apply",
    "identify": "Identify yourself",
    "pay": "Pay",
    "sell": "Buy",
    "book": "Book",
    "collect": "Collect",
}
# How somebody comes, as message ids; the other channels are those of everybody and everything.
CHANNELS: dict[Channel, str] = {"100": "not online", "200": "online", "point": "at the service point"}
WALK_IN = ("none", "possible")  # without an appointment
ORDER = ("now", "later", "upcoming", "ended")


class Sight(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """From where one looks: what is published, a point (None on the web), the instant, and how hours and times are
    said."""

    published: Published
    point: Point | None
    at: datetime
    calendar: Calendar
    locale: str
    describe: Callable[[State, Sequence[Cause]], str]
    clock: Callable[[datetime], str]
    _said: dict[Hours, str] = msgspec.field(default_factory=dict)

    @property
    def catalogue(self) -> Catalogue:
        return self.published.catalogue

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All of what is seen from here but hours: where it is equal, the catalogue is seen alike."""
        now = self.published
        return now.tenant, now.revision, now.digest, self.point.id if self.point else None, self.day, self.locale

    @cached_property
    def day(self) -> date:
        return self.at.astimezone(self.zone).date()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.calendar.zone)

    def state(self, hours: Hours) -> State:
        return state(hours, self.calendar, self.at)

    def said(self, hours: Hours) -> str:
        """Open or closed in a sentence, with the reason where it is closed for one."""
        if (said := self._said.get(hours)) is None:
            said = self.describe(self.state(hours), why(hours, self.calendar, self.at))
            self._said[hours] = said
        return said


class OfferSeen(msgspec.Struct, frozen=True, kw_only=True):
    """An offer as it stands now. `status` is later when the place is closed, upcoming before its first day. `number`:
    its place among the offers of the catalogue."""

    number: int
    service: Service
    offer: Offer
    point: Point
    provider: Partner
    accepted_for: Partner | None
    status: Literal["now", "later", "upcoming", "ended"]
    hours: str

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All of what the hour changes about an offer."""
        return self.number, self.status, self.hours

    @property
    def can(self) -> list[str]:
        """What can be done, as message ids."""
        return [CAPABILITIES[capability] for capability in self.offer.can]


class PointSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A point as it stands now. `staffed` is None where the catalogue says nothing about people."""

    point: Point
    open: bool
    hours: str
    holiday: str | None
    staffed: bool | None = None
    staffed_until: str = ""


def point_seen(sight: Sight, point: Point) -> PointSeen:
    hours = point_hours(sight.catalogue, point)
    now = sight.state(hours)
    seen = PointSeen(point=point, open=now.open, hours=sight.said(hours), holiday=now.holiday)
    if not point.staffed and not point.staffed_exceptions:
        return seen
    staff = sight.state(staff_hours(sight.catalogue, point))
    until = sight.clock(staff.until) if staff.until else ""
    return msgspec.structs.replace(seen, staffed=staff.open, staffed_until=until)


def themes(sight: Sight) -> list[Theme]:
    """Themes that hold an offer here, or a service that nobody offers anywhere, in the catalogue's order."""
    offered = {offer.service for offer in _offers_here(sight)} | {service.id for service in unoffered(sight)}
    held = {
        theme
        for service in sight.catalogue.services
        if service.id in offered and not is_upcoming(sight, service)
        for theme in service.themes
    }
    found = [theme for theme in sight.catalogue.themes if theme.id in held]
    return sorted(found, key=lambda theme: (theme.order, pick(theme.name, sight.locale)))


def unoffered(sight: Sight) -> list[Service]:
    """Services in force that nobody offers at any point: what they are can be read all the same."""
    offered = {offer.service for offer in sight.catalogue.offers}
    found = [
        one
        for one in sight.catalogue.services
        if one.id not in offered and one.visibility == "public" and is_valid(one.valid_from, one.valid_until, sight.day)
    ]
    return sorted(found, key=lambda one: pick(one.name, sight.locale))


def offers_of_theme(sight: Sight, theme: Theme) -> list[OfferSeen]:
    """Every offer of a theme here: what is possible now comes first, what has ended last, else as the editors wrote.

    A service comes first where the theme is its first one, so that a theme begins with what is its own.
    """
    services = {one.id for one in sight.catalogue.services_of(theme.id) if not is_upcoming(sight, one)}
    found = _seen(sight, services)
    return sorted(found, key=lambda seen: (ORDER.index(seen.status), seen.service.themes.index(theme.id)))


def ended_services(sight: Sight, theme: Theme) -> list[Service]:
    """Services of a theme that are over and that nobody offers any more: shown as ended, never sold."""
    offered = {offer.service for offer in _offers_here(sight)}
    services = sight.catalogue.services_of(theme.id)
    return [service for service in services if service.id not in offered and is_over(sight, service)]


def is_over(sight: Sight, service: Service) -> bool:
    """Whether the service itself has ended, wherever it was offered."""
    return not is_valid(None, service.valid_until, sight.day)


def is_upcoming(sight: Sight, service: Service) -> bool:
    """Whether the first day of the service itself is still to come: until then no list names it."""
    return not is_valid(service.valid_from, None, sight.day)


def offers_of_service(sight: Sight, service: Service) -> list[OfferSeen]:
    return _seen(sight, (service.id,))


def other_points(sight: Sight, service: Service) -> list[Point]:
    """Where else the service is offered today, seen from a point."""
    catalogue = sight.catalogue
    held = {
        offer.point
        for offer in catalogue.offers_of(service.id)
        if is_current(catalogue, service, offer, sight.day) and sight.point is not None
    }
    return [point for point in catalogue.points if point.id in held and point != sight.point]


class AuthoritySeen(msgspec.Struct, frozen=True):
    """An authority with what is written about it for a service."""

    partner: Partner
    rule: Responsibility


def authorities(catalogue: Catalogue, rules: Iterable[Responsibility]) -> list[AuthoritySeen]:
    """The authorities that the rules name, each once; one place that two sources name is one."""
    found: dict[tuple[str, tuple[str, str, str] | None], AuthoritySeen] = {}
    for rule in rules:
        if partner := catalogue.partner(rule.authority):
            at = partner.address
            place = (" ".join(partner.name.casefold().split()), (at.street, at.postcode, at.town) if at else None)
            found[place] = _united(found[place], partner, rule) if place in found else AuthoritySeen(partner, rule)
    return list(found.values())


def _united(known: AuthoritySeen, partner: Partner, rule: Responsibility) -> AuthoritySeen:
    """What the second one says beyond the first."""
    extra = {name: getattr(known.partner, name) or getattr(partner, name) for name in ("phone", "email", "website")}
    return AuthoritySeen(
        msgspec.structs.replace(known.partner, **extra),
        msgspec.structs.replace(
            known.rule, booking=known.rule.booking or rule.booking, caveat=known.rule.caveat or rule.caveat
        ),
    )


def contacts(sight: Sight, service: Service) -> list[AuthoritySeen]:
    """Where people go for a service, wherever they live."""
    rules = sight.catalogue.responsibilities
    return authorities(sight.catalogue, (one for one in rules if one.service == service.id and one.role == "contact"))


def ways_of(sight: Sight) -> tuple[Channel, ...] | None:
    """On which ways somebody comes who looks from here: from a point as at the counter, from the web on any."""
    return AT_POINT if sight.point is not None else None


REQUIRED_DOCUMENTS = "08"


def papers(sight: Sight, service: Service, offers: Iterable[OfferSeen]) -> list[tuple[Channel, Text]]:
    """What is written about papers beside the list, for each way; what a point says for itself comes instead."""
    if sight.point is None:
        own = [one for one in service.modules if one.code == REQUIRED_DOCUMENTS]
    else:
        here = [one for seen in offers for one in seen.offer.modules if one.code == REQUIRED_DOCUMENTS]
        said = here[0] if here else service.module(REQUIRED_DOCUMENTS, "point")
        own = [said] if said else []
    return [(one.channel, one.text) for one in own if any(one.text.values())]


def documents(sight: Sight, service: Service) -> list[DocumentNeed]:
    """What is to be brought here, with its conditions."""
    return to_bring(service, ways_of(sight))


def has_checklist(sight: Sight, service: Service, offers: Iterable[OfferSeen]) -> bool:
    """Whether anything is written about what to bring. Without it nobody knows that it is nothing."""
    return bool(documents(sight, service) or papers(sight, service, offers))


def modules(sight: Sight, service: Service, offers: Iterable[OfferSeen]) -> list[tuple[str, Text]]:
    """What else is written about a service, by heading; what a point says for itself comes instead."""
    channel: Channel = "point" if sight.point is not None else "000"
    own = [module for seen in offers for module in seen.offer.modules if sight.point is not None]
    codes = dict.fromkeys([*(module.code for module in service.modules), *(module.code for module in own)])
    found = []
    for code in codes:
        said = next((module for module in own if module.code == code), service.module(code, channel))
        if code in MODULES and said is not None and any(said.text.values()):
            found.append((MODULES[code], said.text))
    return found


def where_to_go(sight: Sight, service: Service) -> Text:
    """Where somebody goes for what is not offered here: another point, a place of contact, who decides, or nowhere."""
    if points := other_points(sight, service):
        return points[0].name
    if asked := contacts(sight, service):
        return {"": one_line(asked[0].partner)}
    decides = sight.catalogue.partner(service.competence)
    return {"": one_line(decides)} if decides else {}


def one_line(partner: Partner) -> str:
    """'Bürgeramt, Markt 1': a name that says its street says it once."""
    street = partner.address.street if partner.address else ""
    return f"{partner.name}, {street}" if street and street not in partner.name else partner.name


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What else is asked of a service that was found."""

    theme: str = ""
    now: bool = False
    here: bool = False
    online: bool = False
    walk_in: bool = False
    spoken: str = ""


class FoundSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A service that was found, with the offer that helps most: possible now before later; None where there is none.

    `elsewhere`: where to go where nothing is offered here; a name that is the same in every language stands under none.
    """

    service: Service
    offers: tuple[OfferSeen, ...]
    over: bool
    elsewhere: Text = {}

    @property
    def seen(self) -> OfferSeen | None:
        return self.offers[0] if self.offers else None

    @property
    def now(self) -> bool:
        return self.seen is not None and self.seen.status == "now"

    @property
    def here(self) -> bool:
        return self.seen is not None and self.seen.status in ("now", "later")


# How much sooner something comes that can be done here, and at once: enough for two that fit alike, no more.
HERE, NOW, OVER = 1.1, 1.05, 0.3


def found_here(sight: Sight, found: Iterable[Found], *, upcoming: bool = False) -> list[FoundSeen]:
    """Services that were found, the best first; of those that fit alike what is possible here and now.

    With `upcoming` also those whose first day is still to come.
    """
    scored = []
    for one in found:
        service = sight.catalogue.service(one.id)
        if service is not None and (upcoming or not is_upcoming(sight, service)):
            offers = tuple(offers_of_service(sight, service))
            elsewhere = {} if offers else where_to_go(sight, service)
            seen = FoundSeen(service=service, offers=offers, over=is_over(sight, service), elsewhere=elsewhere)
            weight = (HERE if seen.here else 1.0) * (NOW if seen.now else 1.0) * (OVER if seen.over else 1.0)
            scored.append((one.score * weight, seen))
    return [seen for _, seen in sorted(scored, key=lambda pair: -pair[0])]


def fits(seen: FoundSeen, wanted: Wanted) -> bool:
    """Whether what was found is what else was asked for."""
    return (
        (not wanted.theme or wanted.theme in seen.service.themes)
        and (not wanted.now or seen.now)
        and (not wanted.here or seen.here)
        and (not wanted.online or bool(seen.service.links_of("online")))
        and (not wanted.walk_in or any(one.offer.appointment in WALK_IN for one in seen.offers))
        and (not wanted.spoken or any(wanted.spoken in one.offer.languages for one in seen.offers))
    )


def non_digital_ways(offers: Iterable[OfferSeen]) -> list[Text]:
    """How to do it without being online, each way once, of offers that have not ended."""
    ways: list[Text] = []
    for seen in offers:
        if seen.status != "ended" and seen.offer.non_digital not in ways:
            ways.append(seen.offer.non_digital)
    return ways


def _offers_here(sight: Sight) -> list[Offer]:
    return [offer for offer in sight.catalogue.offers if sight.point is None or offer.point == sight.point.id]


def _seen(sight: Sight, services: Container[str]) -> list[OfferSeen]:
    found = [
        seen
        for number, offer in enumerate(sight.catalogue.offers)
        if offer.service in services
        and (sight.point is None or offer.point == sight.point.id)
        and (seen := _offer_seen(sight, number, offer)) is not None
    ]
    return sorted(found, key=lambda seen: ORDER.index(seen.status))


def _offer_seen(sight: Sight, number: int, offer: Offer) -> OfferSeen | None:
    catalogue = sight.catalogue
    service, point = catalogue.service(offer.service), catalogue.point(offer.point)
    provider = catalogue.partner(offer.provider)
    if service is None or point is None or provider is None:
        return None
    hours = offer_hours(catalogue, offer)
    return OfferSeen(
        number=number,
        service=service,
        offer=offer,
        point=point,
        provider=provider,
        accepted_for=catalogue.partner(offer.accepted_for),
        status=_status(sight, service, offer, provider, open_now=sight.state(hours).open),
        hours=sight.said(hours),
    )


def _status(
    sight: Sight, service: Service, offer: Offer, provider: Partner, *, open_now: bool
) -> Literal["now", "later", "upcoming", "ended"]:
    if is_current(sight.catalogue, service, offer, sight.day):
        return "now" if open_now else "later"
    ends = (service.valid_until, offer.valid_until, provider.valid_until)
    return "upcoming" if all(is_valid(None, end, sight.day) for end in ends) else "ended"
