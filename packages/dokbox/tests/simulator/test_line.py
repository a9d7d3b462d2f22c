"""The pty a driver opens, with pyserial as the client; time is counted, not measured."""

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest
import serial

from servicepunkt.dokbox.simulator import (
    KINDS,
    Boards,
    Cabinet,
    Delay,
    KrCu16Boards,
    Line,
    ModbusRelays,
    NoReply,
    StuckLatch,
    What,
    Xor8aBoards,
)

STATUS_OF_0 = bytes.fromhex("02 00 30 03 35")
STATUS_OF_ALL = bytes.fromhex("02 F0 32 03 27")
UNLOCK_1 = bytes.fromhex("02 00 31 03 36")
ALL_SHUT_AND_EMPTY = bytes.fromhex("02 00 35 FF FF 00 00 03 38")


class CountedTime:
    """A clock that only pauses move on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def line_of(cabinet: Cabinet, link: Path, baud: int | None = None) -> Line:
    return Line(KrCu16Boards(cabinet, Random(1)), link=link, baud=baud)


def client(path: object) -> serial.Serial:
    return serial.Serial(str(path), 19200, timeout=5, exclusive=True)


def line_is_quiet(port: serial.Serial) -> None:
    port.timeout = 0
    assert port.read(1) == b""


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "dokbox"


@pytest.fixture
def cabinet() -> Cabinet:
    return Cabinet()


@pytest.fixture
def line(cabinet: Cabinet, link: Path) -> Iterator[Line]:
    with line_of(cabinet, link) as line:
        yield line


def test_a_client_asks_and_unlocks(cabinet: Cabinet, line: Line, link: Path) -> None:
    assert line.path == str(link)
    with client(link) as port:
        port.write(STATUS_OF_0)
        assert port.read(9) == ALL_SHUT_AND_EMPTY
        port.write(UNLOCK_1 + STATUS_OF_0)
        assert port.read(9) == bytes.fromhex("02 00 35 FE FF 00 00 03 37")
    assert [entry.what for entry in cabinet.history] == [What.PULSE, What.SPRANG_OPEN]


OPENINGS = {
    "krcu16": ("02 00 31 03 36 02 00 30 03 35", "02 00 35 FE FF 00 00 03 37"),
    "xor8a": ("8A 01 01 11 9B", "8A 01 01 00 8A"),
    "cu48": ("02 00 00 61 03 66 02 00 00 60 03 65", "02 00 00 75 00 77 02 00 00 75 06 FE FF FF FF FF FF 76"),
    "modbus": ("01 05 00 00 FF 00 8C 3A", "01 05 00 00 FF 00 8C 3A"),
    "modbus-cu48": ("01 05 00 00 00 00 CD CA", "01 05 00 00 00 00 CD CA"),
}
"""By kind: what opens the first compartment, and the answer."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_opens_a_door_with_boards_of_any_kind(cabinet: Cabinet, link: Path, kind: str) -> None:
    request, answer = map(bytes.fromhex, OPENINGS[kind])
    boards: Boards = KINDS[kind].build(cabinet, Random(1))
    with Line(boards, link=link, baud=KINDS[kind].baud), client(link) as port:
        port.write(request)
        assert port.read(len(answer)) == answer
        line_is_quiet(port)
    assert [compartment.number for compartment in cabinet.compartments if not compartment.closed] == [1]


def test_the_reply_to_an_opening_comes_after_the_lock(cabinet: Cabinet, link: Path) -> None:
    time = CountedTime()
    boards = Xor8aBoards(cabinet, Random(1))
    with Line(boards, link=link, baud=None, clock=time.clock, pause=time.pause), client(link) as port:
        port.write(bytes.fromhex("8A 01 01 11 9B"))
        assert port.read(5) == bytes.fromhex("8A 01 01 00 8A")
    assert (cabinet.history[0].time, time.pauses) == (100.0, [0.3])


