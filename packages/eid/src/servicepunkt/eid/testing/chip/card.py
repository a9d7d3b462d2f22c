"""The chip as a whole: bytes of a command in, bytes of its answer out. No I/O; randomness is an argument.

`INSTRUCTIONS` is everything that it understands. What a command may do is checked where it is carried out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.chip import files, holder, internal, pace, terminal
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError, answer
from servicepunkt.eid.testing.chip.pin import PinEvent
from servicepunkt.eid.testing.chip.session import Instruction, Memory, Session

PLAIN, PROPRIETARY, CHAINED = 0x00, 0x80, 0x10


def general_authenticate(session: Session, command: Command) -> bytes:
    """The next step of the protocol that was selected last."""
    if isinstance(session.pace, pace.Pace):
        return pace.proceed(session, session.pace, command)
    if session.internal is not None:
        return internal.proceed(session, session.internal, command)
    raise StatusError(Status.NOT_SATISFIED)


#: Instruction and parameters, None where the parameters are its own → the class without bits of messaging, and what it
#: does.
INSTRUCTIONS: Mapping[tuple[int, int | None], tuple[int, Instruction]] = {
    (0xA4, None): (PLAIN, files.select),
    (0xB0, None): (PLAIN, files.read),
    (0xD6, None): (PLAIN, files.update),
    (0x22, 0xC1A4): (PLAIN, pace.select),
    (0x22, 0x81B6): (PLAIN, terminal.select_key),
    (0x22, 0x81A4): (PLAIN, terminal.select_terminal),
    (0x22, 0x41A4): (PLAIN, internal.select),
    (0x86, 0x0000): (PLAIN, general_authenticate),
    (0x2A, 0x00BE): (PLAIN, terminal.verify_certificate),
    (0x84, 0x0000): (PLAIN, terminal.challenge),
    (0x82, 0x0000): (PLAIN, terminal.authenticate),
    (0x20, 0x8000): (PROPRIETARY, holder.verify),
    (0x33, 0x0000): (PLAIN, holder.compare),
    (0x2C, 0x0203): (PLAIN, holder.change_pin),
    (0x2C, 0x0303): (PLAIN, holder.unblock_pin),
    (0x44, 0x1003): (PLAIN, holder.activate_pin),
    (0x04, 0x1003): (PLAIN, holder.deactivate_pin),
}
_KNOWN = {ins for ins, _ in INSTRUCTIONS}
_GENERAL_AUTHENTICATE = 0x86


class Chip:
    """A card on a reader.

    chip = Chip(memory)
    chip.answer(bytes.fromhex("00A4040C09E80704007F00070302"))  # → 9000
    """

    #: Of a German ID card of 2010.
    ATR = bytes.fromhex("3B8A80018031F873F741E082900075")

    def __init__(self, memory: Memory, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self.memory = memory
        self._randomness = randomness
        self.session = Session(memory=memory, randomness=randomness)

    def power_off(self) -> None:
        """Taken from the reader, or reset: everything but the memory is gone."""
        self.memory.happens(PinEvent.POWER_LOST)
        self.session = Session(memory=self.memory, randomness=self._randomness)

    def answer(self, data: bytes) -> bytes:
        """Data and status word of the answer; anything is answered."""
        try:
            command = Command.parse(data)
            _check_class(command)
            return self._within(command) if command.is_secured else self._plain(command)
        except StatusError as error:
            return answer(status=error.status)

    def _plain(self, command: Command) -> bytes:
        """A command outside of a channel ends it (TR-03110-3 §F.3.4)."""
        if self.session.channel is not None:
            self.session.forget()
        reply = answer(*self._carried_out(command))
        self._switch()
        return reply

    def _within(self, command: Command) -> bytes:
        channel = self.session.channel
        if channel is None:
            raise StatusError(Status.MESSAGING_WRONG)
        try:
            inner = channel.unwrap(command)
        except StatusError:
            self.session.forget()
            raise
        reply = channel.wrap(*self._carried_out(inner))
        self._switch()
        return reply

    def _switch(self) -> None:
        """The answer that makes new keys still goes out under the old ones."""
        if self.session.next_channel is not None:
            self.session.channel, self.session.next_channel = self.session.next_channel, None

    def _carried_out(self, command: Command) -> tuple[bytes, Status]:
        try:
            found = _instruction(command)(self.session, command)
        except StatusError as error:
            return b"", error.status
        except EidError:
            return b"", Status.WRONG_DATA
        is_short = command.ins == 0xB0 and len(found) < (command.expected or 0)
        return found, Status.END_OF_FILE if is_short and found else Status.DONE


def _check_class(command: Command) -> None:
    """Raises StatusError for a class that nothing here is in."""
    if command.cla & 0x60:
        raise StatusError(Status.NO_SUCH_CLASS)
    if command.cla & 0x03:
        raise StatusError(Status.NO_LOGICAL_CHANNEL)
    if command.cla & 0x0C not in (0x00, 0x0C):
        raise StatusError(Status.NO_SUCH_CLASS)


def _instruction(command: Command) -> Instruction:
    if command.is_chained and command.ins != _GENERAL_AUTHENTICATE:
        raise StatusError(Status.NO_CHAINING)
    if command.ins not in _KNOWN:
        raise StatusError(Status.NO_SUCH_INSTRUCTION)
    found = INSTRUCTIONS.get((command.ins, None)) or INSTRUCTIONS.get((command.ins, command.parameters))
    if found is None:
        raise StatusError(Status.WRONG_PARAMETERS)
    wanted, instruction = found
    if command.cla & ~CHAINED != wanted:
        raise StatusError(Status.NO_SUCH_CLASS)
    return instruction
