"""Our panel against simulated OSDP devices that other hands wrote: a cabinet, a keypad, a light, and every attack."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from servicepunkt.dokbox.boards import UNTRUSTED
from servicepunkt.dokbox.boards.osdp import Colour, Osdp
from servicepunkt.dokbox.cabinet import Cabinet, Pace, open_cabinet
from servicepunkt.dokbox.events import BoardBack, BoardSilent, DoorClosed, DoorOpened, Event, KeysTyped, Snapshot
from servicepunkt.dokbox.lines import NotReadyError
from servicepunkt.dokbox.simulator import Cabinet as Steel
from servicepunkt.dokbox.simulator import FlippedBit, Garbage, HalfFrame, Line, NoReply
from servicepunkt.dokbox.simulator.osdp import (
    BadMac,
    ClearReply,
    DefaultKeyOnly,
    Downgrade,
    OsdpDevice,
    OsdpLocks,
    Replay,
    WrongCryptogram,
)

PATIENCE = 30.0
KEY = bytes(range(16))
QUICK = Pace(idle=0.05, watched=0.02)


class Bench:
    def __init__(self, steel: Steel, boards: OsdpLocks, line: Line, cabinet: Cabinet) -> None:
        self.steel, self.boards, self.line, self.cabinet = steel, boards, line, cabinet

    @property
    def device(self) -> OsdpDevice:
        return self.boards.bus.devices[0]


@asynccontextmanager
async def bench(folder: Path, *, compartments: int = 10) -> AsyncIterator[Bench]:
    (folder / "key").write_text(KEY.hex())
    steel = Steel(compartments)
    boards = OsdpLocks(steel, random.Random(3), key=KEY)
    with Line(boards, baud=None) as line:
        count = -(-compartments // 8)
        address = f"osdp:{line.path}?boards={count}&compartments={compartments}&key=file:{folder}/key"
        async with asyncio.timeout(PATIENCE), open_cabinet(address, pace=QUICK) as cabinet:
            yield Bench(steel, boards, line, cabinet)


async def until(events: AsyncIterator[Event], kind: type[Event]) -> Event:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"no {kind.__name__}")


async def test_a_door_opens_and_closes(tmp_path: Path) -> None:
    async with bench(tmp_path) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        await on.cabinet.unlock(10)
        opened = await until(events, DoorOpened)
        assert isinstance(opened, DoorOpened)
        assert opened.compartment == 10
        on.steel.put_item(10, time=0.0)
        on.steel.close(10, time=0.0)
        closed = await until(events, DoorClosed)
        assert isinstance(closed, DoorClosed)
        assert (closed.compartment, closed.item) == (10, True)
    assert [each.number for each in on.steel.compartments if each.pulses] == [10]


@pytest.mark.parametrize(
    "fault", [NoReply(2), FlippedBit(2), HalfFrame(2), Garbage(5, 2)], ids=lambda f: type(f).__name__
)
async def test_a_noisy_line_loses_nothing_and_fires_once(tmp_path: Path, fault: object) -> None:
    async with bench(tmp_path) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        on.steel.set_faults(fault, time=0.0)  # type: ignore[arg-type]
        await asyncio.sleep(0.2)
        await on.cabinet.unlock(5)
        await until(events, DoorOpened)
    assert on.steel.compartment(5).pulses == 1


async def test_keys_and_light(tmp_path: Path) -> None:
    async with bench(tmp_path, compartments=3) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        on.device.press("4711#", time=on.line.clock())
        typed = await until(events, KeysTyped)
        assert isinstance(typed, KeysTyped)
        assert (typed.board, typed.keys) == (0, "4711#")
        (line,) = on.cabinet.lines
        assert isinstance(line.board, Osdp)
        await line.ask(0, line.board.light(0, Colour.GREEN))
        assert on.device.led(0, time=on.line.clock()).name == "GREEN"
        await line.ask(0, line.board.light(0, Colour.RED, seconds=0.3))
        assert on.device.led(0, time=on.line.clock()).name == "RED"
        await asyncio.sleep(0.5)
        assert on.device.led(0, time=on.line.clock()).name == "GREEN"


@pytest.mark.parametrize("attack", [ClearReply(), BadMac()], ids=lambda attack: type(attack).__name__)
async def test_an_attack_is_told_and_the_session_begins_anew(tmp_path: Path, attack: object) -> None:
    async with bench(tmp_path, compartments=3) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        on.boards.bus.set_faults(attack, time=0.0)  # type: ignore[arg-type]
        silent = await until(events, BoardSilent)
        assert isinstance(silent, BoardSilent)
        assert (silent.reason, silent.compartments) == (UNTRUSTED, (1, 2, 3))
        await until(events, BoardBack)
        await until(events, Snapshot)
        await on.cabinet.unlock(1)
        await until(events, DoorOpened)
    assert on.steel.compartment(1).pulses == 1


async def test_a_replayed_answer_is_no_answer(tmp_path: Path) -> None:
    async with bench(tmp_path, compartments=3) as on:
        events = on.cabinet.events()
        await until(events, Snapshot)
        on.boards.bus.set_faults(Replay(), time=0.0)
        on.steel.force(2, time=0.0)
        opened = await anext(events)
        assert isinstance(opened, DoorOpened)
        assert opened.compartment == 2


@pytest.mark.parametrize(
    "attack", [WrongCryptogram(), DefaultKeyOnly(), Downgrade()], ids=lambda attack: type(attack).__name__
)
async def test_a_device_that_does_not_prove_itself_opens_nothing(tmp_path: Path, attack: object) -> None:
    async with bench(tmp_path, compartments=3) as on:
        on.boards.bus.set_faults(attack, time=0.0)  # type: ignore[arg-type]
        if isinstance(attack, Downgrade):
            # it lies about what it can, which we never ask
            await on.cabinet.read()
            return
        with pytest.raises(NotReadyError, match="cannot be trusted"):
            await on.cabinet.unlock(1)
        events = on.cabinet.events()
        silent = await until(events, BoardSilent)
        assert isinstance(silent, BoardSilent)
        assert silent.reason == UNTRUSTED
    assert on.steel.compartment(1).pulses == 0


async def test_a_session_that_has_lapsed_is_begun_anew_before_a_lock_fires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, compartments=3) as on:
        await on.cabinet.unlock(1)
        monkeypatch.setattr(Osdp, "lapses_after", 0.1)
        clock = on.line.clock
        monkeypatch.setattr(on.line, "clock", lambda: clock() + 20)  # the device thinks that nobody asked for so long
        await asyncio.sleep(0.2)
        await on.cabinet.unlock(2)
        assert on.steel.compartment(2).pulses == 1
