"""The bus against scripted ports and pseudo terminals: every fault, and that no unlock frame is written twice."""

import os
import select
import socket
import threading
import tty
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from servicepunkt.dokbox.boards import krcu16
from servicepunkt.dokbox.boards.base import BoardError, Echo, Frame, Junk, LocalError, Request
from servicepunkt.dokbox.boards.krcu16 import KrCu16, Options
from servicepunkt.dokbox.bus import (
    Bus,
    BusClosedError,
    BusFound,
    BusLost,
    BusLostError,
    GarbledReplyError,
    Noise,
    NoReplyError,
    Reply,
    Supply,
    Timing,
)
from servicepunkt.dokbox.ports import Port, serial_port

PATIENCE = 20.0  # seconds until a test gives up; nothing waits this long when all is well

STATUS_0 = bytes.fromhex("02 00 30 03 35")
STATUS_1 = bytes.fromhex("02 10 30 03 45")
UNLOCK_1 = bytes.fromhex("02 00 31 03 36")
UNLOCK_2 = bytes.fromhex("02 01 31 03 37")
REPLY_0 = bytes.fromhex("02 00 35 FF FF 01 00 03 39")
REPLY_1 = bytes.fromhex("02 10 35 FF FF 01 00 03 49")
FLIPPED = bytes.fromhex("02 00 35 FF FF 03 00 03 39")
UNPLUGGED = OSError(5, "Input/output error")

BOARD = KrCu16(Options(boards=2))


