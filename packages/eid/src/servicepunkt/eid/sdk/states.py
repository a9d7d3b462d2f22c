"""The states of a workflow and all its moves. Pure.

Everything that the AusweisApp may say stands here for the states in which it means something. A success is one from
FINISHING on alone, where all that it takes was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

Turn = Literal["app", "person", "card"]


class State(StrEnum):
    STARTING = "starting"  # RUN_AUTH or RUN_CHANGE_PIN is sent
    STARTED = "started"  # it has begun; nothing is agreed to and nothing entered
    CERTIFICATE = "certificate"  # the rights are known, and who wants them is asked for
    RIGHTS = "rights"  # the person reads what is asked by whom
    CHOOSING = "choosing"  # SET_ACCESS_RIGHTS is sent
    WORKING = "working"  # the AusweisApp's turn
    CARD = "card"  # a card is needed
    PIN = "pin"  # a number is needed
    CAN = "can"
    PUK = "puk"
    NEW_PIN = "new_pin"
    FINISHING = "finishing"  # all that it takes was sent
    PAUSED = "paused"  # the card lies badly
    PAUSED_FINISHING = "paused_finishing"
    CANCELLING = "cancelling"  # CANCEL is sent
    CANCELLING_LATE = "cancelling_late"  # after all that it takes was sent: it may have been done
    DONE = "done"  # ended well
    ENDED = "ended"  # ended otherwise


class Event(StrEnum):
    """The upper ones come from the AusweisApp, the lower ones from this side."""

    BEGUN = "begun"
    REFUSED = "refused"
    ACCESS_RIGHTS = "access_rights"
    CERTIFICATE = "certificate"
    INSERT_CARD = "insert_card"
    ENTER_PIN = "enter_pin"
    ENTER_CAN = "enter_can"
    ENTER_PUK = "enter_puk"
    ENTER_NEW_PIN = "enter_new_pin"
    PAUSE = "pause"
    OK = "ok"
    FAILED = "failed"
    CROSSED = "crossed"  # BAD_STATE: our number met a message that had asked for something else by then

    AGREE = "agree"
    NUMBER = "number"
    CONTINUE = "continue"
    CANCEL = "cancel"


Moves = Mapping[tuple[State, Event], State]

_OVER = (State.DONE, State.ENDED)
_LATE = (State.FINISHING, State.PAUSED_FINISHING)
_STOPPING = (State.CANCELLING, State.CANCELLING_LATE)
_CARD = {
    Event.INSERT_CARD: State.CARD,
    Event.ENTER_PIN: State.PIN,
    Event.ENTER_CAN: State.CAN,
    Event.ENTER_PUK: State.PUK,
    Event.PAUSE: State.PAUSED,
}
_WITH_CARD = (State.WORKING, State.FINISHING, State.CARD, State.PIN, State.CAN, State.PUK)
#: What is alike in both. A success that nothing has led to ends badly.
ENDS: Moves = {
    **{(state, Event.OK): State.ENDED for state in State if state not in _OVER},
    **{(state, Event.FAILED): State.ENDED for state in State if state not in _OVER},
    **{(state, Event.CANCEL): State.CANCELLING for state in State if state not in (*_OVER, *_STOPPING)},
    **{(state, Event.CANCEL): State.CANCELLING_LATE for state in _LATE},
    (State.FINISHING, Event.OK): State.DONE,
    (State.CANCELLING_LATE, Event.OK): State.DONE,
    (State.STARTING, Event.REFUSED): State.ENDED,
    (State.CANCELLING, Event.REFUSED): State.ENDED,
}
_PAUSES: Moves = {
    (State.FINISHING, Event.PAUSE): State.PAUSED_FINISHING,
    (State.PAUSED, Event.CONTINUE): State.WORKING,
    (State.PAUSED_FINISHING, Event.CONTINUE): State.FINISHING,
}
#: A number that crossed a message has reached nobody, and with it went what made the end near.
_CROSSES: Moves = {
    **{(state, Event.CROSSED): state for state in (State.CARD, State.PIN, State.CAN, State.PUK, State.PAUSED)},
    (State.PAUSED_FINISHING, Event.CROSSED): State.PAUSED,
    (State.CANCELLING_LATE, Event.CROSSED): State.CANCELLING,
}
#: The card is touched only after the person has agreed, and the rights do not change any more then.
IDENTIFY: Moves = {
    **ENDS,
    (State.STARTING, Event.BEGUN): State.STARTED,
    (State.STARTED, Event.ACCESS_RIGHTS): State.CERTIFICATE,
    (State.CERTIFICATE, Event.CERTIFICATE): State.RIGHTS,
    (State.RIGHTS, Event.AGREE): State.CHOOSING,
    (State.CHOOSING, Event.ACCESS_RIGHTS): State.WORKING,
    **{(state, event): to for state in _WITH_CARD for event, to in _CARD.items()},
    **_PAUSES,
    **_CROSSES,
    (State.PIN, Event.NUMBER): State.FINISHING,
    (State.CAN, Event.NUMBER): State.FINISHING,  # enough by itself where the service has the right "CAN allowed"
    (State.PUK, Event.NUMBER): State.WORKING,
}
#: The new PIN is asked for after another number only.
CHANGE_PIN: Moves = {
    **ENDS,
    (State.STARTING, Event.BEGUN): State.STARTED,
    **{(state, event): to for state in (State.STARTED, *_WITH_CARD, State.NEW_PIN) for event, to in _CARD.items()},
    **_PAUSES,
    **_CROSSES,
    (State.PIN, Event.NUMBER): State.WORKING,
    (State.CAN, Event.NUMBER): State.WORKING,
    (State.PUK, Event.NUMBER): State.WORKING,
    (State.WORKING, Event.ENTER_NEW_PIN): State.NEW_PIN,
    (State.NEW_PIN, Event.ENTER_NEW_PIN): State.NEW_PIN,
    (State.FINISHING, Event.ENTER_NEW_PIN): State.NEW_PIN,
    (State.NEW_PIN, Event.NUMBER): State.FINISHING,
}
#: Whose turn it is; the AusweisApp's where nothing stands here.
TURNS: Mapping[State, Turn] = {
    State.RIGHTS: "person",
    State.CARD: "card",
    State.PIN: "person",
    State.CAN: "person",
    State.PUK: "person",
    State.NEW_PIN: "person",
    State.PAUSED: "person",
    State.PAUSED_FINISHING: "person",
}
