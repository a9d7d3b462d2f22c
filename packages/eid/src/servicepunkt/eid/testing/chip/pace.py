"""PACE with the generic mapping, the chip's side (TR-03110-2 §3.2, TR-03110-3 §B.1). No I/O.

The four steps are `STEPS`. Whatever does not fit ends the run; a wrong password is known in the last step alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from servicepunkt.eid.curve import Curve, Point
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.messaging import Channel
from servicepunkt.eid.testing.chip.objects import dynamic, fields
from servicepunkt.eid.testing.chip.pin import REFUSED, SAID, PinEvent
from servicepunkt.eid.testing.chip.session import CURVE, Event, Kept, Memory, Session
from servicepunkt.eid.testing.symmetric import CHECKSUM, ENCRYPTION, PASSWORD, derived, encrypted, token
from servicepunkt.eid.tlv import tlv

#: id-PACE-ECDH-GM-AES-CBC-CMAC-128.
PROTOCOL = bytes.fromhex("04007F00070202040202")
TEMPLATE, EXTENSIONS = 0x7F4C, 0x65


class Pace(Kept, kw_only=True):
    """A run: which password it is about, and what was agreed on so far."""

    password: Secrets
    chat: Chat | None
    step: int = 0
    nonce: bytes = b""
    generator: Point | None = None
    own: bytes = b""
    theirs: bytes = b""
    shared: bytes = b""


def select(session: Session, command: Command) -> bytes:
    """MSE:Set AT. For the PIN, the status word tells how many tries are left."""
    found = fields(command.data, needed=(0x80, 0x83), allowed=(0x84, TEMPLATE, EXTENSIONS))
    if found[0x80] != PROTOCOL:
        raise StatusError(Status.WRONG_DATA)
    if found.get(0x84, b"\x0d") != CURVE.parameter_id.to_bytes(1, "big"):
        raise StatusError(Status.NOT_FOUND)
    try:
        password = Secrets(int.from_bytes(found[0x83], "big"))
    except ValueError:
        raise StatusError(Status.NOT_FOUND) from None
    chat = Chat.decode(tlv(TEMPLATE, found[TEMPLATE])) if TEMPLATE in found else None
    session.pace = Pace(password=password, chat=chat)
    session.internal = None
    if (status := _said(session.memory, password)) is not Status.DONE:
        raise StatusError(status)
    return b""


def _said(memory: Memory, password: Secrets) -> Status:
    if password is Secrets.PIN:
        return SAID[memory.pin_state] if memory.pin_active else Status.DEACTIVATED
    return Status.NO_TRY_LEFT if password is Secrets.PUK and not memory.puk_uses else Status.DONE


def _refused(memory: Memory, password: Secrets) -> Status | None:
    """Why a password is not even compared."""
    if password is Secrets.PIN:
        return REFUSED.get(memory.pin_state) if memory.pin_active else Status.PASSWORD_DEACTIVATED
    return Status.PASSWORD_BLOCKED if password is Secrets.PUK and not memory.puk_uses else None


def proceed(session: Session, run: Pace, command: Command) -> bytes:
    """The next 'general authenticate'. Whatever is wrong with it ends the run."""
    session.pace = None
    expected, step = STEPS[run.step]
    is_last = run.step == len(STEPS) - 1
    if command.is_chained and is_last:
        raise StatusError(Status.LAST_OF_CHAIN_EXPECTED)
    found = dynamic(command.data)
    if command.is_chained == is_last or set(found) != ({expected} if expected else set()):
        raise StatusError(Status.WRONG_DATA)
    try:
        answered = step(session, run, found.get(expected, b""))
    except EidError as error:
        raise StatusError(Status.FAILED) from error
    if not is_last:
        run.step += 1
        session.pace = run
    return tlv(0x7C, answered)


def _send_nonce(session: Session, run: Pace, _: bytes) -> bytes:
    if (refused := _refused(session.memory, run.password)) is not None:
        raise StatusError(refused)
    run.nonce = session.randomness(16)
    return tlv(0x80, encrypted(derived(_encoded(session.memory, run.password), PASSWORD), run.nonce))


def _encoded(memory: Memory, password: Secrets) -> bytes:
    """A password as the key derivation takes it (TR-03110-3 table 5)."""
    if password is Secrets.MRZ:
        return hashlib.sha1(memory.mrz.reveal(), usedforsecurity=False).digest()  # the table wants SHA-1
    return {Secrets.CAN: memory.can, Secrets.PIN: memory.pin, Secrets.PUK: memory.puk}[password].reveal()


def _map(session: Session, run: Pace, theirs: bytes) -> bytes:
    key = CURVE.scalar(session.randomness)
    shared = CURVE.multiply(key, CURVE.decode(theirs))
    run.generator = CURVE.add(CURVE.multiply(int.from_bytes(run.nonce, "big")), shared)
    return tlv(0x82, CURVE.encode(CURVE.multiply(key)))


def _agree(session: Session, run: Pace, theirs: bytes) -> bytes:
    key = CURVE.scalar(session.randomness)
    run.shared = agreed(CURVE, key, CURVE.decode(theirs))
    run.own, run.theirs = CURVE.encode(CURVE.multiply(key, run.generator)), theirs
    if run.own == run.theirs:
        raise StatusError(Status.FAILED)
    return tlv(0x84, run.own)


def agreed(curve: Curve, key: int, point: Point) -> bytes:
    """The x coordinate of the product (TR-03111 §4.3.1)."""
    return curve.multiply(key, point)[0].to_bytes(curve.size, "big")


def _confirm(session: Session, run: Pace, theirs: bytes) -> bytes:
    memory = session.memory
    checksums = derived(run.shared, CHECKSUM)
    is_right = hmac.compare_digest(token(checksums, PROTOCOL, run.own), theirs)
    if run.password is Secrets.PIN:
        memory.happens(PinEvent.RIGHT if is_right else PinEvent.WRONG)
        if not is_right:
            raise StatusError(SAID[memory.pin_state])
    if not is_right:
        raise StatusError(Status.FAILED)
    if run.password is Secrets.CAN:
        memory.happens(PinEvent.CAN_ENTERED)
    session.moves(Event.PACE_DONE)
    session.forget_terminal()
    session.next_channel = Channel(derived(run.shared, ENCRYPTION), checksums)
    session.password, session.chat, session.chip_id = run.password, run.chat, run.own[1 : 1 + CURVE.size]
    references = memory.anchors if run.chat else ()
    return tlv(0x86, token(checksums, PROTOCOL, run.theirs)) + b"".join(
        tlv(0x87 + at, anchor.holder.encode()) for at, anchor in enumerate(references)
    )


#: The tag that each step takes, none for the first, and what it does.
STEPS: tuple[tuple[int, Callable[[Session, Pace, bytes], bytes]], ...] = (
    (0, _send_nonce),
    (0x81, _map),
    (0x83, _agree),
    (0x85, _confirm),
)
