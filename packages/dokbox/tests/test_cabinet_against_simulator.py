"""Every kind of board against its simulator: real driver, real bytes over a pty, and the faults of the line.

Simulator and driver share no code; what one says, the other has to understand from the reference alone.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from servicepunkt.dokbox.addresses import parse_addresses
from servicepunkt.dokbox.boards import BadSettingError
from servicepunkt.dokbox.cabinet import Cabinet, Pace, open_cabinet
from servicepunkt.dokbox.events import DoorClosed, DoorOpened, Event, LineFound, Snapshot
from servicepunkt.dokbox.ports import serial_port
from servicepunkt.dokbox.simulator import KINDS, Delay, Echo, FlippedBit, Garbage, HalfFrame, Line, NoReply, What
from servicepunkt.dokbox.simulator import Cabinet as Steel

PATIENCE = 20.0
QUICK = Pace(idle=0.05, watched=0.02)


class Bench:
    def __init__(self, steel: Steel, line: Line, cabinet: Cabinet) -> None:
        self.steel, self.line, self.cabinet = steel, line, cabinet

    def history(self) -> list[What]:
        return [happening.what for happening in self.steel.history]


@asynccontextmanager
async def bench(kind: str, *, steel: Steel | None = None, compartments: int = 30) -> AsyncIterator[Bench]:
    steel = steel or Steel(compartments)
    known = KINDS[kind]
    boards = -(-compartments // known.locks_per_board)
    with Line(known.build(steel, random.Random(3)), baud=None) as line:
        address = f"{kind}:{line.path}?boards={boards}&compartments={compartments}"
        async with asyncio.timeout(PATIENCE), open_cabinet(address, pace=QUICK) as cabinet:
            yield Bench(steel, line, cabinet)


async def until(events: AsyncIterator[Event], kind: type[Event]) -> Event:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_door_opens_and_closes(kind: str) -> None:
    async with bench(kind) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        await on.cabinet.unlock(27)
        opened = await until(events, DoorOpened)
        assert isinstance(opened, DoorOpened)
        assert opened.compartment == 27
        on.steel.close(27, time=0.0)
        closed = await until(events, DoorClosed)
        assert isinstance(closed, DoorClosed)
        assert closed.compartment == 27
        assert closed.item is (False if kind in {"krcu16", "modbus"} else None)
    assert [each.number for each in on.steel.compartments if each.pulses] == [27]


@pytest.mark.parametrize(
    "fault",
    [NoReply(2), FlippedBit(2), HalfFrame(2), Garbage(5, 3), Echo(), Delay(0.05)],
    ids=["no reply", "flipped bit", "half a frame", "garbage", "echo", "delay"],
)
@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_noisy_line_loses_nothing_and_fires_once(kind: str, fault: object) -> None:
    async with bench(kind) as on:
        on.steel.set_faults(fault, time=0.0)  # type: ignore[arg-type]
        events = on.cabinet.events()
        await until(events, Snapshot)
        on.steel.set_faults(fault, time=0.0)  # type: ignore[arg-type]
        await on.cabinet.unlock(5)
        await until(events, DoorOpened)
    assert on.steel.compartment(5).pulses == 1
    assert {What.BURNT, What.OVERLOAD, What.FORBIDDEN_COMMAND}.isdisjoint(on.history())


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_an_unplugged_line_comes_back(kind: str, tmp_path: Path) -> None:
    steel = Steel(3)
    with Line(KINDS[kind].build(steel, random.Random(3)), baud=None, link=tmp_path / "line") as line:
        async with (
            asyncio.timeout(PATIENCE),
            open_cabinet(f"{kind}:{tmp_path}/line?compartments=3", pace=QUICK) as cabinet,
        ):
            events = cabinet.events()
            await until(events, Snapshot)
            line.unplug()
            await asyncio.sleep(0.2)
            line.plug()
            await until(events, LineFound)
            await until(events, Snapshot)
            await cabinet.unlock(2)
            await until(events, DoorOpened)
    assert steel.compartment(2).pulses == 1


async def test_two_lines_of_two_kinds_are_one_cabinet() -> None:
    async with (
        asyncio.timeout(PATIENCE),
        open_cabinet("simulator:16", "simulator:24?kind=xor8a&hand=1.5", pace=QUICK) as cabinet,
    ):
        assert cabinet.compartments == tuple(range(1, 41))
        events = cabinet.events()
        for _ in range(2):  # one for each line
            await until(events, Snapshot)
        started = time.monotonic()
        await asyncio.gather(cabinet.unlock(16), cabinet.unlock(17))
        assert time.monotonic() - started >= 0.5 + 0.2, "one lock at a time on their supply"
        told = {(type(event), getattr(event, "compartment", 0)) async for event in first(events, 3)}
        # the door of the line that nobody closes stays open
        assert told == {(DoorOpened, 16), (DoorOpened, 17), (DoorClosed, 17)}


async def first(events: AsyncIterator[Event], count: int) -> AsyncIterator[Event]:
    for _ in range(count):
        yield await anext(events)


# ---- Relays, which nobody switches off but we ----

CRASHING = """
import asyncio, os, sys
from servicepunkt.dokbox.cabinet import open_cabinet

