"""A serial bus of lock boards: one owner thread, a queue of requests, and a lock that is never fired twice.

    submit() --> queue --> owner thread --> port          states and moves: `_MOVES`

- One request is on the line at a time; between two frames the line rests for `Timing.gap`.
- A frame that moves a lock (`Request.pulse` > 0) is written at most once, whatever happens, and only when the
  lock before it draws no more current, plus `Timing.margin`: a `Supply` bears one lock, and buses share it.
  Requests that move nothing go on meanwhile. Its answer is heard where one comes; none is no error.
- What has to end a pulse (`Request.follow`) is written when the pulse is over, before anything else, until the
  board has answered it; also while the bus is being closed.
- Any fault of the port means that the bus is lost: the request on the line and all that wait fail with
  `BusLostError`, the port is closed and opened again with growing pauses. Meanwhile requests fail at once.
- What was received before a request was written belongs to no one and is thrown away.

A lost port is noticed when it is used; a bus on which nobody asks anything says nothing.
"""

import enum
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from servicepunkt.dokbox.boards.base import Board, BoardError, Echo, Frame, Junk, LocalError, Request
from servicepunkt.dokbox.ports import PORT_FAULTS, WRITE_TIMEOUT, Port

BABBLE = 0.5  # seconds after which what still comes in is no reason to wait any longer
END_AGAIN = 0.5  # seconds between two tries to end a pulse that the board did not confirm
HEARD = 32  # bytes of an unreadable answer that an error shows

# ---- Errors ----------------------------------------------------------------------------------------------


class BusClosedError(LocalError):
    """The bus was closed before the request was written."""

    code = "SP3214"

    def __init__(self) -> None:
        super().__init__("The bus is closed; the request was not sent.")


class NoReplyError(BoardError):
    """The board was silent after the last try."""

    code = "SP3221"

    def __init__(self, request: Request) -> None:
        super().__init__(f"The board did not answer {request.frame.hex(' ')} ({request.tries} tries).")


class GarbledReplyError(BoardError):
    """Something was received after the last try, but not the reply."""

    code = "SP3222"

    def __init__(self, request: Request, heard: bytes) -> None:
        super().__init__(f"The answer to {request.frame.hex(' ')} cannot be read: {heard.hex(' ')}.")
        self.heard = heard


class BusLostError(BoardError):
    """The port cannot be used. `certainly_not_written`: no byte of the request left; else nobody can know."""

    code = "SP3223"

    def __init__(self, reason: str, *, certainly_not_written: bool) -> None:
        outcome = "was not sent" if certainly_not_written else "may or may not have been sent"
        super().__init__(f"The bus is lost ({reason}); the request {outcome}.")
        self.reason = reason
        self.certainly_not_written = certainly_not_written


# ---- What the bus tells ----------------------------------------------------------------------------------


class BusLost(msgspec.Struct, frozen=True, tag=True):
    """The port cannot be used since `at`; told once, until `BusFound`."""

    reason: str
    at: datetime


class BusFound(msgspec.Struct, frozen=True, tag=True):
    """The port is open again."""

    at: datetime


class Noise(msgspec.Struct, frozen=True, tag=True):
    """`count` bytes came while a reply was awaited that belong to no frame."""

    count: int
    at: datetime


BusNews = BusLost | BusFound | Noise
#: Whom a bus tells; called in its owner thread, and must not block.
Report = Callable[[BusNews], object]


class Reply(msgspec.Struct, frozen=True):
    """A request that was written and drained at `at`, and its answer if it has one and one was heard."""

    request: Request
    at: datetime
    frame: Frame | None


# ---- Settings and seams ----------------------------------------------------------------------------------


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: rest between frames, distance of two locks beyond the pulse, pauses before opening again.

    `nap` is the longest sleep in which the owner thread does not look at its queue.
    """

    gap: float = 0.01
    margin: float = 0.2
    reopen: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0, 5.0)
    nap: float = 0.02


class Supply:
    """What feeds the locks of one or more buses: it bears one lock at a time. Used by the buses' owner threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_at = -math.inf

    def take(self, now: float, seconds: float) -> float:
        """Take it for so many seconds: 0 when it was free, else the seconds until it may be, and nothing is taken."""
        with self._lock:
            if self._free_at > now:
                return self._free_at - now
            self._free_at = now + seconds
            return 0.0

    def hold(self, until: float) -> None:
        """Set when it is free again; only the bus that took it may."""
        with self._lock:
            self._free_at = until


def utc_now() -> datetime:
    return datetime.now(UTC)


def _unheard(_: BusNews) -> None:
    return None


# ---- States ----------------------------------------------------------------------------------------------


class _State(enum.Enum):
    STARTING = enum.auto()  # the first opening is under way; requests wait
    UP = enum.auto()  # requests are served
    DOWN = enum.auto()  # requests fail at once
    CLOSED = enum.auto()


class _Signal(enum.Enum):
    OPENED = enum.auto()
    FAULT = enum.auto()
    CLOSE = enum.auto()