@pytest.mark.parametrize("pulled", [False, True])
def test_a_coil_left_on_burns_without_another_byte(cabinet: Cabinet, link: Path, pulled: bool) -> None:
    with Line(ModbusRelays(cabinet, Random(1), burn_after=0.05), link=link, baud=None) as line:
        with client(link) as port:
            port.write(bytes.fromhex("01 05 00 00 FF 00 8C 3A"))
            assert len(port.read(8)) == 8
        if pulled:
            line.unplug()
        deadline = monotonic() + 5
        while StuckLatch(1) not in cabinet.faults and monotonic() < deadline:
            sleep(0.005)
    times = {entry.what: entry.time for entry in cabinet.history}
    assert times[What.BURNT] == pytest.approx(times[What.PULSE] + 0.05)


def test_the_line_is_raw(cabinet: Cabinet, line: Line, link: Path) -> None:
    """Also for a client that sets nothing itself: a cooked terminal would take 03 for an interrupt, 0A for CR LF."""
    for number in (2, 4):
        cabinet.force(number, time=0)
        cabinet.put_item(number, time=0)
    plain = os.open(link, os.O_RDWR | os.O_NOCTTY)
    os.write(plain, STATUS_OF_0)
    received = b""
    while len(received) < 9 and select.select([plain], [], [], 5)[0]:
        received += os.read(plain, 9)
    os.close(plain)
    assert received == bytes.fromhex("02 00 35 F5 FF 0A 00 03 38")


def test_clients_come_and_go(line: Line, link: Path) -> None:
    for _ in range(20):
        with client(link) as port:
            port.write(STATUS_OF_0)
            assert port.read(9) == ALL_SHUT_AND_EMPTY


@pytest.mark.parametrize("baud", [9600, 19200])
def test_bytes_take_their_time_both_ways(cabinet: Cabinet, link: Path, baud: int) -> None:
    """5 bytes in, 27 out, ten bits each."""
    time = CountedTime()
    boards = KrCu16Boards(cabinet, Random(1))
    with Line(boards, link=link, baud=baud, clock=time.clock, pause=time.pause), client(link) as port:
        port.write(STATUS_OF_ALL)
        assert len(port.read(27)) == 27
    assert time.now - 100 == pytest.approx(32 * 10 / baud)
    assert len(time.pauses) == 32


def test_a_command_is_obeyed_when_its_last_byte_has_arrived(cabinet: Cabinet, link: Path) -> None:
    time = CountedTime()
    boards = KrCu16Boards(cabinet, Random(1))
    with Line(boards, link=link, baud=1000, clock=time.clock, pause=time.pause), client(link) as port:
        port.write(UNLOCK_1 + STATUS_OF_0)
        port.read(9)
    assert cabinet.history[0].time == pytest.approx(100.05)


def test_late_wakings_do_not_add_up(cabinet: Cabinet, link: Path) -> None:
    """Each pause ends a quarter of a byte late; the line still carries 32 bytes in the time of 32."""
    time = CountedTime()

    def oversleep(seconds: float) -> None:
        time.pause(seconds)
        time.now += 0.0025

    boards = KrCu16Boards(cabinet, Random(1))
    with Line(boards, link=link, baud=1000, clock=time.clock, pause=oversleep), client(link) as port:
        port.write(STATUS_OF_ALL)
        port.read(27)
    assert time.now - 100 == pytest.approx(32 * 0.01 + 0.0025)


def test_a_delayed_reply_pauses_once_more(cabinet: Cabinet, link: Path) -> None:
    time = CountedTime()
    cabinet.set_faults(Delay(0.75), time=0)
    boards = KrCu16Boards(cabinet, Random(1))
    with Line(boards, link=link, baud=None, clock=time.clock, pause=time.pause), client(link) as port:
        port.write(STATUS_OF_0)
        assert port.read(9) == ALL_SHUT_AND_EMPTY
    assert time.pauses == [0.75]


def test_unplugged_line_is_dead_and_comes_back(cabinet: Cabinet, line: Line, link: Path) -> None:
    for _ in range(5):
        port = client(link)
        line.unplug()
        assert not link.is_symlink()
        with pytest.raises(serial.SerialException):
            port.read(1)
        port.close()
        with pytest.raises(serial.SerialException):
            client(link)
        line.plug()
        with client(link) as port:
            port.write(STATUS_OF_0)
            assert port.read(9) == ALL_SHUT_AND_EMPTY
    assert not any(compartment.pulses for compartment in cabinet.compartments)


