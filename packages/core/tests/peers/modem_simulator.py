"""A simulated modem on a pty, written from 3GPP TS 27.005, 23.040 and 23.038. It shares no code with the driver.

The last digit of a recipient says what becomes of a message:
0 delivered, 1 refused by the phone for good, 2 given up after its validity, 3 no such number, 4 the network is out of
order, 5 no answer at all, 6 the modem is pulled out, 9 still being tried.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import threading
import tty
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

BASIC_TABLE = {
    **{
        number: chr(number)
        for number in (*range(0x20, 0x24), *range(0x25, 0x40), *range(0x41, 0x5B), *range(0x61, 0x7B))
    },
    **dict(
        zip(
            (
                0x00,
                0x01,
                0x02,
                0x03,
                0x04,
                0x05,
                0x06,
                0x07,
                0x08,
                0x09,
                0x0A,
                0x0B,
                0x0C,
                0x0D,
                0x0E,
                0x0F,
                0x11,
                0x1C,
                0x1D,
                0x1E,
                0x1F,
                0x24,
                0x40,
                0x5B,
                0x5C,
                0x5D,
                0x5E,
                0x5F,
                0x60,
                0x7B,
                0x7C,
                0x7D,
                0x7E,
                0x7F,
            ),
            "@£$¥èéùìòÇ\nØø\rÅå_ÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
            strict=True,
        )
    ),
}
EXTENDED_TABLE = {0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}
STATUS = {"1": 0x46, "2": 0x66, "9": 0x30}


@dataclass
class Submitted:
    """What an SMS-SUBMIT says."""

    recipient: str
    text: str
    valid: timedelta | None
    wants_report: bool
    reference: int


@dataclass
class SimulatedModem:
    """Use as a context; `device` is the port to open. `locked` is the PIN that the card asks for."""

    locked: str = ""
    at: datetime = datetime(2026, 11, 21, 19, 40, tzinfo=timezone(timedelta(hours=1)))
    submitted: list[Submitted] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    wrong_pins: int = 0
    lock: str = "SIM PIN"
    counts_tries: bool = True

    def __enter__(self) -> SimulatedModem:
        self._own, self._theirs = pty.openpty()
        tty.setraw(self._own)
        tty.setraw(self._theirs)
        self.device = os.ttyname(self._theirs)
        self._woken, self._wake = os.pipe()
        self._echo, self._reference, self._expected, self._buffer = True, 0, -1, b""
        self._mute = self._direct = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._wake, b"x")
        self._thread.join()
        for descriptor in (self._own, self._theirs, self._woken, self._wake):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def pull_out(self) -> None:
        """The port disappears."""
        os.close(self._theirs)
        os.close(self._own)

    def say(self, data: bytes) -> None:
        """Something that nobody asked for."""
        os.write(self._own, data)

    def _run(self) -> None:
        while True:
            try:
                ready, _, _ = select.select([self._own, self._woken], [], [])
                if self._woken in ready:
                    return
                for octet in os.read(self._own, 4096):
                    self._take(bytes((octet,)))
            except (OSError, ValueError):
                return

    def _take(self, octet: bytes) -> None:
        if self._expected >= 0:
            self._take_pdu(octet)
        elif octet == b"\r":
            line, self._buffer = self._buffer.decode("ascii", "replace"), b""
            if self._echo:
                self.say(line.encode() + b"\r")
            self._command(line.strip())
        elif octet == b"\x1b":
            self._buffer = b""
        elif octet != b"\n":
            self._buffer += octet

    def _take_pdu(self, octet: bytes) -> None:
        if octet == b"\x1b":
            self._expected, self._buffer = -1, b""
            self._answer("OK")
        elif octet == b"\x1a":
            expected, self._expected = self._expected, -1
            text, self._buffer = self._buffer.decode("ascii", "replace"), b""
            self._submit(text, expected)
        else:
            self._buffer += octet

    def _answer(self, *lines: str) -> None:
        if not self._mute:
            self.say("".join(f"\r\n{line}\r\n" for line in lines).encode())

    def _command(self, line: str) -> None:
        if not line:
            return
        self.commands.append(line)
        upper = line.upper()
        facts = {
            "AT+CGMI": "Simulated",
            "AT+CGMM": "Modem",
            "AT+CGMR": "1.0",
            "AT+CGSN": "490154203237518",
            "AT+CIMI": "262011234567890",
            "AT+CSCA?": '+CSCA: "+491710760000",145',
            "AT+CMGF?": "+CMGF: 0",
            "AT+CSQ": "+CSQ: 20,0",
            "AT+CREG?": "+CREG: 0,1",
            "AT+CSMS?": "+CSMS: 0,1,1,1",
            "AT+CPMS=?": '+CPMS: ("ME","SM"),("ME","SM"),("ME","SM")',
            "AT+CPMS?": '+CPMS: "SM",0,20,"SM",0,20,"SM",0,20',
            "AT+CNMI=?": "+CNMI: (0-2),(0-3),(0-3),(0-2),(0,1)",
            "AT+CMGF=?": "+CMGF: (0)",
        }
        match upper:
            case "AT" | "ATZ" | "AT+CMGF=0" | "AT+CSMS=0" | "AT+CMEE=1" | "AT+CMEE=2" | "AT+CFUN=1":
                self._answer("OK")
            case "ATE0" | "ATE1":
                self._echo = upper == "ATE1"
                self._answer("OK")
            case "AT+CPIN?":
                self._answer(f"+CPIN: {self.lock}" if self.locked else "+CPIN: READY", "OK")
            case "AT+CPINR" if self.counts_tries:
                self._answer(f"+CPINR: SIM PIN,{3 - self.wrong_pins},3", "+CPINR: SIM PUK,10,10", "OK")
            case _ if upper in facts:
                self._answer(facts[upper], "OK")
            case _ if found := re.fullmatch(r'AT\+CPIN="(\d+)"', upper):
                self._unlock(found[1])
            case _ if found := re.fullmatch(r"AT\+CNMI=(\d),(\d),(\d),(\d)(?:,(\d))?", upper):
                self._direct = found[4] == "1"
                self._answer("OK")
            case _ if found := re.fullmatch(r"AT\+CMGS=(\d+)", upper):
                self._expected = int(found[1])
                self.say(b"\r\n> ")
            case _:
                self._answer("ERROR")

    def _unlock(self, pin: str) -> None:
        if pin == self.locked:
            self.locked = ""
            self._answer("OK")
        else:
            self.wrong_pins += 1
            self._answer("+CME ERROR: 16")

    def _submit(self, text: str, expected: int) -> None:
        message = self._read(text, expected)
        if message is None:
            self._answer("+CMS ERROR: 304")  # invalid PDU mode parameter
            return
        match message.recipient[-1]:
            case "3":
                self._answer("+CMS ERROR: 1")
            case "4":
                self._answer("+CMS ERROR: 38")
            case "5":
                return
            case "6":
                self.pull_out()
            case last:
                self.submitted.append(message)
                self._answer(f"+CMGS: {message.reference}", "OK")
                if message.wants_report and self._direct:
                    self._report(message, STATUS.get(last, 0x00))

    def _report(self, message: Submitted, status: int) -> None:
        digits = message.recipient.lstrip("+")
        moment = (
            bytes(
                self._semi(f"{getattr(self.at, part) % 100:02d}")[0]
                for part in ("year", "month", "day", "hour", "minute", "second")
            )
            + b"\x40"
        )  # an hour east
        tpdu = (
            bytes((0x06, message.reference, len(digits), 0x91))
            + self._semi(digits)
            + moment
            + moment
            + bytes((status,))
        )
        pdu = bytes((7, 0x91)) + self._semi("491710760000") + tpdu
        self._answer(f"+CDS: {len(tpdu)}\r\n{pdu.hex().upper()}")

    @staticmethod
    def _semi(digits: str) -> bytes:
        if len(digits) % 2:
            digits += "F"
        pairs = zip(digits[::2], digits[1::2], strict=True)
        return bytes(16 * int(high, 16) + int(low, 16) for low, high in pairs)

    def _read(self, text: str, expected: int) -> Submitted | None:
        """An SMS-SUBMIT (TS 23.040, 9.2.2.2) with an address of the centre in front; None where it is none."""
        try:
            octets = list(bytes.fromhex(text))
            del octets[: 1 + octets[0]]
            if len(octets) != expected or octets[0] & 3 != 1:
                return None
            first = octets[0]
            digits, kind = octets[2], octets[3]
            count = (digits + 1) // 2
            number = "".join(f"{octet & 15:X}{octet >> 4:X}" for octet in octets[4 : 4 + count])[:digits]
            rest = octets[4 + count :]
            scheme, rest = rest[1], rest[2:]
            valid = None
            if first >> 3 & 3 == 2:
                valid, rest = self._valid(rest[0]), rest[1:]
            if scheme != 0 or kind != 0x91:
                return None
            words = self._words(rest[1:], rest[0])
        except (ValueError, IndexError, KeyError):
            return None
        self._reference = (self._reference + 1) % 256
        return Submitted(f"+{number}", words, valid, bool(first & 0x20), self._reference)

    @staticmethod
    def _valid(value: int) -> timedelta:
        if value <= 143:
            return timedelta(minutes=(value + 1) * 5)
        if value <= 167:
            return timedelta(hours=12, minutes=(value - 143) * 30)
        return timedelta(days=value - 166) if value <= 196 else timedelta(weeks=value - 192)

    @staticmethod
    def _words(octets: list[int], count: int) -> str:
        bits = "".join(f"{octet:08b}"[::-1] for octet in octets)
        if len(bits) < 7 * count or len(octets) != -(-7 * count // 8):
            raise ValueError(count)
        septets = [int(bits[7 * place : 7 * place + 7][::-1], 2) for place in range(count)]
        words, escaped = "", False
        for septet in septets:
            if escaped:
                words, escaped = words + EXTENDED_TABLE[septet], False
            elif septet == 0x1B:
                escaped = True
            else:
                words += BASIC_TABLE[septet]
        return words
