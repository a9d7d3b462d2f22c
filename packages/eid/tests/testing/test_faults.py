"""Cards that fail on demand, and the reader's protocol around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.eid.errors import CardError, CardRemovedError, EidError, MalformedError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.testing.chip import Chip, Fault, FaultyChip
from servicepunkt.eid.testing.chip.pin import PinState
from servicepunkt.eid.testing.chip.session import Stage
from servicepunkt.eid.testing.person import CAN, PIN
from servicepunkt.eid.testing.terminal import Terminal
from servicepunkt.eid.testing.vpcd import Control, Decoder, encode, inserted, react

NewChip = Callable[..., Chip]
READ = bytes.fromhex("00b09c0000")


def test_what_goes_wrong_where_it_shall(new_chip: NewChip) -> None:
    right = new_chip().answer(READ)
    card = FaultyChip(new_chip(), [
        Fault(at=1, kind="replaced", data=b"\x6f\x00"), Fault(at=2, kind="truncated", length=3),
        Fault(at=4, kind="repeated"), Fault(at=5, kind="slow", seconds=1.5), Fault(at=6, kind="removed_after"),
    ])  # fmt: skip
    assert card.answer(READ) == b"\x6f\x00"
    assert card.answer(READ) == right[:3]
    assert card.answer(bytes.fromhex("0084000008")) == b"\x69\x82"
    assert card.answer(READ) == b"\x69\x82"
    assert card.reply(READ).seconds == 1.5
    with pytest.raises(CardRemovedError):
        card.answer(READ)
    assert card.answer(READ) == right


@pytest.mark.parametrize("at", range(1, 6))
def test_taken_away_within_pace_nothing_is_lost_or_gained(at: int, new_chip: NewChip) -> None:
    chip = new_chip(pin_state=PinState.TWO_TRIES)
    card = FaultyChip(chip, [Fault(at=at, kind="removed")])
    with pytest.raises(CardRemovedError):
        Terminal(card.answer).pace(Secrets.PIN, PIN)
    assert chip.memory.pin_state is PinState.TWO_TRIES
    assert chip.session.stage is Stage.OPEN


@pytest.mark.parametrize("kind", ["replaced", "truncated", "repeated"])
@pytest.mark.parametrize("at", range(2, 6))
def test_a_terminal_never_believes_a_wrong_answer(at: int, kind: str, new_chip: NewChip) -> None:
    card = FaultyChip(new_chip(), [Fault(at=at, kind=kind, data=b"\x7c\x02\x80\x00\x90\x00", length=10)])  # type: ignore[arg-type]
    with pytest.raises(EidError):
        Terminal(card.answer).pace(Secrets.CAN, CAN)


def test_power_on_the_reader(new_chip: NewChip) -> None:
    chip = new_chip()
    card = FaultyChip(chip)
    assert react(card, bytes([Control.ATR])) == (Chip.ATR, 0.0)
    assert react(card, bytes([Control.POWER_ON])) == (None, 0.0)
    Terminal(card.answer).pace(Secrets.CAN, CAN)
    assert chip.session.stage is Stage.CHANNEL
    assert react(card, bytes([Control.RESET])) == (None, 0.0)
    assert chip.session.stage is Stage.OPEN
    assert react(card, b"\x09") == (None, 0.0)
    assert react(card, READ)[0] == chip.answer(READ)


@given(payloads=st.lists(st.binary(max_size=40), max_size=6), cuts=st.lists(st.integers(1, 9), max_size=60))
def test_messages_are_read_however_they_were_cut(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(encode(one) for one in payloads)
    decoder, found = Decoder(), []
    for cut in [*cuts, len(data)]:
        found += decoder.receive(data[:cut])
        data = data[cut:]
    assert found == payloads


def test_a_length_of_two_bytes_has_an_end() -> None:
    with pytest.raises(MalformedError):
        encode(bytes(65_536))


async def test_a_card_on_a_reader_that_is_played(new_chip: NewChip) -> None:
    answers: list[bytes] = []
    gone = asyncio.Event()

    async def reader(receiving: asyncio.StreamReader, sending: asyncio.StreamWriter) -> None:
        for payload in (b"\x01", b"\x04", READ, READ):
            sending.write(encode(payload))
            if len(payload) > 1 or payload == b"\x04":
                size = await receiving.read(2)
                if not size:
                    break
                answers.append(await receiving.readexactly(int.from_bytes(size, "big")))
        assert not await receiving.read(1)
        gone.set()
        sending.close()

    server = await asyncio.start_server(reader, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        card = FaultyChip(new_chip(), [Fault(at=2, kind="removed")])
        async with inserted(card, port=port) as lying:
            await asyncio.wait_for(gone.wait(), 5)
            await asyncio.wait_for(lying, 5)
    assert answers == [Chip.ATR, new_chip().answer(READ)]


async def test_a_card_is_taken_away_at_the_end_of_its_block(new_chip: NewChip) -> None:
    gone = asyncio.Event()

    async def reader(receiving: asyncio.StreamReader, sending: asyncio.StreamWriter) -> None:
        assert not await receiving.read(1)
        gone.set()
        sending.close()

    async with await asyncio.start_server(reader, "127.0.0.1", 0) as server:
        async with inserted(FaultyChip(new_chip()), port=server.sockets[0].getsockname()[1]):
            pass
        await asyncio.wait_for(gone.wait(), 5)


def test_a_wrong_secret_is_said_as_a_status_and_never_repeated(new_chip: NewChip) -> None:
    with pytest.raises(CardError) as refused:
        Terminal(new_chip().answer).pace(Secrets.PIN, "314159")
    assert "314159" not in str(refused.value) + repr(refused.value)
