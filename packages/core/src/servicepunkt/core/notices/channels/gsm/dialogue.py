"""What a modem says, taken apart: bytes in, events out (ITU-T V.250, 5; 3GPP TS 27.005, 3 and 4). Sans I/O."""

from __future__ import annotations

import re

import msgspec

LONGEST_LINE = 1024
FINAL_OK = "OK"
FINAL_ERROR = re.compile(r"(?:ERROR|NO CARRIER|\+CM[ES] ERROR: ?(\d{1,4}|[A-Za-z ]{1,60}))\Z")
REPORT_FOLLOWS = re.compile(r"\+CDS: ?\d{1,3}\Z")
HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2,512}\Z")


class Prompt(msgspec.Struct, frozen=True):
    """The modem waits for a PDU (TS 27.005, 4.3)."""


class Final(msgspec.Struct, frozen=True):
    """The end of an answer: well, or an error with the modem's code where it gave one."""

    well: bool
    code: int | None = None


class Info(msgspec.Struct, frozen=True):
    """A line of an answer before its end, or one that nobody asked for."""

    text: str


class Report(msgspec.Struct, frozen=True):
    """A status report, hexadecimal."""

    pdu: str


Event = Prompt | Final | Info | Report


class Dialogue:
    """Never raises, whatever the bytes; a line without end is forgotten."""

    def __init__(self) -> None:
        self._rest = b""
        self._report_follows = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        self._rest += data
        events: list[Event] = []
        while True:
            self._rest = self._rest.lstrip(b"\r\n\x00")
            if self._rest.startswith(b"> "):
                self._rest = self._rest[2:]
                events.append(Prompt())
                continue
            line, end, rest = self._rest.partition(b"\r")
            if not end:
                break
            self._rest = rest
            event = self._read(line.decode("ascii", "replace").strip())
            if event is not None:
                events.append(event)
        if len(self._rest) > LONGEST_LINE:
            self._rest = b""
        return events

    def _read(self, line: str) -> Event | None:
        if self._report_follows:
            self._report_follows = False
            if HEXADECIMAL.match(line):
                return Report(line)
        if REPORT_FOLLOWS.match(line):
            self._report_follows = True
            return None
        if line == FINAL_OK:
            return Final(well=True)
        if (found := FINAL_ERROR.match(line)) is not None:
            code = found[1]
            return Final(well=False, code=int(code) if code and code.isdecimal() else None)
        return Info(line[:LONGEST_LINE])
