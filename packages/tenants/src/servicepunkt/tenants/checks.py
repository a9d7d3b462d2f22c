"""Whether a tenant file makes sense: what no schema sees, and nobody wants to find out on the first day. Pure.

Each check yields (place, broken rule), with places as in `model.Reading.located`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from servicepunkt.core.catalogue.checks import LANGUAGE
from servicepunkt.core.catalogue.model import (
    ALWAYS,
    IDENTIFIER,
    Catalogue,
    Offer,
    Service,
    is_current,
    is_valid,
    offer_hours,
    point_hours,
    staff_hours,
)
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.hours.model import Calendar, Hours, HoursError, midnight, parse, spans
from servicepunkt.core.hours.week import Times, usual_week
from servicepunkt.core.line115 import line115_of
from servicepunkt.core.rules import Broken, Rule, Term, closest, rule
from servicepunkt.tenants.areas import LANDS, municipalities
from servicepunkt.tenants.model import TenantPart
from servicepunkt.tenants.places import Path

Found = Iterator[tuple[str, Broken]]
Entry = TypeVar("Entry", bound=msgspec.Struct)
AHEAD = timedelta(days=60)
A_WEEK = timedelta(days=7)
SOON = timedelta(days=90)
AGS = re.compile(r"^\d{8}\Z")
HOST_NAME = re.compile(r"^(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z")
SECRET_KEY = re.compile(r"(?i)(^|_)(password|passwort|secret|token|api_?key|private_?key|pin)\Z")
GAP = re.compile(r"^<[^<>]+>\Z")
REFERENCE = re.compile(r"^(env|file):\S")

NO_SLUG = rule("SP1030", "a slug has small letters, digits and hyphens", "It stands in addresses of pages.")
LOCALE_NOT_SPOKEN = rule(
    "SP1031", "{locale!r} is not among the languages", "Add it to `languages`, or choose one of them."
)
NO_LANGUAGE = rule("SP1032", "{name!r} is no language", "Such as de, en or de-x-leicht.")
NO_ZONE = rule("SP1033", "{name!r} is no time zone", "In Germany it is Europe/Berlin.")
NO_LAND = rule("SP1034", "{name!r} is no Land: {known}", "Its public holidays depend on it.")
NO_AGS = rule("SP1035", "a municipality's key has eight digits, as text", 'Write it in quotation marks: "06611000".')
OTHER_LAND = rule("SP1036", "this key lies in {land}, and the file says {said}")
UNKNOWN_AGS = rule(
    "SP1037", "no municipality had this key on 1 January 2016", "Right if the town is newer.", warns=True
)
NO_HOST_NAME = rule("SP1038", "this is no host name: {name!r}", "Such as servicepunkt.example.de, without https://.")
NO_PLUGIN = rule("SP1040", "the plugin {name!r} is not installed", "Install its package, or take it out of the list.")
PLUGIN_OFF = rule("SP1041", "the plugin {name!r} reads this section and is not among `plugins`", warns=True)
TWICE = rule("SP1042", "{name!r} stands here twice")
CLEAR_SECRET = rule(
    "SP1043",
    "a secret never stands in the file",
    "Write env:NAME or file:NAME, and put the secret there. Change it: it was seen.",
)
NEVER_OPEN = rule(
    "SP1051",
    "this is never possible in the next {days} days",
    "The hours of host, point, provider, offer and staff have no time in common.",
)
NEVER_STAFFED = rule("SP1052", "nobody is ever here while the place is open")
LINE_CLOSED = rule(
    "SP1053", "115 is closed while people can be here: {when}", "Say at the point whom else they can ask.", warns=True
)
NO_THEME = rule("SP1054", "{service!r} is in no theme", "People look under themes first: nobody would find it.")
NO_COMPETENCE = rule(
    "SP1055", "nobody is named who decides about {service!r}", "Add `competence`, or [[responsibilities]]."
)
NO_WAY_OFFLINE = rule(
    "SP1056", "there is no way for people who are not online", "Say where they go, or whom they call."
)
LANGUAGE_MISSING = rule("SP1057", "there is no text in {language}", warns=True)
CONTRACT_ENDS = rule("SP1058", "the contract with this host ends on {day}", warns=True)
CONTRACT_ENDED = rule("SP1059", "the contract with this host ended on {day}", "Its points need another host.")
ENDS_BEFORE = rule("SP1060", "it ends before it begins")
PROVIDER_GONE = rule("SP1061", "the provider {name!r} is no partner any more since {day}", warns=True)
STAFF_UNKNOWN = rule(
    "SP1062", "this needs somebody, and the point does not say when somebody is there", "Add `staffed` to it."
)
NO_OFFERS = rule("SP1063", "nothing is offered at this point", warns=True)
EMPTY_THEME = rule("SP1064", "nothing is in this theme", warns=True)
NO_HELP = rule("SP1065", "people cannot call anybody from here: `help_phone` is missing", warns=True)
TO_FILL_IN = rule("SP1067", "{text} is still to be filled in", warns=True)
NO_RETENTION = rule("SP1066", "the plugin {name!r} stores {table} and has no rule when it is erased")
ON = Rule("", "{day} {times}")
FROM_TO = Rule("", "{first} to {last} {times}")
WEEKDAYS = tuple(
    Term(day) for day in ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
)


def tenant_mistakes(part: TenantPart, installed: Collection[str]) -> Found:
    """The table [tenant]."""
    if not IDENTIFIER.match(part.slug):
        yield "tenant.slug", NO_SLUG()
    if part.locale not in part.languages:
        yield "tenant.locale", LOCALE_NOT_SPOKEN(locale=part.locale)
    yield from (("tenant.languages", NO_LANGUAGE(name=name)) for name in part.languages if not LANGUAGE.match(name))
    try:
        ZoneInfo(part.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "tenant.zone", NO_ZONE(name=part.zone)
    if part.subdivision not in LANDS.values():
        known = sorted(LANDS.values())
        yield (
            "tenant.subdivision",
            NO_LAND(name=part.subdivision, known=", ".join(known), near=closest(part.subdivision, known)),
        )
    for place, keys in (("tenant.ags", (part.ags,)), ("tenant.serves", part.serves)):
        for key in keys:
            yield from ((place, said) for said in _key_mistakes(key, part.subdivision))
    yield from (("tenant.hosts", NO_HOST_NAME(name=name)) for name in part.hosts if not HOST_NAME.match(name))
    for place in ("languages", "plugins", "hosts", "serves"):
        counted = Counter(getattr(part, place))
        yield from ((f"tenant.{place}", TWICE(name=name)) for name, times in counted.items() if times > 1)
    yield from (
        (f"tenant.plugins[{number}]", NO_PLUGIN(name=name, near=closest(name, sorted(installed))))
        for number, name in enumerate(part.plugins)
        if name not in installed
    )


def _key_mistakes(key: str, subdivision: str) -> Iterator[Broken]:
    if not AGS.match(key):
        yield NO_AGS()
        return
    land = LANDS.get(key[:2], "")
    if subdivision in LANDS.values() and land != subdivision:
        yield OTHER_LAND(land=land or "?", said=subdivision)
    elif key not in municipalities():
        yield UNKNOWN_AGS()


def clear_secrets(value: Any, path: Path = ()) -> Iterator[tuple[Path, Broken]]:
    """Keys that are called like secrets and hold something else than a reference."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        is_secret = isinstance(key, str) and isinstance(inner, str) and SECRET_KEY.search(key)
        if is_secret and inner and not REFERENCE.match(inner):
            yield (*path, key), CLEAR_SECRET()
        yield from clear_secrets(inner, (*path, key))


