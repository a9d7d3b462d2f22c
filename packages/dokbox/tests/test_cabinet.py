"""The cabinet: addresses, confirmation, streams, and a cabinet on scripted boards from opening to unplugging."""

import asyncio
import os
import select
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicepunkt.dokbox.addresses import board_opening, parse_address
from servicepunkt.dokbox.boards import BadSettingError, NoSuchCompartmentError, Reading, Request
from servicepunkt.dokbox.boards.krcu16 import KrCu16, Options
from servicepunkt.dokbox.bus import BusClosedError, BusLostError, GarbledReplyError, NoReplyError
from servicepunkt.dokbox.cabinet import Cabinet, Pace, connect, open_cabinet
from servicepunkt.dokbox.debounce import Debounce
from servicepunkt.dokbox.events import (
    UNREAD_EVENTS,
    BoardBack,
    BoardSilent,
    DoorClosed,
    DoorOpened,
    Event,
    Events,
    FellBehindError,
    ItemChanged,
    LineFound,
    LineLost,
    LineNoise,
    Snapshot,
)
from servicepunkt.dokbox.ports import Port

PATIENCE = 20.0  # seconds until a test gives up; nothing waits this long when all is well
NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
QUICK = Pace(idle=0.002, watched=0.001)
E = TypeVar("E")


# ---- Addresses ----


def test_address_of_the_manual() -> None:
    found = parse_address("krcu16:/dev/ttyUSB0?boards=3&compartments=48")
    assert (found.path, found.board.baudrate, list(found.board.boards)) == ("/dev/ttyUSB0", 19200, [0, 1, 2])
    assert list(found.table) == list(range(1, 49))


def test_shortest_address() -> None:
    found = parse_address("krcu16:COM3")
    assert (found.path, len(found.table)) == ("COM3", 16)


def test_path_may_be_quoted() -> None:
    assert parse_address("krcu16:/dev/odd%3Fname").path == "/dev/odd?name"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "known are: .*krcu16"),
        ("/dev/ttyUSB0", "known are: .*krcu16"),
        ("KRCU16:/dev/ttyUSB0", "known are: .*krcu16"),
        ("modbuss:/dev/ttyUSB0", "known are: .*krcu16"),
        ("krcu16:", "names no port"),
        ("krcu16:?boards=1", "names no port"),
        ("krcu16://host/dev/ttyUSB0", "tcp://HOST:PORT"),
        ("krcu16:tcp://", "names no gateway"),
        ("krcu16:tcp://192.0.2.7", "names no gateway"),
        ("krcu16:tcp://192.0.2.7:none", "names no gateway"),
        ("krcu16:/dev/ttyUSB0?boards", "name=value"),
        ("krcu16:/dev/ttyUSB0?boards=1&", "name=value"),
        ("krcu16:/dev/ttyUSB0?boards=", "cannot be ''"),
        ("krcu16:/dev/ttyUSB0?boards=0", "cannot be '0'"),
        ("krcu16:/dev/ttyUSB0?boards=1.5", "cannot be '1.5'"),
        ("krcu16:/dev/ttyUSB0?Boards=1", "unknown option 'Boards'"),
        ("krcu16:/dev/ttyUSB0?boards=1&boards=1", "given twice"),
        ("krcu16:/dev/ttyUSB0?boards=1&compartments=17", "too many"),
    ],
)
def test_bad_address_is_refused_before_anything_is_opened(address: str, words: str) -> None:
    def no_port(path: str, baudrate: int) -> Port:
        raise AssertionError("opened")

    with pytest.raises(BadSettingError, match=words):
        open_cabinet(address, open_port=no_port)


def test_all_mistakes_of_an_address_come_together() -> None:
    with pytest.raises(BadSettingError) as caught:
        parse_address("krcu16:?boards=99&pulse=1")
    assert len(caught.value.mistakes) == 3


@settings(deadline=None)  # the first one looks for kinds of other distributions
@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_bad_setting(text: str) -> None:
    for address in (text, f"krcu16:{text}", f"krcu16:/dev/x?{text}"):
        with suppress(BadSettingError):
            assert parse_address(address).path


# ---- Confirmation ----

SHUT, SHUT_FULL = Reading(True, False), Reading(True, True)
OPEN, OPEN_FULL = Reading(False, False), Reading(False, True)


def told(*readings: Reading, times: int = 2) -> list[Event]:
    debounce = Debounce(readings=times)
    return [event for reading in readings for event in debounce.see({1: reading}, NOW)]


