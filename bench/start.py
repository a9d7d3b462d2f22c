"""Cold start and memory: from starting a process to its first answer and first page, and what it holds afterwards.

Peers in the same run: a bare interpreter, uvicorn with ready bytes, and Django with its framework where it is
installed. "Cold" means a new process; the files are in the page cache, as after a restart and not as after a boot.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import _load
import _processes as processes
import _report as report
import msgspec
import pages
from _centre import SERVICE, SERVICE_ID, THEME, Centre, centre

REQUESTS = 1000
PAUSE = 0.005
IMPORTS = (
    "import servicepunkt.core.plugin, servicepunkt.web.plugin, servicepunkt.tenants.cli, servicepunkt.dokbox.plugin"
)
LIVE = "serve, PostgreSQL runs: to /health/live"
PAGE = "serve, PostgreSQL runs: to the first theme page"
BARE = "a bare interpreter, from start to end"
IMPORTED = "the product's imports alone, from start to end"
RAW = "uvicorn with ready bytes"
DJANGO = "Django + REST framework"


class Starts(msgspec.Struct):
    """Seconds of each start: on the clock, and of CPU of the process tree."""

    elapsed: list[float] = []
    cpu: list[float] = []

    def add(self, elapsed: float, cpu: float) -> None:
        self.elapsed.append(elapsed)
        self.cpu.append(cpu)


Times = defaultdict[str, Starts]


def measure(options: report.Options) -> report.Result:
    times: Times = defaultdict(Starts)
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
        with centre(Path(folder)):
            pass
        environment = processes.clean_environment(SERVICEPUNKT_HOME=folder, SERVICEPUNKT_SECURE_COOKIES="false")
        for number in range(options.runs):
            # Nobody else holds the embedded server: this process starts it and has to stop it.
            assert not (Path(folder) / "postgres" / "postmaster.pid").exists(), "PostgreSQL runs already"
            asyncio.run(first_answers(times, "serve, starts the embedded PostgreSQL", serve, environment))
            report.say(f"with PostgreSQL's start, {number + 1} of {options.runs}")
        with centre(Path(folder)) as made:
            for number in range(options.runs):
                asyncio.run(first_answers(times, "serve, PostgreSQL runs", serve, made.environment()))
                timed_python(times, BARE, "pass")
                timed_python(times, IMPORTED, IMPORTS)
                report.say(f"without PostgreSQL's start, {number + 1} of {options.runs}")
            memory = peers_and_memory(made, options, times)
    return result(times, memory, options.runs)


def serve(port: int) -> list[str]:
    return [sys.executable, "-m", "servicepunkt.core", "serve", "--port", str(port)]


async def first_answers(
    times: Times, name: str, command: Callable[[int], list[str]], environment: dict[str, str], peer: str = ""
) -> None:
    """Start a process and ask it until it answers: the product for its health and a page, a peer for its one answer."""
    moments = {"its first answer": peer} if peer else {"/health/live": "/health/live", "the first theme page": THEME}
    port = processes.free_port()
    started = time.monotonic()
    # Ctrl-C, because after SIGTERM the embedded PostgreSQL would still run and the next start would not be one.
    with processes.running(command(port), environment=environment, ending=signal.SIGINT) as process:
        for moment, path in moments.items():
            at = await processes.answers(port, path, process, pause=PAUSE)
            times[f"{name}: to {moment}"].add(at - started, processes.cpu_seconds(process.pid))


def timed_python(times: Times, name: str, program: str) -> None:
    started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env=processes.clean_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    times[name].add(time.monotonic() - started, after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime)


def peers_and_memory(made: Centre, options: report.Options, times: Times) -> list[list[str]]:
    """Start the peers as often as the product, and weigh everybody after the same number of requests."""
    with ExitStack() as stack:
        port, process = stack.enter_context(made.serving())
        worker = stack.enter_context(
            processes.running([sys.executable, "-m", "servicepunkt.core", "worker"], environment=made.environment())
        )
        raw_port, raw = pages.start_raw(made, stack, port, [THEME])
        weighed = [("serve", port, process.pid, [THEME, SERVICE]), (RAW, raw_port, raw, [THEME])]
        repeat(times, RAW, pages.raw_command(made), THEME, options.runs)
        if pages.has_peers(options.peers):
            django_port, django = pages.start_django(made, stack, options.peers)
            weighed.append((DJANGO, django_port, django, [f"/service/{SERVICE_ID}"]))
            repeat(times, DJANGO, pages.django_command(made, options.peers), f"/service/{SERVICE_ID}", options.runs)
        else:
            report.say(f"NOT MEASURED: {options.peers} has no Django; install bench/peers.txt")
        before = {name: processes.memory_mb(pid) for name, _, pid, _ in weighed}
        for _, its_port, _, paths in weighed:
            asyncio.run(_load.get(its_port, paths, REQUESTS))
        rows = [memory_row(name, pid, before[name]) for name, _, pid, _ in weighed]
        return [*rows, memory_row("worker, beside it, without a job", worker.pid, None)]


def repeat(times: Times, name: str, command: Callable[[int], list[str]], path: str, runs: int) -> None:
    for _ in range(runs):
        asyncio.run(first_answers(times, name, command, processes.clean_environment(), path))


def memory_row(name: str, pid: int, before: tuple[float, float] | None) -> list[str]:
    rss, pss = processes.memory_mb(pid)
    return [name, f"{rss:.0f}", f"{pss:.0f}", f"{before[0]:.0f}" if before else "-"]


def result(times: Times, memory: list[list[str]], runs: int) -> report.Result:
    embedded = times["serve, starts the embedded PostgreSQL: to the first theme page"]
    pairs = {
        "to /health/live / bare interpreter": (times[LIVE], times[BARE]),
        "to /health/live / imports alone": (times[LIVE], times[IMPORTED]),
        "to the first page / uvicorn with ready bytes": (times[PAGE], times[f"{RAW}: to its first answer"]),
        "to the first page, with PostgreSQL's start / without": (embedded, times[PAGE]),
    }
    if f"{DJANGO}: to its first answer" in times:
        pairs["to the first page / Django to its first answer"] = times[PAGE], times[f"{DJANGO}: to its first answer"]
    elapsed = {name: report.median(one.elapsed) / report.median(other.elapsed) for name, (one, other) in pairs.items()}
    cpu = {name: report.median(one.cpu) / report.median(other.cpu) for name, (one, other) in pairs.items()}
    rows = [
        [name, *report.milliseconds(start.elapsed), f"{1000 * report.median(start.cpu):.0f}"]
        for name, start in times.items()
    ]
    note = f"{runs} starts each. CPU of the process and what it started; PostgreSQL detaches itself and is not in it."
    return report.Result(
        [
            report.Table("From starting a process", ["what", "ms: min", "median", "max", "CPU ms: median"], rows, note),
            report.Table(
                "Ratios of the medians",
                ["what", "on the clock", "CPU"],
                [[name, f"{elapsed[name]:.2f}", f"{cpu[name]:.2f}"] for name in pairs],
            ),
            report.Table(
                f"Megabytes of a process after {REQUESTS:,} requests", ["what", "RSS", "PSS", "RSS before"], memory
            ),
        ],
        elapsed
        | {f"{name}, CPU": ratio for name, ratio in cpu.items()}
        | {f"{name}, median ms": 1000 * report.median(start.elapsed) for name, start in times.items()},
    )


if __name__ == "__main__":
    report.main("start", measure, runs=5)
