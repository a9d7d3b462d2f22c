"""Ten and eleven thousand tenants in one deployment: what the directory takes, what a request and a hook call cost.

The rows are copies of the reference tenant's own, written straight into the table of a second database on the same
server; the first database keeps one tenant and is the measure.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import _load
import _processes as processes
import _report as report
import pluggy
import psycopg
from _centre import TENANT, THEME, Centre, centre, with_database

from servicepunkt.core import deployment as deployments
from servicepunkt.core import hookspecs
from servicepunkt.core.catalogue.service import KEPT_TENANTS
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.session import Database
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy import store
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.tenancy.service import DatabaseDirectory

#: How many; pages are asked for among the most.
SIZES = (10_000, 11_000)
SPREAD = 1000
REQUESTS = 400
SETS = 10
CALLS = 20_000
COPIED = "name, state, hosts, plugins, locale, languages, zone, subdivision, settings"


def measure(options: report.Options) -> report.Result:
    with centre() as made, ExitStack() as stack:
        figures: dict[str, float] = {}
        filled = {size: fill(made, size) for size in SIZES}
        tables = [
            asyncio.run(directory_table(made, many, size, options.runs, figures)) for size, many in filled.items()
        ]
        tables.append(request_table(made, filled[SIZES[-1]], stack, options.runs, figures))
    return report.Result([*tables, hook_table(options.runs, figures)], figures)


def fill(made: Centre, size: int) -> Settings:
    """Another database with so many tenants; the first thousand have a published catalogue of their own."""
    name = f"tenants_{size}"
    with psycopg.connect(made.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE servicepunkt OWNER servicepunkt_owner")
    settings = with_database(made.settings, name)
    owner = conninfo(settings.owner_database_url).replace("servicepunkt_owner", "postgres")
    with psycopg.connect(owner) as connection:
        connection.execute(
            f"INSERT INTO tenant (id, slug, revision, updated_at, {COPIED}) SELECT g, 'tenant-' || g, g, updated_at, "
            f"{COPIED} FROM tenant, generate_series(2, {size}) AS g WHERE slug = '{TENANT}'"
        )
        columns = "revision, content, digest, published_at, published_by"
        connection.execute(
            f"INSERT INTO catalogue_revision (tenant_id, {columns}) SELECT g, {columns} "
            f"FROM catalogue_revision, generate_series(2, {SPREAD}) AS g WHERE tenant_id = 1"
        )
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    return settings


# --- the directory ------------------------------------------------------------------------------------------------


async def directory_table(
    made: Centre, many: Settings, size: int, runs: int, figures: dict[str, float]
) -> report.Table:
    plugins = deployments.load_plugins(made.settings)
    first, plain, again = [], [], []
    for number in range(runs):
        database = Database(many.database_url, pool_size=1)
        try:
            directory = DatabaseDirectory(database, plugins)
            started = time.perf_counter()
            assert len(await directory.all()) == size
            first.append(time.perf_counter() - started)
            directory.forget()
            started = time.perf_counter()
            await directory.by_slug(TENANT)
            again.append(time.perf_counter() - started)
            plain.append(await asyncio.to_thread(plain_read, many, size))
        finally:
            await database.close()
        report.say(f"directory, {number + 1} of {runs}")
    bytes_each = await traced(many, plugins, size)
    ratios = [one / other for one, other in zip(first, plain, strict=True)]
    each = 1e6 * report.median(first) / size
    figures |= {
        f"start of the directory of {size:,}, ms": 1000 * report.median(first),
        f"µs a tenant of {size:,}": each,
        f"bytes a tenant of {size:,}": bytes_each,
        f"start / the driver's own reading of {size:,} rows": report.median(ratios),
        f"looking again when nothing of {size:,} has changed, ms": 1000 * report.median(again),
    }
    rows = [
        ["start: all contexts made", f"{report.spread([1000 * value for value in first], '.0f')} ms"],
        ["... a tenant", f"{each:.1f} µs"],
        ["the driver alone reads the same rows", f"{report.spread([1000 * value for value in plain], '.0f')} ms"],
        ["start / the driver alone", report.spread(ratios, ".2f")],
        ["memory of a tenant (tracemalloc)", f"{bytes_each:,.0f} bytes"],
        ["looking again, once a second, nothing changed", f"{report.spread([1000 * v for v in again], '.1f')} ms"],
    ]
    return report.Table(f"Directory of {size:,} tenants", ["what", "median (min to max)"], rows)


def plain_read(settings: Settings, size: int) -> float:
    """Seconds in which psycopg fetches every row, without a context being made of any."""
    started = time.perf_counter()
    with psycopg.connect(conninfo(settings.database_url)) as connection:
        assert len(connection.execute("SELECT * FROM tenant ORDER BY id").fetchall()) == size
    return time.perf_counter() - started


async def traced(settings: Settings, plugins: PluginHost, size: int) -> float:
    """Bytes that the directory keeps for each tenant."""
    database = Database(settings.database_url, pool_size=1)
    try:
        # What the engine itself keeps after its first statement is no tenant's.
        async with database.platform("warm up") as connection:
            await store.rows(connection)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        directory = DatabaseDirectory(database, plugins)
        await directory.all()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        await database.close()
    return kept / size


# --- requests -----------------------------------------------------------------------------------------------------


def request_table(
    made: Centre, many: Settings, stack: ExitStack, rounds: int, figures: dict[str, float]
) -> report.Table:
    one_port, one = stack.enter_context(made.serving())
    many_port, crowd = stack.enter_context(made.serving(database_url=many.database_url))
    crowded = [THEME.replace(TENANT, f"tenant-{number}") for number in range(2, SPREAD + 1)]
    asked = {
        "one tenant": (one_port, one.pid, [THEME]),
        f"{SIZES[-1]:,} tenants, the same tenant asked": (many_port, crowd.pid, [THEME]),
        f"{SIZES[-1]:,} tenants, {SPREAD:,} of them asked in turn": (many_port, crowd.pid, crowded),
    }
    per_cpu: dict[str, list[float]] = {name: [] for name in asked}
    database: dict[str, list[float]] = {name: [] for name in asked}
    for number in range(rounds + 1):
        for name, (port, pid, paths) in asked.items():
            used, its = processes.cpu_seconds(pid), processes.cpu_seconds(made.database_pid)
            # Go on where the round before ended: whoever comes again was forgotten in between.
            begin = number * REQUESTS % len(paths)
            asyncio.run(_load.get(port, paths[begin:] + paths[:begin], REQUESTS))
            if number:  # the first round warms up
                per_cpu[name].append(REQUESTS / (processes.cpu_seconds(pid) - used))
                database[name].append(1000 * (processes.cpu_seconds(made.database_pid) - its) / REQUESTS)
        report.say(f"requests, round {number} of {rounds}")
    alone = per_cpu["one tenant"]
    rows = []
    for name, values in per_cpu.items():
        ratios = [lone / value for lone, value in zip(alone, values, strict=True)]
        figures[f"cost of a request, {name} / one tenant"] = report.median(ratios)
        cells = [report.spread(values), report.spread(ratios, ".2f"), f"{report.median(database[name]):.2f}"]
        rows.append([name, *cells])
    columns = [
        "theme page",
        "requests per CPU-second",
        "cost of a request / with one tenant",
        "CPU ms of PostgreSQL each",
    ]
    note = (
        f"{rounds} rounds of {REQUESTS} requests; median (min to max). Of {SPREAD:,} tenants in turn none is in memory "
        f"any more when it is asked again, because a process keeps {KEPT_TENANTS} catalogues."
    )
    return report.Table("Requests", columns, rows, note)


# --- hooks --------------------------------------------------------------------------------------------------------


TEMPLATES = (NoticeTemplate("bench", {"de": "Guten Tag."}),)


class _Plugin:
    """A plugin that answers one hook."""

    servicepunkt_api = hookspecs.API_VERSION

    @hookimpl
    def notice_templates(self, ctx: TenantContext) -> tuple[NoticeTemplate, ...]:  # noqa: ARG002
        return TEMPLATES


def hook_table(runs: int, figures: dict[str, float]) -> report.Table:
    """`collect()` for tenants with ten different sets of five plugins, against calling the functions by hand."""
    names = [f"plugin-{number}" for number in range(SETS)]
    plugins = {name: _Plugin() for name in names}
    host, peer = PluginHost(), pluggy.PluginManager(hookspecs.PROJECT)
    peer.add_hookspecs(hookspecs)
    for name, plugin in plugins.items():
        host.register(plugin, name)
        peer.register(plugin, name)
    host.freeze()
    sets = [frozenset((names * 2)[number : number + 5]) for number in range(SETS)]
    contexts = [TenantContext(id=number, slug=str(number), name="", plugins=held) for number, held in enumerate(sets)]
    functions = [[plugins[name].notice_templates for name in sorted(held)] for held in sets]
    callers = [
        peer.subset_hook_caller("notice_templates", [plugins[name] for name in names if name not in held])
        for held in sets
    ]
    first = []
    for ctx in contexts:
        started = time.perf_counter()
        assert len(host.collect(ctx, "notice_templates")) == 5
        first.append(time.perf_counter() - started)
    ways: dict[str, Callable[[int], Any]] = {
        "collect()": lambda number: host.collect(contexts[number], "notice_templates"),
        "the same functions called by hand": lambda number: [call(ctx=contexts[number]) for call in functions[number]],
        "pluggy's own subset caller, no isolation": lambda number: callers[number](ctx=contexts[number]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            with timed(times[name]):
                for number in range(CALLS):
                    way(number % SETS)
    rows = [
        [
            name,
            report.spread([1e6 * v / CALLS for v in values], ".2f"),
            f"{report.median(times['collect()']) / report.median(values):.2f}",
        ]
        for name, values in times.items()
    ]
    rows.append(["collect() for a set not asked before", report.spread([1e6 * value for value in first], ".1f"), ""])
    figures["collect(), µs"] = 1e6 * report.median(times["collect()"]) / CALLS
    figures["collect() / by hand"] = report.median(times["collect()"]) / report.median(
        times["the same functions called by hand"]
    )
    note = f"Five answers a call; {runs} rounds of {CALLS:,} calls over {SETS} sets; median (min to max)."
    return report.Table(
        f"A hook over {SETS} distinct sets of plugins", ["what", "µs a call", "collect() / this"], rows, note
    )


@contextmanager
def timed(values: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    values.append(time.perf_counter() - started)


if __name__ == "__main__":
    report.main("tenants", measure, runs=4)