def gaps(value: Any, path: Path = ()) -> Iterator[tuple[Path, Broken]]:
    """Texts that `tenant new` has left to be filled in: <Name>."""
    if isinstance(value, str) and GAP.match(value):
        yield path, TO_FILL_IN(text=value)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from gaps(inner, (*path, key))


def with_readable_hours(entry: Entry) -> Entry:
    """The entry with "always" in place of hours that cannot be read: those are named elsewhere, and close nothing."""
    changed: dict[str, Any] = {}
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if name in ("hours", "staffed") and isinstance(value, str) and value and not _is_readable(value):
            changed[name] = ALWAYS
        elif isinstance(value, tuple) and any(isinstance(one, msgspec.Struct) for one in value):
            mended = tuple(with_readable_hours(one) for one in value)
            if any(one is not other for one, other in zip(mended, value, strict=True)):
                changed[name] = mended
    return msgspec.structs.replace(entry, **changed) if changed else entry


def _is_readable(expression: str) -> bool:
    try:
        parse(expression)
    except HoursError:
        return False
    return True


def catalogue_mistakes(draft: TenantDraft) -> Found:
    """Hours, offers, partners, hosts and texts together."""
    for check in CHECKS:
        yield from check(draft)


def _offers(draft: TenantDraft) -> Found:
    catalogue, calendar = draft.catalogue, calendar_of(draft)
    for number, offer in enumerate(catalogue.offers):
        place, service, point = f"offers[{number}]", catalogue.service(offer.service), catalogue.point(offer.point)
        provider = catalogue.partner(offer.provider)
        if not offer.non_digital.get(draft.ctx.locale, "").strip():
            yield f"{place}.non_digital", NO_WAY_OFFLINE()
        if service is None or point is None or provider is None or catalogue.host(point.host) is None:
            continue
        if _ends_before(offer):
            continue
        if provider.valid_until and provider.valid_until < draft.day and not _is_over(offer, service, draft.day):
            yield f"{place}.provider", PROVIDER_GONE(name=provider.id, day=provider.valid_until.isoformat())
        if offer.staffed and not point.staffed and not point.staffed_exceptions:
            yield f"{place}.staffed", STAFF_UNKNOWN()
        elif _is_possible(catalogue, service, offer, draft.day) and not _opens(
            offer_hours(catalogue, offer), calendar, draft.day
        ):
            yield place, NEVER_OPEN(days=AHEAD.days)


