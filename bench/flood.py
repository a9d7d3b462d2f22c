"""One tenant is flooded: how long another one's visitors wait, against how long they wait when nothing happens.

Both tenants are served by one process. The quiet one's visitors come at fixed instants, whether or not the one before
was answered, so that no waiting is hidden. Each round takes all four measurements after one another.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import _processes as processes
import _report as report
import psycopg
from _centre import TENANT, THEME, Centre, centre
from _flood import ask, request_of

from servicepunkt.core.settings import Settings

RATE = 20.0  # the quiet tenant's visitors in a second
SECONDS = 20
CONNECTIONS = 32
FLOODED = "flooded"
QUIET_VISITORS = 60_000  # other addresses than those of the flood
COPIED = "name, state, hosts, plugins, locale, languages, zone, subdivision, settings"
CONDITIONS = ("with limits", "without limits")


def measure(options: report.Options) -> report.Result:
    waits: dict[tuple[str, bool], list[list[float]]] = defaultdict(list)
    statuses: dict[str, Counter[str]] = defaultdict(Counter)
    used: dict[tuple[str, bool], list[float]] = defaultdict(list)
    with centre() as made, ExitStack() as stack:
        add_tenant(made)
        servers = {name: stack.enter_context(made.serving(limited=name == CONDITIONS[0])) for name in CONDITIONS}
        for number in range(options.runs + 1):
            for name, (port, process) in servers.items():
                for flooded in (False, True):
                    before = processes.cpu_seconds(process.pid)
                    taken, answered = one(port, flooded=flooded)
                    if number:  # the first round warms up
                        waits[name, flooded].append(taken)
                        used[name, flooded].append(processes.cpu_seconds(process.pid) - before)
                        statuses[name].update(answered)
            report.say(f"round {number} of {options.runs}")
    return tables(waits, used, statuses, options.runs)


def add_tenant(made: Centre) -> None:
    """A second tenant like the reference tenant, with the same catalogue."""
    with psycopg.connect(made.superuser) as connection:
        connection.execute(
            f"INSERT INTO tenant (id, slug, revision, updated_at, {COPIED}) "
            f"SELECT 2, '{FLOODED}', 2, updated_at, {COPIED} FROM tenant WHERE slug = '{TENANT}'"
        )
        columns = "revision, content, digest, published_at, published_by, origins"
        connection.execute(
            f"INSERT INTO catalogue_revision (tenant_id, {columns}) "
            f"SELECT 2, {columns} FROM catalogue_revision WHERE tenant_id = 1"
        )


def one(port: int, *, flooded: bool) -> tuple[list[float], Counter[str]]:
    """Seconds of each of the quiet tenant's visitors, and how the flood was answered."""
    with flooding(port) if flooded else nothing() as answered:
        taken = asyncio.run(visitors(port))
    return taken, answered


@contextmanager
def flooding(port: int) -> Iterator[Counter[str]]:
    """The flood for the length of the block, from a process of its own."""
    answered: Counter[str] = Counter()
    path = THEME.replace(TENANT, FLOODED)
    program = str(report.folder() / "_flood.py")
    command = [sys.executable, program, str(port), path, str(SECONDS + 2), str(CONNECTIONS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        time.sleep(1.5)
        yield answered
        said, _ = process.communicate()
    answered.update(json.loads(said))


@contextmanager
def nothing() -> Iterator[Counter[str]]:
    yield Counter()


async def visitors(port: int) -> list[float]:
    """Each comes at an instant of its own; counted from that instant, not from when there was time to ask."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    begin = loop.time()

    async def visitor(number: int) -> None:
        due = begin + number / RATE
        await asyncio.sleep(due - loop.time())
        connection = await asyncio.open_connection(processes.HOST, port)
        status = await ask(request_of(THEME, QUIET_VISITORS + number % 5000), connection)
        connection[1].close()
        if status != 200:
            raise RuntimeError(f"the quiet tenant was answered {status}")
        taken.append(loop.time() - due)

    await asyncio.gather(*(visitor(number) for number in range(int(RATE * (SECONDS - 2)))))
    return taken


def tables(
    waits: dict[tuple[str, bool], list[list[float]]],
    used: dict[tuple[str, bool], list[float]],
    statuses: dict[str, Counter[str]],
    runs: int,
) -> report.Result:
    rows, figures = [], dict[str, float]()
    for name in CONDITIONS:
        p99 = {
            flooded: [report.percentile(values, 0.99) for values in waits[name, flooded]] for flooded in (False, True)
        }
        factors = [flooded / alone for alone, flooded in zip(p99[False], p99[True], strict=True)]
        figures[f"p99 flooded / alone, {name}"] = report.median(factors)
        figures[f"p99 flooded, ms, {name}"] = 1000 * report.median(p99[True])
        for flooded in (False, True):
            middle = [1000 * report.median(values) for values in waits[name, flooded]]
            rows.append(
                [
                    f"{name}, {'one is flooded' if flooded else 'alone'}",
                    report.spread(middle, ".1f"),
                    report.spread([1000 * value for value in p99[flooded]], ".1f"),
                    report.spread(factors, ".2f") if flooded else "",
                    f"{report.median(used[name, flooded]):.1f}",
                    answered(statuses[name], runs) if flooded else "",
                ]
            )
    settings = Settings()
    note = (
        f"{runs} rounds; median (min to max). {RATE:.0f} visitors a second of the quiet tenant for {SECONDS - 2} s; "
        f"the flood has {CONNECTIONS} connections and an address for each of 5,000 visitors. Limits as they are when "
        f"nobody sets them: {settings.tenant_requests:.0f} requests a second for a tenant, "
        f"{settings.address_requests:.0f} for an address."
    )
    columns = [
        "theme page of the quiet tenant",
        "median, ms",
        "p99, ms",
        "p99 / p99 alone",
        "CPU-seconds of the server",
        "the flood was answered",
    ]
    return report.Result([report.Table("One tenant is flooded", columns, rows, note)], figures)


def answered(statuses: Counter[str], runs: int) -> str:
    """Answers a second by status."""
    return ", ".join(f"{status}: {count / runs / (SECONDS + 2):,.0f}/s" for status, count in sorted(statuses.items()))


if __name__ == "__main__":
    report.main("flood", measure, runs=3)
