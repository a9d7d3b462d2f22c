"""What is missing: translations, and links that lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency

from servicepunkt.core.catalogue import links
from servicepunkt.core.catalogue.editing.languages import lacks
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.editors import words
from servicepunkt.web.editors.changes import PAGE
from servicepunkt.web.editors.pages import READING, Start, Text
from servicepunkt.web.editors.seen import Readers, editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.frame import LANGUAGE_NAMES
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.overview import catalogue_of


class LinkSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A dead link; `why` is a message id or an HTTP status, `places` are (service or empty, name)."""

    url: str
    why: str
    since: str
    checked: str
    places: tuple[tuple[str, Mapping[str, str]], ...]


@get(f"{HREF}/translations", guards=READING)
async def translations(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    visitor: NamedDependency[Visitor],
    into: Text = "",
    start: Start = 0,
) -> Response[str]:
    """What public services do not say in a language of the tenant, and what only a machine has translated."""
    every = lacks(await catalogue_of(request), ctx.languages)
    counts = {one: sum(lack.language == one for lack in every) for one in ctx.languages}
    wanted = into if into in counts else next((one for one, count in counts.items() if count), ctx.languages[0])
    found = [lack for lack in every if lack.language == wanted]
    return await editors_page(
        request,
        visitor,
        "web/editors_translations.html",
        into=wanted,
        counts=counts,
        lacks=[
            (
                lack,
                [(field, *words.heading(field)) for field in lack.missing],
                [(field, *words.heading(field)) for field in lack.by_machine],
            )
            for lack in found[start : start + PAGE]
        ],
        count=len(found),
        start=start,
        page=PAGE,
        language_names=LANGUAGE_NAMES,
    )


@get(f"{HREF}/links", guards=READING)
async def dead_links(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """Links that led nowhere when they were last tried, and where they stand."""
    async with deployment.database.tenant(ctx) as tx:
        dead, known, reader = await links.dead(tx), await links.known(tx), await readers(tx, request)
    places = links.links_of(reader.catalogue)
    found = [
        LinkSeen(
            url=row.url,
            why=links.WORDS.get(row.status, row.status),
            since=reader.moment(row.failing_since),
            checked=reader.moment(row.checked_at),
            places=tuple(_place(reader, kind, name) for kind, name in places[row.url]),
        )
        for row in dead
        if row.url in places
    ]
    last = max((row.checked_at for row in known.values()), default=None)
    return await editors_page(
        request,
        visitor,
        "web/editors_links.html",
        links=found,
        tried=len(known),
        waiting=len(places.keys() - known.keys()),
        last=reader.moment(last),
    )


def _place(reader: Readers, kind: str, name: str) -> tuple[str, Mapping[str, str]]:
    if kind == "services":
        return name, reader.service_name(name)
    partner = reader.catalogue.partner(name)
    return "", {"": partner.name if partner else name}


HANDLERS = (translations, dead_links)
