"""Child processes of the demonstration: start, stop, kill, and notice when one has died by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 8.0
# So often within so many seconds is a process started again; one that falls over more often will not get up.
MAX_REVIVALS = 5
REVIVAL_SECONDS = 60.0


class Process:
    """One command line of the product as a process of its own, with a log file."""

    def __init__(self, name: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._log = log
        self._running: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._revivals: list[float] = []

    def start(self) -> None:
        """Start it unless it runs."""
        self._wanted = True
        if self.alive:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "servicepunkt.core", *self._arguments],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int | None:
        return self._running.pid if self._running and self.alive else None

    def kill(self) -> None:
        """As if the plug were pulled."""
        self._wanted = False
        if self._running is not None and self.alive:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait()

    def stop(self) -> None:
        """Ask it to end; insist after a while."""
        self._wanted = False
        if self._running is None or not self.alive:
            return
        self._running.terminate()
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def fallen(self) -> bool:
        """Whether it has ended although nobody switched it off."""
        return self._wanted and not self.alive

    def revive(self) -> bool:
        """Start it again after it has fallen; False, and it stays where it is, when that was in vain too often."""
        now = time.monotonic()
        self._revivals = [at for at in self._revivals if now - at < REVIVAL_SECONDS]
        if len(self._revivals) >= MAX_REVIVALS:
            self._wanted = False
            return False
        self._revivals.append(now)
        self.start()
        return True

    def tail(self, lines: int = 15) -> str:
        """The end of its log, for the message when it died."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])


def stop_all(processes: Sequence[Process]) -> None:
    """Ask all at once, then wait for each."""
    for process in processes:
        if process._running is not None and process.alive:
            process._running.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        if process._running is not None:
            try:
                process._running.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