def test_snapshot_waits_for_confirmation() -> None:
    assert told(SHUT) == []
    assert told(SHUT, SHUT) == [Snapshot({1: SHUT}, NOW)]
    assert told(OPEN, SHUT, SHUT_FULL, SHUT_FULL) == [Snapshot({1: SHUT_FULL}, NOW)]


def test_one_odd_reading_is_forgotten() -> None:
    assert told(SHUT, SHUT, OPEN, SHUT, SHUT_FULL, SHUT, OPEN_FULL, SHUT)[1:] == []


def test_two_readings_make_an_event() -> None:
    assert told(SHUT, SHUT, OPEN, OPEN, OPEN)[1:] == [DoorOpened(1, NOW)]
    assert told(SHUT, SHUT, SHUT_FULL, SHUT_FULL)[1:] == [ItemChanged(1, True, NOW)]
    assert told(OPEN, OPEN, SHUT, SHUT)[1:] == [DoorClosed(1, False, NOW)]


def test_a_whole_hand_over() -> None:
    assert told(SHUT_FULL, SHUT_FULL, OPEN_FULL, OPEN_FULL, OPEN, OPEN, SHUT, SHUT)[1:] == [
        DoorOpened(1, NOW),
        ItemChanged(1, False, NOW),
        DoorClosed(1, False, NOW),
    ]


def test_flickering_item_does_not_hide_an_open_door() -> None:
    assert told(SHUT, SHUT, OPEN, OPEN_FULL, OPEN, OPEN_FULL)[1:] == [DoorOpened(1, NOW)]


def test_closing_waits_until_the_item_is_sure() -> None:
    events = told(OPEN, OPEN, SHUT, SHUT_FULL, SHUT_FULL)[1:]
    assert events == [ItemChanged(1, True, NOW), DoorClosed(1, True, NOW)]


def test_number_of_readings_is_a_setting() -> None:
    assert told(SHUT, OPEN, SHUT, times=1) == [
        Snapshot({1: SHUT}, NOW),
        DoorOpened(1, NOW),
        DoorClosed(1, False, NOW),
    ]
    assert told(*[SHUT] * 3, OPEN, OPEN, SHUT, times=3)[1:] == []


def test_compartment_is_told_by_a_snapshot_when_it_is_first_seen_and_after_it_was_forgotten() -> None:
    debounce = Debounce(readings=1)
    assert debounce.see({1: SHUT}, NOW) == [Snapshot({1: SHUT}, NOW)]
    assert debounce.see({1: OPEN, 2: SHUT}, NOW) == [Snapshot({2: SHUT}, NOW), DoorOpened(1, NOW)]
    debounce.forget([1])
    assert debounce.snapshot(NOW) == Snapshot({2: SHUT}, NOW)
    assert debounce.see({1: OPEN, 2: OPEN}, NOW) == [Snapshot({1: OPEN}, NOW), DoorOpened(2, NOW)]


readings = st.lists(st.builds(Reading, closed=st.booleans(), item=st.booleans()), max_size=40)


@given(readings, st.integers(1, 4))
def test_events_replay_to_the_confirmed_state(seen: list[Reading], times: int) -> None:
    debounce = Debounce(readings=times)
    state: Reading | None = None
    for number, reading in enumerate(seen):
        for event in debounce.see({1: reading}, NOW):
            match event:
                case Snapshot(readings=all_readings):
                    assert state is None
                    state = all_readings[1]
                case DoorOpened():
                    assert state is not None
                    assert state.closed
                    state = Reading(False, state.item)
                case ItemChanged(item=item):
                    assert state is not None
                    assert state.item is not item
                    state = Reading(state.closed, item)
                case DoorClosed(item=item):
                    assert state is not None
                    assert (state.closed, state.item) == (False, item)
                    state = Reading(True, item)
            assert len(set(map(repr, seen[number + 1 - times : number + 1]))) <= 2
        snapshot = debounce.snapshot(NOW)
        assert (snapshot.readings[1] if snapshot else None) == state


# ---- Streams ----


async def test_stream_that_is_not_read_ends_instead_of_growing() -> None:
    stream = Events()
    for _ in range(UNREAD_EVENTS + 1):
        stream.put(DoorOpened(1, NOW))
    with pytest.raises(FellBehindError, match="1024"):
        await anext(stream)


