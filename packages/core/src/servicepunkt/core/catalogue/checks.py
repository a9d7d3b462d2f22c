"""Whether a catalogue holds together: every mistake with its place, before anything is published. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.competence import level_of
from servicepunkt.core.catalogue.model import (
    IDENTIFIER,
    LEIKA_KEY,
    MODULES,
    Area,
    Catalogue,
    Module,
    OtherHours,
    Responsibility,
    Service,
    Text,
)
from servicepunkt.core.hours.model import HoursError, parse
from servicepunkt.core.rules import Term, closest, rule

Mistake = tuple[str, str]
POSTCODE = re.compile(r"^[0-9]{5}\Z")
LANGUAGE = re.compile(r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}\Z")
OWN_MODULE = re.compile(r"^x-[a-z0-9-]{1,40}\Z")
LEIKA_GROUP = re.compile(r"^[0-9]{3}\Z")
MAX_TEXT = 100_000  # letters of one text in one language
LONGEST_EXCEPTION = timedelta(days=366)
KINDS = ("hosts", "points", "partners", "themes", "services")

NO_IDENTIFIER = rule("SP2101", "an id has small letters, digits and hyphens", "Ids stand in addresses of pages.")
ID_TWICE = rule("SP2102", "this id is used twice", "Give one of the two another id, and change what refers to it.")
NO_SUCH = rule("SP2103", "there is no {kind} {name!r}", "It has to stand in this file or in one beside it.")
DAYS_REVERSED = rule("SP2105", "the last day comes before the first")
EXCEPTION_TOO_LONG = rule(
    "SP2106", "an exception lasts for a year at most", "What lasts longer is the rule: change the opening hours."
)
THEMES_IN_A_CIRCLE = rule("SP2107", "the themes above this one lead back to it")
NO_LEIKA_GROUP = rule("SP2108", "a group has three digits, as text", 'Write it in quotation marks: "115".')
CAN_NOTHING = rule("SP2109", "an offer says what can be done", "Such as inform, advise, start, apply or collect.")
NO_NAME = rule("SP2110", "a service has a name, or a LeiKa key that brings one")
NO_LEIKA_KEY = rule("SP2111", "a LeiKa key is 99 and 12 more digits", "Write it in quotation marks.")
END_WITHOUT_WORDS = rule(
    "SP2112", "a service that ends says so in `ended`", "People are told why, and where to go now."
)
NAME_IS_HTML = rule("SP2113", "a name is plain text")
NO_AMOUNT = rule("SP2114", "an amount is not negative, and `amount_to` is the higher one")
NO_DURATION = rule("SP2115", "a duration is not negative")
NO_ADDRESS = rule("SP2116", "an address begins with https:// or http://")
NO_AREA_KEY = rule(
    "SP2117",
    "an area is the first 0, 2, 5, 9 or all 12 digits of a key, as text",
    "The key is the Amtlicher Regionalschlüssel: Land 2 digits, district 5, association 9, municipality 12.",
)
NO_MODULE = rule("SP2118", "a module is one of {known} or begins with x-")
MODULE_TWICE = rule("SP2119", "this module stands twice for one channel")
NO_LANGUAGE = rule("SP2120", "{name!r} is no language", "Such as de, en, tr or de-x-leicht.")
TEXT_TOO_LONG = rule("SP2121", "a text has at most {most} letters")
CONTROL_CHARACTER = rule("SP2122", "a text holds no control character {character!r}")
UNSAFE_HTML = rule(
    "SP2123", "this HTML holds something that is not shown", "Such as scripts, styles, forms or pictures."
)
AREA_TWICE = rule("SP2124", "this key is used twice")
NO_ARS = rule("SP2125", "a key has 2, 5, 9 or 12 digits, as text", "Write it in quotation marks.")
NO_POSTCODE = rule("SP2126", "a postcode has five digits, as text", "Write it in quotation marks.")
POSTCODES_OF_OTHERS = rule("SP2127", "postcodes belong to municipalities", "Their keys have 12 digits.")
SUCCESSOR_WITHOUT_END = rule("SP2128", "an area with a successor says when it ended")
SUCCESSORS_IN_A_CIRCLE = rule("SP2129", "the successors lead back to this area")


def mistakes(catalogue: Catalogue) -> list[Mistake]:
    """Every broken reference, key, text, address and expression."""
    found: list[Mistake] = []
    ids = {kind: {entry.id for entry in getattr(catalogue, kind)} for kind in KINDS}
    for kind in KINDS:
        for name, times in Counter(entry.id for entry in getattr(catalogue, kind)).items():
            if not IDENTIFIER.match(name):
                found.append((f"{kind}.{name}", NO_IDENTIFIER()))
            if times > 1:
                found.append((f"{kind}.{name}", ID_TWICE()))

    def refer(place: str, kind: str, value: str) -> None:
        if value and value not in ids[kind]:
            found.append((place, NO_SUCH(kind=Term(kind[:-1]), name=value, near=closest(value, ids[kind]))))

    def hours(place: str, expression: str) -> None:
        try:
            parse(expression)
        except HoursError as error:
            found.append((place, error.said))

    def other_hours(place: str, exceptions: tuple[OtherHours, ...]) -> None:
        for number, other in enumerate(exceptions):
            hours(f"{place}[{number}].hours", other.hours)
            found.extend(text_mistakes(f"{place}[{number}].reason", other.reason))
            if other.last is not None and other.last < other.first:
                found.append((f"{place}[{number}].last", DAYS_REVERSED()))
            elif other.last is not None and other.last - other.first > LONGEST_EXCEPTION:
                found.append((f"{place}[{number}].last", EXCEPTION_TOO_LONG()))

    for kind in ("hosts", "points", "partners", "themes", "offers", "responsibilities"):
        for number, entry in enumerate(getattr(catalogue, kind)):
            name = getattr(entry, "id", number)
            found += ((f"{kind}.{name}.{place}", sentence) for place, sentence in _texts_mistakes(entry))
    for host in catalogue.hosts:
        hours(f"hosts.{host.id}.hours", host.hours)
        other_hours(f"hosts.{host.id}.exceptions", host.exceptions)
    for point in catalogue.points:
        refer(f"points.{point.id}.host", "hosts", point.host)
        if point.staffed:
            hours(f"points.{point.id}.staffed", point.staffed)
        other_hours(f"points.{point.id}.exceptions", point.exceptions)
        other_hours(f"points.{point.id}.staffed_exceptions", point.staffed_exceptions)
    for partner in catalogue.partners:
        if partner.hours:
            hours(f"partners.{partner.id}.hours", partner.hours)
        other_hours(f"partners.{partner.id}.exceptions", partner.exceptions)
    parents = {theme.id: theme.parent for theme in catalogue.themes}
    for theme in catalogue.themes:
        refer(f"themes.{theme.id}.parent", "themes", theme.parent)
        if _is_in_a_circle(theme.id, parents):
            found.append((f"themes.{theme.id}.parent", THEMES_IN_A_CIRCLE()))
        if not all(LEIKA_GROUP.match(group) for group in theme.leika_groups):
            found.append((f"themes.{theme.id}.leika_groups", NO_LEIKA_GROUP()))
    for service in catalogue.services:
        refer(f"services.{service.id}.competence", "partners", service.competence)
        for name in service.themes:
            refer(f"services.{service.id}.themes", "themes", name)
        found += ((f"services.{service.id}.{place}", sentence) for place, sentence in service_mistakes(service))
    for number, offer in enumerate(catalogue.offers):
        place = f"offers[{number}] ({offer.service})"
        refer(f"{place}.service", "services", offer.service)
        refer(f"{place}.point", "points", offer.point)
        refer(f"{place}.provider", "partners", offer.provider)
        refer(f"{place}.accepted_for", "partners", offer.accepted_for)
        if not offer.can:
            found.append((f"{place}.can", CAN_NOTHING()))
        if offer.hours:
            hours(f"{place}.hours", offer.hours)
        other_hours(f"{place}.exceptions", offer.exceptions)
        found += ((f"{place}.{where}", sentence) for where, sentence in _module_mistakes(offer.modules))
    found += area_mistakes(
        catalogue.areas, catalogue.responsibilities, services=ids["services"], authorities=ids["partners"]
    )
    return found


def service_mistakes(service: Service) -> Iterator[Mistake]:
    """What is wrong with one service by itself."""
    if not service.name and not service.leika:
        yield "name", NO_NAME()
    for key in service.leika:
        if not LEIKA_KEY.match(key):
            yield "leika", NO_LEIKA_KEY()
    if service.valid_until and not service.ended:
        yield "ended", END_WITHOUT_WORDS()
    for name in ("name", "official_name"):
        if any(html.is_html(text) for text in getattr(service, name).values()):
            yield name, NAME_IS_HTML()
    yield from _texts_mistakes(service)
    yield from _module_mistakes(service.modules)
    for number, fee in enumerate(service.fees):
        amounts = [amount for amount in (fee.amount, fee.amount_to) if amount is not None]
        if not all(amount.is_finite() and amount >= 0 for amount in amounts) or amounts != sorted(amounts):
            yield f"fees[{number}]", NO_AMOUNT()
    for number, duration in enumerate(service.durations):
        if duration.least < 0 or (duration.most is not None and duration.most < 0):
            yield f"durations[{number}]", NO_DURATION()
    for number, link in enumerate(service.links):
        if not html.is_address(link.url):
            yield f"links[{number}].url", NO_ADDRESS()
        if any(level_of(area) is None for area in link.areas):
            yield f"links[{number}].areas", NO_AREA_KEY()
    for basis in service.legal_basis:
        if not isinstance(basis, str) and not html.is_address(basis.url):
            yield "legal_basis", NO_ADDRESS()


def _module_mistakes(modules: Iterable[Module]) -> Iterator[Mistake]:
    seen = set()
    for module in modules:
        place = f"modules.{module.code}"
        if module.code not in MODULES and not OWN_MODULE.match(module.code):
            yield place, NO_MODULE(known=", ".join(MODULES))
        if (module.code, module.channel) in seen:
            yield place, MODULE_TWICE()
        seen.add((module.code, module.channel))


def _texts_mistakes(entry: msgspec.Struct, place: str = "") -> Iterator[Mistake]:
    """What is wrong with the texts of an entry, wherever in it they stand."""
    for name in entry.__struct_fields__:
        value, here = getattr(entry, name), f"{place}{name}"
        if isinstance(value, dict):
            yield from text_mistakes(here, value)
        for number, part in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(part, msgspec.Struct):
                yield from _texts_mistakes(part, f"{here}[{number}]." if isinstance(value, tuple) else f"{here}.")


def text_mistakes(place: str, text: Text) -> Iterator[Mistake]:
    """Languages that are none, texts that are too long, and HTML that may not be shown."""
    for language, said in text.items():
        if not LANGUAGE.match(language):
            yield place, NO_LANGUAGE(name=language)
        if len(said) > MAX_TEXT:
            yield f"{place}.{language}", TEXT_TOO_LONG(most=MAX_TEXT)
        elif control := html.CONTROL.search(said):
            yield f"{place}.{language}", CONTROL_CHARACTER(character=control[0])
        elif html.is_html(said) and html.clean(said) != said:
            yield f"{place}.{language}", UNSAFE_HTML()


def area_mistakes(
    areas: Iterable[Area], responsibilities: Iterable[Responsibility], *, services: set[str], authorities: set[str]
) -> list[Mistake]:
    """Every key, postcode and reference that does not hold."""
    areas = list(areas)
    found: list[Mistake] = []
    keys = Counter(area.ars for area in areas)
    found += ((f"areas.{ars}", AREA_TWICE()) for ars, times in keys.items() if times > 1)
    successors = {area.ars: area.successor for area in areas}
    for area in areas:
        place = f"areas.{area.ars}"
        if level_of(area.ars) is None or not area.ars:
            found.append((place, NO_ARS()))
        if not all(POSTCODE.match(one) for one in area.postcodes):
            found.append((f"{place}.postcodes", NO_POSTCODE()))
        if area.postcodes and level_of(area.ars) != "municipality":
            found.append((f"{place}.postcodes", POSTCODES_OF_OTHERS()))
        if area.successor and area.successor not in keys:
            found.append(
                (
                    f"{place}.successor",
                    NO_SUCH(kind=Term("area"), name=area.successor, near=closest(area.successor, keys)),
                )
            )
        if area.successor and area.valid_until is None:
            found.append((f"{place}.valid_until", SUCCESSOR_WITHOUT_END()))
        if _is_in_a_circle(area.ars, successors):
            found.append((f"{place}.successor", SUCCESSORS_IN_A_CIRCLE()))
    for number, one in enumerate(responsibilities):
        place = f"responsibilities[{number}] ({one.service})"
        if one.service not in services:
            found.append(
                (
                    f"{place}.service",
                    NO_SUCH(kind=Term("service"), name=one.service, near=closest(one.service, services)),
                )
            )
        if one.authority not in authorities:
            found.append(
                (
                    f"{place}.authority",
                    NO_SUCH(kind=Term("partner"), name=one.authority, near=closest(one.authority, authorities)),
                )
            )
        if level_of(one.area) is None:
            found.append((f"{place}.area", NO_AREA_KEY()))
        if one.booking and not html.is_address(one.booking):
            found.append((f"{place}.booking", NO_ADDRESS()))
    return found


def _is_in_a_circle(start: str, above: Mapping[str, str]) -> bool:
    seen, at = set(), start
    while (at := above.get(at, "")) and at not in seen:
        if at == start:
            return True
        seen.add(at)
    return False