def _is_over(offer: Offer, service: Service, day: date) -> bool:
    return any(one.valid_until is not None and one.valid_until < day for one in (offer, service))


def _is_possible(catalogue: Catalogue, service: Service, offer: Offer, day: date) -> bool:
    """Whether it can be done on some day from now on: it need not be today."""
    later = [one for one in (offer.valid_from, service.valid_from) if one is not None and one > day]
    return is_current(catalogue, service, offer, max([day, *later]))


def _opens(hours: Hours, calendar: Calendar, day: date) -> bool:
    """Whether it is open at all in the coming days; most places are within a week, and that is found sooner."""
    return any(
        spans(hours, calendar, midnight(day, calendar), midnight(day + ahead, calendar)) for ahead in (A_WEEK, AHEAD)
    )


def calendar_of(draft: TenantDraft) -> Calendar:
    return Calendar(draft.ctx.zone, draft.ctx.subdivision)


def _points(draft: TenantDraft) -> Found:
    catalogue, calendar = draft.catalogue, calendar_of(draft)
    offered = {offer.point for offer in catalogue.offers}
    line = line115_of(draft.ctx).open
    lasting = {point.id for point in catalogue.points_on(draft.day)}
    for point in catalogue.points:
        if catalogue.host(point.host) is None or point.id not in lasting:
            continue
        if point.id not in offered:
            yield f"points.{point.id}", NO_OFFERS()
        if not point.help_phone:
            yield f"points.{point.id}", NO_HELP()
        opened = _opens(point_hours(catalogue, point), calendar, draft.day)
        if opened and point.staffed and not _opens(staff_hours(catalogue, point), calendar, draft.day):
            yield f"points.{point.id}.staffed", NEVER_STAFFED()
        if line is not None and (alone := uncovered(point_hours(catalogue, point), line, draft.day)):
            yield f"points.{point.id}", LINE_CLOSED(when=alone)


def uncovered(hours: Hours, others: Hours, day: date) -> tuple[Broken, ...]:
    """When in the usual week of `day` it is open outside of `others`: 'Saturdays 13:00–20:00'."""
    open_week, other_week = usual_week(hours, day).days, usual_week(others, day).days
    left = [_without(mine, other) for mine, other in zip(open_week, other_week, strict=True)]
    return tuple(_said(list(days), times) for times, days in groupby(range(7), key=lambda day: left[day]) if times)


