"""A serial line on a pseudo-terminal: the boards of a cabinet behind a path that a driver can open.

A pty has no baud, so the line counts the time of every byte itself, both ways (8N1: ten bits a byte).
One thread serves it. It keeps the client's end of the terminal open too, so that clients may come and go as
often as they like. With the plug out the terminal is gone, as a serial adapter pulled from its socket is.
"""

import math
import os
import pty
import select
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from servicepunkt.dokbox.simulator.boards import Boards, Transmission

BITS_PER_BYTE = 10
SETTLING_TIME = 5.0
"""How many seconds the thread may take to follow the plug before it counts as hung."""


class Line:
    """The boards on a pty; ``link`` is a stable path to it, ``baud=None`` sends as fast as it goes.

    The pace is the caller's, not the boards': what each kind comes with is in ``kinds``.
    ``clock`` gives the seconds that go into the history and ``pause`` waits some of them; the default pause
    ends early when the line is stopped or unplugged. ``start`` raises OSError if ``link`` cannot be made,
    FileExistsError if there is something else than a link.
    """

    def __init__(
        self,
        boards: Boards,
        *,
        link: Path | None = None,
        baud: int | None = 19200,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        if baud is not None and baud < 1:
            raise ValueError("a line has at least one baud, or None for no pacing")
        self.clock = clock
        self._boards = boards
        self._cabinet = boards.cabinet
        self._link = link
        self._byte_time = BITS_PER_BYTE / baud if baud else None
        self._stopping = threading.Event()
        self._pause = pause or self._wait
        self._due = float("-inf")
        self._changed = threading.Condition()
        self._terminal: _Terminal | None = None
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> str:
        """What a client opens. Without a link it changes with each plugging and is empty while unplugged."""
        if self._link:
            return str(self._link)
        return self._terminal.path if self._terminal else ""

    @property
    def running(self) -> bool:
        return self._thread is not None and not self._stopping.is_set()

    def start(self) -> None:
        """Put the line up; the path exists when this returns (unless the bus is unplugged)."""
        self._stopping.clear()
        self._follow_plug()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._unwatch = self._cabinet.watch(self._wake)
        self._thread = threading.Thread(target=self._serve, name="cabinet-line", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the line down and its link away; stopping twice is no error."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        self._unwatch()
        self._close_terminal()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def plug(self) -> None:
        """Connect the bus; a client can open the path when this returns."""
        self._cabinet.plug(time=self.clock())
        self._wait_for_plug()

    def unplug(self) -> None:
        """Disconnect the bus; a client that has it open reads an error when this returns."""
        self._cabinet.unplug(time=self.clock())
        self._wait_for_plug()

    def _wait_for_plug(self) -> None:
        def followed() -> bool:
            return not self.running or (self._terminal is not None) == self._cabinet.plugged

        with self._changed:
            if not self._changed.wait_for(followed, SETTLING_TIME):
                raise TimeoutError("the line does not follow its plug")

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._alive(), seconds)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:  # the pipe is full of earlier wakings that nobody has read yet
            return

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._follow_plug()
            poll = select.poll()
            poll.register(self._wake_read, select.POLLIN)
            if self._terminal:
                poll.register(self._terminal.master, select.POLLIN)
            for ready, _ in poll.poll(self._milliseconds_until(self._boards.pass_time(time=self.clock()))):
                data = os.read(ready, 4096)
                if ready != self._wake_read:
                    self._take(data)

    def _milliseconds_until(self, due: float | None) -> int | None:
        return None if due is None else max(0, math.ceil((due - self.clock()) * 1000))

    def _follow_plug(self) -> None:
        if self._cabinet.plugged and self._terminal is None:
            self._terminal = self._open_terminal()
        elif not self._cabinet.plugged:
            self._close_terminal()
        with self._changed:
            self._changed.notify_all()

    def _open_terminal(self) -> "_Terminal":
        terminal = _Terminal()
        try:
            if self._link:
                _point(self._link, terminal.path)
        except OSError:
            terminal.close()
            raise
        return terminal

    def _close_terminal(self) -> None:
        if self._terminal is None:
            return
        if self._link and self._link.is_symlink() and str(self._link.readlink()) == self._terminal.path:
            self._link.unlink()
        self._terminal.close()
        self._terminal = None

    def _take(self, data: bytes) -> None:
        """Hand the bytes of a client to the boards one by one, each when it would have come over the wire."""
        for byte in data:
            self._elapse_byte()
            if not self._alive():
                return
            for transmission in self._boards.receive(bytes([byte]), time=self.clock()):
                self._send(transmission)

    def _send(self, transmission: Transmission) -> None:
        if transmission.delay:
            self._pause(transmission.delay)
        for byte in transmission.data:
            self._elapse_byte()
            if not self._alive() or self._terminal is None:
                return
            self._terminal.write(bytes([byte]))

    def _alive(self) -> bool:
        return self._cabinet.plugged and not self._stopping.is_set()

    def _elapse_byte(self) -> None:
        """Wait until the line has carried one more byte.

        Bytes that follow each other are counted from the last one's due time, not from when a pause happened
        to end, so that late wakings don't add up.
        """
        if self._byte_time is None:
            return
        now = self.clock()
        self._due = (self._due if now - self._due < self._byte_time else now) + self._byte_time
        if self._due > now:
            self._pause(self._due - now)


class _Terminal:
    """A raw pty with both ends open; raw, because a cooked one turns LF into CR LF and echoes."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)

    def write(self, data: bytes) -> None:
        try:
            os.write(self.master, data)
        except BlockingIOError:  # nobody reads and the queue is full: like a real line, it forgets
            return

    def close(self) -> None:
        os.close(self._slave)
        os.close(self.master)


def _point(link: Path, path: str) -> None:
    """Let ``link`` lead to ``path`` in one step, also over a link that an earlier run has left."""
    if link.exists() and not link.is_symlink():
        raise FileExistsError(f"{link} exists and is not a link")
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(path)
    fresh.replace(link)
