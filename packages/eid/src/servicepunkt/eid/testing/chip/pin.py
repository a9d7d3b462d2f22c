"""The PIN of the card: its tries, suspended, blocked, switched off (TR-03110-2 §3.3). Pure.

All transitions are in `MOVES`. A card loses nothing but `RESUMED` when it leaves the reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from servicepunkt.eid.testing.chip.apdu import Status


class PinState(Enum):
    """`RESUMED`: suspended, and the CAN was entered since the card came onto the reader."""

    THREE_TRIES = auto()
    TWO_TRIES = auto()
    SUSPENDED = auto()
    RESUMED = auto()
    BLOCKED = auto()


class PinEvent(Enum):
    WRONG = auto()
    RIGHT = auto()
    CAN_ENTERED = auto()
    UNBLOCKED = auto()
    POWER_LOST = auto()


#: A pair that is not here changes nothing, except that a suspended or blocked PIN is never compared.
MOVES: Mapping[tuple[PinState, PinEvent], PinState] = {
    (PinState.THREE_TRIES, PinEvent.WRONG): PinState.TWO_TRIES,
    (PinState.TWO_TRIES, PinEvent.WRONG): PinState.SUSPENDED,
    (PinState.RESUMED, PinEvent.WRONG): PinState.BLOCKED,
    (PinState.TWO_TRIES, PinEvent.RIGHT): PinState.THREE_TRIES,
    (PinState.RESUMED, PinEvent.RIGHT): PinState.THREE_TRIES,
    (PinState.SUSPENDED, PinEvent.CAN_ENTERED): PinState.RESUMED,
    (PinState.RESUMED, PinEvent.POWER_LOST): PinState.SUSPENDED,
    (PinState.TWO_TRIES, PinEvent.UNBLOCKED): PinState.THREE_TRIES,
    (PinState.SUSPENDED, PinEvent.UNBLOCKED): PinState.THREE_TRIES,
    (PinState.RESUMED, PinEvent.UNBLOCKED): PinState.THREE_TRIES,
    (PinState.BLOCKED, PinEvent.UNBLOCKED): PinState.THREE_TRIES,
}
#: What selecting the PIN says, and after a wrong one what is left.
SAID: Mapping[PinState, Status] = {
    PinState.THREE_TRIES: Status.DONE,
    PinState.TWO_TRIES: Status.TWO_TRIES_LEFT,
    PinState.SUSPENDED: Status.ONE_TRY_LEFT,
    PinState.RESUMED: Status.ONE_TRY_LEFT,
    PinState.BLOCKED: Status.NO_TRY_LEFT,
}
#: Why a PIN in this state is not even compared.
REFUSED: Mapping[PinState, Status] = {
    PinState.SUSPENDED: Status.PASSWORD_SUSPENDED,
    PinState.BLOCKED: Status.PASSWORD_BLOCKED,
}


def after(state: PinState, event: PinEvent) -> PinState:
    return MOVES.get((state, event), state)
