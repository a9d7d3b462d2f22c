"""The tables of sources: what each source says, as records, and what became of each record of an import."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction

catalogue_source = tenant_table(
    "catalogue_source",
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("layer", sa.Text, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    key=("name",),
    kept="addresses of authorities",
)

catalogue_run = tenant_table(
    "catalogue_run",
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("ended_at", Instant, nullable=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('reading', 'done', 'failed')", name="state"),
    sa.Index("ix_catalogue_run_source", "tenant_id", "source", "run"),
    key=("run",),
    kept="what was fetched when; nothing of a person",
)

catalogue_record = tenant_table(
    "catalogue_record",
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    key=("run", "kind", "id"),
    kept="what authorities publish, as long as they do",
)

catalogue_report = tenant_table(
    "catalogue_report",
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    key=("run", "number"),
    kept="the next run of a source replaces it",
)

PAGE = 2000  # records that are held at once while they are copied
TABLES = (catalogue_source, catalogue_run, catalogue_record, catalogue_report)


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A source and the run whose records count."""

    name: str
    layer: str
    rank: int
    format: str
    run: int
    updated_at: datetime


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    run: int
    source: str
    format: str
    digest: str
    state: str
    position: int
    started_at: datetime
    ended_at: datetime | None
    actor: str
    reason: str


class RecordRow(msgspec.Struct, frozen=True, kw_only=True):
    run: int
    kind: str
    id: str
    position: int
    content: bytes
    digest: str


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    run: int
    number: int
    place: str
    kind: str
    record: str
    decision: str
    reason: str


async def sources(tx: Transaction) -> list[SourceRow]:
    table = catalogue_source
    return await tx.all(SourceRow, sa.select(table).where(table.c.tenant_id == tx.tenant_id).order_by(table.c.name))


async def source(tx: Transaction, name: str) -> SourceRow | None:
    table = catalogue_source
    return await tx.first(SourceRow, sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.name == name))


async def save_source(tx: Transaction, row: SourceRow) -> None:
    made = upsert(catalogue_source).values(tenant_id=tx.tenant_id, **msgspec.structs.asdict(row))
    changed = {name: made.excluded[name] for name in row.__struct_fields__ if name != "name"}
    await tx.execute(made.on_conflict_do_update(index_elements=["tenant_id", "name"], set_=changed))


async def run(tx: Transaction, number: int) -> RunRow | None:
    table = catalogue_run
    return await tx.first(RunRow, sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number))


async def runs(tx: Transaction, *, source: str | None = None, limit: int = 50) -> list[RunRow]:
    """The newest first."""
    table = catalogue_run
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id).order_by(table.c.run.desc()).limit(limit)
    return await tx.all(RunRow, query.where(table.c.source == source) if source is not None else query)


async def failing(tx: Transaction) -> list[RunRow]:
    """The newest run of each source that failed with it; what the source said before holds."""
    table = catalogue_run
    newest = (
        sa.select(sa.func.max(table.c.run).label("run"))
        .where(table.c.tenant_id == tx.tenant_id)
        .group_by(table.c.source)
        .scalar_subquery()
    )
    query = sa.select(table).where(
        table.c.tenant_id == tx.tenant_id, table.c.run.in_(newest), table.c.state == "failed"
    )
    return await tx.all(RunRow, query.order_by(table.c.run.desc()))


async def next_run(tx: Transaction) -> int:
    table = catalogue_run
    await tx.lock("catalogue-run")  # two imports of other sources want a number, too
    query = sa.select(sa.func.max(table.c.run)).where(table.c.tenant_id == tx.tenant_id, table.c.run > 0)
    return int(await tx.scalar(query) or 0) + 1


async def update_run(tx: Transaction, number: int, **values: Any) -> None:
    table = catalogue_run
    await tx.execute(sa.update(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number).values(**values))


async def copy_records(tx: Transaction, *, before: int, to: int) -> None:
    """The records of one run as those of another one, page by page."""
    table = catalogue_record
    after = ("", "")
    while True:
        query = (
            sa.select(table)
            .where(table.c.tenant_id == tx.tenant_id, table.c.run == before)
            .where(sa.tuple_(table.c.kind, table.c.id) > sa.tuple_(*after))
            .order_by(table.c.kind, table.c.id)
            .limit(PAGE)
        )
        page = await tx.all(RecordRow, query)
        await save_records(tx, [msgspec.structs.replace(row, run=to) for row in page])
        if len(page) < PAGE:
            return
        after = (page[-1].kind, page[-1].id)


