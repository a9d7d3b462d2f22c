"""Import a source's file as a run: record by record, to be taken up again where it ended, in force as a whole or not at
all."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from servicepunkt.core import quotas
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import checks
from servicepunkt.core.catalogue.formats.model import (
    MAX_NOTES,
    Change,
    Delete,
    Format,
    Limits,
    Refused,
    SourceError,
    Upsert,
)
from servicepunkt.core.catalogue.layers import Layer
from servicepunkt.core.catalogue.model import IDENTIFIER, Catalogue, Service
from servicepunkt.core.catalogue.records import ENTRIES, records_of
from servicepunkt.core.catalogue.sources import store
from servicepunkt.core.catalogue.sources.composition import (
    FILES,
    RANKS,
)
from servicepunkt.core.catalogue.sources.store import RecordRow, ReportRow, RunRow, SourceRow
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.errors import ConflictError, InvalidInputError, ServicepunktError
from servicepunkt.core.quotas import QuotaError
from servicepunkt.core.tenancy.model import TenantContext

BATCH = 500  # records in one transaction
#: More of what a source said before than this, and than so many records, is not taken away without being asked for.
MOST_GONE_SHARE, MOST_GONE = 0.2, 10
STAYS = "what it said before stays"
KEPT_RUNS = 10  # runs of a source whose reports are kept
Progress = Callable[[int], None]
T = TypeVar("T")

#: What becomes of a record, for people.
DECISIONS = ("added", "changed", "unchanged", "deleted", "orphan", "refused")


class LossError(ServicepunktError):
    """A file that lacks most of what its source said before: more often a mistake than a wish."""

    code = "SP2003"
    status = 409
    citizen = "Too much would be gone."
    staff = "The files lack too much of what this source said before."
    next_step = "Look into the files; if they are right, import them with --remove-many."


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported: a source's name, its layer, and files by the parts of the format. `may_remove_many`: the
    files may lack most of what the source said before."""

    source: str
    format: Format
    files: Mapping[str, Path]
    layer: Layer = "tenant"
    limits: Limits = Limits()
    may_remove_many: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over: how many records came to which decision."""

    run: int
    source: str
    counts: Mapping[str, int]
    resumed_at: int


class _Decided(msgspec.Struct, frozen=True, kw_only=True):
    change: Change
    decision: str
    reason: str
    content: bytes = b""
    digest: str = ""


async def import_files(
    database: Database, ctx: TenantContext, wanted: Wanted, *, actor: str, progress: Progress = lambda _: None
) -> Outcome:
    """Read the files into a new run and put it into force for its source; what is published is not touched.

    A run of the same files that ended in the midst is taken up where it ended. Raises SourceError for a file that
    cannot be read on, LossError for one that lacks too much, and QuotaError for more records than the tenant may have:
    the run has failed, and the records that counted before count on. Raises InvalidInputError for a source's name that
    is reserved and for a file that the format does not have, ConflictError while the source is imported by somebody
    else.
    """
    _check(wanted)
    digest = await asyncio.to_thread(_digest, wanted.files)
    async with _alone(database, ctx, wanted.source):
        return await _import(database, ctx, wanted, digest=digest, actor=actor, progress=progress)


async def _import(
    database: Database, ctx: TenantContext, wanted: Wanted, *, digest: str, actor: str, progress: Progress
) -> Outcome:
    run, before = await _begin(database, ctx, wanted, digest=digest, actor=actor)
    try:
        position, against = run.position, _against(wanted, run.run, before)
        async with aclosing(_batches(wanted, after=position)) as batches:
            async for batch in batches:
                async with database.tenant(ctx) as tx:
                    await _take(tx, run.run, batch, against=against, first=position)
                    position += len(batch)
                    await store.update_run(tx, run.run, position=position)
                progress(position)
                quotas.keep_within(ctx, "records", position)
        async with database.tenant(ctx) as tx:
            await _put_into_force(tx, wanted, run.run, before=before, position=position, actor=actor)
            counts = await store.counts(tx, run.run)
    except (SourceError, LossError, QuotaError) as error:
        await _fail(database, ctx, run, error.staff_sentence)
        raise
    return Outcome(run=run.run, source=wanted.source, counts=counts, resumed_at=run.position)


@asynccontextmanager
async def _alone(database: Database, ctx: TenantContext, source: str) -> AsyncIterator[None]:
    """One import of a source at a time, in whatever process; who dies lets go. Raises ConflictError."""
    statement = sa.text("SELECT pg_try_advisory_xact_lock(:tenant, hashtext(:name))")
    async with database.platform("one import of a source at a time") as connection:
        if not await connection.scalar(statement.bindparams(tenant=ctx.id, name=f"catalogue-import-{source}")):
            raise ConflictError("this source is being imported just now; try again when that has ended")
        yield


class _TriedError(Exception):
    """Ends a transaction whose outcome is only to be looked at; its arguments are the outcome."""


async def try_files(
    database: Database,
    ctx: TenantContext,
    wanted: Wanted,
    look: Callable[[Transaction, int], Awaitable[T]],
    *,
    progress: Progress = lambda _: None,
) -> tuple[Outcome, T]:
    """What an import would do, and what `look` makes of it; nothing of it stays. Raises as `import_files`."""
    _check(wanted)
    wanted = msgspec.structs.replace(wanted, may_remove_many=True)  # it is only looked at
    try:
        async with _alone(database, ctx, wanted.source), database.tenant(ctx) as tx:
            # A number that no run has: it goes away with the transaction, and nobody waits for it.
            number, before = -1 - secrets.randbelow(2**30), await store.source(tx, wanted.source)
            await _insert_run(tx, number, wanted, digest="", actor="dry-run", copied=before)
            position, against = 0, _against(wanted, number, before)
            async with aclosing(_batches(wanted)) as batches:
                async for batch in batches:
                    await _take(tx, number, batch, against=against, first=position)
                    position += len(batch)
                    progress(position)
            await _put_into_force(tx, wanted, number, before=before, position=position, actor="dry-run")
            counts = await store.counts(tx, number)
            outcome = Outcome(run=0, source=wanted.source, counts=counts, resumed_at=0)
            raise _TriedError(outcome, await look(tx, number))
    except _TriedError as tried:
        return tried.args


def _check(wanted: Wanted) -> None:
    mistakes = []
    if wanted.source in RANKS or not IDENTIFIER.match(wanted.source):
        names = ", ".join(RANKS)
        mistakes.append(("source", f"a source has small letters, digits and hyphens, and is none of {names}"))
    if wanted.format.read is None:
        mistakes.append(("format", f"{wanted.format.name} is written, not read"))
    mistakes += [
        (part, f"{wanted.format.name} has no such file") for part in set(wanted.files) - set(wanted.format.parts)
    ]
    if wanted.format.parts[0] not in wanted.files:
        mistakes.append((wanted.format.parts[0], "this file is missing"))
    mistakes += [(part, f"{path} is no file") for part, path in wanted.files.items() if not path.is_file()]
    if mistakes:
        raise InvalidInputError(mistakes)


def _digest(files: Mapping[str, Path]) -> str:
    total = hashlib.sha256()
    for part, path in sorted(files.items()):
        with path.open("rb") as file:
            total.update(f"{part}:{hashlib.file_digest(file, 'sha256').hexdigest()};".encode())
    return total.hexdigest()


async def _begin(
    database: Database, ctx: TenantContext, wanted: Wanted, *, digest: str, actor: str
) -> tuple[RunRow, SourceRow | None]:
    """The run to go on with, and the source as it was."""
    async with database.tenant(ctx) as tx:
        before = await store.source(tx, wanted.source)
        newest = next(iter(await store.runs(tx, source=wanted.source, limit=1)), None)
        if newest is not None and newest.state == "reading":
            if (newest.digest, newest.format) == (digest, wanted.format.name):
                return newest, before
            # Another file has come: what was begun with the old one is of no use any more.
            await _end(tx, newest.run, "another file was imported")
        number = await store.next_run(tx)
        return await _insert_run(tx, number, wanted, digest=digest, actor=actor, copied=before), before


async def _insert_run(
    tx: Transaction, number: int, wanted: Wanted, *, digest: str, actor: str, copied: SourceRow | None
) -> RunRow:
    row = RunRow(
        run=number,
        source=wanted.source,
        format=wanted.format.name,
        digest=digest,
        state="reading",
        position=0,
        started_at=tx.now(),
        ended_at=None,
        actor=actor,
        reason="",
    )
    await tx.insert(store.catalogue_run, row)
    if copied is not None and not wanted.format.is_whole:
        await store.copy_records(tx, before=copied.run, to=number)
    return row


def _against(wanted: Wanted, run: int, before: SourceRow | None) -> int:
    """The run that says what is new: a whole file is compared with the last one, a part with what it goes on from."""
    return before.run if before is not None and wanted.format.is_whole else run


async def _batches(wanted: Wanted, *, after: int = 0) -> AsyncGenerator[list[Change], None]:
    """The changes of the files beyond the first `after`, read beside the loop. Raises SourceError."""
    assert wanted.format.read is not None
    with ExitStack() as stack:
        opened = {part: stack.enter_context(path.open("rb")) for part, path in wanted.files.items()}
        changes = wanted.format.read(opened, wanted.limits)
        await asyncio.to_thread(lambda: next(islice(changes, after, after), None))
        while batch := await asyncio.to_thread(lambda: list(islice(changes, BATCH))):
            yield batch


async def _take(tx: Transaction, run: int, batch: Sequence[Change], *, against: int, first: int) -> None:
    """Decide about each change of a batch, by the records of the run `against`, and write it down."""
    names = {(change.kind, change.id) for change in batch if change.kind and change.id}
    known = await store.digests(tx, against, names) if names else {}
    decided: list[_Decided] = []
    latest: dict[tuple[str, str], RecordRow | None] = {}
    for number, change in enumerate(batch, start=first + 1):
        one, key = _decide(change, known), (change.kind, change.id)
        decided.append(one)
        if one.content:
            latest[key] = RecordRow(
                run=run, kind=key[0], id=key[1], position=number, content=one.content, digest=one.digest
            )
            known[key] = one.digest
        elif isinstance(change, Delete):
            # A source may name as a whole what is several records here: one for each area, say.
            gone = {name for name in known if name == key or (name[0] == key[0] and name[1].startswith(f"{key[1]}@"))}
            gone |= (await store.parts(tx, run, *key)).keys() - {name for name, row in latest.items() if row is None}
            latest |= dict.fromkeys(gone)
            for name in gone:
                known.pop(name, None)
            if gone and one.decision == "orphan":
                decided[-1] = msgspec.structs.replace(one, decision="deleted", reason="")
    kept = [key for key in (_named(one) for one in decided) if key in known and key not in latest and run != against]
    latest |= await _kept_from(tx, against, kept, run=run)
    await store.save_records(tx, [row for row in latest.values() if row is not None])
    if deleted := [key for key, row in latest.items() if row is None]:
        await store.delete_records(tx, run, deleted)
    rows = [
        ReportRow(
            run=run,
            number=number,
            place=one.change.place,
            kind=one.change.kind,
            record=one.change.id,
            decision=one.decision,
            reason=one.reason.replace("\0", ""),
        )
        for number, one in enumerate(decided, start=first + 1)
    ]
    await store.save_report(tx, rows)


def _named(one: _Decided) -> tuple[str, str] | None:
    """What a refused change is about, where that could be told."""
    return (one.change.kind, one.change.id) if one.decision == "refused" else None


async def _kept_from(
    tx: Transaction, against: int, names: Iterable[tuple[str, str] | None], *, run: int
) -> dict[tuple[str, str], RecordRow | None]:
    """Records as they were before, for those that cannot be read now: one bad record takes nothing away."""
    by_kind: dict[str, set[str]] = {}
    for kind, name in filter(None, names):
        by_kind.setdefault(kind, set()).add(name)
    found = [row for kind, some in by_kind.items() for row in await store.records_named(tx, [against], kind, some)]
    return {(row.kind, row.id): msgspec.structs.replace(row, run=run) for row in found}


def _decide(change: Change, known: Mapping[tuple[str, str], str]) -> _Decided:
    key = (change.kind, change.id)
    if isinstance(change, Refused):
        return _refused(change, change.reason, is_known=key in known)
    if isinstance(change, Delete):
        decision, reason = ("deleted", "") if key in known else ("orphan", "there is no such record")
        return _Decided(change=change, decision=decision, reason=reason)
    if mistakes := record_mistakes(change):
        return _refused(change, "; ".join(mistakes[:MAX_NOTES]), is_known=key in known)
    content = msgspec.json.encode(change.record, order="sorted")
    digest = hashlib.sha256(content).hexdigest()
    decision = "added" if key not in known else "unchanged" if known[key] == digest else "changed"
    reason = "; ".join(change.notes[:MAX_NOTES])
    return _Decided(change=change, decision=decision, reason=reason, content=content, digest=digest)


def _refused(change: Change, reason: str, *, is_known: bool) -> _Decided:
    return _Decided(change=change, decision="refused", reason=f"{reason} ({STAYS})" if is_known else reason)


def record_mistakes(change: Upsert) -> list[str]:
    """What is wrong with a record by itself; with others it is compared when the catalogue is put together."""
    try:
        entry = msgspec.convert(change.record, ENTRIES[change.kind])
    except msgspec.ValidationError as error:
        return [str(error)]
    if isinstance(entry, Service):
        return [f"{place}: {sentence}" for place, sentence in checks.service_mistakes(entry)]
    alone = msgspec.structs.replace(Catalogue(), **{change.kind: (entry,)})
    # References lead out of the record, and are looked at later; everything else is wrong wherever it stands.
    return [
        f"{place}: {sentence}" for place, sentence in checks.mistakes(alone) if not sentence.startswith("there is no ")
    ]


async def _put_into_force(
    tx: Transaction, wanted: Wanted, run: int, *, before: SourceRow | None, position: int, actor: str
) -> None:
    """What the run says is what its source says from now on. Raises LossError, ConflictError."""
    now = await store.source(tx, wanted.source)
    if (now.run if now else None) != (before.run if before else None):
        raise ConflictError("this source was imported by somebody else in the meantime")
    if before is not None and wanted.format.is_whole:
        gone, count = await store.gone(tx, before=before.run, now=run), await store.count_records(tx, before.run)
        if len(gone) > max(MOST_GONE, count * MOST_GONE_SHARE) and not wanted.may_remove_many:
            raise LossError(f"{len(gone)} of {count} records would be gone")
        rows = [
            ReportRow(run=run, number=position + n, place="", kind=kind, record=name, decision="deleted", reason="")
            for n, (kind, name) in enumerate(gone, start=1)
        ]
        await store.save_report(tx, rows)
    at = tx.now()
    await store.update_run(tx, run, state="done", ended_at=at)
    row = SourceRow(
        name=wanted.source,
        layer=wanted.layer,
        rank=RANKS["import"],
        format=wanted.format.name,
        run=run,
        updated_at=at,
    )
    await store.save_source(tx, row)
    if before is not None:
        await store.drop_records(tx, before.run)
    quotas.keep_within(tx.ctx, "records", await store.count_imported(tx))
    for old in (await store.runs(tx, source=wanted.source, limit=KEPT_RUNS * 2))[KEPT_RUNS:]:
        await store.drop_report(tx, old.run)
    await audit.record(
        tx, at=at, actor=actor, action="catalogue.import", subject=f"catalogue-source:{wanted.source}", run=run
    )


async def _fail(database: Database, ctx: TenantContext, run: RunRow, reason: str) -> None:
    async with database.tenant(ctx) as tx:
        await _end(tx, run.run, reason)


async def _end(tx: Transaction, run: int, reason: str) -> None:
    await store.update_run(tx, run, state="failed", ended_at=tx.now(), reason=reason)
    await store.drop_records(tx, run)


async def put_files(tx: Transaction, catalogue: Catalogue, *, at: datetime) -> None:
    """What the tenant's own files say, as the records of a source."""
    content = {key: msgspec.json.encode(record, order="sorted") for key, record in records_of(catalogue).items()}
    total = hashlib.sha256(b"".join(content.values())).hexdigest()
    before = await store.source(tx, FILES)
    if before is not None and (run := await store.run(tx, before.run)) is not None and run.digest == total:
        return
    number = await store.next_run(tx)
    await tx.insert(
        store.catalogue_run,
        RunRow(
            run=number,
            source=FILES,
            format="own",
            digest=total,
            state="done",
            position=len(content),
            started_at=at,
            ended_at=at,
            actor="",
            reason="",
        ),
    )
    rows = [
        RecordRow(run=number, kind=kind, id=name, position=n, content=body, digest=hashlib.sha256(body).hexdigest())
        for n, ((kind, name), body) in enumerate(content.items(), start=1)
    ]
    await store.save_records(tx, rows)
    await store.save_source(
        tx, SourceRow(name=FILES, layer="tenant", rank=RANKS[FILES], format="own", run=number, updated_at=at)
    )
    if before is not None:
        await store.drop_records(tx, before.run)
