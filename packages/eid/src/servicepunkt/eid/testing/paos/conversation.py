"""A session of the test server: which message follows on which, and what they do at the card. No I/O.

All states are in `AWAITED`. A message that is not the awaited one, or answers another one than the last, ends the
session with nothing; what was read is in `result` only when everything fitted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto

import msgspec
from cryptography import x509

from servicepunkt.eid.cvc import Certificate, path
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Masked
from servicepunkt.eid.rights import Chat, Right
from servicepunkt.eid.testing.chip.apdu import Command
from servicepunkt.eid.testing.paos import messages
from servicepunkt.eid.testing.paos.errors import ClientError, OrderError, ProofError
from servicepunkt.eid.testing.paos.messages import (
    Body,
    Eac1Output,
    Eac2Output,
    FrameworkInitialized,
    Message,
    Refusal,
    StartPaos,
    Transmitted,
)  # fmt: skip
from servicepunkt.eid.testing.pki import Holder
from servicepunkt.eid.testing.terminal import EphemeralKey, TerminalChannel, chip_key, question
from servicepunkt.eid.tlv import find, tlv

#: Bytes of a group that one command reads; the groups of a test card are shorter.
MOST_OF_GROUP = 256
_SELECT = Command(cla=0, ins=0xA4, p1=0x04, p2=0x0C, data=bytes.fromhex("E80704007F00070302"))
_IDENTIFICATION = bytes.fromhex("04007F00070202050203")


class State(Enum):
    START = auto()
    FRAMEWORK = auto()
    EAC1 = auto()
    EAC2 = auto()
    TRANSMIT = auto()
    DONE = auto()
    FAILED = auto()


#: State → the message that is awaited, and the state after it.
AWAITED: Mapping[State, tuple[type[Body], State]] = {
    State.START: (StartPaos, State.FRAMEWORK),
    State.FRAMEWORK: (FrameworkInitialized, State.EAC1),
    State.EAC1: (Eac1Output, State.EAC2),
    State.EAC2: (Eac2Output, State.TRANSMIT),
    State.TRANSMIT: (Transmitted, State.DONE),
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a service asks for. `terminal` is its certificate, `chain` those above it, `csca` who signs cards.

    `questions`: see `terminal.auxiliary_data`, as the object 67. `sector`: the public key object for a pseudonym, with
    the tag 7F49. `beyond`: groups that are tried to be read although nobody allowed it.
    """

    terminal: Holder
    chain: tuple[Certificate, ...]
    description: bytes
    csca: x509.Certificate
    required: frozenset[Right] = frozenset()
    optional: frozenset[Right] = frozenset()
    auxiliary: bytes = b""
    questions: tuple[int, ...] = ()
    sector: bytes = b""
    beyond: tuple[int, ...] = ()
    transaction: str = ""


class Result(Masked, frozen=True, kw_only=True):
    """What the card gave. `groups`: as `groups.attributes_of` takes them; `statuses`: of the groups, by number;
    `answers`: question → status word; `allowed`: the rights that the user left."""

    groups: dict[int, bytes]
    statuses: dict[int, int]
    answers: dict[int, int]
    allowed: frozenset[Right]
    pseudonym: bytes = b""


