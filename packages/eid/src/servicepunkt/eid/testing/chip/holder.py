"""What the holder and authorities do with the PIN (TR-03110-3 §B.7), and questions that the card answers with yes or no
(§B.6). No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import PartialDate, Secrets
from servicepunkt.eid.rights import Right
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.objects import fields
from servicepunkt.eid.testing.chip.pin import PinEvent
from servicepunkt.eid.testing.chip.session import Session, Stage
from servicepunkt.eid.tlv import only, parse

#: id-DateOfBirth, id-DateOfExpiry and id-CommunityID.
DATE_OF_BIRTH = bytes.fromhex("04007F000703010401")
DATE_OF_EXPIRY = bytes.fromhex("04007F000703010402")
COMMUNITY_ID = bytes.fromhex("04007F000703010403")
VALID_UNTIL, BORN, COMMUNITY = 3, 8, 18
NUMERIC, OCTETS = 0x12, 0x04


def _require(session: Session, *passwords: Secrets) -> None:
    """By one of these passwords alone, or as an authority with the right. Raises StatusError."""
    if session.stage is Stage.CHANNEL and session.password in passwords:
        return
    session.requires(Right.PIN_MANAGEMENT)


def change_pin(session: Session, command: Command) -> bytes:
    """Reset retry counter with a new PIN."""
    _require(session, Secrets.PIN)
    if len(command.data) != 6 or not command.data.isdigit():
        raise StatusError(Status.WRONG_DATA)
    session.memory.pin = Secret(command.data)
    session.memory.happens(PinEvent.UNBLOCKED)
    return b""


def unblock_pin(session: Session, command: Command) -> bytes:
    """Reset retry counter without data: by PUK, ten times in the life of a card."""
    _require(session, Secrets.PUK)
    if command.data:
        raise StatusError(Status.WRONG_LENGTH)
    if session.password is Secrets.PUK:
        if not session.memory.puk_uses:
            raise StatusError(Status.PASSWORD_BLOCKED)
        session.memory.puk_uses -= 1
    session.memory.happens(PinEvent.UNBLOCKED)
    return b""


def activate_pin(session: Session, command: Command) -> bytes:
    return _switch_pin(session, command, active=True)


def deactivate_pin(session: Session, command: Command) -> bytes:
    return _switch_pin(session, command, active=False)


def _switch_pin(session: Session, command: Command, *, active: bool) -> bytes:
    session.requires(Right.PIN_MANAGEMENT)
    if command.data:
        raise StatusError(Status.WRONG_LENGTH)
    session.memory.pin_active = active
    return b""


def verify(session: Session, command: Command) -> bytes:
    """Whether what the terminal signed holds for this card."""
    if not _holds(session, command.data):
        raise StatusError(Status.FAILED)
    return b""


def compare(session: Session, command: Command) -> bytes:
    """The same question with another instruction and another no."""
    if not _holds(session, command.data):
        raise StatusError(Status.COMPARISON_FAILED)
    return b""


def _holds(session: Session, data: bytes) -> bool:
    session.requires()
    question = only(data, 0x06)
    if question not in QUESTIONS:
        raise StatusError(Status.NOT_FOUND)
    right, group, answers = QUESTIONS[question]
    if right is not None:
        session.requires(right)
    asked = _auxiliary(session.auxiliary).get(question)
    contents = session.memory.groups.get(group)
    if asked is None or contents is None:
        raise StatusError(Status.NOT_FOUND)
    try:
        return answers(only(contents, 0x60 + group), asked)
    except EidError as error:
        raise StatusError(Status.WRONG_DATA) from error


def _auxiliary(data: bytes) -> dict[bytes, bytes]:
    """Object identifier → value, of the signed templates."""
    found = {}
    for template in parse(only(data, 0x67)) if data else ():
        parts = fields(template.value, needed=(0x06, 0x53))
        found[parts[0x06]] = parts[0x53]
    return found


def _is_old_enough(contents: bytes, asked: bytes) -> bool:
    """Born on that day or before; of a date of which a part is unknown the last day counts."""
    born = PartialDate.parse(only(contents, NUMERIC).decode("latin-1")).latest
    wanted = PartialDate.parse(asked.decode("latin-1")).latest
    return born is not None and wanted is not None and born <= wanted


def _is_valid(contents: bytes, asked: bytes) -> bool:
    expires = PartialDate.parse(only(contents, NUMERIC).decode("latin-1")).day_known
    today = PartialDate.parse(asked.decode("latin-1")).day_known
    return expires is not None and today is not None and today <= expires


def _lives_there(contents: bytes, asked: bytes) -> bool:
    """The key of a municipality begins with those of its Land, region and district."""
    return bool(asked) and only(contents, OCTETS).startswith(asked)


#: Question → the right that it needs, the group that answers it, and how. Whether a card has expired is no secret.
QUESTIONS: Mapping[bytes, tuple[Right | None, int, Callable[[bytes, bytes], bool]]] = {
    DATE_OF_BIRTH: (Right.AGE_VERIFICATION, BORN, _is_old_enough),
    DATE_OF_EXPIRY: (None, VALID_UNTIL, _is_valid),
    COMMUNITY_ID: (Right.COMMUNITY_VERIFICATION, COMMUNITY, _lives_there),
}
