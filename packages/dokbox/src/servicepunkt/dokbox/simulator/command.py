"""Run a simulated cabinet until it is told to stop: the line, the pages, and the state kept in a file."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

import msgspec

from servicepunkt.dokbox.simulator.kinds import DEFAULT_KIND, KINDS
from servicepunkt.dokbox.simulator.line import Line
from servicepunkt.dokbox.simulator.model import Cabinet, Compartment, ImpossibleActError


def run(
    *,
    kind: str = DEFAULT_KIND,
    compartments: int,
    link: str,
    host: str,
    port: int | None,
    baud: int | None,
    state_file: str | None,
) -> int:
    """Simulate a cabinet until SIGTERM or SIGINT; the exit code is 0 done, 1 refused with the reason.

    ``kind`` is one of ``kinds.KINDS``. ``link`` is the path a driver opens. ``port=None`` brings no pages (and needs
    no litestar), 0 takes a free one. ``baud=None`` is the pace the kind comes with, 0 sends without pacing.
    ``state_file`` keeps doors and items, not faults, over a restart.
    Call it in the main thread; it prints one line with the addresses when all is up.
    """
    stop = _stop_on_signals()
    try:
        cabinet = _cabinet(compartments, Path(state_file) if state_file else None)
        line = _line(kind, cabinet, Path(link), baud)
        with line, _pages(cabinet, line, host, port) as pages:
            sys.stdout.write(f"simulated cabinet: {compartments} compartments, line {link}{pages}\n")
            sys.stdout.flush()
            stop.wait()
            line.stop()  # before the pages, so that their event streams end
    except (OSError, ValueError, ImpossibleActError) as error:
        sys.stderr.write(f"simulated cabinet: {error}\n")
        return 1
    return 0


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, note)
    signal.signal(signal.SIGINT, note)
    return stop


def _line(kind: str, cabinet: Cabinet, link: Path, baud: int | None) -> Line:
    """The line with the boards of a kind. ValueError for an unknown kind, or if one bus is too small."""
    if kind not in KINDS:
        raise ValueError(f"there are no boards {kind!r}, only {', '.join(KINDS)}")
    boards = KINDS[kind].build(cabinet, Random())  # noqa: S311 line noise, no secret
    return Line(boards, link=link, baud=KINDS[kind].baud if baud is None else baud or None)


def _cabinet(compartments: int, state_file: Path | None) -> Cabinet:
    """A cabinet as its file left it, which is written anew on every change. ValueError for an unfit file."""
    if state_file is None:
        return Cabinet(compartments)
    restored: list[Compartment] = []
    if state_file.exists():
        restored = msgspec.json.decode(state_file.read_bytes(), type=list[Compartment])
    cabinet = Cabinet(compartments, restored=restored)
    keeping = threading.Lock()

    def keep() -> None:
        with keeping:  # read within the lock, so that of two writers the later one has the later state
            _write_atomically(state_file, msgspec.json.encode(cabinet.compartments))

    cabinet.watch(keep)
    return cabinet


def _write_atomically(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def _pages(cabinet: Cabinet, line: Line, host: str, port: int | None) -> Iterator[str]:
    """Serve the pages in a thread of their own; gives the words that name their address."""
    if port is None:
        yield ""
        return
    # here, because a light installation has neither
    import uvicorn

    from servicepunkt.dokbox.simulator.pages import create_simulator_app

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        config = uvicorn.Config(create_simulator_app(cabinet, line), log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="cabinet-pages")
        thread.start()
        try:
            yield f", pages http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
