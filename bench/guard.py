"""What the guard before every statement costs: microseconds a statement, against the same engine without it.

The statements are the store functions of the product (a select by key and by newest revision, an insert of a journal
entry), in one open transaction of a tenant with row-level security on. Both engines take turns in small rounds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import _report as report
import msgspec
import sqlalchemy as sa
from _centre import TENANT, Centre, centre
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue import store as catalogue
from servicepunkt.core.db import guard
from servicepunkt.core.db.session import Database, Transaction
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox import store as dokbox

STATEMENTS = 300
BOX = "dokbox-1"
NOBODY = UUID(int=1)
Statement = Callable[[Transaction, int], Awaitable[object]]


async def newest_revision(tx: Transaction, number: int) -> object:
    del number
    return await catalogue.newest(tx)


async def deposit_by_id(tx: Transaction, number: int) -> object:
    del number
    return await dokbox.find_deposit(tx, NOBODY)


async def insert_entry(tx: Transaction, number: int) -> object:
    at = datetime.now(UTC)
    entry = dokbox.EventRow(
        box=BOX,
        seq=number,
        at=at,
        event="attempt",
        deposit=str(NOBODY),
        compartment=7,
        state="notified",
        data={"attempt": 1},
        previous="0" * 64,
        hash="0" * 64,
        received_at=at,
    )
    await dokbox.insert_event(tx, entry)
    return None


KINDS: dict[str, Statement] = {
    "select: newest revision of the catalogue": newest_revision,
    "select: one deposit by its id": deposit_by_id,
    "insert: one entry of a box's journal": insert_entry,
}


class Timed(msgspec.Struct):
    """Microseconds a statement in each round: (elapsed, CPU of this process)."""

    guarded: list[tuple[float, float]] = []
    unguarded: list[tuple[float, float]] = []
    check: list[float] = []


def measure(options: report.Options) -> report.Result:
    timed = {name: Timed([], [], []) for name in KINDS}
    with centre() as made:
        asyncio.run(play(made, timed, options.runs))
    return result(timed, options.runs)


async def play(made: Centre, timed: dict[str, Timed], rounds: int) -> None:
    async with deployments.running(made.settings) as deployment:
        ctx = await deployment.directory.by_slug(TENANT)
        assert ctx is not None
        unguarded = Database(made.settings.database_url, pool_size=1)
        await unguarded.close()
        unguarded.engine = plain_engine(made.settings.database_url)
        try:
            for number in range(rounds):
                for name, statement in KINDS.items():
                    pair = [(deployment.database, timed[name].guarded), (unguarded, timed[name].unguarded)]
                    # Who begins changes with the round, so that a rising load meets both alike.
                    for database, times in pair if number % 2 else pair[::-1]:
                        times.append(await one_round(database, ctx, statement))
                    timed[name].check.append(await check_alone(deployment.database, ctx, statement))
                report.say(f"round {number + 1} of {rounds}")
        finally:
            await unguarded.close()


def plain_engine(url: str) -> AsyncEngine:
    """The engine of `Database` without the guard."""
    return create_async_engine(
        url,
        pool_size=1,
        hide_parameters=True,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )


class _UndoError(Exception):
    """Ends a transaction of which nothing shall stay."""


async def one_round(database: Database, ctx: TenantContext, statement: Statement) -> tuple[float, float]:
    elapsed = cpu = 0.0
    try:
        async with database.tenant(ctx) as tx:
            await statement(tx, 10**9)
            started, used = time.perf_counter(), time.process_time()
            for number in range(STATEMENTS):
                await statement(tx, number + 1)
            elapsed, cpu = time.perf_counter() - started, time.process_time() - used
            raise _UndoError
    except _UndoError:
        return 1e6 * elapsed / STATEMENTS, 1e6 * cpu / STATEMENTS


async def check_alone(database: Database, ctx: TenantContext, statement: Statement) -> float:
    """Microseconds of `guard.check` for the statement, without SQLAlchemy's events around it."""
    seen: list[tuple[Any, list[Any]]] = []

    def keep(connection: Any, clause: Any, many: Any, single: Any, options: Any) -> None:
        del connection, options
        seen.append((clause, [*many, *([single] if single else [])]))

    try:
        async with database.tenant(ctx) as tx:
            sa.event.listen(database.engine.sync_engine, "before_execute", keep)
            await statement(tx, 10**9)
            raise _UndoError
    except _UndoError:
        sa.event.remove(database.engine.sync_engine, "before_execute", keep)
    clause, parameters = seen[-1]
    started = time.perf_counter()
    for _ in range(STATEMENTS):
        guard.check(clause, ctx.id, parameters)
    return 1e6 * (time.perf_counter() - started) / STATEMENTS


def result(timed: dict[str, Timed], rounds: int) -> report.Result:
    rows, figures = [], {}
    for name, times in timed.items():
        with_guard, without = [e for e, _ in times.guarded], [e for e, _ in times.unguarded]
        cpu = [one - other for (_, one), (_, other) in zip(times.guarded, times.unguarded, strict=True)]
        share = [check / whole for check, whole in zip(times.check, with_guard, strict=True)]
        ratios = [one / other for one, other in zip(with_guard, without, strict=True)]
        rows.append(
            [
                name,
                report.spread(without, ".0f"),
                report.spread(with_guard, ".0f"),
                f"{report.median(cpu):.0f}",
                report.spread(times.check, ".1f"),
                f"{100 * report.median(share):.1f} %",
                report.spread(ratios, ".3f"),
            ]
        )
        figures[f"{name}: check, µs"] = report.median(times.check)
        figures[f"{name}: with / without"] = report.median(ratios)
        figures[f"{name}: share of the check"] = report.median(share)
    columns = [
        "statement",
        "without, µs",
        "with, µs",
        "CPU more, µs",
        "the check by itself, µs",
        "the check's share",
        "with / without",
    ]
    note = f"{rounds} rounds of {STATEMENTS} statements each; median (min to max)."
    return report.Result([report.Table("A statement with and without the guard", columns, rows, note)], figures)


if __name__ == "__main__":
    report.main("guard", measure, runs=15)
