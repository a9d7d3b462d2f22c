"""What is known of deposits: what the disk says of them, entry by entry, and what people did."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

ENDS = frozenset({"done", "returned", "missing", "cancelled"})
OPENS = frozenset({"redeem", "open_for_load", "recall"})
WAITS = frozenset({"stored", "notified"})
USABLE = WAITS | {"presented"}  # its code opens, now or when the present visitor has gone
AT_THE_DOOR = frozenset({"loading", "releasing", "taking", "recalling"})


class Known(msgspec.Struct):
    """A deposit. Instants are the journal's own time, which never goes back; `*_at` in seconds are true ones."""

    id: str
    compartment: int = 0
    kind: str = ""
    state: str = ""
    version: int = 0
    command: int = 0
    coded: datetime | None = None
    notified: datetime | None = None
    changed_at: float = 0.0
    pulses: int = 0  # for citizens
    taken: int = 0
    looked: int = 0  # wrong codes that the box began to look at since the code was made or typed right
    asked: int = 0  # all codes that were typed since then
    attempts: int = 0  # that stand in the journal since then, without those that were taken back
    codes: dict[int, str] = {}


class Actor(msgspec.Struct):
    """Somebody at a terminal, with what he typed. `opened` are the compartments that sprang open for him."""

    name: str
    number: str = ""
    code: str = ""
    deposit: str = ""
    yes: set[str] = set()
    said_no: bool = False
    opened: list[int] = []


class Trace:
    """The history of a run: a hash of all of it, the last lines of all, and the lines of each living deposit."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.step = 0
        self.last: list[str] = []
        self.of: dict[str, list[str]] = {}
        self.counts: Counter[str] = Counter()

    def line(self, seconds: float, what: str, deposit: str = "", **fields: Any) -> None:
        self.step += 1
        said = " ".join(f"{name}={value}" for name, value in fields.items() if value not in (None, ""))
        text = f"{self.step:>7} {when(seconds)} {what} {said}".rstrip()
        self._hash.update(f"{seconds:.6f} {text} {deposit}\n".encode())
        self.counts[what] += 1
        if deposit:
            self.of.setdefault(deposit, []).append(text)
        self.last.append(f"{text} {deposit[-4:]}")
        if len(self.last) > 400:
            del self.last[:200]

    def forget(self, deposit: str) -> None:
        """Its story is over and was good."""
        self.of.pop(deposit, None)

    def digest(self) -> str:
        return self._hash.hexdigest()


def when(seconds: float) -> str:
    """Day and time of the run, to the hundredth of a second."""
    day, rest = divmod(seconds, 86_400)
    return f"day {int(day):>3} {int(rest // 3600):02}:{int(rest % 3600 // 60):02}:{rest % 60:05.2f}"
