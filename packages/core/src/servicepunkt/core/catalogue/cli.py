"""The command `servicepunkt catalogue`: search, import, export, and the revisions that are published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, get_args

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, track
from rich.table import Table

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue import service
from servicepunkt.core.catalogue import store as revisions_store
from servicepunkt.core.catalogue.fetching import fetch
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.layers import Layer
from servicepunkt.core.catalogue.model import pick
from servicepunkt.core.catalogue.search.index import Answer
from servicepunkt.core.catalogue.search.service import CatalogueSearch
from servicepunkt.core.catalogue.service import CatalogueReader, Published
from servicepunkt.core.catalogue.sources import current, importing, national, store
from servicepunkt.core.catalogue.sources.composition import Composed, shown_difference
from servicepunkt.core.catalogue.sources.importing import DECISIONS, Outcome, Wanted
from servicepunkt.core.commands import COMMAND_LINE, tenant_or_refuse, write_json
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings

out = Console()
FIRST = ""  # the first part of a format, whatever its name
SHOWN = 40  # differences and remarks that people see; programs see all
File = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("catalogue")
def catalogue() -> None:
    """The catalogue of services."""


catalogue.add_command(fetch)


@catalogue.command("search")
@click.argument("tenant")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.option("--language", default="de", show_default=True)
def search(tenant: str, words: tuple[str, ...], limit: int, as_json: bool, language: str) -> None:
    """Find services as citizens do: WORDS as they would type them."""
    with deployments.configured() as settings:
        published, answer = asyncio.run(_search(settings, tenant, " ".join(words), limit))
    if as_json:
        names = {one.id: one.name for one in published.catalogue.services}
        found = [{"id": one.id, "score": one.score, "name": names[one.id]} for one in answer.found]
        write_json({"revision": published.revision, "found": found, "meant": answer.meant})
        return
    for typed, meant in answer.meant.items():
        out.print(f"[dim]{escape(typed)}: {escape(meant)}[/]")
    table = Table("score", "service", "name")
    for one in answer.found:
        entry = published.catalogue.service(one.id)
        table.add_row(f"{one.score:.1f}", one.id, escape(pick(entry.name, language)) if entry else "")
    out.print(table if answer.found else "Nothing was found.")


async def _search(settings: Settings, slug: str, words: str, limit: int) -> tuple[Published, Answer]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        published = await CatalogueReader(deployment.database).current(ctx)
        return published, await CatalogueSearch().search(published, words, limit=limit)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do."""

    run: int
    source: str
    counts: dict[str, int]
    resumed_at: int
    revision: int | None
    remarks: list[store.ReportRow]
    left_out: list[tuple[str, str]]
    difference: list[tuple[str, str, str]]


@catalogue.command("import")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option("--format", "format_name", required=True, help="Name of the format; `catalogue formats` lists them.")
@click.option("--file", "file", type=File, help="The file, or the first of several.")
@click.option("--services", type=File, help="The file with services, for formats that have one apart.")
@click.option("--locations", type=File, help="The file with locations, for formats that have one apart.")
@click.option("--part", "parts", type=(str, File), multiple=True, help="NAME PATH of another file of the format.")
@click.option("--source", default="", help="Name of the source; the format's name if none is given.")
@click.option("--layer", type=click.Choice(get_args(Layer)), default="tenant", show_default=True, help="Whose texts.")
@click.option("--remove-many", is_flag=True, help="The files may lack most of what the source said before.")
@click.option("--dry-run", is_flag=True, help="Show the difference; nothing is changed.")
@click.option("--no-publish", is_flag=True, help="Take the records over, and leave what is published as it is.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def import_command(
    tenant: str,
    format_name: str,
    file: Path | None,
    services: Path | None,
    locations: Path | None,
    parts: tuple[tuple[str, Path], ...],
    source: str,
    layer: Layer,
    remove_many: bool,
    dry_run: bool,
    no_publish: bool,
    as_json: bool,
) -> None:
    """Read a catalogue from files, and publish it with what other sources say."""
    given = {FIRST: file, "services": services, "locations": locations, **dict(parts)}
    files = {part: path for part, path in given.items() if path is not None}

    def wanted(form: Format) -> Wanted:
        if FIRST in files:
            files[form.parts[0]] = files.pop(FIRST)
        name = source or format_name
        return Wanted(source=name, format=form, files=files, layer=layer, may_remove_many=remove_many)

    with deployments.configured() as settings:
        done = asyncio.run(_import(settings, tenant, format_name, wanted, dry_run=dry_run, publish=not no_publish))
    if as_json:
        write_json(done)
    else:
        _show(done, dry_run=dry_run)


