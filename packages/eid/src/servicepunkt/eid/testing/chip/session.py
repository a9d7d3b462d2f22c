"""What a card keeps for ever and what only while it lies on a reader, and the stages of a session as a table.

No I/O; randomness is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from enum import Enum, auto

import msgspec

from servicepunkt.eid.curve import BRAINPOOL_P256, Curve
from servicepunkt.eid.cvc import Extension, Trusted
from servicepunkt.eid.model import Secrets
from servicepunkt.eid.rights import Chat, Right
from servicepunkt.eid.secret import Secret
from servicepunkt.eid.testing.chip.apdu import Command, Status, StatusError
from servicepunkt.eid.testing.chip.messaging import Channel
from servicepunkt.eid.testing.chip.pin import PinEvent, PinState, after

#: The one curve of this card, for PACE and chip authentication.
CURVE: Curve = BRAINPOOL_P256


class Stage(Enum):
    """How far a terminal came. What it may do is what its stage allows, and in `CHIP` its rights."""

    OPEN = auto()
    CHANNEL = auto()
    TERMINAL = auto()
    CHIP = auto()


class Event(Enum):
    PACE_DONE = auto()
    TERMINAL_AUTHENTICATED = auto()
    CHIP_AUTHENTICATED = auto()
    CHANNEL_LOST = auto()


STAGES: Mapping[tuple[Stage, Event], Stage] = {
    **{(stage, Event.PACE_DONE): Stage.CHANNEL for stage in Stage},
    (Stage.CHANNEL, Event.TERMINAL_AUTHENTICATED): Stage.TERMINAL,
    (Stage.TERMINAL, Event.CHIP_AUTHENTICATED): Stage.CHIP,
    **{(stage, Event.CHANNEL_LOST): Stage.OPEN for stage in Stage},
}


class Kept(msgspec.Struct):
    """A struct whose `repr` shows nothing of what is in it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Memory(Kept, kw_only=True):
    """What the card keeps without power.

    `mrz`: document number, date of birth and date of expiry, each with its check digit. `today`: what the card takes
    for the current date; it only moves forward, by the certificates that it sees. `groups`: data group → bytes of its
    file. The keys are numbers below the order of the curve.
    """

    pin: Secret
    can: Secret
    puk: Secret
    mrz: Secret
    pin_state: PinState = PinState.THREE_TRIES
    pin_active: bool = True
    puk_uses: int = 10
    groups: dict[int, bytes]
    card_access: bytes
    card_security: bytes
    directory: bytes
    chip_key: int
    identification_keys: Mapping[int, int]
    anchors: tuple[Trusted, ...]
    today: date

    @property
    def has_transport_pin(self) -> bool:
        """The five digits of the letter, which only serve to be replaced."""
        return self.pin.is_digits(5)

    def happens(self, event: PinEvent) -> None:
        self.pin_state = after(self.pin_state, event)


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of the terminal's chain that was checked."""

    trusted: Trusted
    extensions: tuple[Extension, ...]


class Session(Kept, kw_only=True):
    """What the card forgets when it loses power."""

    memory: Memory
    randomness: Callable[[int], bytes]
    stage: Stage = Stage.OPEN
    channel: Channel | None = None
    next_channel: Channel | None = None
    password: Secrets | None = None
    chip_id: bytes = b""
    chat: Chat | None = None
    pace: object | None = None
    application: bool = False
    file: bytes | None = None
    file_number: int | None = None
    selected: Trusted | None = None
    imported: dict[str, Imported] = {}
    challenge: bytes = b""
    terminal: Imported | None = None
    ephemeral: bytes = b""
    auxiliary: bytes = b""
    rights: frozenset[Right] = frozenset()
    internal: tuple[bytes, int] | None = None

    def moves(self, event: Event) -> None:
        """Raises StatusError for what cannot happen at this stage."""
        stage = STAGES.get((self.stage, event))
        if stage is None:
            raise StatusError(Status.NOT_SATISFIED)
        self.stage = stage

    def requires(self, *rights: Right) -> None:
        """Raises StatusError unless the chip was authenticated to a terminal that holds these rights."""
        if self.stage is not Stage.CHIP or not self.rights.issuperset(rights):
            raise StatusError(Status.NOT_SATISFIED)

    def forget(self) -> None:
        """Keys and all that was shown under them are gone; what file was selected too."""
        self.moves(Event.CHANNEL_LOST)
        self.channel = self.next_channel = self.password = self.chat = self.pace = None
        self.chip_id = b""
        self.application, self.file, self.file_number = False, None, None
        self.forget_terminal()

    def forget_terminal(self) -> None:
        self.selected = self.terminal = self.internal = None
        self.imported = {}
        self.challenge = self.ephemeral = self.auxiliary = b""
        self.rights = frozenset()


#: A command that the card knows: it gets the session, and gives the bytes of its answer.
Instruction = Callable[[Session, Command], bytes]
