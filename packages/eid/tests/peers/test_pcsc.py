"""The commands with a card on a reader: through Debian's pyscard, pcscd and vpcd, in a terminal of their own."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servicepunkt.eid.card.card import Card
from servicepunkt.eid.testing.authorities import Authorities
from servicepunkt.eid.testing.chip import Chip, Fault, FaultyChip, Memory
from servicepunkt.eid.testing.person import CAN, PIN, PUK
from servicepunkt.eid.testing.room import Room
from servicepunkt.eid.testing.vpcd import inserted

VPCD = 35_963
NEW = "654321"
PYSCARD = Path("/usr/lib/python3/dist-packages/smartcard")
Said = tuple[int, str]


class Line:
    """A chip in process as a transport."""

    def __init__(self, chip: Chip) -> None:
        self.transmit, self.close = chip.answer, chip.power_off


class Desk:
    """A room with a reader, and a terminal at which commands are typed."""

    def __init__(self, room: Room) -> None:
        self._room = room
        folder = room.folder / "pyscard"
        folder.mkdir()
        (folder / "smartcard").symlink_to(PYSCARD)  # nothing else of Debian's packages
        self._environment = {**os.environ, "PYTHONPATH": str(folder)}

    def type(self, *arguments: str, answers: Sequence[str] = (), main: str = "servicepunkt.eid") -> Said:
        """The exit code of a command, and what it showed; each question is answered as it is asked."""
        command = self._room.within(sys.executable, "-m", main, *arguments)
        process, screen = pty.fork()
        if process == 0:
            os.execvpe(command[0], command, self._environment)
        shown, left, looked = "", list(answers), 0
        with suppress(OSError):  # the line ends with the process
            while part := os.read(screen, 4096):
                shown += part.decode()
                if left and shown[looked:].endswith(": "):
                    looked = len(shown)
                    os.write(screen, f"{left.pop(0)}\n".encode())
        os.close(screen)
        assert left == [], shown
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown

    async def wait_for_readers(self) -> None:
        (await asyncio.to_thread(self._room.connect, VPCD)).close()

    async def with_card(
        self, memory: Memory, *arguments: str, answers: Sequence[str] = (), faults: Sequence[Fault] = ()
    ) -> Said:
        """The same with a card that lies on the reader."""
        line = await asyncio.to_thread(self._room.connect, VPCD)
        async with inserted(FaultyChip(Chip(memory), faults), sock=line):
            await asyncio.sleep(1)  # pcscd looks for a card now and then
            said = await asyncio.to_thread(self.type, *arguments, answers=answers)
        assert not any(answer in said[1] for answer in answers), "nothing that was typed is shown"
        return said


@pytest.fixture
def desk(readers: Room, absent: Callable[[str], None]) -> Desk:
    if not PYSCARD.exists():
        absent("python3-pyscard is not installed")
    return Desk(readers)


@pytest.fixture(scope="module")
def authorities() -> Authorities:
    return Authorities.new(today=datetime.now(UTC).date())


async def test_how_a_card_is(desk: Desk, authorities: Authorities) -> None:
    memory = authorities.card()
    said = await desk.with_card(memory, "status", "--reader", "Virtual PCD 00 00")
    assert said == (0, "The PIN has 3 tries.\r\n")
    code, text = await desk.with_card(memory, "status", "--json")
    assert (code, json.loads(text)["tries"]) == (0, 3)


async def test_no_card_and_no_such_reader(desk: Desk) -> None:
    await desk.wait_for_readers()
    code, said = await asyncio.to_thread(desk.type, "status", "--reader", "Virtual")
    assert (code, said[:6]) == (1, "SP4012"), said
    code, said = await asyncio.to_thread(desk.type, "status", "--reader", "REINER")
    assert (code, said[:6]) == (1, "SP4403"), said


async def test_the_pin_of_the_letter_becomes_an_own_one(desk: Desk, authorities: Authorities) -> None:
    memory = authorities.card(pin="12345")
    for present, new in (("12345", NEW), (NEW, PIN)):
        code, said = await desk.with_card(memory, "change-pin", answers=(present, new, new))
        assert (code, said.splitlines()[-1]) == (0, "The new PIN is set."), said


async def test_wrong_twice_then_the_can_then_wrong_again_then_the_puk(desk: Desk, authorities: Authorities) -> None:
    memory = authorities.card()
    for answers, left in ((("111111", NEW, NEW), 2), (("111111", NEW, NEW), 1), ((CAN, "111111", NEW, NEW), 0)):
        code, said = await desk.with_card(memory, "change-pin", answers=answers)
        assert (code, Card(Line(Chip(memory))).status().tries) == (1, left), said
    code, said = await desk.with_card(memory, "change-pin", answers=(PUK, PIN, NEW, NEW))
    assert (code, said.splitlines()[-1]) == (0, "The new PIN is set."), said


@pytest.mark.parametrize("at", [6, 8, 9])
async def test_a_card_that_is_taken_away(desk: Desk, authorities: Authorities, at: int) -> None:
    faults = [Fault(at=at, kind="removed")]
    code, said = await desk.with_card(authorities.card(), "change-pin", answers=(PIN, NEW, NEW), faults=faults)
    assert (code, said.splitlines()[-1][:4]) == (1, "SP40"), said
    assert "Traceback" not in said