async def _import(
    settings: Settings,
    slug: str,
    format_name: str,
    wanted_of: Callable[[Format], Wanted],
    *,
    dry_run: bool,
    publish: bool,
) -> Done:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        wanted = wanted_of(_format(deployment, format_name))
        columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("records", total=None)

            def seen(position: int) -> None:
                progress.update(task, completed=position)

            if dry_run:
                tried, done = await importing.try_files(deployment.database, ctx, wanted, _look, progress=seen)
                return msgspec.structs.replace(done, source=tried.source, counts=dict(tried.counts))
            outcome = await importing.import_files(deployment.database, ctx, wanted, actor=COMMAND_LINE, progress=seen)
        async with deployment.database.tenant(ctx) as tx:
            before = await service.newest(tx)
            if publish:
                revision, composed = await service.publish_sources(tx, at=tx.now(), actor=COMMAND_LINE)
            else:
                revision, composed = None, await current.composed(tx)
            return await _done(tx, outcome, composed, shown_difference(before, composed.catalogue), revision)


async def _look(tx: Transaction, run: int) -> Done:
    before, composed = await service.newest(tx), await current.composed(tx)
    outcome = Outcome(run=run, source="", counts={}, resumed_at=0)
    return await _done(tx, outcome, composed, shown_difference(before, composed.catalogue), None)


async def _done(
    tx: Transaction, outcome: Outcome, composed: Composed, difference: list[tuple[str, str, str]], revision: int | None
) -> Done:
    remarks = [row for row in await store.report(tx, outcome.run, limit=100_000) if row.reason]
    return Done(
        run=outcome.run,
        source=outcome.source,
        counts=dict(outcome.counts),
        resumed_at=outcome.resumed_at,
        revision=revision,
        remarks=remarks,
        left_out=list(composed.left_out),
        difference=difference,
    )


def _show(done: Done, *, dry_run: bool) -> None:
    summary = Table("records", "count", title="What would be done" if dry_run else "What was done")
    for decision in DECISIONS:
        if count := done.counts.get(decision, 0):
            summary.add_row(decision, str(count))
    out.print(summary)
    if done.resumed_at:
        out.print(f"Taken up again after record {done.resumed_at}.")
    _some("Remarks", ((row.place or row.record, f"{row.decision}: {row.reason}") for row in done.remarks))
    _some("Left out", done.left_out)
    if dry_run:
        _some("Difference", ((f"{sign} {name}", title) for sign, name, title in done.difference))
        out.print("Nothing was changed." if done.difference else "There is no difference.")
    elif done.revision is None:
        out.print("Taken over, and not published.")
    else:
        out.print(f"Published as revision {done.revision}.")