def test_events_can_be_written_as_json() -> None:
    events: list[Event] = [Snapshot({1: SHUT}, NOW), LineLost(0, "gone", (1,), NOW), LineNoise(0, 3, NOW)]
    assert msgspec.json.decode(msgspec.json.encode(events), type=list[Event]) == events


# ---- Scripted boards ----


class Wire:
    """Boards at the transport's seam: latches and items as numbers, faults as switches."""

    def __init__(self, boards: int = 1) -> None:
        self.latches = [0xFFFF] * boards
        self.items = [0x0000] * boards
        self.silent: set[int] = set()
        self.garble = False
        self.cut = False
        self.cut_when: Callable[[bytes], bool] = lambda _: False
        self.written: list[bytes] = []
        self.opened = 0
        self._received = bytearray()

    def open(self) -> "Wire":
        if self.cut:
            raise FileNotFoundError(2, "No such file or directory")
        self._received.clear()
        self.opened += 1
        return self

    @property
    def in_waiting(self) -> int:
        self._check()
        return len(self._received)

    def read(self, size: int, /) -> bytes:
        self._check()
        if not self._received:
            threading.Event().wait(0.002)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        self._check()
        self.written.append(data)
        self.cut = self.cut or self.cut_when(data)
        board = data[1] >> 4
        if data[2] == 0x30 and board not in self.silent:
            self._received += self._status(board)
        return len(data)

    def flush(self) -> None:
        self._check()

    def close(self) -> None:
        pass

    def unlocks(self) -> list[bytes]:
        return [frame for frame in self.written if frame[2] == 0x31]

    def door(self, compartment: int, *, closed: bool) -> None:
        self.latches = self._with_bit(self.latches, compartment, closed)

    def item(self, compartment: int, *, present: bool) -> None:
        self.items = self._with_bit(self.items, compartment, present)

    @staticmethod
    def _with_bit(words: list[int], compartment: int, value: bool) -> list[int]:
        board, lock = divmod(compartment - 1, 16)
        changed = list(words)
        changed[board] = changed[board] & ~(1 << lock) | value << lock
        return changed

    def _status(self, board: int) -> bytes:
        head = bytes([2, board << 4, 0x35])
        head += self.latches[board].to_bytes(2, "little") + self.items[board].to_bytes(2, "little") + b"\x03"
        return head + bytes([sum(head) + self.garble & 255])

    def _check(self) -> None:
        if self.cut:
            raise OSError(5, "Input/output error")


@asynccontextmanager
async def on(wire: Wire, *, pace: Pace = QUICK) -> AsyncIterator[Cabinet]:
    board = KrCu16(Options(boards=len(wire.latches)))
    async with (
        asyncio.timeout(PATIENCE),
        connect(board_opening(board, wire.open), pace=pace, now=lambda: NOW) as cabinet,
    ):
        yield cabinet


async def until(stream: Events, kind: type[E]) -> E:
    """The next event of a kind; any other before it is a fault."""
    event = await anext(stream)
    assert isinstance(event, kind), event
    return event


async def test_unlock_returns_the_frame_and_the_instant() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        unlocked = await cabinet.unlock(7)
    assert (unlocked.compartment, unlocked.frame, unlocked.at) == (7, "020631033c", NOW)
    assert wire.written == [bytes.fromhex(unlocked.frame)]


async def test_absent_compartment_is_not_unlocked() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        with pytest.raises(NoSuchCompartmentError):
            await cabinet.unlock(17)
        with pytest.raises(NoSuchCompartmentError), cabinet.watch(0):
            pass
    assert wire.written == []


async def test_read_asks_all_boards() -> None:
    wire = Wire(boards=3)
    wire.door(20, closed=False)
    wire.item(40, present=True)
    async with on(wire) as cabinet:
        readings = await cabinet.read()
    assert list(readings) == list(range(1, 49))
    assert [n for n, reading in readings.items() if not reading.closed] == [20]
    assert [n for n, reading in readings.items() if reading.item] == [40]
    assert len(wire.written) == 3


async def test_read_fails_when_a_board_does() -> None:
    wire = Wire(boards=2)
    wire.silent = {1}
    async with on(wire) as cabinet:
        with pytest.raises(NoReplyError, match="02 10 30 03 45"):
            await cabinet.read()
        wire.silent, wire.garble = set(), True
        with pytest.raises(GarbledReplyError):
            await cabinet.read()


async def test_nothing_is_asked_before_someone_listens() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        await cabinet.unlock(1)
        await asyncio.sleep(0)
    assert len(wire.written) == 1