class Conversation:
    """A session, from its first message to the last; `error` says why it ended with nothing."""

    def __init__(self, session: str, request: Request, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self.session = session
        self.state = State.START
        self.result: Result | None = None
        self.error: EidError | None = None
        self._request = request
        self._randomness = randomness
        self._ephemeral = EphemeralKey(randomness)
        self._slot = ""
        self._last_sent = ""
        self._seen: set[str] = set()
        self._chat = Chat()
        self._channel: TerminalChannel | None = None

    def receive(self, data: bytes) -> bytes:
        """The answer to a posted message. Raises EidError, with the session at its end."""
        try:
            message = messages.parse(data)
            self._check(message)
            body = self._do(message.body)
        except EidError as error:
            self.state, self.result, self.error = State.FAILED, None, error
            raise
        self._last_sent = "urn:uuid:" + self._randomness(16).hex()
        return messages.envelope(body, message_id=self._last_sent, relates_to=message.id)

    def awaits(self, message: Message) -> bool:
        """Whether it answers what was sent last."""
        return self.state in AWAITED and bool(self._last_sent) and message.relates_to == self._last_sent

    def _check(self, message: Message) -> None:
        """Raises OrderError, ClientError."""
        if self.state not in AWAITED or message.id in self._seen:
            raise OrderError(why="ended or replayed")
        if isinstance(message.body, Refusal):
            raise ClientError(minor=message.body.minor)
        awaited, _ = AWAITED[self.state]
        if not isinstance(message.body, awaited):
            raise OrderError(why=f"{type(message.body).__name__} in place of {awaited.__name__}")
        if self.state is not State.START and not self.awaits(message):
            raise OrderError(why="an answer to another message")
        self._seen.add(message.id)

    def _do(self, body: Body) -> str:
        match body:
            case StartPaos():
                answered = self._start(body)
            case FrameworkInitialized():
                answered = self._ask()
            case Eac1Output():
                answered = self._authenticate(body)
            case Eac2Output():
                answered = self._open(body)
            case Transmitted():
                answered = self._finish(body)
            case _:
                raise OrderError(why="unexpected")
        self.state = AWAITED[self.state][1]
        return answered

    def _start(self, body: StartPaos) -> str:
        if body.session != self.session:
            raise OrderError(why="another session")
        self._slot = body.slot
        return messages.initialize_framework()

    def _ask(self) -> str:
        request = self._request
        return messages.eac1_input(
            self._slot,
            certificates=[one.encode() for one in (*request.chain, request.terminal.certificate)],
            description=request.description,
            required=Chat(request.required).encode(),
            optional=Chat(request.optional).encode(),
            auxiliary=request.auxiliary,
            transaction=request.transaction,
        )

    def _authenticate(self, body: Eac1Output) -> str:
        self._chat = Chat.decode(body.chat)
        request = self._request
        asked = request.required | request.optional | {Right.CAN_ALLOWED}  # the client adds this one by itself
        if not request.required <= self._chat.rights <= asked & request.terminal.certificate.chat.rights:
            raise ProofError(why="rights that nobody asked for, or too few")
        # A client that finds its way from the card's authority with our certificates names none.
        if body.authorities and not any(self._leads_from(name) for name in body.authorities):
            raise ProofError(why="no chain from the card's authority")
        signature = self._ephemeral.signature(request.terminal, body.chip_id, body.challenge, request.auxiliary)
        return messages.eac2_input(self._slot, public_key=self._ephemeral.public, signature=signature)

    def _leads_from(self, name: str) -> bool:
        request = self._request
        try:
            return bool(path([*request.chain, request.terminal.certificate], start=name))
        except EidError:
            return False

    def _open(self, body: Eac2Output) -> str:
        try:
            key = chip_key(body.card_security, self._request.csca)
            self._channel = self._ephemeral.channel(key, body.nonce, body.token)
        except EidError as error:
            raise ProofError(why="chip authentication") from error
        channel = self._channel
        return messages.transmit(self._slot, [channel.wrap(command) for command in self._commands()])

    def _groups(self) -> tuple[int, ...]:
        return (*self._chat.groups(), *self._request.beyond)

    def _commands(self) -> Sequence[Command]:
        found = [_SELECT]
        found += [question(at) for at in self._request.questions]
        found += [Command(cla=0, ins=0xB0, p1=0x80 | at, p2=0, expected=MOST_OF_GROUP) for at in self._groups()]
        if self._asks_for_pseudonym:
            select = tlv(0x80, _IDENTIFICATION) + tlv(0x84, b"\x01")
            key = tlv(0x7C, b"\xa0" + self._request.sector[2:])
            found.append(Command(cla=0, ins=0x22, p1=0x41, p2=0xA4, data=select))
            found.append(Command(cla=0, ins=0x86, p1=0, p2=0, data=key, expected=65_536))
        return found

    @property
    def _asks_for_pseudonym(self) -> bool:
        return bool(self._request.sector) and Right.RESTRICTED_IDENTIFICATION in self._chat.rights

    def _finish(self, body: Transmitted) -> str:
        commands, channel = self._commands(), self._channel
        if channel is None or len(body.answers) != len(commands):
            raise ProofError(why="not one answer for each command")
        try:
            found = [channel.unwrap(answer) for answer in body.answers]
        except EidError as error:
            raise ProofError(why="an answer that is not the card's") from error
        questions = self._request.questions
        groups = self._groups()
        read = dict(zip(groups, found[1 + len(questions) :], strict=False))
        self.result = Result(
            groups={at: data for at, (data, status) in read.items() if status in (0x9000, 0x6282)},
            statuses={at: status for at, (_, status) in read.items()},
            answers={at: status for at, (_, status) in zip(questions, found[1:], strict=False)},
            allowed=self._chat.rights,
            pseudonym=(find(found[-1][0], 0x7C, 0x81) or b"") if self._asks_for_pseudonym else b"",
        )
        return messages.paos_response(is_ok=True)
