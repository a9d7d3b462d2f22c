"""Public pages per CPU-second of the server, against ready bytes on the same server and against Django's framework.

Every server is one process of uvicorn with the same settings, on the same PostgreSQL. They take turns: each round asks
each of them, and a ratio is made of two figures of the same round.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack

import _load
import _processes as processes
import _report as report
import msgspec
import psycopg
from _centre import API, SERVICE, SERVICE_ID, THEME, Centre, centre

from servicepunkt.core import deployment as deployments
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.service import CatalogueReader

CPU_SECONDS = 1.2
FIRST_REQUESTS = 300
COLUMNS = (
    "id",
    *(f"{text}_{language}" for text in ("name", "summary", "description") for language in ("de", "en")),
    "fee_de",
    "duration_de",
    "legal_basis",
)


class Contender(msgspec.Struct):
    """One address of one server, and what was measured of it."""

    name: str
    port: int
    pid: int
    path: str
    count: int = FIRST_REQUESTS
    body_bytes: int = 0
    per_cpu_second: list[float] = []
    per_second: list[float] = []
    database_ms: list[float] = []


def measure(options: report.Options) -> report.Result:
    with centre() as made, ExitStack() as stack:
        contenders = start_all(made, stack, options)
        version = made.database_version
        asyncio.run(play(made, contenders, options.runs))
    return result(contenders, version)


def start_all(made: Centre, stack: ExitStack, options: report.Options) -> list[Contender]:
    port, process = stack.enter_context(made.serving())
    pages = {"theme page": THEME, "service page": SERVICE, "service for programs": API}
    contenders = [Contender(name, port, process.pid, path) for name, path in pages.items()]
    raw_port, raw = start_raw(made, stack, port, list(pages.values()))
    contenders += [Contender(f"ready bytes of the {name}", raw_port, raw, path) for name, path in pages.items()]
    if has_peers(options.peers):
        django_port, django = start_django(made, stack, options.peers)
        contenders += [
            Contender("Django + REST framework, one row", django_port, django, f"/service/{SERVICE_ID}"),
            Contender("Django, asynchronous view, one row", django_port, django, f"/plain/{SERVICE_ID}"),
        ]
    else:
        report.say(f"NOT MEASURED: {options.peers} has no Django; install bench/peers.txt or name another with --peers")
    return contenders


def start_raw(made: Centre, stack: ExitStack, source: int, paths: list[str]) -> tuple[int, int]:
    """A server that answers each path with the bytes and headers that the product answered once."""
    listed: dict[str, tuple[list[tuple[str, str]], str]] = {}
    for number, path in enumerate(paths):
        status, headers, body = asyncio.run(processes.fetch(source, path))
        assert status == 200, f"{path} answers {status}"
        kept = [(name, value) for name, value in headers if name not in ("date", "connection")]
        file = made.home / f"answer-{number}"
        file.write_bytes(body)
        listed[path] = (kept, str(file))
    (made.home / "answers.json").write_text(json.dumps(listed))
    port = processes.free_port()
    process = stack.enter_context(processes.running(raw_command(made)(port)))
    asyncio.run(processes.answers(port, paths[0], process))
    return port, process.pid


def has_peers(python: str) -> bool:
    return subprocess.run([python, "-c", "import rest_framework"], capture_output=True, check=False).returncode == 0


def start_django(made: Centre, stack: ExitStack, python: str) -> tuple[int, int]:
    fill_table(made)
    port = processes.free_port()
    command = django_command(made, python)(port)
    process = stack.enter_context(processes.running(command, log=made.home / "django.log"))
    try:
        asyncio.run(processes.answers(port, f"/service/{SERVICE_ID}", process))
    except processes.NotReadyError:
        sys.stderr.write((made.home / "django.log").read_text()[-2000:])
        raise
    return port, process.pid


def django_command(made: Centre, python: str) -> Callable[[int], list[str]]:
    """The command line of the peer for a port."""
    with psycopg.connect(made.superuser) as connection:
        socket = str(connection.info.host)
    return lambda port: [python, str(report.folder() / "_django.py"), "--port", str(port), "--socket", socket]


def raw_command(made: Centre) -> Callable[[int], list[str]]:
    """The command line of the server of ready bytes for a port."""
    answers = str(made.home / "answers.json")
    return lambda port: [
        sys.executable,
        str(report.folder() / "_raw.py"),
        "--port",
        str(port),
        "--answers",
        answers,
    ]


def fill_table(made: Centre) -> None:
    """The peer's own table with the texts of all services of the tenant."""
    catalogue = asyncio.run(read_catalogue(made))
    with psycopg.connect(made.superuser) as connection:
        connection.execute(
            f"CREATE TABLE bench_service ({', '.join(f'{name} text NOT NULL' for name in COLUMNS)}, PRIMARY KEY (id))"
        )
        for service in catalogue.services:
            texts = (service.name, service.summary, service.description)
            values = [service.id, *(text.get(language, "") for text in texts for language in ("de", "en"))]
            values += [
                service.fee.get("de", ""),
                service.duration.get("de", ""),
                "; ".join(map(str, service.legal_basis)),
            ]
            connection.execute(f"INSERT INTO bench_service VALUES ({', '.join(['%s'] * len(COLUMNS))})", values)
        connection.execute("GRANT SELECT ON bench_service TO servicepunkt_app")
        connection.commit()
        connection.execute("ANALYZE bench_service")


