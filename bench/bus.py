"""Polling 160 doors on one bus: how much of the line's time the driver uses, at 19200 and at 9600 baud.

The driver, its bus thread and its decoder are the product's; the ten boards are its simulator in a process of its own,
behind a pty that is paced like a line of that speed. The limit is the line itself: a request of five bytes and an
answer of nine for each board, ten bits a byte.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import _report as report
import msgspec

from servicepunkt.dokbox.addresses import parse_address
from servicepunkt.dokbox.bus import Supply
from servicepunkt.dokbox.ports import serial_port
from servicepunkt.dokbox.simulator import Cabinet, KrCu16Boards, Line

BOARDS, LOCKS = 10, 16
BYTES_A_BOARD = 5 + 9
BITS_A_BYTE = 10
RATES = (19200, 9600)
SCANS_A_ROUND = 5


class Round(msgspec.Struct, frozen=True):
    """Seconds of one scan of all boards, of the driver's CPU in it, and of the line's own time."""

    scan: float
    cpu: float
    line: float

    @property
    def share(self) -> float:
        return self.line / self.scan


@contextmanager
def boards(folder: Path, baud: int) -> Iterator[str]:
    """A process with the simulated boards; the path of their line."""
    path = folder / f"line-{baud}"
    with subprocess.Popen(
        [sys.executable, __file__, "--boards", str(path), str(baud)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        yield str(path)
        process.stdin.close()


def be_boards(path: str, baud: int) -> None:
    with Line(KrCu16Boards(Cabinet(BOARDS * LOCKS), random.Random(1)), link=Path(path), baud=baud):
        print("ready", flush=True)
        sys.stdin.read()


async def scans(path: str, baud: int, count: int) -> list[Round]:
    """Ask every board for its state, one after the other, as often as it goes."""
    address = parse_address(f"krcu16:{path}?boards={BOARDS}&baud={baud}")
    opening = address.opening(serial_port)
    line = opening(Supply(), lambda _: None, lambda: datetime.now(UTC))
    try:
        for board in line.boards:
            await line.status(board)  # the first one finds the port
        found = []
        for _ in range(count):
            started, cpu = time.perf_counter(), time.process_time()
            for _ in range(SCANS_A_ROUND):
                for board in line.boards:
                    readings = await line.status(board)
                    assert len(readings) == LOCKS
            seconds = (time.perf_counter() - started) / SCANS_A_ROUND
            used = (time.process_time() - cpu) / SCANS_A_ROUND
            found.append(Round(seconds, used, BOARDS * BYTES_A_BOARD * BITS_A_BYTE / baud))
        return found
    finally:
        line.close()


def measure(options: report.Options) -> report.Result:
    rows, figures = [], {}
    with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder:
        for baud in RATES:
            with boards(Path(folder), baud) as path:
                found = asyncio.run(scans(path, baud, options.runs))
            report.say(f"{baud} baud: {options.runs * SCANS_A_ROUND} scans")
            scan, cpu = report.median([each.scan for each in found]), report.median([each.cpu for each in found])
            share = [each.share for each in found]
            rows.append(
                [
                    str(baud),
                    f"{1000 * found[0].line:.1f}",
                    f"{1000 * scan:.1f}",
                    report.spread(share, ".2f"),
                    f"{1000 * cpu:.1f}",
                ]
            )
            figures[f"share of the line at {baud}"] = report.median(share)
            figures[f"CPU ms a scan at {baud}"] = 1000 * cpu
    return report.Result(
        [
            report.Table(
                "One scan of 160 doors",
                ["baud", "line alone, ms", "scan, ms", "share of the line, median (min to max)", "driver's CPU, ms"],
                rows,
                f"{BOARDS} boards, {options.runs * SCANS_A_ROUND} scans each, no pause between two questions.",
            )
        ],
        figures,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--boards"]:
        be_boards(sys.argv[2], int(sys.argv[3]))
    else:
        report.main("bus", measure, runs=20)
