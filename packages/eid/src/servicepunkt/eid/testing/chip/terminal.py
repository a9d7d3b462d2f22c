"""Terminal authentication, version 2, the chip's side (TR-03110-2 §3.3, TR-03110-3 §B.3, §C). No I/O.

A chip has no clock: it takes for today the latest date of the certificates that it may believe.
"""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.eid.cvc import CERTIFICATE, Certificate, Trusted, check
from servicepunkt.eid.errors import CertificateError, EidError
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right, Role
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.objects import fields
from servicepunkt.eid.testing.chip.session import CURVE, Event, Imported, Memory, Session, Stage
from servicepunkt.eid.tlv import parse, tlv

AUXILIARY = 0x67
#: How a chain that is refused is answered, by the reason that `cvc.check` gives.
REFUSED: Mapping[str | int, Status] = {
    "authority": Status.NOT_FOUND,
    "role": Status.WRONG_DATA,
    "algorithm": Status.WRONG_DATA,
    "expired": Status.NOT_SATISFIED,
    "signature": Status.FAILED,
}
#: A card keeps the newest anchor and the one before.
MOST_ANCHORS = 2


def _require_channel(session: Session) -> None:
    """Raises StatusError unless a password and rights were given, and no terminal was authenticated since."""
    if session.stage is not Stage.CHANNEL or session.chat is None:
        raise StatusError(Status.NOT_SATISFIED)


def select_key(session: Session, command: Command) -> bytes:
    """MSE:Set DST: whose key checks the next certificate."""
    _require_channel(session)
    name = _name(fields(command.data, needed=(0x83,))[0x83])
    known = {one.holder: one for one in session.memory.anchors}
    known.update({holder: one.trusted for holder, one in session.imported.items()})
    session.selected = known.get(name)
    if session.selected is None:
        raise StatusError(Status.NOT_FOUND)
    return b""


def _name(value: bytes) -> str:
    return value.decode("latin-1")


def verify_certificate(session: Session, command: Command) -> bytes:
    """PSO: verify certificate."""
    _require_channel(session)
    issuer = session.selected
    if issuer is None:
        raise StatusError(Status.NOT_SATISFIED)
    certificate = Certificate.parse(tlv(CERTIFICATE, command.data))
    try:
        trusted = check(certificate, issuer, today=session.memory.today)
    except CertificateError as error:
        raise StatusError(REFUSED[error.details["why"]]) from error
    _learn(session.memory, certificate, trusted, issuer)
    session.imported[trusted.holder] = Imported(trusted=trusted, extensions=certificate.extensions)
    return b""


def _learn(memory: Memory, certificate: Certificate, trusted: Trusted, issuer: Trusted) -> None:
    """A new anchor, and the date: the terminals' own dates count only where the state itself issued them."""
    role = certificate.chat.role
    if role is Role.CVCA and trusted.holder not in {one.holder for one in memory.anchors}:
        memory.anchors = (trusted, *memory.anchors)[:MOST_ANCHORS]
    if role is not Role.TERMINAL or issuer.chat.role is Role.DV_OFFICIAL:
        memory.today = max(memory.today, certificate.effective)


def select_terminal(session: Session, command: Command) -> bytes:
    """MSE:Set AT: the terminal's certificate, its ephemeral key, and what it wants to have verified."""
    _require_channel(session)
    found = fields(command.data, needed=(0x80, 0x83, 0x91), allowed=(AUXILIARY,))
    terminal = session.imported.get(_name(found[0x83]))
    if terminal is None or terminal.trusted.chat.role is not Role.TERMINAL:
        raise StatusError(Status.NOT_FOUND)
    if found[0x80] != terminal.trusted.key.algorithm or len(found[0x91]) != CURVE.size:
        raise StatusError(Status.WRONG_DATA)
    if AUXILIARY in found:
        parse(found[AUXILIARY])
    session.terminal, session.ephemeral = terminal, found[0x91]
    session.auxiliary = tlv(AUXILIARY, found[AUXILIARY]) if AUXILIARY in found else b""
    return b""


def challenge(session: Session, command: Command) -> bytes:
    """Get challenge: it may come before the certificates, and counts once."""
    _require_channel(session)
    if command.data or command.expected != 8:
        raise StatusError(Status.WRONG_LENGTH)
    session.challenge = session.randomness(8)
    return session.challenge


def authenticate(session: Session, command: Command) -> bytes:
    """External authenticate: the terminal's signature over card, challenge, ephemeral key and auxiliary data."""
    _require_channel(session)
    terminal, number = session.terminal, session.challenge
    session.challenge = b""
    if terminal is None or not number:
        raise StatusError(Status.NOT_SATISFIED)
    signed = session.chip_id + number + session.ephemeral + session.auxiliary
    try:
        terminal.trusted.key.verify(command.data, signed)
    except EidError as error:
        raise StatusError(Status.FAILED) from error
    effective = (session.chat or Chat()) & terminal.trusted.chat
    if not _may_enter(session, effective):
        raise StatusError(Status.NOT_SATISFIED)
    session.moves(Event.TERMINAL_AUTHENTICATED)
    session.rights = effective.rights
    return b""


def _may_enter(session: Session, effective: Chat) -> bool:
    """A terminal gets in by the PIN of the holder, or by the CAN if it has that right; never by the letter's digits."""
    if session.password is Secrets.PIN:
        return not session.memory.has_transport_pin
    return session.password is Secrets.CAN and Right.CAN_ALLOWED in effective.rights