async def digests(tx: Transaction, number: int, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The digests of those records of a run that exist, by (kind, id)."""
    table = catalogue_record
    query = sa.select(table.c.kind, table.c.id, table.c.digest).where(
        table.c.tenant_id == tx.tenant_id, table.c.run == number, sa.tuple_(table.c.kind, table.c.id).in_(list(names))
    )
    return {(row.kind, row.id): row.digest for row in await tx.execute(query)}


async def parts(tx: Transaction, number: int, kind: str, name: str) -> dict[tuple[str, str], str]:
    """The digests of records that are parts of one that a source names as a whole (`<id>@<part>`), by (kind, id)."""
    table = catalogue_record
    query = sa.select(table.c.kind, table.c.id, table.c.digest).where(
        table.c.tenant_id == tx.tenant_id,
        table.c.run == number,
        table.c.kind == kind,
        table.c.id.startswith(f"{name}@", autoescape=True),
    )
    return {(row.kind, row.id): row.digest for row in await tx.execute(query)}


async def save_records(tx: Transaction, rows: Sequence[RecordRow]) -> None:
    """Write records; one that is there is replaced."""
    if rows:
        made = upsert(catalogue_record)
        changed = {name: made.excluded[name] for name in ("position", "content", "digest")}
        statement = made.on_conflict_do_update(index_elements=["tenant_id", "run", "kind", "id"], set_=changed)
        await tx.execute(statement, [_values(tx, row) for row in rows])


async def delete_records(tx: Transaction, number: int, names: Iterable[tuple[str, str]]) -> None:
    table = catalogue_record
    await tx.execute(
        sa.delete(table).where(
            table.c.tenant_id == tx.tenant_id,
            table.c.run == number,
            sa.tuple_(table.c.kind, table.c.id).in_(list(names)),
        )
    )


async def drop_records(tx: Transaction, number: int) -> None:
    """All records of a run."""
    table = catalogue_record
    await tx.execute(sa.delete(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number))


async def gone(tx: Transaction, *, before: int, now: int) -> list[tuple[str, str]]:
    """(kind, id) of records of one run that a later one has no longer."""
    table = catalogue_record

    def names(number: int) -> sa.Select[tuple[str, str]]:
        return sa.select(table.c.kind, table.c.id).where(table.c.tenant_id == tx.tenant_id, table.c.run == number)

    query = sa.except_(names(before), names(now)).order_by("kind", "id")
    return [(row.kind, row.id) for row in await tx.execute(query)]


async def count_records(tx: Transaction, number: int) -> int:
    table = catalogue_record
    query = sa.select(sa.func.count()).select_from(table)
    return int(await tx.scalar(query.where(table.c.tenant_id == tx.tenant_id, table.c.run == number)))


async def count_imported(tx: Transaction) -> int:
    """How many records all sources have together, with what an import that goes on has read so far."""
    table = catalogue_record
    query = sa.select(sa.func.count()).select_from(table).where(table.c.tenant_id == tx.tenant_id)
    return int(await tx.scalar(query))


async def records(tx: Transaction, number: int) -> list[RecordRow]:
    """The records of a run in the order of the source."""
    table = catalogue_record
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number)
    return await tx.all(RecordRow, query.order_by(table.c.position, table.c.kind, table.c.id))


async def records_named(tx: Transaction, runs: Sequence[int], kind: str, names: Iterable[str]) -> list[RecordRow]:
    """Those records of a kind that some runs have under these names."""
    table = catalogue_record
    query = sa.select(table).where(
        table.c.tenant_id == tx.tenant_id, table.c.run.in_(runs), table.c.kind == kind, table.c.id.in_(list(names))
    )
    return await tx.all(RecordRow, query)


async def save_report(tx: Transaction, rows: Sequence[ReportRow]) -> None:
    if rows:
        await tx.execute(sa.insert(catalogue_report), [_values(tx, row) for row in rows])


async def report(
    tx: Transaction, number: int, *, decisions: Sequence[str] = (), after: int = 0, limit: int = 1000
) -> list[ReportRow]:
    """What became of the records of a run, in the order of the file."""
    table = catalogue_report
    query = sa.select(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number, table.c.number > after)
    if decisions:
        query = query.where(table.c.decision.in_(decisions))
    return await tx.all(ReportRow, query.order_by(table.c.number).limit(limit))


async def counts(tx: Transaction, number: int) -> dict[str, int]:
    """How many records of a run came to which decision."""
    table = catalogue_report
    query = (
        sa.select(table.c.decision, sa.func.count().label("count"))
        .where(table.c.tenant_id == tx.tenant_id, table.c.run == number)
        .group_by(table.c.decision)
    )
    return {row.decision: row._mapping["count"] for row in await tx.execute(query)}


async def drop_report(tx: Transaction, number: int) -> None:
    table = catalogue_report
    await tx.execute(sa.delete(table).where(table.c.tenant_id == tx.tenant_id, table.c.run == number))


def _values(tx: Transaction, row: msgspec.Struct) -> Mapping[str, Any]:
    return {"tenant_id": tx.tenant_id, **msgspec.structs.asdict(row)}
