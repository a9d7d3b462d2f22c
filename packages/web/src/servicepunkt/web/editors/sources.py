"""Sources of the catalogue: when each was read, and what became of its records."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, Parameter

from servicepunkt.core.catalogue.sources import national
from servicepunkt.core.catalogue.sources import store as sources
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.editors import words
from servicepunkt.web.editors.pages import READING, Text
from servicepunkt.web.editors.seen import Readers, editors_page, readers
from servicepunkt.web.editors.tasks import HREF
from servicepunkt.web.sessions.model import Visitor

ROWS = 100
Number = Annotated[int, Parameter(ge=0, le=2_000_000_000)]


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


HANDLERS = (all_sources, one_run)
