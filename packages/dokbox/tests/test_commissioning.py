"""Commissioning on simulated boards: reversed polarity, doors in another order, and wiring that cannot be."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from servicepunkt.dokbox import simulator
from servicepunkt.dokbox.__main__ import main
from servicepunkt.dokbox.addresses import parse_address
from servicepunkt.dokbox.boards import NoSuchCompartmentError
from servicepunkt.dokbox.bus import NoReplyError
from servicepunkt.dokbox.cabinet import open_cabinet
from servicepunkt.dokbox.commissioning import CommissioningError, KeyboardPerson, Wiring, commission, write_wiring
from servicepunkt.dokbox.simulator import KINDS, Cabinet, Line, NoReply, ReversedPolarity, StuckLatch


class Hands:
    """Reads numbers off doors and shuts them. `numbers`: what stands on the door of each simulated compartment."""

    def __init__(self, cabinet: Cabinet, numbers: Mapping[int, int] | None = None) -> None:
        self.cabinet = cabinet
        self.numbers = numbers or {each.number: each.number for each in cabinet.compartments}
        self.told: list[str] = []
        self.suggested: list[int] = []

    async def shut_all(self) -> None:
        for each in self.cabinet.compartments:
            if not each.closed:
                self.cabinet.close(each.number, time=0.0)

    async def number_on_open_door(self, _lock: str, suggested: int) -> int | None:
        self.suggested.append(suggested)
        opened = [each.number for each in self.cabinet.compartments if not each.closed]
        return self.numbers[opened[0]] if opened else None

    async def shut(self, compartment: int) -> None:
        del compartment
        await self.shut_all()

    def tell(self, words: str) -> None:
        self.told.append(words)


async def walked(cabinet: Cabinet, person: Hands, kind: str = "krcu16", query: str = "") -> Wiring:
    boards = KINDS[kind].build(cabinet, random.Random(1))
    with Line(boards, baud=None) as line:
        # 1 s between locks instead of 3: the simulated ones act at once
        pulse = "&pulse_ms=100" if kind != "krcu16" else ""
        return await commission(parse_address(f"{kind}:{line.path}?boards=1{query}{pulse}"), person)


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_reversed_polarity_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicepunkt.dokbox.commissioning.OPENS_WITHIN", 0.3)
    cabinet = Cabinet(3)
    cabinet.set_faults(ReversedPolarity(), time=0.0)
    wiring = await walked(cabinet, Hands(cabinet), kind, "&compartments=3")
    assert wiring.mistakes == []
    assert "latch_closed_bit=0" in wiring.address
    assert list(wiring.compartments) == [1, 2, 3]
    assert [each.pulses for each in cabinet.compartments] == [1, 1, 1]


async def test_written_wiring_is_an_address(tmp_path: Path) -> None:
    cabinet = Cabinet(4)
    cabinet.set_faults(ReversedPolarity(), time=0.0)
    numbers = {1: 12, 2: 11, 3: 2, 4: 1}
    with Line(KINDS["krcu16"].build(cabinet, random.Random(1)), baud=None, link=tmp_path / "line") as line:
        address = parse_address(f"krcu16:{line.path}?boards=1&compartments=4")
        wiring = await commission(address, Hands(cabinet, numbers))
        write_wiring(wiring, tmp_path / "cabinet.toml")
        async with open_cabinet(f"file:{tmp_path}/cabinet.toml") as opened:
            assert opened.compartments == (1, 2, 11, 12)
            assert all(reading.closed for reading in (await opened.read()).values())
            await opened.unlock(11)
            with pytest.raises(NoSuchCompartmentError):
                await opened.unlock(3)
            await opened.read()  # whoever answers this has seen the frame before it
    assert [each.pulses for each in cabinet.compartments] == [1, 2, 1, 1]


async def test_lock_without_a_door_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicepunkt.dokbox.commissioning.OPENS_WITHIN", 0.3)
    cabinet = Cabinet(3)
    cabinet.set_faults(StuckLatch(2), time=0.0)
    hands = Hands(cabinet)
    wiring = await walked(cabinet, hands, query="&compartments=3")
    assert (list(wiring.compartments), wiring.mistakes) == ([1, 3], [])
    assert hands.told == ["0.2: no door"]


async def test_door_that_is_named_twice_is_a_mistake(tmp_path: Path) -> None:
    cabinet = Cabinet(2)
    wiring = await walked(cabinet, Hands(cabinet, {1: 5, 2: 5}), query="&compartments=2")
    assert wiring.mistakes == ["0.2: door 5 belongs to 0.1 already"]
    with pytest.raises(CommissioningError, match="door 5"):
        write_wiring(wiring, tmp_path / "cabinet.toml")
    assert not (tmp_path / "cabinet.toml").exists()


class Crossed(Cabinet):
    """The contacts of the first two doors are exchanged."""

    def latch_reads_closed(self, number: int) -> bool:
        return super().latch_reads_closed({1: 2, 2: 1}.get(number, number))


async def test_crossed_contacts_are_a_mistake() -> None:
    cabinet = Crossed(3)
    wiring = await walked(cabinet, Hands(cabinet), query="&compartments=3")
    assert wiring.mistakes == [
        "0.1: door 1 moves the contact of 0.2",
        "0.2: door 2 moves the contact of 0.1",
    ]


class Mixed(Cabinet):
    """The contact of one door is of the other sort."""

    def latch_reads_closed(self, number: int) -> bool:
        return super().latch_reads_closed(number) != (number == 2)


async def test_contacts_of_two_sorts_are_a_mistake() -> None:
    cabinet = Mixed(3)
    wiring = await walked(cabinet, Hands(cabinet), query="&compartments=3")
    assert wiring.mistakes == ["the contacts of 2 mean the opposite of the others"]


async def test_dead_contact_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead(Cabinet):
        def latch_reads_closed(self, number: int) -> bool:
            return number == 2 or super().latch_reads_closed(number)

    monkeypatch.setattr("servicepunkt.dokbox.commissioning.OPENS_WITHIN", 0.3)
    cabinet = Dead(2)
    wiring = await walked(cabinet, Hands(cabinet), query="&compartments=2")
    assert wiring.mistakes == ["0.2: door 2 opened, and its contact did not tell"]


async def test_board_that_does_not_answer_ends_it() -> None:
    cabinet = Cabinet(1)
    cabinet.set_faults(NoReply(10), time=0.0)
    with pytest.raises(NoReplyError):
        await walked(cabinet, Hands(cabinet), query="&compartments=1")


async def test_keyboard() -> None:
    typed = iter(["", "-", "x", "0", " 7 "])
    said: list[str] = []
    person = KeyboardPerson(lambda question: said.append(question) or next(typed), said.append)  # type: ignore[func-returns-value]
    assert await person.number_on_open_door("0.1", 3) == 3
    assert await person.number_on_open_door("0.1", 3) is None
    assert await person.number_on_open_door("0.1", 3) == 7
    assert sum("no number" in words for words in said) == 2


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cabinet = Cabinet(2)
    hand = simulator.Hand(cabinet, seconds=0.6)
    monkeypatch.setattr("builtins.input", lambda _: "")
    with Line(KINDS["krcu16"].build(cabinet, random.Random(1)), baud=None) as line:
        address = f"krcu16:{line.path}?compartments=2"
        assert main(["commission", address, "--write", str(tmp_path / "cabinet.toml")]) == 0
    hand.stop()
    assert "2 compartments are written" in capsys.readouterr().out
    assert '2 = "0.2"' in (tmp_path / "cabinet.toml").read_text()
    assert main(["commission", "krcu17:/dev/null", "--write", str(tmp_path / "other.toml")]) == 1
    assert "names no known kind" in capsys.readouterr().out
