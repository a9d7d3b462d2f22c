"""A deposit from the scan to the queued message over HTTP, against one Argon2id and two fsyncs.

Serve, worker, box and cabinet are the processes of the product, the line is paced at 19200 baud, the box's journal and
PostgreSQL write to disk. What a person does in between (walk, lay in, shut the door) is not in the times.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _limits as limits
import _processes as processes
import _report as report
import httpx
import msgspec
import psycopg
from _centre import TENANT, Centre

from servicepunkt.core import deployment as deployments
from servicepunkt.core.db import migrate
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import files
from servicepunkt.tenants.demo.desk import create_desk
from servicepunkt.tenants.demo.supervisor import HOST, BoxPlace, Demo, Stage, free_ports, port_of
from servicepunkt.web.server import serving

LOOK = 0.002
PATIENCE = 15.0
HAND = 0.3
ONE_READING = 0.2  # a hand keeps no step with the reading of the doors
KIND = "reisepass"
chance = random.Random(1)
HIDDEN = re.compile(r'name="(_csrf_token)" value="([^"]*)"')


class Run(msgspec.Struct):
    """Seconds of one deposit."""

    argon: float
    fsync: float
    scan: float = 0.0
    announce: float = 0.0
    reserved: float = 0.0
    opened: float = 0.0
    sensed: float = 0.0
    pushed: float = 0.0
    queued: float = 0.0
    sent: float = 0.0

    @property
    def limit(self) -> float:
        return self.argon + 2 * self.fsync

    @property
    def after_closing(self) -> float:
        return self.sensed + self.pushed + self.queued

    @property
    def whole(self) -> float:
        return self.scan + self.announce + self.reserved + self.opened + self.after_closing


class Desk:
    """The clerk's browser: forms are sent, redirects are not followed, so that only the call itself is timed."""

    def __init__(self, base: str) -> None:
        self._client = httpx.AsyncClient(base_url=base, timeout=10, headers={"accept": "text/html"})
        self._hidden: dict[str, str] = {}

    async def open(self, path: str) -> str:
        answer = await self._client.get(path)
        assert answer.status_code == 200, f"{path} answers {answer.status_code}"
        self._hidden = dict(HIDDEN.findall(answer.text))
        return answer.text

    async def send(self, path: str, **fields: str) -> httpx.Response:
        answer = await self._client.post(path, data={**self._hidden, **fields})
        assert answer.status_code in (200, 303), f"{path} answers {answer.status_code}: {answer.text[:300]}"
        return answer

    async def close(self) -> None:
        await self._client.aclose()


