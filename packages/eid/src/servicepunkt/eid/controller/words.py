"""Words of the card controller's pages: rights, mistakes, what went wrong, what to do. Message ids, English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.eid import errors as card
from servicepunkt.eid.controller import errors
from servicepunkt.eid.controller.model import Screen
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.reader import words as card_words
from servicepunkt.eid.sdk import errors as sdk
from servicepunkt.eid.sdk.messages import AccessRight
from servicepunkt.eid.sdk.steps import Mistake

STAFF = "Please ask a member of staff."
#: Every right that a service can have at a card.
RIGHTS: Mapping[AccessRight, str] = {
    AccessRight.ADDRESS: "Your address",
    AccessRight.BIRTH_NAME: "Your name at birth",
    AccessRight.FAMILY_NAME: "Your family name",
    AccessRight.GIVEN_NAMES: "Your given names",
    AccessRight.PLACE_OF_BIRTH: "Your place of birth",
    AccessRight.DATE_OF_BIRTH: "Your date of birth",
    AccessRight.DOCTORAL_DEGREE: "Your doctoral degree",
    AccessRight.ARTISTIC_NAME: "Your religious or artistic name",
    AccessRight.PSEUDONYM: "A pseudonym: it recognises your card, and says nothing of you",
    AccessRight.VALID_UNTIL: "Until when the card is valid",
    AccessRight.NATIONALITY: "Your nationality",
    AccessRight.ISSUING_COUNTRY: "The country that issued the card",
    AccessRight.DOCUMENT_TYPE: "What kind of document it is",
    AccessRight.RESIDENCE_PERMIT_I: "Your residence permit, part 1",
    AccessRight.RESIDENCE_PERMIT_II: "Your residence permit, part 2",
    AccessRight.COMMUNITY_ID: "The key of the municipality where you live",
    AccessRight.ADDRESS_VERIFICATION: "Whether you live in a certain place: yes or no",
    AccessRight.AGE_VERIFICATION: "Whether you are old enough: yes or no, not your date of birth",
    AccessRight.WRITE_ADDRESS: "Write a new address onto the card",
    AccessRight.WRITE_COMMUNITY_ID: "Write the key of a new municipality onto the card",
    AccessRight.WRITE_RESIDENCE_PERMIT_I: "Write a residence permit onto the card, part 1",
    AccessRight.WRITE_RESIDENCE_PERMIT_II: "Write a residence permit onto the card, part 2",
    AccessRight.CAN_ALLOWED: "Read the card without your PIN, in your presence",
    AccessRight.PIN_MANAGEMENT: "Manage the PIN of the card",
}
OTHER_RIGHT = "Something else: {name}"

#: What was wrong with the number before; no try is lost after the first two.
MISTAKES: Mapping[Mistake, str] = {
    Mistake.FORM: "This does not have the right number of digits. No try was lost.",
    Mistake.LETTER: "The PIN has five digits: it is the one from the letter.",
    Mistake.WRONG_PIN: "The PIN was wrong.",
    Mistake.WRONG_CAN: "The number on the card was wrong.",
    Mistake.WRONG_PUK: "The PUK was wrong.",
}
DIFFERENT = "The two entries of the new PIN differ."
#: What is left after a wrong PIN.
TRIES: Mapping[int, str] = {
    2: "You have two more tries.",
    1: "You have one more try. After that the PIN is blocked, and only the PUK unblocks it.",
}
ATTRIBUTES: Mapping[str, str] = {
    "given_names": "Your given names",
    "family_names": "Your family name",
    "date_of_birth": "Your date of birth",
    "address": "Your address",
    "of_age": "Whether you are old enough: yes or no, not your date of birth",
}
#: Where the AusweisApp works, or nothing is to be done: what is said meanwhile.
WAITING: Mapping[Screen, str] = {
    Screen.STARTING: "We are connecting to the card reader.",
    Screen.WORKING: "One moment, please. Leave the card where it is.",
    Screen.STOPPING: "It is being ended.",
}

#: (what happened, what to do), by the most special error that fits.
WORDS: Mapping[type[EidError], tuple[str, str]] = {
    **card_words.WORDS,
    sdk.SdkError: ("The online ID does not work at the moment.", "Try again. If it happens again, ask the staff."),
    sdk.MessageError: ("The online ID does not work at the moment.", STAFF),
    sdk.UnreachableError: ("The card reader is not ready at the moment.", STAFF),
    sdk.ConnectionLostError: (
        "The connection to the card reader broke.",
        "Take your card and try again. Nothing was kept.",
    ),
    sdk.BusyError: ("The card reader is busy with something else.", "Wait a moment and try again."),
    sdk.OutOfOrderError: ("The online ID does not work at the moment.", STAFF),
    sdk.SlowError: ("It took too long.", "Take your card and try again. Nothing was kept."),
    sdk.LevelError: ("The online ID does not work at the moment.", STAFF),
    sdk.RefusedError: ("The online ID does not work at the moment.", STAFF),
    sdk.NotOfferedError: ("Something that nobody asked for was chosen.", "Please start again."),
    sdk.EndedError: (
        "The identification did not work.",
        "Take your card and try again. Nothing was kept.",
    ),
    sdk.GivenUpError: ("It was ended.", "Start again if you wish to."),
    sdk.CardTakenError: card_words.WORDS[card.CardRemovedError],
    sdk.UnprovenError: ("The card reader says that it worked, but it cannot have.", STAFF),
    sdk.PukUsedUpError: (
        "The PUK of this card is used up.",
        "Your registration office sets a new PIN. Bring the card with you.",
    ),
    sdk.ReaderLostError: ("The card reader is not there any more.", STAFF),
    sdk.OnlineFunctionOffError: card_words.WORDS[card.DeactivatedError],
    sdk.OwnPinNeededError: card_words.WORDS[card.TransportPinError],
    sdk.NewPinMismatchError: (DIFFERENT, "Start again if you wish to. The old PIN is still the right one."),
    errors.TicketRefusedError: (
        "This way here has expired.",
        "Go back to the terminal and begin the identification once more.",
    ),
    errors.CentreAwayError: (
        "The connection to the town hall is interrupted.",
        "You cannot identify at the moment. Choosing and changing your PIN works all the same.",
    ),
    errors.CentreMessageError: ("Something went wrong on our side.", STAFF),
    errors.ReaderInUseError: ("Somebody else is using the card reader.", "Wait a moment and try again."),
    errors.LeftError: ("Nobody touched the screen for a while.", "Start again if you wish to. Nothing was kept."),
    errors.CardStaysAwayError: card_words.WORDS[card.CardRemovedError],
}


def words_for(error: EidError) -> tuple[str, str]:
    """What happened, and what to do next."""
    return next(WORDS[kind] for kind in type(error).__mro__ if kind in WORDS)
