"""The slot for old documents: its line, its faults, and the hand-over that waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.dokbox.controller.visits import Visit
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.simulator.slot import SimulatedSlot, SlotServer
from servicepunkt.dokbox.slot import NUMBER as LINE
from servicepunkt.dokbox.slot import LineSlot, SlotError, open_slot
from servicepunkt.dokbox.testing import Bench, example_config

D1, NUMBER, OLD = "00000000-0000-0000-0000-000000000001", "+4915112345678", "C01X00T47"
POLICY = DocumentPolicy(
    type="passport", name={"de": "Reisepass"}, steps=("phone", "code", "old_document_chip", "open", "close")
)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[SimulatedSlot]:
    made = SimulatedSlot()
    with SlotServer(made, tmp_path / "slot.sock"):
        yield made


@pytest.fixture
async def box(tmp_path: Path, slot: SimulatedSlot) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "box", slot=open_slot(f"unix:{tmp_path}/slot.sock"))
    made.controller.configure(msgspec.structs.replace(example_config(), policies=(POLICY,)))
    await made.look()
    yield made
    made.put_away()


async def visit(box: Bench) -> Visit:
    _, code = await box.load(D1, old_document=OLD)
    return await box.controller.present(NUMBER, code)


def events(box: Bench) -> list[str]:
    return [entry.event for entry in box.journal.entries()]


async def test_the_right_document_is_kept_and_then_the_door_opens(box: Bench, slot: SimulatedSlot) -> None:
    here = await visit(box)
    slot.put(OLD)
    await box.controller.hand_in(here.token)
    assert slot.state.kept == (OLD,)
    assert here.next_question is None
    assert events(box)[-2:] == ["old_document_unclear", "step_done"], "on disk before it happens"
    await box.controller.release(here.token)


@pytest.mark.parametrize("other", ["C01X00T48", "L01X00T47"])
async def test_another_document_is_given_back(box: Bench, slot: SimulatedSlot, other: str) -> None:
    here = await visit(box)
    slot.put(other)
    await box.controller.hand_in(here.token)
    assert (slot.state.document, slot.state.kept, here.slot) == (other, (), "other")
    assert here.next_question == "old_document_chip"
    slot.take()
    slot.put(OLD)
    await box.controller.hand_in(here.token)
    assert here.next_question is None


async def test_faults_leave_the_door_closed_and_the_code_valid(box: Bench, slot: SimulatedSlot) -> None:
    here = await visit(box)
    assert (await box.controller.hand_in(here.token)).slot == "empty"
    slot.put(OLD)
    slot.set_faults(unreadable=True)
    assert (await box.controller.hand_in(here.token)).slot == "unreadable"
    slot.set_faults(jams=True)
    assert (await box.controller.hand_in(here.token)).slot == "jammed"
    assert here.next_question == "old_document_chip"
    assert box.state(D1) == "presented"


async def test_without_a_slot_nothing_is_handed_out(bench: Bench) -> None:
    bench.controller.configure(msgspec.structs.replace(example_config(), policies=(POLICY,)))
    here = await visit(bench)
    assert (await bench.controller.hand_in(here.token)).slot == "silent"


async def test_what_was_made_void_is_not_asked_for_again(box: Bench, slot: SimulatedSlot) -> None:
    here = await visit(box)
    slot.put(OLD)
    await box.controller.hand_in(here.token)
    code = box.code(D1)
    await box.restart()
    again = await box.controller.present(NUMBER, code)
    assert again.next_question is None


async def test_the_plug_is_pulled_while_the_document_is_drawn_in(box: Bench, slot: SimulatedSlot) -> None:
    here = await visit(box)
    slot.put(OLD)
    kept = asyncio.Event()

    class Hangs(LineSlot):
        async def keep(self) -> None:
            await super().keep()
            kept.set()
            await asyncio.Event().wait()

    box.controller._slot = Hangs(Path(slot_path(box)))
    handing_in = asyncio.create_task(box.controller.hand_in(here.token))
    await kept.wait()
    handing_in.cancel()
    await asyncio.wait([handing_in])
    await box.restart()
    assert events(box)[-1] != "step_done"
    assert "old_document_unclear" in events(box)
    assert (await box.controller.present(NUMBER, box.code(D1))).next_question == "old_document_chip"
    await box.controller.leave(next(iter(box.controller._visits)).token)
    await box.command("old_document_void", deposit=D1, actor="account:staff")
    assert (await box.controller.present(NUMBER, box.code(D1))).next_question is None, "staff have looked"


def slot_path(box: Bench) -> str:
    return str(box.folder.parent / "slot.sock")


@given(st.binary(max_size=300))
def test_no_line_is_believed_that_is_not_a_number(line: bytes) -> None:
    text = line.decode("ascii", "replace").strip()
    found = LINE.fullmatch(text)
    assert found is None or found.group(1).isalnum()


@pytest.mark.parametrize("answer", [b"", b"number \n", b"number " + b"A" * 400 + b"\n", b"\xff\xff\n", b"number c01\n"])
async def test_what_a_slot_must_not_answer(tmp_path: Path, answer: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(handle, tmp_path / "s"):
        with pytest.raises(SlotError):
            await LineSlot(tmp_path / "s", seconds=2.0).read()


async def test_a_slot_that_says_nothing_does_not_hold_the_citizen_for_ever(tmp_path: Path) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(handle, tmp_path / "s"):
        with pytest.raises(SlotError) as silent:
            await LineSlot(tmp_path / "s", seconds=0.1).keep()
    assert silent.value.reason == "silent"


@pytest.mark.parametrize("address", ["", "unix:", "slot", "nothing:/x"])
def test_what_names_no_slot(address: str) -> None:
    with pytest.raises(ValueError, match="names no slot"):
        open_slot(address)
