"""Processes that a benchmark starts, and what the kernel says of them: CPU time, memory, the machine's load."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HOST = "127.0.0.1"
TICK = os.sysconf("SC_CLK_TCK")
READY_SECONDS = 30.0
STOP_SECONDS = 8.0


class NotReadyError(RuntimeError):
    """A process that was started ended, or did not answer in time."""


def tree(pid: int) -> list[int]:
    """A process and all of its descendants."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree, with its ended children; the kernel counts in steps of 10 ms."""
    ticks = 0
    for member in tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since; its time is its parent's now
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICK


def memory_mb(pid: int) -> tuple[float, float]:
    """(RSS, PSS) of a process tree in megabytes; PSS shares out what several processes have in common."""
    rss = pss = 0
    for member in tree(pid):
        for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            rss += int(value.split()[0]) if name == "Rss" else 0
            pss += int(value.split()[0]) if name == "Pss" else 0
    return rss / 1024, pss / 1024


def load() -> float:
    """The load average of the last minute."""
    return os.getloadavg()[0]


def machine_ticks() -> tuple[int, int]:
    """(all ticks of all processors, those that the hypervisor has stolen)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[7]


def machine() -> str:
    """Processor, cores, memory and kernel in one line."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in about if line.startswith("model name"))
    model = next(named, platform.machine())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, {system}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(**settings: str) -> dict[str, str]:
    """The environment without settings of another deployment, plus these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SERVICEPUNKT_")} | settings


@contextmanager
def running(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    ending: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the length of the block; asked to end afterwards with a signal, and killed when it does not."""
    with (log or Path(os.devnull)).open("ab") as output:
        process = subprocess.Popen(
            list(arguments),
            env=dict(environment) if environment is not None else clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(ending)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def fetch(port: int, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """One GET on a connection of its own: status, headers, body. Raises OSError."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {HOST}:{port}\r\nconnection: close\r\n\r\n".encode())
        raw = await reader.read(-1)
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head:
        raise ConnectionResetError("the server closed the connection without an answer")
    lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return int(lines[0].split()[1]), headers, body


async def answers(port: int, path: str, process: subprocess.Popen[bytes], *, pause: float = 0.02) -> float:
    """Wait until `path` answers 200; the moment (monotonic) at which it did. Raises NotReadyError."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if (await fetch(port, path))[0] == 200:
                return time.monotonic()
        except OSError:
            await asyncio.sleep(pause)
    raise NotReadyError(f"{path} does not answer on port {port}; exit code {process.poll()}")
