"""A modem: commands one at a time, and status reports whenever they come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from servicepunkt.core.errors import SecretError, ServicepunktError
from servicepunkt.core.notices.channels.gsm.dialogue import Dialogue, Event, Final, Info, Prompt, Report
from servicepunkt.core.notices.channels.gsm.port import PortLostError, SerialPort

ANSWER_SECONDS = 5.0
# The network may take its time (TS 27.005 names none; modem makers say up to a minute).
SUBMIT_SECONDS = 60.0
END_OF_PDU, GIVE_UP = b"\x1a", b"\x1b"
# No echo; errors as numbers; PDU mode; status reports straight to us (TS 27.005, 3.4.1: ds = 1).
SET_UP = ("ATE0", "AT+CMEE=1", "AT+CMGF=0", "AT+CSMS=0", "AT+CNMI=2,0,0,1,0")
SUBMITTED = re.compile(r"\+CMGS: ?(\d{1,3})")
PIN = re.compile(r"^\d{4,8}\Z")
# TS 27.007, 8.3. There are other locks, such as SIM PIN2 and PH-SIM PIN, which this PIN does not open.
LOCK = re.compile(r"\+CPIN: ?(.+)\Z")
TRIES = re.compile(r"\+CPINR: ?\"?SIM PIN\"?, ?(\d{1,2})\b")
# The third wrong one locks the card for good. What a PIN did before the worker was started, the card alone remembers;
# therefore one is typed only while none was wrong since the last right one.
ALL_TRIES = 3


class ModemError(ServicepunktError):
    """The modem or its network answered a command with an error; `cms` is the code of TS 27.005, 3.2.5."""

    code = "SP0048"
    status = 502

    def __init__(self, cms: int | None) -> None:
        super().__init__("the modem answered with an error" + ("" if cms is None else f" ({cms})"))
        self.cms = cms


class Modem:
    """An open modem. `on_report` is given each status report, hexadecimal."""

    def __init__(self, device: str, baud: int, *, on_report: Callable[[str], None], patience: float = 1.0) -> None:
        """`patience` stretches or shortens how long an answer may take. Raises PortLostError."""
        self._dialogue = Dialogue()
        self._on_report = on_report
        self._patience = patience
        self._asking = asyncio.Lock()
        self._said: asyncio.Queue[Event | None] = asyncio.Queue()
        self.lost = False
        self._port = SerialPort(device, baud, heard=self._hear, lost=self._lose)

    async def start(self, read_pin: Callable[[], str] | None) -> None:
        """Bring it into the state that we need. Raises PortLostError, ModemError, SecretError."""
        # What somebody left half typed must not become part of our first command.
        self._port.write(GIVE_UP)
        await self._ask("AT")
        for command in SET_UP[:2]:
            await self._ask(command)
        await self._unlock(read_pin)
        for command in SET_UP[2:]:
            await self._ask(command)

    async def _unlock(self, read_pin: Callable[[], str] | None) -> None:
        state = next((found[1] for line in await self._ask("AT+CPIN?") if (found := LOCK.match(line))), "")
        if state == "READY":
            return
        if state != "SIM PIN" or read_pin is None:
            raise SecretError("the SIM card is locked and the tenant file names no PIN for it")
        pin = read_pin()
        if not PIN.match(pin):
            raise SecretError("a PIN has four to eight digits")
        if await self._tries_left() < ALL_TRIES:
            raise SecretError("the SIM card has refused a PIN, or cannot say that it has not; type the PIN by hand")
        await self._ask(f'AT+CPIN="{pin}"')

    async def _tries_left(self) -> int:
        """How many wrong PINs the card still takes (TS 27.007, 8.65); 0 where the modem does not know."""
        try:
            lines = await self._ask("AT+CPINR")
        except ModemError:
            return 0
        return next((int(found[1]) for line in lines if (found := TRIES.match(line))), 0)

    async def submit(self, pdu: str, octets: int) -> int:
        """Hand over an SMS-SUBMIT; returns its reference (TP-MR, 0 to 255). Raises PortLostError, ModemError."""
        async with self._asking:
            self._forget()
            self._port.write(f"AT+CMGS={octets}\r".encode())
            await self._until(Prompt, ANSWER_SECONDS)
            self._port.write(pdu.encode() + END_OF_PDU)
            lines = await self._until(Final, SUBMIT_SECONDS)
        for line in lines:
            if (found := SUBMITTED.match(line)) is not None and int(found[1]) < 256:
                return int(found[1])
        raise ModemError(None)

    async def _ask(self, command: str) -> list[str]:
        async with self._asking:
            self._forget()
            self._port.write(f"{command}\r".encode())
            return await self._until(Final, ANSWER_SECONDS)

    async def _until(self, kind: type[Prompt] | type[Final], seconds: float) -> list[str]:
        """The lines before an event of this kind. Raises ModemError for an error, PortLostError for silence."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(seconds * self._patience):
                while (event := await self._said.get()) is not None:
                    if isinstance(event, Final) and not event.well:
                        raise ModemError(event.code)
                    if isinstance(event, kind):
                        return lines
                    if isinstance(event, Info):
                        lines.append(event.text)
        except TimeoutError:
            self.close()
        raise PortLostError

    def _forget(self) -> None:
        """What was said before a command is no answer to it."""
        while not self._said.empty():
            self._said.get_nowait()

    def _hear(self, data: bytes) -> None:
        for event in self._dialogue.feed(data):
            if isinstance(event, Report):
                self._on_report(event.pdu)
            else:
                self._said.put_nowait(event)

    def _lose(self) -> None:
        self.lost = True
        self._said.put_nowait(None)

    def close(self) -> None:
        self._port.close()
        self._lose()
