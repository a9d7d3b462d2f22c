"""Files of the card and who reads them (TR-03110-4 §2.2, TR-03110-3 §B.9). No I/O."""

from __future__ import annotations

from servicepunkt.eid.rights import Right
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.session import Session, Stage
from servicepunkt.eid.tlv import tlv

MASTER_FILE = 0x3F00
CARD_ACCESS, CARD_SECURITY, DIRECTORY = 0x011C, 0x011D, 0x2F00
SHORT = {0x1C: CARD_ACCESS, 0x1D: CARD_SECURITY, 0x1E: DIRECTORY}
APPLICATION = bytes.fromhex("E80704007F00070302")
#: A group is file 01nn of the application, and short file nn.
GROUPS = range(1, 23)
#: What an answer holds at most, where its Le asks for everything.
MOST_GROUP_BYTES = 4_096


def select(session: Session, command: Command) -> bytes:
    """By name the application, by number the master file or a file of what is selected."""
    match command.p1:
        case 0x04:
            if command.data != APPLICATION:
                raise StatusError(Status.NO_FILE)
            session.application, session.file, session.file_number = True, None, None
        case 0x00 | 0x02:
            _select_number(session, command.data, may_be_master=command.p1 == 0)
        case _:
            raise StatusError(Status.WRONG_PARAMETERS)
    match command.p2:
        case 0x0C:
            return b""
        case 0x00:
            return tlv(0x6F, tlv(0x84, APPLICATION)) if session.application else tlv(0x6F, tlv(0x83, b"\x3f\x00"))
    raise StatusError(Status.WRONG_PARAMETERS)


def _select_number(session: Session, data: bytes, *, may_be_master: bool) -> None:
    if not data and may_be_master:
        data = MASTER_FILE.to_bytes(2, "big")
    if len(data) != 2:
        raise StatusError(Status.WRONG_DATA)
    number = int.from_bytes(data, "big")
    if number == MASTER_FILE and may_be_master:
        session.application, session.file, session.file_number = False, None, None
        return
    _open(session, number)


def _open(session: Session, number: int) -> None:
    """Make a file the current one. Raises StatusError for one that is not there; reading asks for rights."""
    memory = session.memory
    if session.application:
        files = {0x0100 | group: data for group, data in memory.groups.items()}
    else:
        files = {CARD_ACCESS: memory.card_access, CARD_SECURITY: memory.card_security, DIRECTORY: memory.directory}
    if number not in files:
        raise StatusError(Status.NO_FILE)
    session.file, session.file_number = files[number], number


def _addressed(session: Session, command: Command) -> tuple[bytes, int, int]:
    """Contents, number and offset of what a binary command is about."""
    if command.p1 & 0x80:
        short = command.p1 & 0x1F
        if command.p1 & 0x60:
            raise StatusError(Status.WRONG_PARAMETERS)
        if session.application:
            if short not in GROUPS:
                raise StatusError(Status.NO_FILE)
            _open(session, 0x0100 | short)
        else:
            if short not in SHORT:
                raise StatusError(Status.NO_FILE)
            _open(session, SHORT[short])
        offset = command.p2
    else:
        offset = command.parameters
    if session.file is None or session.file_number is None:
        raise StatusError(Status.NO_FILE_SELECTED)
    return session.file, session.file_number, offset


def read(session: Session, command: Command) -> bytes:
    """Read binary. At the end of a file the answer is shorter and says so."""
    contents, number, offset = _addressed(session, command)
    if command.data or command.expected is None:
        raise StatusError(Status.WRONG_LENGTH)
    if session.application:
        session.requires(Right[f"READ_{number & 0xFF}"])
    elif number == CARD_SECURITY and session.stage not in (Stage.TERMINAL, Stage.CHIP):
        raise StatusError(Status.NOT_SATISFIED)
    if offset >= len(contents):
        raise StatusError(Status.WRONG_OFFSET)
    return contents[offset : offset + command.expected]


def update(session: Session, command: Command) -> bytes:
    """Update binary: the groups that may change, address and permits, by who has the right to write them."""
    contents, number, offset = _addressed(session, command)
    right = f"WRITE_{number & 0xFF}"
    if not session.application or right not in Right.__members__:
        raise StatusError(Status.NOT_SATISFIED)
    session.requires(Right[right])
    if offset > len(contents) or offset + len(command.data) > MOST_GROUP_BYTES or not command.data:
        raise StatusError(Status.WRONG_OFFSET)
    session.file = contents[:offset] + command.data + contents[offset + len(command.data) :]
    session.memory.groups[number & 0xFF] = session.file
    return b""