def _some(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """What was said of several places is one row."""
    places: dict[str, list[str]] = {}
    for where, what in rows:
        places.setdefault(what, []).append(where)
    if not places:
        return
    more = f": the first {SHOWN} of {len(places)}" if len(places) > SHOWN else ""
    table = Table("where", "what", title=title + more)
    for what, found in list(places.items())[:SHOWN]:
        where = found[0] if len(found) == 1 else f"{found[0]} and {len(found) - 1} more"
        table.add_row(escape(where), escape(what))
    out.print(table)


@catalogue.command("export")
@click.option("--tenant", required=True, help="Slug of the tenant.")
@click.option("--format", "format_name", required=True, help="Name of the format; `catalogue formats` lists them.")
@click.option("--output", type=click.File("wb"), default="-", help="File to write; standard output if none is given.")
def export_command(tenant: str, format_name: str, output: BinaryIO) -> None:
    """Write the published catalogue in a format."""
    with deployments.configured() as settings:
        asyncio.run(_export(settings, tenant, format_name, output))


async def _export(settings: Settings, slug: str, format_name: str, output: BinaryIO) -> None:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        wanted = _format(deployment, format_name)
        if wanted.write is None:
            raise InvalidInputError([("format", f"{format_name} is read, not written")])
        published = await CatalogueReader(deployment.database).current(ctx)
        base = f"{deployment.settings.public_url.rstrip('/')}/t/{ctx.slug}"
        today = ctx.local_date(deployment.clock.now())
        output.writelines(wanted.write(published.catalogue, base, day=today))


def _formats(plugins: PluginHost) -> list[Format]:
    found = (one for answer in plugins.startup("catalogue_formats") for one in answer.value)
    return sorted(found, key=lambda one: one.name)


def _format(deployment: Deployment, name: str) -> Format:
    known = {one.name: one for one in _formats(deployment.plugins)}
    if name not in known:
        raise NotFoundError(f"there is no format {name!r}; known are: {', '.join(known)}")
    return known[name]


@catalogue.command("formats")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def formats_command(as_json: bool) -> None:
    """List the formats that can be read and written."""
    with deployments.configured() as settings:
        found = _formats(deployments.load_plugins(settings))
    rows = [
        {"name": one.name, "parts": one.parts, "read": one.read is not None, "written": one.write is not None}
        for one in found
    ]
    _table(rows, as_json=as_json)


@catalogue.command("sources")
@click.argument("tenant")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def sources_command(tenant: str, as_json: bool) -> None:
    """List from where the catalogue comes, the lowest first."""
    rows = _read(tenant, lambda tx: store.sources(tx))
    _table([msgspec.structs.asdict(row) for row in sorted(rows, key=lambda row: (row.rank, row.name))], as_json=as_json)


@catalogue.command("share")
@click.option("--tenant", required=True, help="Slug of the tenant that imports it.")
@click.option("--source", required=True, help="Name of the source, of the layer federation or land.")
@click.option("--no-publish", is_flag=True, help="Leave what is published as it is.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def share_command(tenant: str, source: str, no_publish: bool, as_json: bool) -> None:
    """Keep a national source for all tenants, and publish those that have it below their own."""
    with deployments.configured() as settings:
        shared, outcomes = asyncio.run(_share(settings, tenant, source, publish=not no_publish))
    if as_json:
        write_json({"shared": shared, "tenants": outcomes})
        return
    out.print(f"{shared.name}: {shared.services} services are there for all tenants.")
    table = Table("tenant", "outcome")
    for one in outcomes:
        table.add_row(one["tenant"], escape(one["reason"]) or f"revision {one['revision']}")
    if outcomes:
        out.print(table)


async def _share(
    settings: Settings, slug: str, source: str, *, publish: bool
) -> tuple[national.National, list[dict[str, Any]]]:
    async with deployments.running(settings) as deployment:
        ctx = await tenant_or_refuse(deployment, slug)
        owner, database = settings.owner_database_url, deployment.database
        shared = await national.share(owner, deployment.clock, database, ctx, source)
        takers = [one for one in await deployment.directory.all() if source in national.names_of(one)]
        outcomes: list[dict[str, Any]] = []
        for taker in track(takers if publish else (), "publishing", console=Console(stderr=True)):
            revision, reason = None, ""
            try:
                async with database.tenant(taker) as tx:
                    revision, _ = await service.publish_sources(tx, at=tx.now(), actor=COMMAND_LINE)
            except InvalidInputError as error:
                # One town whose catalogue does not hold together keeps nothing from the others.
                reason = error.staff_sentence
            outcomes.append({"tenant": taker.slug, "revision": revision, "reason": reason})
        return shared, outcomes


@catalogue.command("national")
@click.argument("tenant")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def national_command(tenant: str, as_json: bool) -> None:
    """List the national sources that are shared; TENANT has those that are marked below its own."""

    async def work(tx: Transaction) -> list[dict[str, Any]]:
        taken = national.names_of(tx.ctx)
        return [msgspec.structs.asdict(one) | {"taken": one.name in taken} for one in await national.listed(tx)]

    _table(_read(tenant, work), as_json=as_json)


@catalogue.command("runs")
@click.argument("tenant")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def runs_command(tenant: str, as_json: bool) -> None:
    """List imports, the newest first."""
    _table([msgspec.structs.asdict(row) for row in _read(tenant, lambda tx: store.runs(tx))], as_json=as_json)


@catalogue.command("report")
@click.argument("tenant")
@click.argument("run", type=int)
@click.option("--decision", multiple=True, type=click.Choice(DECISIONS), help="Only records that came to this.")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def report_command(tenant: str, run: int, decision: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Show what became of each record of an import, and why."""
    rows = _read(tenant, lambda tx: store.report(tx, run, decisions=decision, limit=limit))
    _table([msgspec.structs.asdict(row) for row in rows], as_json=as_json)


@catalogue.command("publish")
@click.argument("tenant")
def publish_command(tenant: str) -> None:
    """Publish what all sources say now."""

    async def work(tx: Transaction) -> int:
        return (await service.publish_sources(tx, at=tx.now(), actor=COMMAND_LINE))[0]

    out.print(f"Revision {_read(tenant, work)} is in force.")


@catalogue.command("revisions")
@click.argument("tenant")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def revisions_command(tenant: str, as_json: bool) -> None:
    """List what was published, the newest first."""
    rows = _read(tenant, lambda tx: revisions_store.revisions(tx))
    _table([msgspec.structs.asdict(row) for row in rows], as_json=as_json)


@catalogue.command("rollback")
@click.argument("tenant")
@click.argument("revision", type=int)
def rollback_command(tenant: str, revision: int) -> None:
    """Publish an earlier REVISION once more."""
    number = _read(tenant, lambda tx: service.roll_back(tx, revision, at=tx.now(), actor=COMMAND_LINE))
    out.print(f"Revision {number} is in force; it says what revision {revision} said.")


def _read(slug: str, work: Any) -> Any:
    async def run(settings: Settings) -> Any:
        async with deployments.running(settings) as deployment:
            ctx = await tenant_or_refuse(deployment, slug)
            async with deployment.database.tenant(ctx) as tx:
                return await work(tx)

    with deployments.configured() as settings:
        return asyncio.run(run(settings))


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case tuple() | list():
            return escape(", ".join(map(str, value)))
        case _:
            return escape(str(value))


def _table(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """All of it for programs; for people without what only programs compare."""
    if as_json:
        write_json(rows)
    elif rows:
        columns = [name for name in rows[0] if name != "digest"]
        table = Table(*columns)
        for row in rows:
            table.add_row(*(_cell(row[name]) for name in columns))
        out.print(table)
    else:
        out.print("There is nothing yet.")