def test_unplugging_by_fault_reaches_the_line(cabinet: Cabinet, line: Line, link: Path) -> None:
    """Whoever sets the fault in the cabinet, the line follows."""
    cabinet.unplug(time=0)
    deadline = monotonic() + 5
    while link.is_symlink() and monotonic() < deadline:
        sleep(0.005)
    assert not link.is_symlink()


def test_unplugging_ends_a_long_delay(cabinet: Cabinet, line: Line, link: Path) -> None:
    cabinet.set_faults(Delay(3600), time=0)
    with client(link) as port:
        port.write(UNLOCK_1 + STATUS_OF_0)
        deadline = monotonic() + 5
        while not cabinet.compartment(1).pulses and monotonic() < deadline:
            sleep(0.005)
        line.unplug()
        with pytest.raises(serial.SerialException):
            port.read(1)


def test_a_client_that_never_reads_does_not_hold_the_line_up(cabinet: Cabinet, line: Line, link: Path) -> None:
    """800 replies are 21,600 bytes, several times what a terminal keeps; the rest is lost like on a wire."""
    with client(link) as port:
        port.write(STATUS_OF_ALL * 800 + UNLOCK_1)
        deadline = monotonic() + 20
        while not cabinet.compartment(1).pulses and monotonic() < deadline:
            sleep(0.005)
    assert cabinet.compartment(1).pulses == 1
    with client(link) as port:
        port.write(STATUS_OF_0)
        assert port.read(9) == bytes.fromhex("02 00 35 FE FF 00 00 03 37")


def test_one_fault_one_reply(cabinet: Cabinet, line: Line, link: Path) -> None:
    cabinet.set_faults(NoReply(), time=0)
    with client(link) as port:
        port.write(STATUS_OF_0 * 2)
        assert port.read(9) == ALL_SHUT_AND_EMPTY
        line_is_quiet(port)


def test_stopping_leaves_nothing_behind(cabinet: Cabinet, link: Path) -> None:
    descriptors = open_descriptors()
    line = line_of(cabinet, link)
    for _ in range(5):
        line.start()
        with client(link) as port:
            port.write(STATUS_OF_0)
            assert port.read(9) == ALL_SHUT_AND_EMPTY
        line.stop()
        line.stop()
        assert not line.running
        assert not link.is_symlink()
    cabinet.force(1, time=0)
    assert open_descriptors() == descriptors
    assert "cabinet-line" not in {thread.name for thread in threading.enumerate()}


def test_a_link_left_over_is_replaced_and_a_file_is_not(cabinet: Cabinet, link: Path) -> None:
    link.symlink_to("/nowhere")
    link.with_name(".dokbox.new").symlink_to("/half/way")
    with line_of(cabinet, link), client(link) as port:
        port.write(STATUS_OF_0)
        assert port.read(9) == ALL_SHUT_AND_EMPTY
    link.write_text("precious")
    descriptors = open_descriptors()
    with pytest.raises(FileExistsError), line_of(cabinet, link):
        pass
    assert link.read_text() == "precious"
    assert open_descriptors() == descriptors


def test_a_link_taken_over_by_another_line_stays_its_own(cabinet: Cabinet, link: Path) -> None:
    first = line_of(cabinet, link)
    first.start()
    with line_of(Cabinet(), link):
        first.stop()
        with client(link) as port:
            port.write(STATUS_OF_0)
            assert port.read(9) == ALL_SHUT_AND_EMPTY


def test_without_a_link_the_path_is_the_terminal(cabinet: Cabinet) -> None:
    line = Line(KrCu16Boards(cabinet, Random(1)), baud=None)
    with line, client(line.path) as port:
        port.write(STATUS_OF_0)
        assert port.read(9) == ALL_SHUT_AND_EMPTY
        line.unplug()
        assert line.path == ""


def test_a_line_has_a_speed(cabinet: Cabinet) -> None:
    with pytest.raises(ValueError, match="at least one baud"):
        Line(KrCu16Boards(cabinet, Random(1)), baud=0)
