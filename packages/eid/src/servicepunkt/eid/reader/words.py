"""What went wrong, in words that say what to do next: for the screen of a terminal. Message ids, English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from servicepunkt.eid import errors
from servicepunkt.eid.errors import EidError

#: (what happened, what to do), by the most special error that fits.
WORDS: Mapping[type[EidError], tuple[str, str]] = {
    errors.NoCardError: ("No card lies on the reader.", "Lay your ID card flat on the reader and leave it there."),
    errors.CardRemovedError: (
        "The card was taken away too early.",
        "Lay it on the reader again and leave it there until we say so. Nothing was kept.",
    ),
    errors.WrongSecretError: ("The number was wrong.", "Please enter it again."),
    errors.SuspendedError: (
        "The PIN was wrong twice.",
        "Enter the six digits at the bottom right of the front of your card; then you have one more try.",
    ),
    errors.BlockedError: (
        "The PIN was wrong three times and is blocked now.",
        "Your PUK from the PIN letter unblocks it. Without it, your registration office sets a new PIN.",
    ),
    errors.DeactivatedError: (
        "The online function of this card is switched off.",
        "Your registration office switches it on, free of charge.",
    ),
    errors.TransportPinError: (
        "The PIN has five digits: it is the one from the letter.",
        "Choose a PIN of your own with six digits first. We can do that here.",
    ),
    errors.CertificateError: (
        "The certificate of the provider was refused.",
        "This is our fault, not yours. Please ask a member of staff.",
    ),
    errors.CryptoError: (
        "The card and the reader did not understand each other.",
        "Lay the card on the reader once more. If it happens again, please ask a member of staff.",
    ),
    errors.CardError: (
        "The card cannot be read.",
        "Lay it on the reader once more, without a sleeve. If it happens again, please ask a member of staff.",
    ),
    errors.PadCancelledError: ("The entry at the reader was cancelled.", "Start again if you wish to."),
    errors.NoReaderError: ("No card reader was found.", "Is it plugged in, and does pcscd run?"),
    errors.ReaderError: (
        "The reader does not answer.",
        "Take the card away and lay it on again. If that does not help, please ask a member of staff.",
    ),
    errors.EidError: ("The identification did not work.", "Please ask a member of staff."),
}


def words_for(error: EidError) -> tuple[str, str]:
    """What happened, and what to do next."""
    return next(WORDS[kind] for kind in type(error).__mro__ if kind in WORDS)