async def test_stream_of_a_hand_over() -> None:
    wire = Wire(boards=2)
    wire.item(18, present=True)
    async with on(wire) as cabinet:
        stream = cabinet.events()
        snapshot = await until(stream, Snapshot)
        assert snapshot.readings[18] == SHUT_FULL
        assert set(snapshot.readings) == set(cabinet.compartments)
        with cabinet.watch(18):
            wire.door(18, closed=False)
            assert await until(stream, DoorOpened) == DoorOpened(18, NOW)
            wire.item(18, present=False)
            assert await until(stream, ItemChanged) == ItemChanged(18, False, NOW)
            wire.door(18, closed=True)
            assert await until(stream, DoorClosed) == DoorClosed(18, False, NOW)


async def test_later_stream_begins_with_the_snapshot_of_now() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        first = cabinet.events()
        await until(first, Snapshot)
        wire.door(3, closed=False)
        await until(first, DoorOpened)
        second = cabinet.events()
        assert (await until(second, Snapshot)).readings[3] == OPEN
        wire.door(3, closed=True)
        assert await until(first, DoorClosed) == await until(second, DoorClosed)


async def test_closing_ends_the_streams() -> None:
    async with on(Wire()) as cabinet:
        stream = cabinet.events()
        await until(stream, Snapshot)
    assert [event async for event in stream] == []
    assert [event async for event in cabinet.events()] == []
    with pytest.raises(BusClosedError):
        await cabinet.unlock(1)


async def test_silent_board_is_told_once_and_does_not_stop_the_others() -> None:
    wire = Wire(boards=2)
    async with on(wire) as cabinet:
        stream = cabinet.events()
        await until(stream, Snapshot)
        wire.silent = {1}
        assert (await until(stream, BoardSilent)).board == 1
        wire.door(1, closed=False)
        assert (await until(stream, DoorOpened)).compartment == 1
        late = cabinet.events()
        await until(late, Snapshot)
        assert (await until(late, BoardSilent)).board == 1
        wire.door(17, closed=False)
        wire.silent = set()
        assert (await until(stream, BoardBack)).board == 1
        # what happened meanwhile is told as what is, not as what was done
        back = await until(stream, Snapshot)
        assert (set(back.readings), back.readings[17]) == (set(range(17, 33)), OPEN)


async def test_board_that_is_silent_from_the_start_is_told_when_it_answers() -> None:
    wire = Wire(boards=2)
    wire.silent = {0}
    async with on(wire) as cabinet:
        stream = cabinet.events()
        assert (await until(stream, BoardSilent)).board == 0
        assert set((await until(stream, Snapshot)).readings) == set(range(17, 33))
        wire.silent = set()
        await until(stream, BoardBack)
        assert set((await until(stream, Snapshot)).readings) == set(range(1, 17))


async def test_noise_is_told_and_opens_nothing() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        stream = cabinet.events()
        await until(stream, Snapshot)
        wire.garble = True
        for _ in range(3):
            assert (await until(stream, LineNoise)).count == 9
        assert (await until(stream, BoardSilent)).board == 0


async def test_lost_and_found_again_begins_with_a_new_snapshot() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        stream = cabinet.events()
        await until(stream, Snapshot)
        wire.door(5, closed=False)
        wire.cut = True
        events = [await anext(stream)]
        if isinstance(events[0], DoorOpened):  # the bus may have read twice between the two lines above
            events = [await anext(stream)]
        assert isinstance(events[0], LineLost)
        with pytest.raises(BusLostError) as caught:
            await cabinet.unlock(5)
        assert caught.value.certainly_not_written
        late = cabinet.events()
        await until(late, LineLost)
        wire.cut = False
        for each in (stream, late):
            await until(each, LineFound)
            assert (await until(each, Snapshot)).readings[5] == OPEN
        wire.door(5, closed=True)
        after = cabinet.events()
        await until(after, Snapshot)
        await until(after, DoorClosed)
    assert wire.opened == 2
    assert wire.unlocks() == []


async def test_silent_board_is_told_anew_after_the_bus_was_lost() -> None:
    wire = Wire(boards=2)
    wire.silent = {1}
    async with on(wire) as cabinet:
        stream = cabinet.events()
        await until(stream, BoardSilent)
        wire.cut = True
        await until(stream, LineLost)
        wire.cut = False
        await until(stream, LineFound)
        assert (await until(stream, BoardSilent)).board == 1


