"""From bytes to frames, for every kind: resynchronise byte by byte, and tell an answer from an adapter's echo.

What a decoder promises: it tries every byte as the start of a frame, from left to right, and gives up on a start
one byte at a time. A valid frame is therefore delivered unless a valid frame that began earlier covers some of
its bytes. Bytes that may still become an earlier frame are held back (less than `longest`), so a valid frame
behind them can be delivered late, when the bytes that decide have come. Where the input is split changes nothing
but the grouping of `Junk`.
"""

import enum
from collections.abc import Callable
from typing import Literal

from servicepunkt.dokbox.boards.base import Echo, Frame, Junk


class Verdict(enum.Enum):
    """What can be said of a start without a whole frame."""

    NOT_YET = enum.auto()  # more bytes decide
    NEVER = enum.auto()  # no frame starts here


#: Looks at the start of a window of bytes, at least one.
AtStart = Callable[[bytes], Frame | Echo | Verdict]


class Decoder:
    """Incremental decoder; what it promises is said at the top of this module.

    `at_start` finds the frame with which a window of at most `longest` bytes begins.
    """

    def __init__(self, at_start: AtStart, *, longest: int) -> None:
        self._at_start = at_start
        self._longest = longest
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The bytes held back, fewer than `longest`."""
        return self._pending

    def feed(self, data: bytes) -> list[Frame | Echo | Junk]:
        """Take bytes as they come; return frames, echoes of requests and junk in the order of the line."""
        buffer = self._pending + data
        events: list[Frame | Echo | Junk] = []
        start = junk_from = 0
        while start < len(buffer):
            found = self._at_start(buffer[start : start + self._longest])
            if found is Verdict.NOT_YET:
                break
            if isinstance(found, Verdict):
                start += 1
                continue
            if junk_from < start:
                events.append(Junk(buffer[junk_from:start]))
            events.append(found)
            start = junk_from = start + len(found.raw)
        if junk_from < start:
            events.append(Junk(buffer[junk_from:start]))
        self._pending = buffer[start:]
        return events


def frame_at_start(
    window: bytes, *, head: bytes, length: int, checksum: Callable[[bytes], bytes]
) -> Frame | Literal[Verdict.NOT_YET, Verdict.NEVER]:
    """The frame of `length` bytes that begins with `head` and ends with the checksum of what stands before it."""
    raw = window[:length]
    if not (raw.startswith(head) or head.startswith(raw)):
        return Verdict.NEVER
    if len(raw) < length:
        return Verdict.NOT_YET
    check = checksum(b"")
    return Frame(raw) if raw.endswith(checksum(raw[: length - len(check)])) else Verdict.NEVER


EchoOption = Literal["auto", "yes", "no"]


class Echoes:
    """Whether the adapter of a line sends back what is written to it; with `auto` learned from requests that tell."""

    def __init__(self, option: EchoOption = "auto") -> None:
        self._fixed = option != "auto"
        self._known: bool | None = option == "yes" if self._fixed else None

    @property
    def known(self) -> bool | None:
        """None: not yet learned."""
        return self._known

    def learn(self, *, echoed: bool) -> None:
        if not self._fixed:
            self._known = echoed


def answer_decoder(request: bytes, answer_at_start: AtStart, *, longest: int, echoes: Echoes, tells: bool) -> Decoder:
    """For protocols in which an answer may look like its request: after `request` an echo comes first or not at all.

    `tells`: no answer begins with the bytes of this request, so what comes first shows whether there are echoes.
    Where it does not tell and nothing was learned, the request's own bytes count as an echo: they answer nothing.
    """
    echo_may_come = True
    clean = True  # nothing unreadable came, which may have been an echo

    def echo_at_start(window: bytes) -> Echo | Verdict:
        if window.startswith(request):
            return Echo(request)
        return Verdict.NOT_YET if request.startswith(window) else Verdict.NEVER

    def at_start(window: bytes) -> Frame | Echo | Verdict:
        nonlocal echo_may_come, clean
        looks: list[AtStart] = [answer_at_start]
        if echo_may_come and tells:
            looks.append(echo_at_start)
        elif echo_may_come and echoes.known is not False:
            looks.insert(0, echo_at_start)
        verdicts = (look(window) for look in looks)
        found = next((verdict for verdict in verdicts if verdict is not Verdict.NEVER), Verdict.NEVER)
        if found is Verdict.NEVER:
            clean = False
        elif found is not Verdict.NOT_YET:
            if tells and echo_may_come and clean:
                echoes.learn(echoed=isinstance(found, Echo))
            echo_may_come = False
        return found

    return Decoder(at_start, longest=max(longest, len(request)))
