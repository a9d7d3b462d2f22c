"""Hours and closures that a host changes itself: typed, looked at, published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from servicepunkt.core.catalogue.model import NEVER, Catalogue, OtherHours, pick
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.hosts.hours import model, service
from servicepunkt.core.hosts.hours.model import Changed, Draft, NotHoursError, Subject, Week
from servicepunkt.core.hosts.hours.service import Sight
from servicepunkt.core.hours import words as hours_words
from servicepunkt.core.hours.model import ONE_DAY, Osm
from servicepunkt.core.hours.week import Times, usual_week
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import spoken_date, written_date
from servicepunkt.web import access
from servicepunkt.web.forms import FOREIGN_FIELD, typed
from servicepunkt.web.frame import language
from servicepunkt.web.hosts.house import EDIT, EDITING, HREF, host_page, house_of, key_in
from servicepunkt.web.hosts.today import Cell, cell
from servicepunkt.web.hosts.words import SUBJECTS
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor

MOST_REASON = 120
NO_DAY = "Enter a day."
NO_REASON = "Say why in at most 120 characters; visitors read it."
DAYS = tuple(f"day-{number}" for number in range(7))
FIELDS = (*DAYS, "holidays", "holiday-times", "first", "last", "times", "reason", "as-below")


class ExceptionSeen(msgspec.Struct, frozen=True):
    """An exception in words; `number` in the house."""

    number: int
    days: str
    hours: str
    reason: str


class DaySeen(msgspec.Struct, frozen=True):
    """A day before and after a change."""

    said: str
    before: Cell
    after: Cell


class ChangedSeen(msgspec.Struct, frozen=True):
    """What changes in the same way, and how."""

    subjects: tuple[str, ...]
    days: tuple[DaySeen, ...]


@get(f"{HREF}/{{host_id:str}}/hours", guards=EDITING)
async def hours(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], host_id: FromPath[str]
) -> Response[str]:
    """The week and the exceptions of a house, to be changed."""
    return await _form(request, visitor, host_id)


@get(f"{HREF}/{{host_id:str}}/hours/preview", guards=EDITING)
async def preview_again(
    request: Request[Any, Any, Any], visitor: NamedDependency[Visitor], host_id: FromPath[str]
) -> Response[Any]:
    """What was typed stands in no address: who comes back to this one types it again."""
    return see_other(request, f"{(await house_of(request, visitor, host_id, EDIT)).href}/hours")


@post(f"{HREF}/{{host_id:str}}/hours/preview", guards=EDITING, status_code=200)
async def preview(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
) -> Response[str]:
    """What the change would change, day by day, and the button that publishes it."""
    house = await house_of(request, visitor, host_id, EDIT)
    values = _sent(await typed(request))
    try:
        async with deployment.database.tenant(ctx) as tx:
            looked = await service.preview(tx, host_id, draft_of(values, ctx.locale))
    except InvalidInputError as error:
        return await _form(request, visitor, host_id, values, error.mistakes)
    changes = [_changed_seen(request, looked.sight.catalogue, one) for one in looked.changes]
    return await host_page(
        request,
        visitor,
        house,
        "web/host_preview.html",
        changes=changes,
        ahead=model.AHEAD,
        values=values,
        seen=looked.sight.mark,
        key=str(uuid4()),
        usual=_usual(request, looked.after.hours) if looked.after.hours != looked.sight.host.hours else "",
    )


@post(f"{HREF}/{{host_id:str}}/hours", guards=EDITING)
async def publish(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    host_id: FromPath[str],
) -> Response[Any]:
    """Put what was looked at into force."""
    house = await house_of(request, visitor, host_id, EDIT)
    sent = await typed(request)
    values = _sent(sent)
    try:
        key, draft = key_in(sent.get("key", "")), draft_of(values, ctx.locale)
        async with deployment.database.tenant(ctx) as tx:
            seen = sent.get("seen", "")
            await service.publish(tx, host_id, draft, key=key, seen=seen, actor=visitor.actor)
    except InvalidInputError as error:
        return await _form(request, visitor, host_id, values, error.mistakes)
    return see_other(request, f"{house.href}/hours")


async def _form(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    host_id: str,
    values: Mapping[str, str] | None = None,
    mistakes: Sequence[tuple[str, str]] = (),
) -> Response[str]:
    house, ctx = await house_of(request, visitor, host_id, EDIT), access.tenant_of(request)
    deployment, locale = access.deployment_of(request), language(request)
    today = ctx.local_date(deployment.clock.now())
    async with deployment.database.tenant(ctx) as tx:
        sight = await service.sight(tx, host_id)
    week = model.week_of(sight.host.hours, today)
    monday = today - today.weekday() * ONE_DAY
    return await host_page(
        request,
        visitor,
        house,
        "web/host_hours.html",
        mistakes=[(place if place in FIELDS else "", sentence) for place, sentence in mistakes],
        values=_week_values(week) if values is None else values,
        weekdays=[(name, hours_words.weekday(monday + number * ONE_DAY, locale)) for number, name in enumerate(DAYS)],
        week=week,
        usual=_usual(request, sight.host.hours),
        exceptions=_exceptions(request, sight, today),
        is_asked=sight.is_asked,
        is_own=bool(sight.own and sight.own.said),
        below=_usual(request, sight.below.hours),
    )


def _sent(values: Mapping[str, str]) -> dict[str, str]:
    """What belongs to the draft among what was sent."""
    return {name: value for name, value in values.items() if name in FIELDS or name.startswith("remove-")}


def draft_of(values: Mapping[str, str], locale: str) -> Draft:
    """What was typed. Raises InvalidInputError with every mistake."""
    if values.get("as-below"):
        return Draft(as_below=True)
    mistakes: list[tuple[str, str]] = []

    def times(name: str) -> Times:
        try:
            return model.read_times(values.get(name, "")[:200])
        except NotHoursError as error:
            mistakes.append((name, str(error)))
            return ()

    week = _week(values, times) if any(name in values for name in DAYS) else None
    add = _exception(values, times, locale, mistakes)
    numbers = [name.removeprefix("remove-") for name in values if name.startswith("remove-")]
    if not all(number.isdecimal() and len(number) < 4 for number in numbers):
        mistakes.append(("", FOREIGN_FIELD))
    if mistakes:
        raise InvalidInputError(mistakes)
    return Draft(week=week, remove=frozenset(map(int, numbers)), add=add)


def _week(values: Mapping[str, str], times: Any) -> Week:
    days = tuple(times(name) for name in DAYS)
    match values.get("holidays", "closed"):
        case "usual":
            return Week(days, "as usual")
        case "own":
            return Week(days, times("holiday-times") or "closed")
        case _:
            return Week(days, "closed")


def _exception(
    values: Mapping[str, str], times: Any, locale: str, mistakes: list[tuple[str, str]]
) -> OtherHours | None:
    if not any(values.get(name, "").strip() for name in ("first", "last", "times", "reason")):
        return None
    first, last = (_day(values.get(name, "")) for name in ("first", "last"))
    if first is None:
        mistakes.append(("first", NO_DAY))
    if last is None and values.get("last", "").strip():
        mistakes.append(("last", NO_DAY))
    reason = values.get("reason", "").strip()
    if not 0 < len(reason) <= MOST_REASON:
        mistakes.append(("reason", NO_REASON))
    hours = model.expression_of(times("times"))
    return OtherHours(first=first or date.min, last=last, hours=hours, reason={locale: reason})


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _week_values(week: Week) -> dict[str, str]:
    found = {name: model.written_times(times) for name, times in zip(DAYS, week.days, strict=True)}
    match week.holidays:
        case "closed":
            return {**found, "holidays": "closed"}
        case "as usual":
            return {**found, "holidays": "usual"}
        case times:
            return {**found, "holidays": "own", "holiday-times": model.written_times(times)}


def _usual(request: Request[Any, Any, Any], expression: str) -> str:
    """The usual week in words."""
    deployment = access.deployment_of(request)
    today = access.tenant_of(request).local_date(deployment.clock.now())
    week = usual_week(Osm(expression), today)
    return hours_words.week_summary(week, texts=deployment.texts, locale=language(request))


def _exceptions(request: Request[Any, Any, Any], sight: Sight, today: date) -> list[ExceptionSeen]:
    """Those that are not over."""
    return [
        _exception_seen(request, number, other)
        for number, other in enumerate(sight.host.exceptions)
        if not model.is_over(other, today)
    ]


def _exception_seen(request: Request[Any, Any, Any], number: int, other: OtherHours) -> ExceptionSeen:
    texts, locale = access.deployment_of(request).texts, language(request)
    days = written_date(other.first, locale)
    if other.last and other.last != other.first:
        days = texts.translate(locale, "{first} to {last}", first=days, last=written_date(other.last, locale))
    usual = usual_week(Osm(other.hours), other.first).days[other.first.weekday()] if other.hours != NEVER else ()
    hours = hours_words.spoken_times(usual, texts=texts, locale=locale)
    return ExceptionSeen(number, days, hours, pick(other.reason, locale))


def _changed_seen(request: Request[Any, Any, Any], catalogue: Catalogue, changed: Changed) -> ChangedSeen:
    locale = language(request)
    return ChangedSeen(
        tuple(_subject(request, catalogue, one) for one in changed.subjects),
        tuple(
            DaySeen(spoken_date(day.date, locale), cell(request, day.before), cell(request, day.after))
            for day in changed.days
        ),
    )


def _subject(request: Request[Any, Any, Any], catalogue: Catalogue, subject: Subject) -> str:
    texts, locale = access.deployment_of(request).texts, language(request)
    if host := catalogue.host(subject.id) if subject.kind == "host" else None:
        return host.name
    found, offered = catalogue.point(subject.id), catalogue.service(subject.service)
    point = pick(found.name, locale) if found else subject.id
    if subject.kind == "point":
        return point
    named = pick(offered.name, locale) if offered else subject.service
    return texts.translate(locale, SUBJECTS[subject.kind], point=point, service=named)


HANDLERS = (hours, preview_again, preview, publish)
