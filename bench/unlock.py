"""From the typed code to the unlock frame on the wire, against one Argon2id and the time of the frame on the line.

The controller, its journal on disk, its vault, the bus and the driver are the product's; the boards are its simulator
in a process of its own, behind a pty that is paced at 19200 baud. Between the right code and the door no question is
asked, because a person's time is nobody's benchmark.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import _limits as limits
import _report as report
import msgspec

from servicepunkt.core.clock import SystemClock
from servicepunkt.core.ids import new_id
from servicepunkt.core.phone import mobile_number_or_none
from servicepunkt.dokbox import pins
from servicepunkt.dokbox.cabinet import Cabinet, open_cabinet
from servicepunkt.dokbox.controller.service import Controller
from servicepunkt.dokbox.journal import Journal
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.testing import Always, Bench, Doors, Ticking, example_config
from servicepunkt.dokbox.vault import FileVault

COMPARTMENTS = 48
BOARDS = 3
ONE_SESSION = 30
DOCUMENT = "licence"
FRAME_BYTES = 5
PATIENCE = 10.0
REST = 0.2
BETWEEN_READINGS = 0.5
chance = random.Random(1)


class Run(msgspec.Struct):
    """Seconds of one opening, all but the first two inside of `total`."""

    limit_argon: float
    limit_line: float = limits.line_time(FRAME_BYTES)
    argon: float = 0.0
    journal: float = 0.0
    bus: float = 0.0
    total: float = 0.0

    @property
    def rest(self) -> float:
        return self.total - self.argon - self.journal - self.bus

    @property
    def limit(self) -> float:
        return self.limit_argon + self.limit_line


class Loaded(Bench):
    """A box without hardware in which documents are laid, with the real cost of a code and the real time."""

    def _start(self) -> Controller:
        self.clock = Ticking(datetime.now(UTC))
        self.journal = Journal(self.folder / "journal.sqlite")
        self.vault = FileVault(self.folder / "vault", secrets.token_bytes)
        made = controller_on(self.journal, self.vault, self.doors, self.clock, self.clock.monotonic)
        made.configure(msgspec.structs.replace(example_config(), compartments=COMPARTMENTS))
        return made


def controller_on(journal: Journal, vault: FileVault, cabinet: Any, clock: Any, monotonic: Any) -> Controller:
    return Controller(
        journal,
        vault,
        cabinet,
        clock=clock,
        randomness=secrets.token_bytes,
        randbelow=secrets.randbelow,
        numbers=mobile_number_or_none,
        hours=lambda _: Always(),
        monotonic=monotonic,
    )


def measure(options: report.Options) -> report.Result:
    runs: list[Run] = []
    while (left := options.runs - len(runs)) > 0:
        with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
            runs += asyncio.run(session(Path(folder), min(left, ONE_SESSION)))
            report.say(f"{len(runs)} of {options.runs} openings")
    return result(runs)


async def session(folder: Path, count: int) -> list[Run]:
    """Lay in `count` documents and open for each of them."""
    laid_in = await lay_in(folder, count)
    link = folder / "line"
    async with cabinet_process(link, list(laid_in)) as simulator:
        await next_line(simulator, "the line")
        journal = Journal(folder / "journal.sqlite")
        address = f"krcu16:{link}?boards={BOARDS}&compartments={COMPARTMENTS}"
        async with open_cabinet(address) as cabinet:
            vault = FileVault(folder / "vault", secrets.token_bytes)
            controller = controller_on(journal, vault, cabinet, SystemClock(), time.monotonic)
            serving = asyncio.create_task(controller.run())
            await until(lambda: controller.healthy, "the first snapshot")
            measured = [
                await opening(controller, cabinet, journal, simulator, number, code)
                for number, code in laid_in.values()
            ]
            serving.cancel()
            await asyncio.wait([serving])
        journal.close()
    return measured


async def lay_in(folder: Path, count: int) -> dict[int, tuple[str, str]]:
    """Compartments with the mobile number and the code of the document that lies in them."""
    box = Loaded(folder, doors=Doors(COMPARTMENTS))
    await box.look()
    laid_in = {}
    for index in range(count):
        number = f"+4915228811{index:03d}"
        deposit = str(new_id())
        await box.reserve(deposit, number, DOCUMENT)
        compartment = box.controller.ledger.box.deposits[deposit].compartment
        await box.command("open_for_load", deposit=deposit)
        await box.opened(compartment)
        await box.close(compartment, item=True)
        version = box.controller.ledger.box.deposits[deposit].version
        await box.command("notice_accepted", deposit=deposit, version=version)
        laid_in[compartment] = (number, box.code(deposit))
    box.journal.close()
    return laid_in


@asynccontextmanager
async def cabinet_process(link: Path, full: list[int]) -> AsyncIterator[asyncio.subprocess.Process]:
    simulator = await asyncio.create_subprocess_exec(
        sys.executable,
        str(report.folder() / "_cabinet.py"),
        str(link),
        str(COMPARTMENTS),
        *(str(number) for number in full),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield simulator
    finally:
        assert simulator.stdin is not None
        simulator.stdin.close()
        await simulator.wait()


async def next_line(simulator: asyncio.subprocess.Process, what: str) -> str:
    assert simulator.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await simulator.stdout.readline()).decode()
    if not line:
        raise RuntimeError(f"the simulator has ended while waiting for {what}")
    return line


async def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {PATIENCE:.0f} s")
        await asyncio.sleep(0.01)


async def opening(
    controller: Controller,
    cabinet: Cabinet,
    journal: Journal,
    simulator: asyncio.subprocess.Process,
    number: str,
    code: str,
) -> Run:
    """Type one code, wait for the pulse at the boards, take the document, shut the door."""
    run = Run(limits.argon2id())
    asked = 0.0
    with noting_argon(run), noting_journal(run, journal):
        unlock = cabinet.unlock

        async def noted_unlock(compartment: int) -> object:
            nonlocal asked
            asked = time.monotonic()
            return await unlock(compartment)

        cabinet.unlock = noted_unlock  # type: ignore[assignment, method-assign]
        started = time.monotonic()
        visit = await controller.present(number, code)
        await controller.release(visit.token)
        cabinet.unlock = unlock  # type: ignore[method-assign]
    compartment, at = (await next_line(simulator, "a pulse")).split()
    assert int(compartment) == visit.compartment, f"{compartment} opened instead of {visit.compartment}"
    run.total = float(at) - started
    run.bus = float(at) - asked
    await until(lambda: state_of(controller, visit.deposit) is State.TAKING, "the open door")
    assert simulator.stdin is not None
    simulator.stdin.write(f"{visit.compartment}\n".encode())
    await until(lambda: state_of(controller, visit.deposit) is None, "the end of the hand-over")
    # The power supply's rest between two locks is over then, and people keep no step with the reading of the doors.
    await asyncio.sleep(REST + chance.uniform(0, BETWEEN_READINGS))
    return run


def state_of(controller: Controller, deposit: str) -> State | None:
    found = controller.ledger.deposit(deposit)
    return found.state if found else None


@contextmanager
def noting_argon(run: Run) -> Iterator[None]:
    """Add up the time inside of Argon2id."""
    stretch = pins.stretch

    def noted(*arguments: Any, **named: Any) -> bytes:
        started = time.perf_counter()
        try:
            return stretch(*arguments, **named)
        finally:
            run.argon += time.perf_counter() - started

    pins.stretch = noted
    try:
        yield
    finally:
        pins.stretch = stretch


@contextmanager
def noting_journal(run: Run, journal: Journal) -> Iterator[None]:
    """Add up the time inside of the journal's transactions, each of which ends on disk."""
    transaction = journal.transaction

    @contextmanager
    def noted() -> Iterator[None]:
        started = time.perf_counter()
        try:
            with transaction():
                yield
        finally:
            run.journal += time.perf_counter() - started

    journal.transaction = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        journal.transaction = transaction  # type: ignore[method-assign]