class Clock:
    """Time that passes only when someone sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


Script = Callable[[bytes], bytes]


class ScriptedPort:
    """A port whose far end answers by a function; faults are set on it."""

    def __init__(self, clock: Clock, answer: Script = lambda _: b"") -> None:
        self.clock = clock
        self.answer = answer
        self.written: list[tuple[float, bytes]] = []
        self.received = bytearray()
        self.faults: dict[str, Exception] = {}
        self.takes: int | None = None
        self.closed = False

    @property
    def frames(self) -> list[bytes]:
        return [frame for _, frame in self.written]

    @property
    def in_waiting(self) -> int:
        self._fail("in_waiting")
        return len(self.received)

    def read(self, size: int, /) -> bytes:
        self._fail("read")
        if not self.received:
            self.clock.sleep(0.02)
        data = bytes(self.received[:size])
        del self.received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        self._fail("write")
        self.written.append((self.clock.seconds, data))
        if self.takes is not None:
            return self.takes
        self.received += self.answer(data)
        return len(data)

    def flush(self) -> None:
        self._fail("flush")

    def close(self) -> None:
        self.closed = True

    def _fail(self, where: str) -> None:
        if where in self.faults:
            raise self.faults[where]


class Bench:
    """A bus on scripted ports; opening waits for `go` so that a test can queue requests first."""

    def __init__(self, *ports: ScriptedPort | Exception, clock: Clock, board: KrCu16 = BOARD) -> None:
        self.clock = clock
        self.ports = deque(ports)
        self.news: list[BusLost | BusFound | Noise] = []
        self.go = threading.Event()
        self.bus = Bus(board, self._open, report=self.news.append, clock=clock, sleep=clock.sleep)

    def _open(self) -> Port:
        assert self.go.wait(PATIENCE)
        port = self.ports.popleft() if len(self.ports) > 1 else self.ports[0]
        if isinstance(port, Exception):
            raise port
        return port

    def ask(self, *requests: Request) -> list[Future[Reply]]:
        futures = [self.bus.submit(request) for request in requests]
        self.go.set()
        return futures

    def result(self, request: Request) -> Reply:
        (future,) = self.ask(request)
        return future.result(PATIENCE)

    def error(self, request: Request) -> BaseException:
        (future,) = self.ask(request)
        error = future.exception(PATIENCE)
        assert error is not None
        return error


@contextmanager
def bench(*ports: ScriptedPort | Exception, clock: Clock, board: KrCu16 = BOARD) -> Iterator[Bench]:
    made = Bench(*ports, clock=clock, board=board)
    try:
        yield made
    finally:
        made.go.set()
        made.bus.close()


def boards(frame: bytes) -> bytes:
    """Two boards in good order."""
    return {STATUS_0: REPLY_0, STATUS_1: REPLY_1}.get(frame, b"")


@pytest.fixture
def clock() -> Clock:
    return Clock()


# ---- Asking ----


def test_status_is_answered(clock: Clock) -> None:
    port = ScriptedPort(clock, boards)
    with bench(port, clock=clock) as on:
        for request, reply in ((BOARD.status(0), REPLY_0), (BOARD.status(1), REPLY_1)):
            assert on.result(request).frame == krcu16.Frame(reply)
        assert on.news == []
    assert port.closed


def test_silence_is_asked_three_times_and_each_time_waited_for(clock: Clock) -> None:
    port = ScriptedPort(clock)
    with bench(port, clock=clock) as on:
        error = on.error(BOARD.status(0))
    assert isinstance(error, NoReplyError)
    assert (error.code, str(error)) == ("SP3221", "The board did not answer 02 00 30 03 35 (3 tries).")
    assert port.frames == [STATUS_0] * 3
    starts = [at for at, _ in port.written]
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(starts))


def test_second_try_may_succeed(clock: Clock) -> None:
    answers = deque([b"", REPLY_0])
    port = ScriptedPort(clock, lambda _: answers.popleft())
    with bench(port, clock=clock) as on:
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)
    assert port.frames == [STATUS_0] * 2


@pytest.mark.parametrize(
    ("answer", "noise"),
    [
        pytest.param(FLIPPED, 9, id="flipped bit"),
        pytest.param(REPLY_0[:5], 5, id="half a frame"),
        pytest.param(b"\xff\x00\x13", 3, id="garbage"),
    ],
)
def test_unreadable_answers_are_noise(clock: Clock, answer: bytes, noise: int) -> None:
    port = ScriptedPort(clock, lambda _: answer)
    with bench(port, clock=clock) as on:
        error = on.error(BOARD.status(0))
    assert isinstance(error, GarbledReplyError)
    assert (error.code, error.heard) == ("SP3222", answer)
    assert [news.count for news in on.news if isinstance(news, Noise)] == [noise] * 3


def test_other_boards_reply_is_no_answer(clock: Clock) -> None:
    with bench(ScriptedPort(clock, lambda _: REPLY_1), clock=clock) as on:
        assert isinstance(on.error(BOARD.status(0)), GarbledReplyError)
        assert on.news == []


def test_reply_behind_garbage_is_found(clock: Clock) -> None:
    with bench(ScriptedPort(clock, lambda _: b"\x02\x00\x35" + REPLY_0), clock=clock) as on:
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)
        assert [type(news) for news in on.news] == [Noise]


def test_echo_is_no_answer_and_no_noise(clock: Clock) -> None:
    with bench(ScriptedPort(clock, lambda frame: frame + boards(frame)), clock=clock) as on:
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)
    with bench(ScriptedPort(clock, lambda frame: frame), clock=clock) as on:
        assert isinstance(on.error(BOARD.status(0)), NoReplyError)
        assert on.news == []


def test_what_came_before_the_request_is_thrown_away(clock: Clock) -> None:
    port = ScriptedPort(clock)
    port.received += REPLY_0
    with bench(port, clock=clock) as on:
        assert isinstance(on.error(BOARD.status(0)), NoReplyError)


def test_babbling_line_ends_at_the_deadline(clock: Clock) -> None:
    class Babbler(ScriptedPort):
        def read(self, size: int, /) -> bytes:
            self.clock.sleep(0.001)
            return b"\x02\x00\x35"

    with bench(Babbler(clock), clock=clock) as on:
        error = on.error(BOARD.status(0))
    assert isinstance(error, GarbledReplyError)
    assert len(error.heard) == 32


def test_line_rests_between_frames(clock: Clock) -> None:
    port = ScriptedPort(clock, boards)
    with bench(port, clock=clock) as on:
        for future in on.ask(*[BOARD.status(0)] * 5):
            future.result(PATIENCE)
    starts = [at for at, _ in port.written]
    assert all(later - earlier >= Timing().gap - 1e-9 for earlier, later in pairwise(starts))


# ---- Unlocking ----


def test_unlock_waits_for_no_reply(clock: Clock) -> None:
    port = ScriptedPort(clock)
    with bench(port, clock=clock) as on:
        reply = on.result(BOARD.unlock(1))
    assert (reply.request.frame, reply.frame) == (UNLOCK_1, None)
    assert port.frames == [UNLOCK_1]


@pytest.mark.parametrize("answer", [b"", UNLOCK_1, REPLY_0, FLIPPED, b"\xff" * 50, UNLOCK_1[:2]])
def test_unlock_is_written_once_whatever_comes_back(clock: Clock, answer: bytes) -> None:
    port = ScriptedPort(clock, lambda frame: answer if frame == UNLOCK_1 else boards(frame))
    with bench(port, clock=clock) as on:
        on.result(BOARD.unlock(1))
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)
    assert port.frames == [UNLOCK_1, STATUS_0]


@pytest.mark.parametrize("answer", [b"", FLIPPED])
def test_unlock_of_a_kind_that_replies_is_not_repeated_when_the_reply_is_missing(clock: Clock, answer: bytes) -> None:
    port = ScriptedPort(clock, lambda _: answer)
    with bench(port, clock=clock) as on:
        reply = on.result(Request(frame=UNLOCK_1, deadline=3.0, pulse=0.5))
    assert reply.frame is None
    assert port.frames == [UNLOCK_1]


@pytest.mark.parametrize("where", ["write", "flush"])
def test_failed_unlock_is_unknown_and_never_written_again(clock: Clock, where: str) -> None:
    broken, good = ScriptedPort(clock), ScriptedPort(clock, boards)
    broken.faults[where] = UNPLUGGED
    with bench(broken, good, clock=clock) as on:
        error = on.error(BOARD.unlock(1))
        assert isinstance(error, BusLostError)
        assert (error.code, error.certainly_not_written) == ("SP3223", False)
        await_news(on, BusFound)
        on.result(BOARD.status(0))
    assert broken.frames == [UNLOCK_1] * (where == "flush")
    assert good.frames == [STATUS_0]


def test_unlock_that_left_in_part_is_unknown_and_never_completed(clock: Clock) -> None:
    broken, good = ScriptedPort(clock), ScriptedPort(clock, boards)
    broken.takes = 2
    with bench(broken, good, clock=clock) as on:
        error = on.error(BOARD.unlock(1))
        assert isinstance(error, BusLostError)
        assert not error.certainly_not_written
        await_news(on, BusFound)
        on.result(BOARD.status(0))
    assert (broken.frames, good.frames) == ([UNLOCK_1], [STATUS_0])


def test_port_that_is_dead_before_the_first_byte_is_certain(clock: Clock) -> None:
    broken, good = ScriptedPort(clock), ScriptedPort(clock, boards)
    broken.faults["in_waiting"] = UNPLUGGED
    with bench(broken, good, clock=clock) as on:
        error = on.error(BOARD.unlock(1))
        assert isinstance(error, BusLostError)
        assert error.certainly_not_written
        await_news(on, BusFound)
    assert broken.frames == good.frames == []


def test_what_waits_when_the_bus_goes_is_certainly_not_written(clock: Clock) -> None:
    broken, good = ScriptedPort(clock), ScriptedPort(clock, boards)
    broken.faults["write"] = UNPLUGGED
    with bench(broken, good, clock=clock) as on:
        first, *others = on.ask(BOARD.unlock(1), BOARD.unlock(2), BOARD.status(0))
        lost = first.exception(PATIENCE)
        assert isinstance(lost, BusLostError)
        assert not lost.certainly_not_written
        for future in others:
            error = future.exception(PATIENCE)
            assert isinstance(error, BusLostError)
            assert error.certainly_not_written
        await_news(on, BusFound)
    assert good.frames == []


def test_one_lock_fires_at_a_time_while_asking_goes_on(clock: Clock) -> None:
    port = ScriptedPort(clock, boards)
    with bench(port, clock=clock) as on:
        unlocks = on.ask(BOARD.unlock(1), BOARD.unlock(2), BOARD.unlock(17), *[BOARD.status(0)] * 3)
        for future in unlocks:
            future.result(PATIENCE)
    fired = [at for at, frame in port.written if frame[2] == 0x31]
    assert len(fired) == 3
    assert all(later - earlier >= 0.5 + 0.2 - 1e-9 for earlier, later in pairwise(fired))
    assert port.frames[:4] == [UNLOCK_1, STATUS_0, STATUS_0, STATUS_0]


def test_distance_follows_the_pulse_setting(clock: Clock) -> None:
    board = KrCu16(Options(pulse_ms=1000))
    port = ScriptedPort(clock)
    with bench(port, clock=clock, board=board) as on:
        for future in on.ask(board.unlock(1), board.unlock(2)):
            future.result(PATIENCE)
    (first, _), (second, _) = port.written
    assert second - first >= 1.2 - 1e-9


def test_two_buses_on_one_supply_fire_one_lock_at_a_time(clock: Clock) -> None:
    ports = [ScriptedPort(clock), ScriptedPort(clock)]
    supply = Supply()
    buses = [Bus(BOARD, lambda p=p: p, supply=supply, clock=clock, sleep=clock.sleep) for p in ports]  # type: ignore[misc]
    try:
        for future in [bus.submit(BOARD.unlock(lock)) for lock in (1, 2) for bus in buses]:
            future.result(PATIENCE)
    finally:
        for bus in buses:
            bus.close()
    fired = sorted(at for port in ports for at, _ in port.written)
    assert len(fired) == 4
    assert all(later - earlier >= 0.5 + 0.2 - 1e-9 for earlier, later in pairwise(fired))


# ---- Boards that do not end the pulse themselves ----

ON = Request(frame=b"\x01on", deadline=0.2, pulse=0.5, follow=Request(frame=b"\x01off", deadline=0.2, tries=2))


class Relays(KrCu16):
    """Takes every frame of two bytes as the answer."""

    def decoder(self, request: Request, /) -> "Relays.Whole":
        return self.Whole()

    def answers(self, request: Request, frame: Frame) -> bool:
        return True

    class Whole:
        pending = b""

        def feed(self, data: bytes) -> list[Frame | Echo | Junk]:
            return [Frame(data)] if data else []


def test_pulse_is_ended_before_anything_else(clock: Clock) -> None:
    port = ScriptedPort(clock, lambda _: b"ok")
    with bench(port, clock=clock, board=Relays(Options())) as on:
        ask = Request(frame=b"?", deadline=0.2)
        for future in on.ask(ON, ON, ask, ask):
            future.result(PATIENCE)
    assert port.frames == [ON.frame, b"?", b"?", b"\x01off", ON.frame, b"\x01off"]
    at = [at for at, frame in port.written if frame != b"?"]
    assert 0.5 <= at[1] - at[0] <= 0.6
    assert at[2] - at[1] >= 0.2


def test_pulse_is_ended_when_the_bus_is_closed(clock: Clock) -> None:
    port = ScriptedPort(clock, lambda _: b"ok")
    with bench(port, clock=clock, board=Relays(Options())) as on:
        on.result(ON)
    assert port.frames == [ON.frame, b"\x01off"]
    assert port.written[1][0] - port.written[0][0] >= 0.5


def test_nothing_fires_until_the_board_has_confirmed_the_end_of_a_pulse(clock: Clock) -> None:
    answers = deque([b"ok", b"", b"", b"", b"ok"])  # the end is confirmed only at the fourth time
    port = ScriptedPort(clock, lambda _: answers.popleft() if answers else b"ok")
    with bench(port, clock=clock, board=Relays(Options())) as on:
        for future in on.ask(ON, ON):
            future.result(PATIENCE)
    assert port.frames[:6] == [ON.frame, *[b"\x01off"] * 4, ON.frame]


def test_unlock_that_failed_counts_as_fired(clock: Clock) -> None:
    broken, good = ScriptedPort(clock), ScriptedPort(clock)
    broken.faults["flush"] = UNPLUGGED
    with bench(broken, good, clock=clock) as on:
        on.error(BOARD.unlock(1))
        await_news(on, BusFound)
        on.result(BOARD.unlock(2))
    assert good.written[0][0] - broken.written[0][0] >= 0.7 - 1e-9


def test_cancelled_before_its_turn_is_never_written(clock: Clock) -> None:
    port = ScriptedPort(clock)
    with bench(port, clock=clock) as on:
        future = on.bus.submit(BOARD.unlock(1))
        assert future.cancel()
        on.result(BOARD.unlock(2))
        with pytest.raises(CancelledError):
            future.result(PATIENCE)
    assert port.frames == [UNLOCK_2]


# ---- Losing, finding, closing ----


def await_news(on: Bench, kind: type) -> None:
    """Ask for nothing, look until the bus has told it."""
    for _ in range(2000):
        if any(isinstance(news, kind) for news in on.news):
            return
        threading.Event().wait(0.005)
    raise AssertionError(f"no {kind.__name__} in {on.news}")


def test_loss_while_waiting_for_a_reply(clock: Clock) -> None:
    broken = ScriptedPort(clock)
    broken.faults["read"] = UNPLUGGED
    with bench(broken, ScriptedPort(clock, boards), clock=clock) as on:
        error = on.error(BOARD.status(0))
        assert isinstance(error, BusLostError)
        assert broken.closed
        await_news(on, BusFound)
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)
        assert [type(news) for news in on.news] == [BusLost, BusFound]


def test_port_that_cannot_even_be_closed_is_left_behind(clock: Clock) -> None:
    class Stuck(ScriptedPort):
        def close(self) -> None:
            raise UNPLUGGED

    broken = Stuck(clock)
    broken.faults["read"] = UNPLUGGED
    with bench(broken, ScriptedPort(clock, boards), clock=clock) as on:
        on.error(BOARD.status(0))
        await_news(on, BusFound)
        assert on.result(BOARD.status(0)).frame == krcu16.Frame(REPLY_0)


def test_pauses_grow_and_loss_is_told_once(clock: Clock) -> None:
    absent = FileNotFoundError(2, "No such file or directory")
    with bench(*[absent] * 8, ScriptedPort(clock, boards), clock=clock) as on:
        on.go.set()
        await_news(on, BusFound)
        assert [type(news) for news in on.news] == [BusLost, BusFound]
        assert on.result(BOARD.status(0)).frame is not None
    waited = 0.25 + 0.5 + 1 + 2 + 5 * 4
    assert clock.seconds - 100 >= waited - 1e-6
    assert max(clock.slept) <= Timing().nap + 1e-9


def test_pauses_start_anew_only_after_the_bus_has_worked(clock: Clock) -> None:
    def broken() -> ScriptedPort:
        port = ScriptedPort(clock)
        port.faults["write"] = UNPLUGGED
        return port

    with bench(broken(), broken(), ScriptedPort(clock, boards), clock=clock) as on:
        on.error(BOARD.status(0))
        await_news(on, BusFound)
        before = clock.seconds
        on.news.clear()
        on.error(BOARD.status(0))
        await_news(on, BusFound)
        assert clock.seconds - before >= 0.5 - 1e-9


def test_requests_fail_at_once_while_the_bus_is_lost(clock: Clock) -> None:
    held = threading.Event()

    class Held(Clock):
        def sleep(self, seconds: float) -> None:
            held.wait(PATIENCE)
            super().sleep(seconds)

    slow = Held()
    with bench(FileNotFoundError(2, "No such file"), ScriptedPort(slow), clock=slow) as on:
        on.go.set()
        await_news(on, BusLost)
        error = on.bus.submit(BOARD.unlock(1)).exception(0)
        held.set()
    assert isinstance(error, BusLostError)
    assert error.certainly_not_written
    assert "No such file" in str(error)


def test_close_fails_what_waits_and_writes_nothing_more(clock: Clock) -> None:
    port = ScriptedPort(clock)
    on = Bench(port, clock=clock)
    waiting = on.bus.submit(BOARD.unlock(1))
    closing = threading.Thread(target=on.bus.close)
    closing.start()
    for _ in range(2000):
        if on.bus.submit(BOARD.status(0)).done():
            break
        threading.Event().wait(0.005)
    on.go.set()
    closing.join(PATIENCE)
    assert isinstance(waiting.exception(PATIENCE), BusClosedError)
    assert isinstance(on.bus.submit(BOARD.status(0)).exception(0), BusClosedError)
    assert (port.frames, port.closed) == ([], True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_fault_of_a_board_kind_reaches_who_asked_and_ends_the_bus(clock: Clock) -> None:
    class Faulty(KrCu16):
        def answers(self, request: Request, frame: Frame) -> bool:
            raise ZeroDivisionError

    board = Faulty(Options())
    port = ScriptedPort(clock, boards)
    on = Bench(port, clock=clock, board=board)
    first, second = on.ask(board.status(0), board.status(0))
    assert isinstance(first.exception(PATIENCE), ZeroDivisionError)
    assert isinstance(second.exception(PATIENCE), BusClosedError)
    on.bus.close()
    assert port.closed


def test_errors_say_whose_fault_it_is() -> None:
    for error in (NoReplyError, GarbledReplyError, BusLostError):
        assert issubclass(error, BoardError)
    assert issubclass(BusClosedError, LocalError)


# ---- Pseudo terminals ----


class UnplugError(Exception):
    """Raised by a script to pull the cable."""


class Terminal:
    """The far end of a pseudo terminal: answers 5-byte requests by a script, counts what it hears."""

    def __init__(self, answer: Script) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave: int | None = slave
        self._answer = answer
        self._stop = threading.Event()
        self.heard = bytearray()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        waiting = bytearray()
        try:
            while not self._stop.is_set():
                if not select.select([self.master], [], [], 0.02)[0]:
                    continue
                data = os.read(self.master, 4096)
                self.heard += data
                waiting += data
                while len(waiting) >= 5:
                    os.write(self.master, self._answer(bytes(waiting[:5])))
                    del waiting[:5]
        except UnplugError:
            pass
        finally:
            os.close(self.master)
            if self._slave is not None:
                os.close(self._slave)
                self._slave = None

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)


@contextmanager
def terminal(answer: Script) -> Iterator[Terminal]:
    made = Terminal(answer)
    try:
        yield made
    finally:
        made.stop()


def answer_or_unplug(at: bytes) -> Script:
    def answer(frame: bytes) -> bytes:
        if frame == at:
            raise UnplugError
        return boards(frame)

    return answer


class News:
    """What a bus on a pseudo terminal told."""

    def __init__(self) -> None:
        self.told: list[BusLost | BusFound | Noise] = []
        self.found = threading.Event()

    def __call__(self, news: BusLost | BusFound | Noise) -> None:
        self.told.append(news)
        if isinstance(news, BusFound):
            self.found.set()


@contextmanager
def real_bus(path: str, news: News) -> Iterator[Bus]:
    bus = Bus(BOARD, lambda: serial_port(path, 19200), report=news, timing=Timing(reopen=(0.02,)))
    try:
        yield bus
    finally:
        bus.close()


def test_terminal_round_trip() -> None:
    news = News()
    with terminal(lambda frame: frame + boards(frame)) as far, real_bus(far.path, news) as bus:
        assert bus.submit(BOARD.status(1)).result(PATIENCE).frame == krcu16.Frame(REPLY_1)
        assert bus.submit(BOARD.unlock(1)).result(PATIENCE).request.frame == UNLOCK_1
        assert bus.submit(BOARD.status(0)).result(PATIENCE).frame == krcu16.Frame(REPLY_0)
    assert bytes(far.heard) == STATUS_1 + UNLOCK_1 + STATUS_0
    assert news.told == []


def test_transparent_gateway() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()

        def gateway() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(64):
                    connection.sendall(boards(data))

        far = threading.Thread(target=gateway)
        far.start()
        bus = Bus(BOARD, lambda: serial_port(f"tcp://{host}:{port}", 19200))
        try:
            assert bus.submit(BOARD.status(1)).result(PATIENCE).frame == krcu16.Frame(REPLY_1)
        finally:
            bus.close()
            far.join(PATIENCE)


def test_gateway_that_hangs_up_is_a_lost_bus() -> None:
    news = News()
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        bus = Bus(BOARD, lambda: serial_port(f"tcp://{host}:{port}", 19200), report=news, timing=Timing(reopen=(0.02,)))
        try:
            server.accept()[0].close()
            assert isinstance(bus.submit(BOARD.status(0)).exception(PATIENCE), BusLostError)
            connection, _ = server.accept()
            with connection:
                assert news.found.wait(PATIENCE)
                future = bus.submit(BOARD.status(0))
                connection.sendall(boards(connection.recv(64)))
                assert future.result(PATIENCE).frame == krcu16.Frame(REPLY_0)
        finally:
            bus.close()


def test_port_belongs_to_one_process() -> None:
    with terminal(boards) as far, real_bus(far.path, News()) as bus:
        bus.submit(BOARD.status(0)).result(PATIENCE)
        with pytest.raises(OSError, match="lock"):
            serial_port(far.path, 19200)


def test_unplugged_in_a_request_and_found_again(tmp_path: Path) -> None:
    device, news = tmp_path / "bus", News()
    with terminal(answer_or_unplug(STATUS_1)) as first, terminal(boards) as second:
        device.symlink_to(first.path)
        with real_bus(str(device), news) as bus:
            bus.submit(BOARD.status(0)).result(PATIENCE)
            device.unlink()
            lost = bus.submit(BOARD.status(1)).exception(PATIENCE)
            assert isinstance(lost, BusLostError)
            device.symlink_to(second.path)
            assert news.found.wait(PATIENCE)
            assert bus.submit(BOARD.status(1)).result(PATIENCE).frame == krcu16.Frame(REPLY_1)
        assert [type(told) for told in news.told] == [BusLost, BusFound]


def test_unplugged_in_an_unlock_writes_it_once_over_both_cables(tmp_path: Path) -> None:
    device, news = tmp_path / "bus", News()
    with terminal(answer_or_unplug(UNLOCK_1)) as first, terminal(boards) as second:
        device.symlink_to(first.path)
        with real_bus(str(device), news) as bus:
            unlock = bus.submit(BOARD.unlock(1))
            # the frame left before the cable was pulled, or the fault was seen while draining: both may happen
            error = unlock.exception(PATIENCE)
            assert error is None or (isinstance(error, BusLostError) and not error.certainly_not_written)
            device.unlink()
            device.symlink_to(second.path)
            for _ in range(2000):
                bus.submit(BOARD.status(0)).exception(PATIENCE)
                if news.found.wait(0.005):
                    break
            assert bus.submit(BOARD.status(0)).result(PATIENCE).frame == krcu16.Frame(REPLY_0)
    assert (bytes(first.heard) + bytes(second.heard)).count(UNLOCK_1) == 1


def test_absent_device_is_a_lost_bus(tmp_path: Path) -> None:
    news = News()
    with real_bus(str(tmp_path / "nothing"), news) as bus:
        error = bus.submit(BOARD.unlock(1)).exception(PATIENCE)
        assert isinstance(error, BusLostError)
        assert error.certainly_not_written
        assert "nothing" in str(error)