def _said(days: list[int], times: Times) -> Broken:
    clock = ", ".join(f"{_clock(start)}–{_clock(end)}" for start, end in times)
    if len(days) == 1:
        return ON(day=WEEKDAYS[days[0]], times=clock)
    return FROM_TO(first=WEEKDAYS[days[0]], last=WEEKDAYS[days[-1]], times=clock)


def _without(times: Times, others: Times) -> Times:
    for first, last in others:
        times = tuple(
            (start, end)
            for begin, finish in times
            for start, end in ((begin, min(finish, first)), (max(begin, last), finish))
            if start < end
        )
    return times


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _services(draft: TenantDraft) -> Found:
    catalogue = draft.catalogue
    takes_all = any(theme.others for theme in catalogue.themes)
    groups = {group for theme in catalogue.themes for group in theme.leika_groups}
    decided = {one.service for one in catalogue.responsibilities if one.role == "decides"}
    offered = {offer.service for offer in catalogue.offers}
    for service in catalogue.services:
        found_by_key = any(key[2:5] in groups for key in service.leika)
        if not service.themes and not takes_all and not found_by_key and service.visibility == "public":
            yield f"services.{service.id}", NO_THEME(service=service.id)
        if not service.competence and service.id not in decided and service.id in offered:
            yield f"services.{service.id}", NO_COMPETENCE(service=service.id)
    used = {theme for service in catalogue.services for theme in service.themes} | {
        one.parent for one in catalogue.themes
    }
    for theme in catalogue.themes:
        if theme.id not in used and not theme.leika_groups and not theme.others:
            yield f"themes.{theme.id}", EMPTY_THEME()


def _contracts(draft: TenantDraft) -> Found:
    for host in draft.catalogue.hosts:
        since, until = host.contract.since, host.contract.until
        place = f"hosts.{host.id}.contract"
        if since and until and until < since:
            yield place, ENDS_BEFORE()
        elif until and until < draft.day and _still_offers(draft, host.id):
            yield place, CONTRACT_ENDED(day=until.isoformat())
        elif until and until < draft.day:
            continue
        elif until and until < draft.day + SOON:
            yield place, CONTRACT_ENDS(day=until.isoformat())


def _still_offers(draft: TenantDraft, host: str) -> bool:
    """Whether anything at a host's points is still said to be possible."""
    catalogue = draft.catalogue
    there = {point.id for point in catalogue.points if point.host == host}
    current = [
        offer for offer in catalogue.offers if offer.point in there and is_valid(None, offer.valid_until, draft.day)
    ]
    return bool(current)


def _ends_before(entry: Any) -> bool:
    return bool(entry.valid_from and entry.valid_until and entry.valid_until < entry.valid_from)


def _validity(draft: TenantDraft) -> Found:
    for kind in ("partners", "services", "offers", "areas"):
        for number, entry in enumerate(getattr(draft.catalogue, kind)):
            if _ends_before(entry):
                yield f"{kind}[{number}].valid_until", ENDS_BEFORE()


def _languages(draft: TenantDraft) -> Found:
    for kind in ("points", "themes", "services", "offers"):
        for number, entry in enumerate(getattr(draft.catalogue, kind)):
            if kind in ("services", "offers") and not is_valid(None, entry.valid_until, draft.day):
                continue
            for place, language in _untranslated(entry, draft.ctx.languages):
                yield f"{kind}[{number}].{place}", LANGUAGE_MISSING(language=language)


def _untranslated(entry: msgspec.Struct, languages: Sequence[str], place: str = "") -> Iterator[tuple[str, str]]:
    """Texts of an entry that lack a language of the tenant; Leichte Sprache is a gift and never missed."""
    for name in entry.__struct_fields__:
        value, here = getattr(entry, name), f"{place}{name}"
        if isinstance(value, dict) and value:
            yield from ((here, one) for one in languages if one not in value and not one.endswith("-x-leicht"))
        for number, part in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(part, msgspec.Struct):
                step = f"{here}[{number}]." if isinstance(value, tuple) else f"{here}."
                yield from _untranslated(part, languages, step)


CHECKS: tuple[Callable[[TenantDraft], Found], ...] = (_offers, _points, _services, _contracts, _validity, _languages)