async def test_unplugged_in_an_unlock_is_unknown_and_written_once() -> None:
    wire = Wire()
    wire.cut_when = lambda frame: frame[2] == 0x31
    async with on(wire) as cabinet:
        stream = cabinet.events()
        await until(stream, Snapshot)
        with pytest.raises(BusLostError) as caught:
            await cabinet.unlock(2)
        assert not caught.value.certainly_not_written
        await until(stream, LineLost)
        wire.cut = False
        await until(stream, LineFound)
        await until(stream, Snapshot)
    assert len(wire.unlocks()) == 1


async def test_cancelled_while_another_lock_fires_is_never_written() -> None:
    wire = Wire()
    async with on(wire) as cabinet:
        await cabinet.unlock(1)
        waiting = asyncio.create_task(cabinet.unlock(2))
        await cabinet.read()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await cabinet.unlock(3)
    assert [frame[1] for frame in wire.unlocks()] == [0, 2]


@pytest.mark.parametrize(("idle", "watched", "times"), [(0.5, 0, 2), (0.1, 0.5, 2), (0.5, 0.1, 0)])
def test_impossible_pace_is_refused(idle: float, watched: float, times: int) -> None:
    with pytest.raises(ValueError, match="pace"):
        Pace(idle=idle, watched=watched, debounce=times)


async def test_pace_at_rest_and_while_watching() -> None:
    wire = Wire()
    asked: list[int] = []
    naps: list[float] = []
    turn = asyncio.Semaphore(0)
    asleep = asyncio.Queue[None]()

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        asked.append(len(wire.written))
        asleep.put_nowait(None)
        await turn.acquire()

    async def nap() -> int:
        turn.release()
        await asleep.get()
        return asked[-1] - asked[-2]

    async with asyncio.timeout(PATIENCE), connect(board_opening(KrCu16(Options()), wire.open), sleep=sleep) as cabinet:
        cabinet.events()
        await asleep.get()
        assert [await nap() for _ in range(10)] == [0, 0, 0, 0, 1] * 2
        with cabinet.watch(4), cabinet.watch(4):
            assert [await nap() for _ in range(3)] == [1, 1, 1]
        assert [await nap() for _ in range(5)] == [0, 0, 0, 0, 1]
    assert set(naps) == {0.1}


async def test_fault_of_a_board_kind_reaches_the_reader() -> None:
    class Faulty(KrCu16):
        def status(self, board: int) -> Request:
            raise ZeroDivisionError

    async with asyncio.timeout(PATIENCE), connect(board_opening(Faulty(Options()), Wire().open), pace=QUICK) as cabinet:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await anext(cabinet.events())


# ---- A pseudo terminal, by address ----


@contextmanager
def terminal(answers: dict[bytes, bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """The far end of a pseudo terminal that answers 5-byte requests from a table."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stop = threading.Event()
    heard: list[bytes] = []

    def run() -> None:
        waiting = bytearray()
        while not stop.is_set():
            if select.select([master], [], [], 0.02)[0]:
                waiting += os.read(master, 4096)
            while len(waiting) >= 5:
                heard.append(bytes(waiting[:5]))
                os.write(master, answers.get(heard[-1], b""))
                del waiting[:5]

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(slave), heard
    finally:
        stop.set()
        thread.join(PATIENCE)
        os.close(master)
        os.close(slave)


async def test_cabinet_by_address_on_a_terminal() -> None:
    status, unlock = bytes.fromhex("0200300335"), bytes.fromhex("0200310336")
    reply = bytes.fromhex("02 00 35 FF FF 01 00 03 39")
    with terminal({status: status + reply, unlock: unlock}) as (path, heard):
        async with asyncio.timeout(PATIENCE), open_cabinet(f"krcu16:{path}?compartments=4", pace=QUICK) as cabinet:
            assert await cabinet.read() == {1: SHUT_FULL, 2: SHUT, 3: SHUT, 4: SHUT}
            stream = cabinet.events()
            assert isinstance(await anext(stream), Snapshot)
            assert (await cabinet.unlock(1)).frame == unlock.hex()
    assert heard.count(unlock) == 1


async def test_absent_port_is_a_lost_bus_not_a_crash() -> None:
    async with asyncio.timeout(PATIENCE), open_cabinet("krcu16:/dev/there-is-no-such-port") as cabinet:
        with pytest.raises(BusLostError, match="there-is-no-such-port"):
            await cabinet.read()
        assert isinstance(await anext(cabinet.events()), LineLost)
