"""Put what is to be seen into one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import jinja2
import msgspec

from servicepunkt.core.catalogue.model import point_hours, staff_hours
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hours import reasons, words
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.notices.alphabet import sms_segments
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.notices.templates import places
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.texts import written_date
from servicepunkt.tenants.checking import context_of
from servicepunkt.tenants.findings import Finding, said_in
from servicepunkt.tenants.model import TenantFile
from servicepunkt.tenants.preview import styles
from servicepunkt.tenants.preview.screens import Progress, Screen, Seen, look

DAYS = 60
#: What stands in messages of the preview: the test person's document, never anybody's.
EXAMPLES = {"code": "473 920", "number": "30 417", "until": "31.12."}


class Sms(msgspec.Struct, frozen=True):
    """A message as it goes out. `segments` 0: it is no SMS."""

    name: str
    language: str
    text: str
    alphabet: str
    segments: int


class Day(msgspec.Struct, frozen=True):
    """A day of a point, in words."""

    date: date
    hours: str
    staff: str
    is_open: bool
    is_staffed: bool


async def make(
    deployment: Deployment, read: TenantFile, found: Sequence[Finding], locale: str, *, progress: Progress
) -> str:
    """The whole file as HTML, with what was found in it. Raises PreviewError."""
    ctx = context_of(read.tenant, read.sections, 0)
    seen = await look(deployment, read, progress=progress)
    css = {sheets: _style(seen, sheets) for sheets in {one.sheets for one in seen.screens}}
    pages = {one.id: one.page.replace("</head>", f"<style>{css[one.sheets]}</style></head>", 1) for one in seen.screens}
    say = lambda message, **values: deployment.texts.translate(locale, message, **values)  # noqa: E731
    today = ctx.local_date(deployment.clock.now())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("servicepunkt.tenants", "templates"),
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("preview.html").render(
        _=say,
        locale=locale,
        tenant=read.tenant,
        made=written_date(today, locale),
        findings=said_in(found, deployment.texts, locale),
        groups=_groups(seen.screens, read),
        pages=pages,
        languages=ctx.languages,
        messages=messages(deployment, ctx, read),
        hours=hours(deployment, ctx, read, today, locale),
    )


def _style(seen: Seen, sheets: tuple[str, ...]) -> str:
    """What the pages with these style sheets need of them."""
    pages = [one.page for one in seen.screens if one.sheets == sheets]
    return styles.used("\n".join(seen.sheets[sheet] for sheet in sheets), styles.classes_of(pages))


def _groups(screens: Sequence[Screen], read: TenantFile) -> list[tuple[str, list[Screen]]]:
    names = {point.id: point.name.get(read.tenant.locale, point.id) for point in read.catalogue.points}
    return [(names.get(place, place), list(found)) for place, found in groupby(screens, key=lambda one: one.place)]


def messages(deployment: Deployment, ctx: TenantContext, read: TenantFile) -> list[Sms]:
    """Every text of the tenant in its languages, with example values in its places."""
    templates: list[NoticeTemplate] = deployment.plugins.flat(ctx, "notice_templates")
    box = next((text for point in read.catalogue.points for text in point.name.values()), "DokBox")
    usual = {**EXAMPLES, "tenant": ctx.name, "box": box}
    return [
        _filled(template, language, text, usual)
        for template in templates
        for language, text in template.texts.items()
        if language in ctx.languages
    ]


def _filled(template: NoticeTemplate, language: str, text: str, usual: Mapping[str, str]) -> Sms:
    values: dict[str, Any] = {name: max(offered, key=len, default="") for name, offered in template.values.items()}
    said = text.format(**{name: usual.get(name) or values.get(name) or f"<{name}>" for name in places(text)})
    alphabet, segments = sms_segments(said) if template.channel == "sms" else ("", 0)
    return Sms(template.name, language, said, alphabet, segments)


def hours(
    deployment: Deployment, ctx: TenantContext, read: TenantFile, today: date, locale: str
) -> list[tuple[str, list[Day]]]:
    """The coming days of each point: when it is open, why not, and when somebody is there."""
    calendar, catalogue = Calendar(ctx.zone, ctx.subdivision), read.catalogue
    found = []
    for point in catalogue.points:
        opened = reasons.calendar(point_hours(catalogue, point), calendar, today, DAYS)
        staffed = reasons.calendar(staff_hours(catalogue, point), calendar, today, DAYS)
        days = [
            Day(
                one.date,
                words.day_line(one, calendar, texts=deployment.texts, locale=locale),
                words.spoken_times(words.times_of(other, calendar), texts=deployment.texts, locale=locale),
                bool(one.spans),
                bool(other.spans),
            )
            for one, other in zip(opened, staffed, strict=True)
        ]
        found.append((point.name.get(locale) or next(iter(point.name.values())), days))
    return found