async def read_catalogue(made: Centre) -> Catalogue:
    async with deployments.running(made.settings) as deployment:
        ctx = await deployment.directory.by_slug("kassel")
        assert ctx is not None
        return (await CatalogueReader(deployment.database).current(ctx)).catalogue


async def play(made: Centre, contenders: list[Contender], rounds: int) -> None:
    for contender in contenders:
        # The first requests warm up and say how many are needed for a CPU time that /proc can tell.
        await ask(made, contender)
        per_cpu_second = contender.per_cpu_second.pop()
        contender.count = max(FIRST_REQUESTS, int(per_cpu_second * CPU_SECONDS))
        contender.per_second.clear()
        contender.database_ms.clear()
    for number in range(rounds):
        for contender in contenders:
            await ask(made, contender)
        report.say(f"round {number + 1} of {rounds}, load {processes.load():.1f}")


async def ask(made: Centre, contender: Contender) -> None:
    used, database = processes.cpu_seconds(contender.pid), processes.cpu_seconds(made.database_pid)
    load = await _load.get(contender.port, [contender.path], contender.count)
    used, database = processes.cpu_seconds(contender.pid) - used, processes.cpu_seconds(made.database_pid) - database
    contender.body_bytes = load.body_bytes // load.answers
    contender.per_cpu_second.append(load.answers / max(used, 1 / processes.TICK))
    contender.per_second.append(load.answers / load.seconds)
    contender.database_ms.append(1000 * database / load.answers)


def result(contenders: list[Contender], version: str) -> report.Result:
    rows = [
        [
            contender.name,
            f"{contender.body_bytes:,}",
            f"{contender.count:,}",
            report.spread(contender.per_cpu_second),
            f"{1000 / report.median(contender.per_cpu_second):.2f}",
            f"{report.median(contender.database_ms):.2f}",
            f"{max(contender.per_second):,.0f}",
        ]
        for contender in contenders
    ]
    pages, ready, peers = contenders[:3], contenders[3:6], contenders[6:]
    pairs = [*zip(pages, ready, strict=True), *((page, peer) for peer in peers for page in pages)]
    ratios = [
        [page.name, other.name, report.spread(ratio(page, other), ".3f" if "ready" in other.name else ".2f")]
        for page, other in pairs
    ]
    figures = {f"{contender.name}, per CPU-second": report.median(contender.per_cpu_second) for contender in contenders}
    figures |= {f"{page.name} / {other.name}": report.median(ratio(page, other)) for page, other in pairs}
    return report.Result(
        [
            report.Table(
                "Requests",
                [
                    "what",
                    "body, bytes",
                    "requests a round",
                    "requests per CPU-second of the server: median (min to max)",
                    "CPU ms of the server each",
                    "CPU ms of PostgreSQL each",
                    "best per second on the clock",
                ],
                rows,
                f"{len(pages[0].per_cpu_second)} rounds of about a second of CPU, "
                f"{_load.CONNECTIONS} keep-alive connections, PostgreSQL {version}.",
            ),
            report.Table(
                "Ratios, of two figures of the same round", ["page", "against", "ratio: median (min to max)"], ratios
            ),
        ],
        figures,
    )


def ratio(page: Contender, other: Contender) -> list[float]:
    return [mine / its for mine, its in zip(page.per_cpu_second, other.per_cpu_second, strict=True)]


if __name__ == "__main__":
    report.main("pages", measure, runs=5)