class Cabinet:
    """The doors of the simulated cabinet as its stream of events tells them, each with the moment of its arrival."""

    def __init__(self, base: str) -> None:
        self._client = httpx.AsyncClient(base_url=base, timeout=httpx.Timeout(10, read=None))
        self.doors: dict[int, dict[str, Any]] = {}
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        async with self._client.stream("GET", "/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    seen = msgspec.json.decode(line[5:].strip())
                    self.doors = {door["number"]: door for door in seen["compartments"]}
                    self._changed.set()

    async def sprung_open(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.doors or self.doors[number]["closed"]:
                self._changed.clear()
                await self._changed.wait()

    async def act(self, number: int, verb: str) -> None:
        answer = await self._client.post(f"/compartments/{number}/{verb}")
        assert answer.status_code == 200, f"the cabinet refuses to {verb} {number}: {answer.text[:200]}"

    async def close(self) -> None:
        await self._client.aclose()


def measure(options: report.Options) -> report.Result:
    runs: list[Run] = []
    used: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
        asyncio.run(play(Path(folder), options.runs, runs, used))
    return result(runs, used)


async def play(home: Path, count: int, runs: list[Run], used: dict[str, float]) -> None:
    with deployments.configured(Settings(home=home, secure_cookies=False)) as configured:
        ports = free_ports(40)
        settings = msgspec.structs.replace(configured, public_url=f"http://127.0.0.1:{ports[0]}")
        plugins = deployments.load_plugins(settings)
        migrate.upgrade(settings.owner_database_url, plugins)
        async with deployments.running(settings, plugins) as deployment:
            demo = Demo(settings, deployment, ports)
            await demo.prepare({TENANT: files.folder_of(TENANT)})
            try:
                async with serving(create_desk(demo), host=HOST, port=port_of(demo.desk)):
                    await demo.start()
                    await box_ready(demo.stages[0].boxes[0])
                    report.say("serve, worker, box and cabinet run")
                    await deposits(demo, Centre(settings), count, runs, used)
            finally:
                await asyncio.to_thread(demo.stop)


async def box_ready(place: BoxPlace) -> None:
    """Wait until the box has seen its doors; before that it opens none."""
    async with httpx.AsyncClient(base_url=place.pages, timeout=5) as client, asyncio.timeout(PATIENCE):
        while "kern-alert--warning" in (await client.get("/")).text:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.1)


async def deposits(demo: Demo, made: Centre, count: int, runs: list[Run], used: dict[str, float]) -> None:
    [stage] = demo.stages
    place = stage.boxes[0]
    looking = await psycopg.AsyncConnection.connect(made.superuser, autocommit=True)
    async with looking as database, players(demo, stage, place) as (desk, cabinet):
        await deposit(desk, cabinet, database, place, demo.home, 0)  # warms up
        before = cpu(demo, made)
        for number in range(1, count + 1):
            runs.append(await deposit(desk, cabinet, database, place, demo.home, number))
            if number % 5 == 0:
                report.say(f"{number} of {count} deposits, load {processes.load():.1f}")
        used |= {name: seconds - before[name] for name, seconds in cpu(demo, made).items()}


def cpu(demo: Demo, made: Centre) -> dict[str, float]:
    """CPU seconds of each process so far."""
    found = {"PostgreSQL": processes.cpu_seconds(made.database_pid)}
    for name, process in demo.processes.items():
        assert process.pid is not None, f"{name} has ended: {process.tail()}"
        found[name.partition("/")[0]] = processes.cpu_seconds(process.pid)
    return found


@asynccontextmanager
async def players(demo: Demo, stage: Stage, place: BoxPlace) -> AsyncIterator[tuple[Desk, Cabinet]]:
    desk, cabinet = Desk(f"{demo.centre}/t/{stage.ctx.slug}"), Cabinet(place.cabinet)
    following = asyncio.create_task(cabinet.follow())
    try:
        await desk.open("/staff/sign-in")
        await desk.send("/staff/sign-in", login="clerk", password=stage.passwords["clerk"], next="/staff")
        yield desk, cabinet
    finally:
        following.cancel()
        await asyncio.wait([following])
        await desk.close()
        await cabinet.close()


async def deposit(
    desk: Desk, cabinet: Cabinet, database: psycopg.AsyncConnection[Any], place: BoxPlace, home: Path, number: int
) -> Run:
    """One document from the scanner to the message."""
    run = Run(limits.argon2id(), limits.fsync(home))
    document, phone = f"B{number:06d}X", f"0152 2881{number % 9000 + 1000:04d}"
    await desk.open("/staff/deposits")
    clock = Clock()
    await desk.send("/staff/deposits/find", document_number=document)
    run.scan = clock.lap()
    await desk.open("/staff/deposits/new")
    clock.lap()
    answer = await desk.send(
        "/staff/deposits/new", document_number=document, phone=phone, kind=KIND, box=place.box, locale="de"
    )
    run.announce = clock.lap()
    deposit_id = answer.headers["location"].rpartition("/")[2]
    [compartment] = await row(
        database, "SELECT compartment FROM deposit WHERE id = %s AND state = 'reserved'", deposit_id
    )
    run.reserved = clock.lap()
    page = f"/staff/deposits/{deposit_id}"
    await desk.open(page)
    clock.lap()
    await desk.send(f"{page}/open_for_load")
    await cabinet.sprung_open(compartment)
    run.opened = clock.lap()
    await row(database, "SELECT 1 FROM box_event WHERE deposit = %s AND event = 'door_opened'", deposit_id)
    await asyncio.sleep(HAND + chance.uniform(0, ONE_READING))
    await cabinet.act(compartment, "put")
    await cabinet.act(compartment, "close")
    closed = datetime.now(UTC)
    entry = "SELECT at, received_at FROM box_event WHERE deposit = %s AND event = 'closed_full'"
    await row(database, 'SELECT 1 FROM notice WHERE "case" = %s', deposit_id)
    queued = datetime.now(UTC)
    at, received = await row(database, entry, deposit_id)
    run.sensed, run.pushed, run.queued = (
        (late - early).total_seconds() for early, late in ((closed, at), (at, received), (received, queued))
    )
    clock.lap()
    await row(database, "SELECT 1 FROM deposit WHERE id = %s AND state = 'notified'", deposit_id)
    run.sent = clock.lap()
    return run


class Clock:
    """A stop watch with laps."""

    def __init__(self) -> None:
        self._at = time.perf_counter()

    def lap(self) -> float:
        before, self._at = self._at, time.perf_counter()
        return self._at - before


async def row(database: psycopg.AsyncConnection[Any], query: Any, deposit_id: str) -> tuple[Any, ...]:
    """Look until there is a row. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: tuple[Any, ...] | None = await (await database.execute(query, (deposit_id,))).fetchone()
            if found is not None:
                return found
            await asyncio.sleep(LOOK)


def result(runs: list[Run], used: dict[str, float]) -> report.Result:
    parts = {
        "scan: is the document known?": [run.scan for run in runs],
        "announce: the form sent, answered": [run.announce for run in runs],
        "... until the centre knows the compartment": [run.reserved for run in runs],
        '"open" pressed, until the door springs open': [run.opened for run in runs],
        "door shut, until the message is queued": [run.after_closing for run in runs],
        "... of it the sensors' confirmation and Argon2id": [run.sensed for run in runs],
        "... of it the journal, and the way to the centre": [run.pushed for run in runs],
        "... of it the centre's transaction, until it is seen": [run.queued for run in runs],
        "all of this": [run.whole for run in runs],
        "limit: one Argon2id + 2 fsync": [run.limit for run in runs],
        "limit: one fsync of 4 KiB": [run.fsync for run in runs],
        "after that: sent by the worker, known to the box": [run.sent for run in runs],
    }
    own = [run.after_closing - run.sensed + run.argon for run in runs]
    ratios = {
        "door shut to queued / limit": [run.after_closing / run.limit for run in runs],
        "the same without the sensors' confirmation / limit": [
            value / run.limit for value, run in zip(own, runs, strict=True)
        ],
        "all of this / limit": [run.whole / run.limit for run in runs],
    }
    return report.Result(
        [
            report.Table(
                "Milliseconds of a deposit",
                ["what", "min", "median", "p99"],
                [[name, *report.milliseconds(values)] for name, values in parts.items()],
                f"{len(runs)} deposits, 48 compartments on 3 boards; looked at every {1000 * LOOK:.0f} ms.",
            ),
            report.Table(
                "Ratios, of two figures of the same deposit",
                ["what", "median (min to max)"],
                [[name, report.spread(values, ".1f")] for name, values in ratios.items()],
            ),
            report.Table(
                "CPU of a deposit",
                ["process", "CPU ms a deposit"],
                [[name, f"{1000 * seconds / len(runs):.0f}"] for name, seconds in used.items()],
                "With everything that the process did meanwhile: reading the doors, waiting, drawing the page.",
            ),
        ],
        {name: report.median(values) for name, values in ratios.items()}
        | {f"{name}, ms": 1000 * report.median(values) for name, values in parts.items()},
    )


if __name__ == "__main__":
    report.main("deposit", measure, runs=25)
