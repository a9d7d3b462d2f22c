"""A benchmark's report: tables of words for people, figures for programs, and under which load they were taken."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import _processes as processes
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable


class Table(msgspec.Struct, frozen=True):
    """One table; `note` is a sentence below it."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


class Result(msgspec.Struct, frozen=True):
    """What a benchmark measured. `figures` are the numbers behind the tables, by name."""

    tables: list[Table]
    figures: dict[str, float]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A result with its circumstances."""

    name: str
    command: str
    at: datetime
    machine: str
    seconds: float
    load_before: float
    load_after: float
    stolen_percent: float
    result: Result


class Options(msgspec.Struct, frozen=True):
    """What the command line says: how often to measure, and the Python that has the peers installed."""

    runs: int
    peers: str


Measure = Callable[[Options], Result]


def say(sentence: str) -> None:
    """Progress for people, on standard error."""
    print(f"  {sentence}", file=sys.stderr, flush=True)


def main(name: str, measure: Measure, *, runs: int) -> None:
    """Run one benchmark as a program. `runs` is how often it measures when nobody says otherwise."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--json", action="store_true", help="write the report as JSON")
    parser.add_argument("--runs", type=int, default=runs, help="how often each figure is measured (%(default)s)")
    parser.add_argument("--peers", default=sys.executable, help="a Python that has bench/peers.txt installed")
    given = parser.parse_args()
    say(f"{name}: {given.runs} runs, load {processes.load():.1f}")
    report = observed(name, measure, Options(given.runs, given.peers))
    if given.json:
        print(msgspec.json.encode(report).decode())
    else:
        show(report)


def observed(name: str, measure: Measure, options: Options) -> Report:
    """Measure, and note the load and what the hypervisor took meanwhile."""
    at, before, started, (ticks, stolen) = (
        datetime.now(UTC),
        processes.load(),
        time.monotonic(),
        processes.machine_ticks(),
    )
    result = measure(options)
    ticks_after, stolen_after = processes.machine_ticks()
    return Report(
        name=name,
        command=f"python bench/{name}.py --runs {options.runs}",
        at=at,
        machine=processes.machine(),
        seconds=round(time.monotonic() - started, 1),
        load_before=before,
        load_after=processes.load(),
        stolen_percent=round(100 * (stolen_after - stolen) / max(1, ticks_after - ticks), 2),
        result=result,
    )


def show(report: Report) -> None:
    """Print the tables."""
    out = Console()
    for table in report.result.tables:
        drawn = RichTable(title=escape(table.title), title_justify="left", caption=escape(table.note))
        for column in table.columns:
            drawn.add_column(escape(column), overflow="fold")
        for row in table.rows:
            drawn.add_row(*(escape(cell) for cell in row))
        out.print(drawn)
    out.print(f"{circumstances(report)}; {report.machine}")


def circumstances(report: Report) -> str:
    return (
        f"{report.at:%Y-%m-%d %H:%M} UTC, load {report.load_before:.1f} before and {report.load_after:.1f} after, "
        f"{report.stolen_percent} % stolen, {report.seconds:.0f} s"
    )


def markdown(report: Report) -> str:
    """The tables for docs/benchmarks.md."""
    parts = [f"`{report.command}`, {circumstances(report)}"]
    for table in report.result.tables:
        parts.append(f"**{table.title}**")
        lines = [table.columns, ["---"] * len(table.columns), *table.rows]
        parts.append("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines))
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed; with few values the highest ones stand for themselves."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Median with the lowest and highest value."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def milliseconds(values: Sequence[float]) -> list[str]:
    """Cells of a table for seconds: lowest, median, 99th percentile, in ms."""
    return [f"{1000 * value:.1f}" for value in (min(values), median(values), percentile(values, 0.99))]


def folder() -> Path:
    """Where the benchmarks lie."""
    return Path(__file__).resolve().parent
