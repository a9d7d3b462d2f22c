"""What there is to look up: revisions and the way back, sources and their runs, missing translations, dead links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue import links, store
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing import difference
from servicepunkt.core.catalogue.editing.languages import lacks
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.sources import national
from servicepunkt.core.catalogue.sources import store as sources
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.editors import seen, words
from servicepunkt.web.editors.changes import PAGE
from servicepunkt.web.editors.pages import READING, WRITING, Start, Text
from servicepunkt.web.editors.seen import Readers, editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.frame import LANGUAGE_NAMES
from servicepunkt.web.navigation import see_other
from servicepunkt.web.sessions.model import Visitor
from servicepunkt.web.staff.overview import catalogue_of

ROWS = 100
Number = Annotated[int, Parameter(ge=0, le=2_000_000_000)]


class RevisionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A revision in a list; `by` is a name or a message id."""

    revision: int
    when: str
    by: str
    restores: int | None
    before: int | None


class RunSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a source; `state` and `counts` are message ids with how many."""

    run: int
    state: str
    word: str
    when: str
    reason: str
    counts: tuple[tuple[str, int], ...]


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A source: whose texts they are, what its records in force are from, and its last runs. `shared`: when it was
    shared, of one that another tenant imports for all."""

    name: str
    layer: str
    format: str = ""
    good: RunSeen | None = None
    runs: tuple[RunSeen, ...] = ()
    failed: RunSeen | None = None
    shared: str = ""


class LinkSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A dead link; `why` is a message id or an HTTP status, `places` are (service or empty, name)."""

    url: str
    why: str
    since: str
    checked: str
    places: tuple[tuple[str, Mapping[str, str]], ...]


# --- revisions ------------------------------------------------------------------------------------------------


@get(f"{HREF}/revisions", guards=READING)
async def revisions(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """What was published, the newest first."""
    async with deployment.database.tenant(ctx) as tx:
        rows, reader = await store.revisions(tx), await readers(tx, request)
    found = [
        RevisionSeen(
            revision=row.revision,
            when=reader.moment(row.published_at),
            by=reader.actor(row.published_by),
            restores=row.restores,
            before=row.revision - 1 or None,
        )
        for row in rows
    ]
    return await editors_page(request, visitor, "web/editors_revisions.html", revisions=found)


async def _content(tx: Transaction, revision: int) -> Catalogue:
    """Raises NotFoundError."""
    body = await store.content(tx, revision)
    if body is None:
        raise NotFoundError
    return msgspec.json.decode(body, type=Catalogue)


@get(f"{HREF}/revisions/compare", guards=READING)
async def compare(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    before: Number = 0,
    after: Number = 0,
    start: Start = 0,
) -> Response[str]:
    """What differs between two revisions."""
    async with deployment.database.tenant(ctx) as tx:
        found = difference.changes(await _content(tx, before), await _content(tx, after))
        reader = await readers(tx, request)
    return await editors_page(
        request,
        visitor,
        "web/editors_compare.html",
        before=before,
        after=after,
        restores=None,
        **_part(found, reader, start),
    )


def _part(found: list[difference.EntryChange], reader: Readers, start: int) -> dict[str, Any]:
    return {
        "changes": [seen.change(one, reader) for one in found[start : start + PAGE]],
        "count": len(found),
        "start": start,
        "page": PAGE,
        "language_names": LANGUAGE_NAMES,
    }


@get(f"{HREF}/revisions/{{revision:int}}/restore", guards=WRITING)
async def ask_restore(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    revision: FromPath[Number],
    start: Start = 0,
) -> Response[str]:
    """What would change if an earlier revision came back."""
    async with deployment.database.tenant(ctx) as tx:
        newest = await store.newest(tx)
        found = difference.changes(await catalogues.newest(tx), await _content(tx, revision))
        reader = await readers(tx, request)
    return await editors_page(
        request,
        visitor,
        "web/editors_compare.html",
        before=newest[0] if newest else 0,
        after=revision,
        restores=revision,
        **_part(found, reader, start),
    )


@post(f"{HREF}/revisions/{{revision:int}}/restore", guards=WRITING)
async def restore(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    revision: FromPath[Number],
) -> Response[Any]:
    """Publish an earlier revision once more."""
    async with deployment.database.tenant(ctx) as tx:
        await catalogues.roll_back(tx, revision, at=tx.now(), actor=visitor.actor)
    return see_other(request, f"{HREF}/revisions")


# --- sources --------------------------------------------------------------------------------------------------


@get(f"{HREF}/sources", guards=READING)
async def all_sources(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
) -> Response[str]:
    """From where the catalogue comes; a source that failed keeps saying what it said before."""
    async with deployment.database.tenant(ctx) as tx:
        reader, known = await readers(tx, request), {row.name: row for row in await sources.sources(tx)}
        failing = {row.source: row for row in await sources.failing(tx)}
        found = []
        for name in sorted(known.keys() | failing.keys(), key=lambda name: (name not in known, name)):
            row = known.get(name)
            good = await sources.run(tx, row.run) if row else None
            found.append(
                SourceSeen(
                    name=words.source(name),
                    layer=words.LAYERS.get(row.layer, row.layer) if row else "",
                    format=words.FORMATS.get(f := row.format if row else failing[name].format, f),
                    good=await _run(tx, good, reader) if good else None,
                    runs=tuple([await _run(tx, one, reader) for one in await sources.runs(tx, source=name, limit=5)]),
                    failed=await _run(tx, failing[name], reader) if name in failing else None,
                )
            )
        found += [
            SourceSeen(name=words.source(one.name), layer=words.LAYERS[one.layer], shared=reader.moment(one.updated_at))
            for one in await national.listed(tx, national.names_of(ctx))
        ]
    return await editors_page(request, visitor, "web/editors_sources.html", sources=found)


async def _run(tx: Transaction, row: sources.RunRow, reader: Readers) -> RunSeen:
    counts = await sources.counts(tx, row.run)
    return RunSeen(
        run=row.run,
        state=row.state,
        word=words.RUN_STATES[row.state],
        when=reader.moment(row.ended_at or row.started_at),
        reason=row.reason,
        counts=tuple((words.DECISIONS[name], counts[name]) for name in words.DECISIONS if counts.get(name)),
    )


@get(f"{HREF}/sources/runs/{{run:int}}", guards=READING)
async def one_run(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[TenantContext],
    deployment: NamedDependency[Deployment],
    visitor: NamedDependency[Visitor],
    run: FromPath[Number],
    decision: Text = "",
    after: Number = 0,
) -> Response[str]:
    """What became of each record of a run, and why."""
    decision = decision if decision in words.DECISIONS else ""
    async with deployment.database.tenant(ctx) as tx:
        row = await sources.run(tx, run)
        if row is None:
            raise NotFoundError
        wanted = (decision,) if decision else ()
        rows = await sources.report(tx, run, decisions=wanted, after=after, limit=ROWS + 1)
        reader, counts = await readers(tx, request), await sources.counts(tx, run)
        found = await _run(tx, row, reader)
    return await editors_page(
        request,
        visitor,
        "web/editors_run.html",
        run=found,
        source=words.source(row.source),
        rows=rows[:ROWS],
        more=rows[ROWS - 1].number if len(rows) > ROWS else None,
        decision=decision,
        decisions=words.DECISIONS,
        kinds=words.KINDS,
        filters=[(name, title, counts[name]) for name, title in words.DECISIONS.items() if counts.get(name)],
    )


# --- languages and links --------------------------------------------------------------------------------------


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


HANDLERS = (
    revisions,
    compare,
    ask_restore,
    restore,
    all_sources,
    one_run,
    translations,
    dead_links,
)
