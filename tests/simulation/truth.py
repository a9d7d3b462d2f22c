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
LIES = WAITS | {"presented", "locked_out", "expired", "blocked"}
USABLE = WAITS | {"presented"}  # its code opens, now or when the present visitor has gone
AT_THE_DOOR = frozenset({"loading", "releasing", "taking", "recalling"})


class Told(msgspec.Struct, frozen=True):
    """What the box was told of the person who collects."""

    phone: str = ""
    birth_date: str = ""
    old_document: str = ""


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
    number: str = ""  # by which it is found, and where it is told by what else its person is known
    told: Told = Told()
    announced_by: str = ""
    named_since: int = 0  # how many tenant files there were when it was reserved
    earlier: set[str] = set()  # numbers of persons that were corrected
    before: int = 0  # the newest version that was made before the last correction: its message may be under way
    steps: tuple[str, ...] = ()  # as they were asked on the day on which it was reserved
    without: str = ""  # where who has no old document goes on
    promised: datetime | None = None  # the end of the last day that the person of the newest code was told of
    unlooked: bool = False  # somebody was at its door with a key, and staff have not looked behind it since
    unclear: bool = False  # the disk says that somebody should look after the old document, since `unclear_at`
    unclear_at: float = 0.0
    lasting: set[str] = set()  # steps that stay done when a visit ends


class Actor(msgspec.Struct):
    """Somebody at a terminal, with what he typed. `opened` are the compartments that sprang open for him.

    `done` are the steps that he did rightly in his visit, `typed` the last proof that he typed, `fresh` the codes that
    were sent to him there with their seconds, `call` the entry by which he called somebody.
    """

    name: str
    number: str = ""
    code: str = ""
    deposit: str = ""
    done: set[str] = set()
    said_no: bool = False
    has_no_old: bool = False  # he said so, and may type his date of birth in place of it
    typed: tuple[str, str] = ("", "")
    typed_at: int = 0  # the version of the code when he typed it
    fresh: list[tuple[str, float]] = []
    call: int = 0
    born: str = ""
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