async def main():
    async with open_cabinet(f"modbus:{sys.argv[1]}?compartments=3&pulse_ms=3000") as cabinet:
        await cabinet.unlock(2)
        os._exit(9)

asyncio.run(main())
"""


def coils(line: Line) -> bytes:
    """What the relay board says of its coils, asked without the driver."""
    port = serial_port(line.path, 9600)
    try:
        port.write(bytes.fromhex("01 01 00 00 00 10 3D C6"))
        return port.read(7)[3:5]
    finally:
        port.close()


async def test_a_relay_that_a_crash_left_on_is_off_after_the_start() -> None:
    steel = Steel(3)
    with Line(KINDS["modbus"].build(steel, random.Random(3)), baud=None) as line:
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", CRASHING, line.path], check=False, timeout=PATIENCE
        )
        assert done.returncode == 9
        assert coils(line) == b"\x02\x00"
        async with asyncio.timeout(PATIENCE), open_cabinet(f"modbus:{line.path}?compartments=3") as cabinet:
            await cabinet.read()
        assert coils(line) == b"\x00\x00"
        assert steel.compartment(2).pulses == 1


async def test_a_relay_is_off_when_the_cabinet_is_closed_in_the_pulse() -> None:
    steel = Steel(3)
    with Line(KINDS["modbus"].build(steel, random.Random(3)), baud=None) as line:
        async with asyncio.timeout(PATIENCE), open_cabinet(f"modbus:{line.path}?compartments=3") as cabinet:
            await cabinet.unlock(2)
        assert coils(line) == b"\x00\x00"


async def test_many_relays_one_after_the_other() -> None:
    steel = Steel(4)
    with Line(KINDS["modbus"].build(steel, random.Random(3)), baud=None) as line:
        address = f"modbus:{line.path}?compartments=4&pulse_ms=100"
        async with asyncio.timeout(PATIENCE), open_cabinet(address) as cabinet:
            await asyncio.gather(*map(cabinet.unlock, cabinet.compartments))
    assert [each.pulses for each in steel.compartments] == [1, 1, 1, 1]
    assert {What.BURNT, What.OVERLOAD}.isdisjoint(happening.what for happening in steel.history)


# ---- Addresses ----


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("simulator:", "number of compartments"),
        ("simulator:0", "number of compartments"),
        ("simulator:many", "number of compartments"),
        ("simulator:8?kind=steel", "no simulated boards 'steel'"),
        ("simulator:8?hand=-1", "hand"),
        ("simulator:8?door=1", "door"),
        ("simulator:500?kind=krcu16", "boards"),
    ],
)
def test_bad_simulator_is_refused(address: str, words: str) -> None:
    with pytest.raises(BadSettingError, match=words):
        parse_addresses(address)