def result(runs: list[Run]) -> report.Result:
    parts = {
        "code typed to the whole frame at the boards": [run.total for run in runs],
        "... of it Argon2id, in its thread": [run.argon for run in runs],
        "... of it three entries in the journal, each on disk": [run.journal for run in runs],
        "... of it from the order to the bus to the frame's last byte": [run.bus for run in runs],
        "... of it everything else": [run.rest for run in runs],
        "limit: one Argon2id by itself": [run.limit_argon for run in runs],
        "limit: five bytes at 19200 baud (computed)": [run.limit_line for run in runs],
    }
    ratios = [run.total / run.limit for run in runs]
    share = [run.argon / run.total for run in runs]
    half, most = report.median(ratios), report.percentile(ratios, 0.99)
    return report.Result(
        [
            report.Table(
                "Milliseconds of an opening",
                ["what", "min", "median", "p99"],
                [[name, *report.milliseconds(values)] for name, values in parts.items()],
                f"{len(runs)} openings, {COMPARTMENTS} compartments on {BOARDS} boards, doors read all the while.",
            ),
            report.Table(
                "Ratios, of two figures of the same opening",
                ["what", "median (min to max)"],
                [
                    ["time / (Argon2id + line)", report.spread(ratios, ".2f")],
                    ["share of Argon2id in the time", report.spread(share, ".2f")],
                ],
            ),
        ],
        {
            "p50 ms": 1000 * report.median(parts["code typed to the whole frame at the boards"]),
            "p99 ms": 1000 * report.percentile(parts["code typed to the whole frame at the boards"], 0.99),
            "time / limit, median": half,
            "time / limit, p99": most,
            "share of Argon2id": report.median(share),
        },
    )


if __name__ == "__main__":
    report.main("unlock", measure, runs=60)
