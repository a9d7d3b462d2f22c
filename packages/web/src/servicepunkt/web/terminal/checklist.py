"""What somebody brings for a service, with what applies to him: what stands on page, paper and receipt. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Literal
from urllib.parse import urlencode

import msgspec

from servicepunkt.core.catalogue import html
from servicepunkt.core.catalogue.checklist import Condition, conditions, handed_out, needs
from servicepunkt.core.catalogue.model import Channel, DocumentNeed, Partner, Service, Text, offer_hours, pick, stand_in
from servicepunkt.core.hours import words
from servicepunkt.core.hours.week import usual_week
from servicepunkt.core.texts import Texts, written_date
from servicepunkt.web.sheet import Line, Section, Sheet
from servicepunkt.web.terminal import content, figures
from servicepunkt.web.terminal.content import AuthoritySeen, OfferSeen, Sight
from servicepunkt.web.terminal.days import DaySeen, days_seen
from servicepunkt.web.terminal.figures import Figure

DAYS_AHEAD = 14


class PlaceSeen(msgspec.Struct, frozen=True):
    """Where a service is offered: the usual week, and what is different in the next days."""

    seen: OfferSeen
    week: str
    unusual: tuple[DaySeen, ...]


class Checklist(msgspec.Struct, frozen=True, kw_only=True):
    """`chosen`: the numbers of the conditions that apply, such as are known. `more`: what else is written on papers.

    `is_known`: whether anything is written about papers at all; where nothing is, somebody has to be asked.
    """

    service: Service
    chosen: frozenset[int]
    conditions: list[Condition]
    needs: list[DocumentNeed]
    handed_out: list[DocumentNeed]
    more: list[tuple[Channel, Text]]
    is_known: bool
    fees: list[Figure]
    durations: list[Figure]
    places: list[PlaceSeen]
    over: bool
    upcoming: bool
    ways: list[Text]
    decides: Partner | None
    contacts: list[AuthoritySeen]

    @property
    def query(self) -> str:
        """What is chosen, as it stands in an address behind the path; empty for nothing."""
        found = [("case", one.number) for one in self.conditions if one.number in self.chosen]
        return f"?{urlencode(found)}" if found else ""

    @property
    def applying(self) -> list[Condition]:
        return [one for one in self.conditions if one.number in self.chosen]


def numbers(raw: Iterable[str]) -> frozenset[int]:
    """Numbers of conditions as they stand in an address; what is none is as if it were not there."""
    return frozenset(int(one) for one in raw if len(one) == 4 and one.isascii() and one.isdigit())


def checklist(sight: Sight, service: Service, chosen: Collection[int], texts: Texts) -> Checklist:
    say = partial(texts.translate, sight.locale)
    ways = content.ways_of(sight)
    asked = conditions(service, ways)
    known = frozenset(chosen) & {one.number for one in asked}
    offers = [seen for seen in content.offers_of_service(sight, service) if seen.status != "ended"]
    return Checklist(
        service=service,
        chosen=known,
        conditions=asked,
        needs=needs(service, known, ways),
        handed_out=handed_out(service),
        more=content.papers(sight, service, offers),
        is_known=content.has_checklist(sight, service, offers),
        fees=figures.fees(service.fees, say, sight.locale),
        durations=figures.durations(service.durations, say, sight.locale),
        places=[_place(sight, seen, texts) for seen in offers],
        over=content.is_over(sight, service),
        upcoming=content.is_upcoming(sight, service),
        ways=content.non_digital_ways(offers),
        decides=sight.catalogue.partner(service.competence),
        contacts=content.contacts(sight, service),
    )


def _place(sight: Sight, seen: OfferSeen, texts: Texts) -> PlaceSeen:
    when = offer_hours(sight.catalogue, seen.offer)
    days = days_seen(sight, when, texts, DAYS_AHEAD)
    week = words.week_summary(usual_week(when, sight.day), texts=texts, locale=sight.locale)
    return PlaceSeen(seen, week, tuple(day for day in days if day.unusual))


class Wording:
    """Makes lines of texts of the catalogue in one language."""

    def __init__(self, texts: Texts, locale: str) -> None:
        self.locale = locale
        self._texts = texts

    def say(self, message: str, **values: object) -> str:
        return self._texts.translate(self.locale, message, **values)

    def one(self, kind: Literal["paragraph", "item", "tick"], text: Text, note: str = "", mark: str = "") -> list[Line]:
        """A short text as one line, none where it is empty."""
        said = html.plain(pick(text, self.locale)).strip()
        if not said:
            return []
        return [
            Line(kind=kind, text=said, note=note, mark=mark, language=self.foreign(text), depth=int(kind == "item"))
        ]

    def long(self, text: Text) -> list[Line]:
        """A long text with its paragraphs and lists."""
        foreign = self.foreign(text)
        return [
            Line(kind=block.kind, text=block.text, depth=block.depth, number=block.number, language=foreign)
            for block in html.blocks(pick(text, self.locale))
        ]

    def figures(self, found: Iterable[Figure]) -> list[Line]:
        """Amounts or times, one in each line: for what, how much, on which way."""
        return [
            Line(
                kind="item",
                text=f"{said}: {one.said}" if (said := html.plain(pick(one.text, self.locale)).strip()) else one.said,
                note=", ".join(self.way(channel) for channel in one.channels),
                language=self.foreign(one.text),
                depth=1,
            )
            for one in found
        ]

    def way(self, channel: Channel) -> str:
        """By which channel alone, empty for every one."""
        return self.say(content.CHANNELS[channel]) if channel in content.CHANNELS else ""

    def foreign(self, text: Text) -> str:
        """The language that stands in for the reader's, empty where it is the reader's."""
        return stand_in(text, self.locale)


def sheet(found: Checklist, sight: Sight, texts: Texts, *, issuer: str, address: str) -> Sheet:
    """The checklist with exactly what belongs to the answers."""
    wording = Wording(texts, sight.locale)
    say, service = wording.say, found.service
    sections = [
        Section("bring", say("What to bring"), tuple(_to_bring(found, wording))),
        Section(
            "get",
            say("What you get"),
            tuple(line for one in found.handed_out for line in wording.one("item", one.text)),
        ),
        Section("costs", say("What it costs"), (*wording.long(service.fee), *wording.figures(found.fees))),
        Section(
            "lasts", say("How long it takes"), (*wording.long(service.duration), *wording.figures(found.durations))
        ),
        Section("where", say("Where and when"), tuple(_where(found, wording))),
        Section(
            "ways",
            say("Without the internet"),
            tuple(line for way in found.ways for line in wording.one("paragraph", way)),
        ),
        Section("decides", say("Who decides"), tuple(_who(found))),
    ]
    return Sheet(
        locale=sight.locale,
        kind=say("Checklist"),
        title=pick(service.name, sight.locale),
        title_language=wording.foreign(service.name),
        issuer=issuer,
        lead=tuple(wording.long(service.summary)),
        sections=tuple(section for section in sections if section.lines),
        address=address,
        address_words=say("This list on your phone"),
        source=source(sight, say),
        day=sight.day,
        page_words=say("Page {page} of {pages}"),
    )


def source(sight: Sight, say: Callable[..., str]) -> str:
    """Which revision of the catalogue this is."""
    day = sight.published.at.astimezone(sight.zone).date()
    return say("Catalogue no. {number} of {day}", number=sight.published.revision, day=written_date(day, sight.locale))


def _to_bring(found: Checklist, wording: Wording) -> list[Line]:
    lines = []
    if found.applying:
        told = "; ".join(pick(one.words, wording.locale) for one in found.applying)
        lines.append(Line(kind="paragraph", text=wording.say("For you applies: {conditions}", conditions=told)))
    for need in found.needs:
        notes = [wording.way(need.channel), "" if need.mandatory else wording.say("if you have it")]
        note = ", ".join(one for one in notes if one)
        lines += wording.one("tick", need.text, note, wording.say("Original") if need.original else "")
    for channel, text in found.more:
        if way := wording.way(channel):
            lines.append(Line(kind="heading", text=way))
        lines += wording.long(text)
    if not found.is_known:
        lines.append(Line(kind="paragraph", text=no_list(found, wording.say)))
    elif not lines:
        lines.append(Line(kind="paragraph", text=wording.say("We know of nothing that you have to bring.")))
    return lines


def no_list(found: Checklist, say: Callable[..., str]) -> str:
    """That nothing is written about papers, and whom to ask."""
    who = found.decides
    if who is None:
        return say("We have no list. Please ask before you come: call 115.")
    if who.phone:
        return say(
            "We have no list. Please ask before you come: {name}, telephone {phone}.", name=who.name, phone=who.phone
        )
    return say("We have no list. Please ask before you come: {name}.", name=who.name)


def _where(found: Checklist, wording: Wording) -> list[Line]:
    lines: list[Line] = []
    for place in found.places:
        seen, point = place.seen, place.seen.point
        address = f"{point.address.street}, {point.address.postcode} {point.address.town}"
        lines.append(Line(kind="heading", text=pick(point.name, wording.locale), language=wording.foreign(point.name)))
        lines.append(Line(kind="paragraph", text=address))
        lines += wording.one("paragraph", point.address.floor)
        lines += wording.one("paragraph", point.address.directions)
        lines.append(Line(kind="paragraph", text=place.week))
        lines += [Line(kind="item", text=unusual_day(day), depth=1) for day in place.unusual]
        if seen.status == "upcoming":
            lines.append(Line(kind="paragraph", text=wording.say("Not offered yet.")))
        if seen.offer.appointment == "required":
            lines.append(Line(kind="paragraph", text=wording.say("You need an appointment.")))
        elif seen.offer.appointment == "possible":
            lines.append(Line(kind="paragraph", text=wording.say("You can make an appointment.")))
        if seen.accepted_for:
            accepted = wording.say("Taken in here for {name}.", name=seen.accepted_for.name)
            lines.append(Line(kind="paragraph", text=accepted))
        lines += wording.one("paragraph", seen.offer.hint)
    for one in found.contacts:
        lines.append(Line(kind="heading", text=one.partner.name))
        if one.partner.address:
            where = one.partner.address
            lines.append(Line(kind="paragraph", text=f"{where.street}, {where.postcode} {where.town}"))
        if one.partner.phone:
            lines.append(Line(kind="paragraph", text=wording.say("Telephone: {phone}", phone=one.partner.phone)))
    if found.over:
        ended = wording.one("paragraph", found.service.ended)
        return ended or [Line(kind="paragraph", text=wording.say("No longer offered."))]
    if found.upcoming and found.service.valid_from:
        day = written_date(found.service.valid_from, wording.locale)
        lines.insert(0, Line(kind="paragraph", text=wording.say("This holds from {day} on.", day=day)))
    return lines or [Line(kind="paragraph", text=wording.say("This is not offered here."))]


def unusual_day(day: DaySeen) -> str:
    """'Freitag, 25. Dezember: geschlossen (Feiertag)'."""
    reasons = "; ".join(day.reasons)
    return f"{day.said}: {day.hours} ({reasons})" if reasons else f"{day.said}: {day.hours}"


def _who(found: Checklist) -> list[Line]:
    if found.decides is None:
        return []
    laws = ", ".join(law if isinstance(law, str) else law.citation for law in found.service.legal_basis)
    return [Line(kind="paragraph", text=found.decides.name, note=laws)]
