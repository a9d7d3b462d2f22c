"""Files of the card: selected and read (ISO/IEC 7816-4 §11.3). Conversations."""

from __future__ import annotations

from servicepunkt.eid.card.apdu import OK, Command, Conversation
from servicepunkt.eid.errors import MalformedError

#: The eID application.
EID = bytes.fromhex("E80704007F00070302")
MASTER = bytes.fromhex("3F00")
CARD_ACCESS, CARD_SECURITY, DIRECTORY = 0x1C, 0x1D, 0x1E
#: Bytes asked for at once: with their protection they fit into a short answer.
PART = 0xDF
MOST_FILE = 32_768
#: "The end of the file was reached before all that was asked for": what there is comes with it.
END, BEYOND = 0x6282, 0x6B00


def select_master() -> Conversation[None]:
    (yield Command(0x00, 0xA4, 0x00, 0x0C, MASTER)).require()


def select_eid() -> Conversation[None]:
    """Raises CardError."""
    (yield Command(0x00, 0xA4, 0x04, 0x0C, EID)).require()


def read_file(short_id: int) -> Conversation[bytes]:
    """A whole file by its short identifier (1 to 30). Raises CardError, MalformedError for one without end."""
    data = (yield Command(0x00, 0xB0, 0x80 | short_id, 0x00, b"", PART)).require(END)
    last = len(data)
    while last == PART:
        if len(data) > MOST_FILE:
            raise MalformedError(what="file", why="too long")
        answer = yield Command(0x00, 0xB0, len(data) >> 8, len(data) & 0xFF, b"", PART)
        if answer.status == BEYOND:
            break
        part = answer.data if answer.status in (OK, END) else answer.require()
        data, last = data + part, len(part)
    return data
