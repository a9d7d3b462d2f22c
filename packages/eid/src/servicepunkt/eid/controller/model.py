"""What stands on the screen while somebody uses the reader, and how it goes on: a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from servicepunkt.eid.sdk.steps import Number, Occasion


class Kind(StrEnum):
    """What somebody came for."""

    IDENTIFY = "identify"
    PIN = "pin"
    CHECK = "check"
    PRACTICE = "practice"


class Screen(StrEnum):
    STARTING = "starting"
    RIGHTS = "rights"  # who asks what and why
    CARD = "card"  # lay it on
    GONE = "gone"  # it was taken away; lay it on again
    UNKNOWN = "unknown"  # no German ID card lies there
    OFF = "off"  # its online function is switched off
    BADLY = "badly"  # it lies badly
    PIN = "pin"
    CAN = "can"
    PUK = "puk"
    NEW_PIN = "new_pin"
    AGAIN = "again"  # the new PIN once more
    KEYPAD = "keypad"  # a number is entered at the reader
    WORKING = "working"
    STOPPING = "stopping"
    TAKE = "take"  # it has worked, and the card still lies there
    CHECKED = "checked"  # how the card is
    DONE = "done"
    FAILED = "failed"


class Event(StrEnum):
    """From the AusweisApp's client, from the person, or from the clock."""

    ASKED_RIGHTS = "asked_rights"
    ASKED_PIN = "asked_pin"
    ASKED_CAN = "asked_can"
    ASKED_PUK = "asked_puk"
    ASKED_NEW_PIN = "asked_new_pin"
    ASKED_POSITION = "asked_position"
    WITHDRAWN = "withdrawn"  # nobody waits for the answer any more
    INSERT_CARD = "insert_card"
    CARD_FOUND = "card_found"
    CARD_TAKEN = "card_taken"
    CARD_UNKNOWN = "card_unknown"
    CARD_OFF = "card_off"
    KEYPAD = "keypad"
    CANCELLING = "cancelling"
    ANSWERED = "answered"
    FIRST = "first"  # the new PIN was typed once
    REFUSED = "refused"  # what was typed is no new PIN, or not the same twice
    WORKED = "worked"  # and the card still lies there
    KNOWN = "known"  # how the card is
    SUCCEEDED = "succeeded"
    FAILED = "failed"


#: Where a visit is over.
OVER = frozenset({Screen.CHECKED, Screen.DONE, Screen.FAILED})
#: Where something is asked.
QUESTIONS = frozenset({Screen.RIGHTS, Screen.BADLY, Screen.PIN, Screen.CAN, Screen.PUK, Screen.NEW_PIN, Screen.AGAIN})
_LIVE = frozenset(Screen) - OVER - {Screen.TAKE}
_GOING = _LIVE - {Screen.STOPPING}
#: Before the card was needed, or where it is asked for: that none lies there is no news.
_WITHOUT_CARD = frozenset({Screen.STARTING, Screen.RIGHTS, Screen.CARD, Screen.GONE})
_WRONG_CARD = frozenset({Screen.UNKNOWN, Screen.OFF})


def _from(screens: Iterable[Screen], event: Event, to: Screen) -> Mapping[tuple[Screen, Event], Screen]:
    return {(screen, event): to for screen in screens}


#: What is not here changes nothing: notices of the AusweisApp come at any moment.
MOVES: Mapping[tuple[Screen, Event], Screen] = {
    **_from(_GOING, Event.ASKED_RIGHTS, Screen.RIGHTS),
    **_from(_GOING, Event.ASKED_PIN, Screen.PIN),
    **_from(_GOING, Event.ASKED_CAN, Screen.CAN),
    **_from(_GOING, Event.ASKED_PUK, Screen.PUK),
    **_from(_GOING, Event.ASKED_NEW_PIN, Screen.NEW_PIN),
    **_from(_GOING, Event.ASKED_POSITION, Screen.BADLY),
    **_from(_GOING, Event.KEYPAD, Screen.KEYPAD),
    **_from(_GOING - _WITHOUT_CARD - _WRONG_CARD, Event.CARD_TAKEN, Screen.GONE),
    **_from(_WRONG_CARD, Event.CARD_TAKEN, Screen.CARD),
    **_from(_GOING - _WRONG_CARD - {Screen.GONE}, Event.INSERT_CARD, Screen.CARD),
    **_from(_GOING - {Screen.STARTING, Screen.RIGHTS}, Event.CARD_UNKNOWN, Screen.UNKNOWN),
    **_from(_GOING - {Screen.STARTING, Screen.RIGHTS}, Event.CARD_OFF, Screen.OFF),
    **_from({Screen.CARD, Screen.GONE} | _WRONG_CARD, Event.CARD_FOUND, Screen.WORKING),
    **_from(QUESTIONS, Event.ANSWERED, Screen.WORKING),
    **_from(QUESTIONS, Event.WITHDRAWN, Screen.WORKING),
    **_from(_GOING, Event.CANCELLING, Screen.STOPPING),
    (Screen.NEW_PIN, Event.FIRST): Screen.AGAIN,
    (Screen.NEW_PIN, Event.REFUSED): Screen.NEW_PIN,
    (Screen.AGAIN, Event.REFUSED): Screen.NEW_PIN,
    **_from(_LIVE, Event.WORKED, Screen.TAKE),
    **_from(_LIVE, Event.KNOWN, Screen.CHECKED),
    **_from(_LIVE | {Screen.TAKE}, Event.SUCCEEDED, Screen.DONE),
    **_from(_LIVE, Event.FAILED, Screen.FAILED),
}
ASKED: Mapping[Number, Event] = {
    Number.PIN: Event.ASKED_PIN,
    Number.CAN: Event.ASKED_CAN,
    Number.PUK: Event.ASKED_PUK,
    Number.NEW_PIN: Event.ASKED_NEW_PIN,
}
NOTICED: Mapping[Occasion, Event] = {
    Occasion.INSERT_CARD: Event.INSERT_CARD,
    Occasion.CARD_FOUND: Event.CARD_FOUND,
    Occasion.CARD_TAKEN: Event.CARD_TAKEN,
    Occasion.CARD_UNKNOWN: Event.CARD_UNKNOWN,
    Occasion.CARD_OFF: Event.CARD_OFF,
    Occasion.KEYPAD: Event.KEYPAD,
    Occasion.CANCELLING: Event.CANCELLING,
}

#: Seconds: without a touch (two minutes, the warning, and some for the way), and for a visit as a whole.
UNTOUCHED, LONGEST = 170.0, 30 * 60.0
#: How long the AusweisApp may say nothing after the card was taken away: it was seen to wait for ever.
GONE_SECONDS = 60.0
#: How long is waited for the card to be taken at the end.
TAKE_SECONDS = 20.0


class Due(StrEnum):
    """Why a visit has to end."""

    LEFT = "left"
    CARD_STAYS_AWAY = "card_stays_away"


def due(screen: Screen, *, on_it: float, untouched: float, whole: float) -> Due | None:
    """Whether time is up, after so many seconds: on this screen, without a touch, and of the visit as a whole."""
    if screen is Screen.GONE and on_it > GONE_SECONDS:
        return Due.CARD_STAYS_AWAY
    return Due.LEFT if untouched > UNTOUCHED or whole > LONGEST else None
