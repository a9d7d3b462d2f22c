"""The simulated modem against gammu, a client that nobody here wrote, and our driver against the modem."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.errors import SecretError
from servicepunkt.core.notices.channels.gsm.channel import GsmChannel
from servicepunkt.core.notices.model import DeliveryError, Message, Receipt
from servicepunkt.core.notices.settings import GsmProvider
from servicepunkt.core.testing import FixedClock

sys.path.insert(0, str(Path(__file__).parent))
if TYPE_CHECKING:
    from modem_simulator import SimulatedModem
else:
    SimulatedModem = __import__("modem_simulator").SimulatedModem

CLOCK = FixedClock()
PATIENCE = 30.0
TEXT = "Stadt: Code 482913 für Sie, Größe 5 € [ok]"


def message(last: int = 0, text: str = TEXT, **values: Any) -> Message:
    return Message("01a1", f"+491511234567{last}", text, **values)


@pytest.fixture
def modem() -> Iterator[SimulatedModem]:
    with SimulatedModem() as made:
        yield made


# --- gammu, which shows that the simulator is a modem ----------------------------------------------------------


def test_gammu_takes_the_simulator_for_a_modem(modem: SimulatedModem, tmp_path: Path) -> None:
    if not shutil.which("gammu"):
        sentence = "NOT RUN: gammu is missing; sudo apt-get install gammu"
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    settings = tmp_path / "gammurc"
    settings.write_text(f"[gammu]\ndevice = {modem.device}\nconnection = at115200\nuse_locking = no\n")
    command = ["gammu", "-c", str(settings), "sendsms", "TEXT", "+4915112345670", "-report", "-validity", "MAX"]
    result = subprocess.run(
        [*command, "-text", "Stadt: Code 482913"], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr + "\n".join(modem.commands)
    (found,) = modem.submitted
    assert (found.recipient, found.text, found.wants_report) == ("+4915112345670", "Stadt: Code 482913", True)


# --- our driver -----------------------------------------------------------------------------------------------


class Office:
    """Our channel and what it was told."""

    def __init__(self, modem: SimulatedModem, pin: str | None = None) -> None:
        self.receipts: asyncio.Queue[Receipt] = asyncio.Queue()
        self.pin = pin
        self.channel = GsmChannel(
            GsmProvider(name="modem", device=modem.device),
            read_pin=(lambda: self.pin or "") if pin is not None else None,
            on_receipt=self.receipts.put,
            now=CLOCK.now,
            patience=0.05,
        )

    async def heard(self) -> Receipt:
        async with asyncio.timeout(PATIENCE):
            return await self.receipts.get()


@pytest.fixture
async def office() -> AsyncIterator[Callable[..., Office]]:
    made: list[Office] = []

    def open_office(modem: SimulatedModem, pin: str | None = None) -> Office:
        made.append(Office(modem, pin))
        return made[-1]

    yield open_office
    for each in made:
        await each.channel.close()


async def test_a_message_goes_out_whole(modem: SimulatedModem, office: Callable[..., Office]) -> None:
    channel = office(modem).channel
    assert await channel.send(message(until=CLOCK.now() + timedelta(hours=4))) == "1"
    assert await channel.send(message(text="ä" * 160)) == "2"
    first, second = modem.submitted
    assert (first.recipient, first.text, first.wants_report) == ("+4915112345670", TEXT, True)
    assert first.valid == timedelta(hours=4)
    assert (second.text, second.valid) == ("ä" * 160, timedelta(days=3))
    assert sum(command.startswith("ATE0") for command in modem.commands) == 1, "it stays open"


@pytest.mark.parametrize(
    ("last", "outcome"),
    [(0, "delivered"), (1, "permanent-failure"), (2, "temporary-failure"), (9, "sent")],
)
async def test_status_reports(modem: SimulatedModem, office: Callable[..., Office], last: int, outcome: Any) -> None:
    own = office(modem)
    reference = await own.channel.send(message(last))
    at = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
    assert await own.heard() == Receipt(reference, outcome, accepted_at=at)


@pytest.mark.parametrize(("last", "permanent"), [(3, True), (4, False), (5, False)])
async def test_what_is_not_accepted(
    modem: SimulatedModem, office: Callable[..., Office], last: int, permanent: bool
) -> None:
    """3: no such number; 4: the network is out of order; 5: it says nothing. Then it is opened anew."""
    own = office(modem)
    with pytest.raises(DeliveryError) as caught:
        await own.channel.send(message(last))
    assert caught.value.permanent is permanent
    assert await own.channel.send(message())


async def test_a_modem_that_is_pulled_out_is_a_passing_failure(
    modem: SimulatedModem, office: Callable[..., Office]
) -> None:
    own = office(modem)
    for _ in range(2):
        with pytest.raises(DeliveryError) as caught:
            await own.channel.send(message(6))
        assert caught.value.permanent is False


async def test_two_cannot_use_one_modem(modem: SimulatedModem, office: Callable[..., Office]) -> None:
    await office(modem).channel.open()
    with pytest.raises(DeliveryError, match="cannot be opened"):
        await office(modem).channel.send(message())


async def test_a_locked_card_is_opened_with_its_pin(office: Callable[..., Office]) -> None:
    with SimulatedModem(locked="1234") as modem:
        own = office(modem, "1234")
        assert await own.channel.send(message())
        assert await own.channel.send(message())
        await own.channel.close()


async def test_a_wrong_pin_is_tried_once(office: Callable[..., Office]) -> None:
    """The third one locks the card."""
    with SimulatedModem(locked="1234") as modem:
        own = office(modem, "4321")
        with pytest.raises(DeliveryError):
            await own.channel.send(message())
        for worker in (own, own, office(modem, "4321"), office(modem, "1234")):
            with pytest.raises(SecretError, match="has refused a PIN"):
                await worker.channel.send(message())
            await worker.channel.close()
        assert modem.wrong_pins == 1, "also after the worker was started again, and with another one"
        modem.locked, modem.wrong_pins = "", 0  # by hand
        assert await own.channel.send(message())
        await own.channel.close()


async def test_a_modem_that_does_not_count_tries_gets_no_pin(office: Callable[..., Office]) -> None:
    with SimulatedModem(locked="1234", counts_tries=False) as modem:
        with pytest.raises(SecretError, match="cannot say"):
            await office(modem, "1234").channel.send(message())
        assert not any(command.startswith("AT+CPIN=") for command in modem.commands)


@pytest.mark.parametrize("lock", ["SIM PIN2", "PH-SIM PIN", "SIM PUK", "PH-NET PIN"])
async def test_another_lock_than_the_cards_gets_no_pin(office: Callable[..., Office], lock: str) -> None:
    with SimulatedModem(locked="1234", lock=lock) as modem:
        with pytest.raises(SecretError, match="is locked"):
            await office(modem, "1234").channel.send(message())
        assert not any(command.startswith("AT+CPIN=") for command in modem.commands)


async def test_a_locked_card_without_a_pin_is_said(office: Callable[..., Office]) -> None:
    with SimulatedModem(locked="1234") as modem, pytest.raises(SecretError, match="names no PIN"):
        await office(modem).channel.send(message())


async def test_what_the_modem_says_by_itself_disturbs_nothing(
    modem: SimulatedModem, office: Callable[..., Office]
) -> None:
    own = office(modem)
    await own.channel.open()
    modem.say(b"\r\nRING\r\n\r\n+CDS: 9\r\nnonsense\r\n\r\n+CDS: 3\r\n00FF\r\n\r\n+CREG: 1\r\n")
    assert await own.channel.send(message()) == "1"
    assert (await own.heard()).outcome == "delivered"