_MOVES: dict[tuple[_State, _Signal], _State] = {
    (_State.STARTING, _Signal.OPENED): _State.UP,
    (_State.STARTING, _Signal.FAULT): _State.DOWN,
    (_State.STARTING, _Signal.CLOSE): _State.CLOSED,
    (_State.UP, _Signal.FAULT): _State.DOWN,
    (_State.UP, _Signal.CLOSE): _State.CLOSED,
    (_State.DOWN, _Signal.OPENED): _State.UP,
    (_State.DOWN, _Signal.FAULT): _State.DOWN,
    (_State.DOWN, _Signal.CLOSE): _State.CLOSED,
    (_State.CLOSED, _Signal.OPENED): _State.CLOSED,
    (_State.CLOSED, _Signal.FAULT): _State.CLOSED,
    (_State.CLOSED, _Signal.CLOSE): _State.CLOSED,
}


class _Job:
    """A request and the future of who asked; one that ends a pulse is `due` at its own time."""

    def __init__(self, request: Request, *, due: float = -math.inf) -> None:
        self.request = request
        self.due = due
        self.future: Future[Reply] = Future()

    def fail(self, error: Exception) -> None:
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Bus:
    """One bus; opening the port begins at once, in the owner thread.

    `report` is called in the owner thread and must not block. `clock` and `sleep` count seconds (monotonic),
    `now` gives the instant that is told to people.
    """

    def __init__(
        self,
        board: Board,
        open_port: Callable[[], Port],
        *,
        report: Report = _unheard,
        timing: Timing | None = None,
        supply: Supply | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._board = board
        self._open_port = open_port
        self._report = report
        self._timing = timing or Timing()
        self._supply = supply or Supply()
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._state = _State.STARTING
        self._changed = threading.Condition()
        self._moving: deque[_Job] = deque()
        self._asking: deque[_Job] = deque()
        self._ending: deque[_Job] = deque()
        self._port: Port | None = None
        self._reason = ""
        self._faults_in_a_row = 0
        self._rest_until = clock()
        self._thread = threading.Thread(target=self._own, name="lock-board-bus", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is on the line, end a pulse, fail what waits, close the port; blocks as long as that takes."""
        with self._changed:
            self._move(_Signal.CLOSE)
            self._changed.notify_all()
        self._thread.join()

    def submit(self, request: Request) -> Future[Reply]:
        """Queue a request. The future ends with its `Reply`, a `BoardError` or `BusClosedError`.

        Cancelling the future before its turn means that no byte is written; later it cannot be cancelled.
        """
        job = _Job(request)
        with self._changed:
            refusal = self._refusal()
            if refusal is None:
                (self._moving if request.pulse else self._asking).append(job)
                self._changed.notify_all()
        if refusal is not None:
            job.fail(refusal)
        return job.future

    def _refusal(self) -> Exception | None:
        if self._state is _State.CLOSED:
            return BusClosedError()
        if self._state is _State.DOWN:
            return BusLostError(self._reason, certainly_not_written=True)
        return None

    # ---- owner thread: the port --------------------------------------------------------------------------

    def _own(self) -> None:
        try:
            while not self._closed():
                if self._port is None:
                    self._open()
                elif job := self._next_job():
                    self._serve(self._port, job)
            self._end_pulses()
        finally:
            self._move(_Signal.CLOSE)
            self._close_port()
            self._fail_waiting(BusClosedError)

    def _closed(self) -> bool:
        return self._state is _State.CLOSED

    def _move(self, signal: _Signal) -> _State:
        """Make a move of `_MOVES` and return the state left."""
        with self._changed:
            before = self._state
            self._state = _MOVES[before, signal]
            return before

    def _open(self) -> None:
        if self._faults_in_a_row:
            pauses = self._timing.reopen
            self._nap(pauses[min(self._faults_in_a_row, len(pauses)) - 1])
        if self._closed():
            return
        try:
            self._port = self._open_port()
        except PORT_FAULTS as fault:
            self._lose(str(fault))
            return
        if self._move(_Signal.OPENED) is _State.DOWN:
            self._report(BusFound(at=self._now()))

    def _lose(self, reason: str) -> None:
        self._faults_in_a_row += 1
        self._reason = reason
        before = self._move(_Signal.FAULT)
        self._close_port()
        # told before the futures fail: whoever wakes up finds the news already there
        if before in (_State.STARTING, _State.UP):
            self._report(BusLost(reason=reason, at=self._now()))
        self._fail_waiting(lambda: BusLostError(reason, certainly_not_written=True))

    def _close_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            # a port whose device is gone may refuse even this, and there is nothing left to close then
            with suppress(*PORT_FAULTS):
                port.close()

    def _fail_waiting(self, error: Callable[[], Exception]) -> None:
        with self._changed:
            waiting = [*self._moving, *self._asking, *self._ending]
            self._moving.clear()
            self._asking.clear()
            self._ending.clear()
        for job in waiting:
            job.fail(error())

    def _end_pulses(self) -> None:
        """The last words on a bus that is being closed: no lock stays under current."""
        while self._port is not None and self._ending:
            job = self._ending.popleft()
            if (left := job.due - self._clock()) > 0:
                self._sleep(left)
            self._serve(self._port, job)

    def _nap(self, seconds: float) -> None:
        until = self._clock() + seconds
        while not self._closed() and (left := until - self._clock()) > 0:
            self._sleep(min(left, self._timing.nap))

    # ---- owner thread: requests --------------------------------------------------------------------------

    def _next_job(self) -> _Job | None:
        """Wait for a request and take the one whose turn it is; None means: look again."""
        with self._changed:
            self._changed.wait_for(lambda: self._moving or self._asking or self._ending or self._closed())
            if self._closed():
                return None
            waits = [self._timing.nap]
            if self._ending:
                if (due_in := self._ending[0].due - self._clock()) <= 0:
                    return self._ending.popleft()
                waits.append(due_in)
            if self._moving:
                if not (free_in := self._supply.take(self._clock(), self._at_most(self._moving[0].request))):
                    return self._moving.popleft()
                waits.append(free_in)
            if self._asking:
                return self._asking.popleft()
        self._sleep(min(waits))
        return None

    def _at_most(self, request: Request) -> float:
        """Seconds after which a pulse that is about to be written is certainly over."""
        return self._timing.gap + WRITE_TIMEOUT + request.pulse + self._timing.margin

    def _serve(self, port: Port, job: _Job) -> None:
        if not job.future.set_running_or_notify_cancel():
            if job.request.pulse:
                self._supply.hold(self._clock())
            return
        try:
            reply = self._transact(port, job.request)
        except BusLostError as lost:
            self._lose(lost.reason)
            job.future.set_exception(lost)
        except BoardError as error:
            self._faults_in_a_row = 0
            job.future.set_exception(error)
            if job.due > -math.inf and not self._closed():
                # The lock is still under current: nothing else may fire, and the board is told again.
                self._end_later(job.request, END_AGAIN)
        except BaseException as fault:
            # a fault of this program ends the thread, but whoever asked must not wait for ever
            job.future.set_exception(fault)
            raise
        else:
            self._faults_in_a_row = 0
            if job.due > -math.inf:
                self._supply.hold(self._clock() + self._timing.margin)
            job.future.set_result(reply)

    def _transact(self, port: Port, request: Request) -> Reply:
        untouched = True
        heard = b""
        try:
            for attempt in range(request.tries):
                frame = self._board.seal(request, again=attempt > 0)
                self._clear_line(port)
                untouched = False
                self._write(port, request, frame)
                at = self._now()
                if not request.deadline:
                    return Reply(request=request, at=at, frame=None)
                answer, heard = self._listen(port, request)
                if answer is not None:
                    return Reply(request=request, at=at, frame=answer)
        except PORT_FAULTS as fault:
            raise BusLostError(str(fault), certainly_not_written=untouched) from fault
        if request.pulse:
            return Reply(request=request, at=at, frame=None)
        raise GarbledReplyError(request, heard) if heard else NoReplyError(request)

    def _clear_line(self, port: Port) -> None:
        if (left := self._rest_until - self._clock()) > 0:
            self._sleep(left)
        enough = self._clock() + BABBLE
        # several reads, because a network port tells no more than that something waits; and an end to babble
        while (stale := port.in_waiting) and self._clock() < enough:
            port.read(stale)

    def _write(self, port: Port, request: Request, frame: bytes) -> None:
        try:
            if port.write(frame) != len(frame):
                raise OSError("the port took a part of the frame")
            port.flush()
        finally:
            now = self._clock()
            self._rest_until = now + self._timing.gap
            if request.pulse:
                # a write that failed may still have fired the lock
                self._supply.hold(now + request.pulse + self._timing.margin)
                if request.follow is not None:
                    self._end_later(request.follow, request.pulse)

    def _end_later(self, request: Request, seconds: float) -> None:
        """Write what ends a pulse so many seconds from now; until the board has answered the supply stays taken."""
        now = self._clock()
        tries = request.tries * (request.deadline + WRITE_TIMEOUT)
        self._supply.hold(now + seconds + tries + self._timing.margin)
        with self._changed:
            self._ending.append(_Job(request, due=now + seconds))

    def _listen(self, port: Port, request: Request) -> tuple[Frame | None, bytes]:
        """The reply, if it came in time, and the beginning of what came instead."""
        decoder = self._board.decoder(request)
        deadline = self._clock() + request.deadline
        answer: Frame | None = None
        other: list[Frame | Junk] = []
        while answer is None and self._clock() < deadline:
            for event in decoder.feed(port.read(max(1, port.in_waiting))):
                if isinstance(event, Frame) and self._board.answers(request, event):
                    answer = event
                elif not isinstance(event, Echo):
                    other.append(event)
        if decoder.pending:
            other.append(Junk(decoder.pending))
        self._rest_until = self._clock() + self._timing.gap
        if noise := sum(len(event.raw) for event in other if isinstance(event, Junk)):
            self._report(Noise(count=noise, at=self._now()))
        return answer, b"".join(event.raw for event in other)[:HEARD]
