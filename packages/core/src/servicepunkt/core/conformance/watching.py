"""What a hook does that it must not: reach for network, processes, sleep or files, as Python's audit events tell.

Seen is what goes through Python. A library in C that opens its own connection is not: for that there is the limit of
time. Files are another matter: the first call of a hook may import modules, and these may read; the second one reads
nothing, but for start-up hooks, which may read the plugin's own files.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

FORBIDDEN = (
    *("socket.", "subprocess.", "sqlite3.", "urllib.", "http.client.", "smtplib.", "ftplib.", "imaplib.", "poplib."),
    *("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.remove", "os.rename", "os.mkdir", "shutil."),
    *("tempfile.", "threading.Thread", "time.sleep"),
)
FILES = ("open", "os.listdir", "os.scandir")
_state = threading.local()


class Seen:
    """What was done while it was watched: sentences, each once."""

    def __init__(self, *, may_read: Path | None, is_first: bool) -> None:
        self._may_read = may_read
        self._is_first = is_first
        self.sentences: list[str] = []

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        said = self._sentence(event, arguments)
        if said and said not in self.sentences:
            self.sentences.append(said)

    def _sentence(self, event: str, arguments: tuple[Any, ...]) -> str:
        if event.startswith(FORBIDDEN):
            return event
        if event not in FILES or not arguments or not isinstance(arguments[0], (str, bytes, Path)):
            return ""
        path = Path(arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0])
        if event == "open" and _writes(arguments) and "__pycache__" not in path.parts:
            return f"writes a file: {path.name}"
        own = self._may_read is not None and path.resolve().is_relative_to(self._may_read)
        return "" if self._is_first or own else f"reads a file: {path.name}"


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode = arguments[1] if len(arguments) > 1 else "r"
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


@contextmanager
def watched(*, may_read: Path | None = None, is_first: bool = False) -> Iterator[Seen]:
    """Watch this thread for the length of the block."""
    _install()
    seen = Seen(may_read=may_read, is_first=is_first)
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        seen.note("threading.Thread", ())
        start(thread)

    # What a hook imports for the first time, Python itself would keep as bytecode: that writes and renames.
    bytecode = mock.patch.object(sys, "dont_write_bytecode", True)
    # Of these two not every Python that we run on tells by an event.
    sleep = mock.patch.object(time, "sleep", lambda seconds: seen.note("time.sleep", (seconds,)))
    with bytecode, sleep, mock.patch.object(threading.Thread, "start", started):
        _state.seen = seen
        try:
            yield seen
        finally:
            _state.seen = None


def _install() -> None:
    """Once for a process: an audit hook cannot be taken away again."""
    if not getattr(sys, "_servicepunkt_watches", False):
        sys._servicepunkt_watches = True  # type: ignore[attr-defined]
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    seen: Seen | None = getattr(_state, "seen", None)
    if seen is None:
        return
    _state.seen = None  # what the note itself does is nobody's
    try:
        seen.note(event, arguments)
    finally:
        _state.seen = seen
