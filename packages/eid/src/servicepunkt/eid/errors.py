"""What the package refuses, with stable codes: SP40nn card, SP41nn AusweisApp, SP42nn eID service, SP43nn wallet,
SP44nn reader.

These errors stand on their own: the package works without the house around it. `details` never hold a secret, nor
anything that was read from a card.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class EidError(Exception):
    """Base of everything that is refused on purpose."""

    code: ClassVar[str] = "SP4000"
    sentence: ClassVar[str] = "The identification was refused."

    def __init__(self, **details: str | int) -> None:
        self.details = details
        said = ", ".join(f"{name} {value}" for name, value in details.items())
        super().__init__(f"{self.code}: {self.sentence}" + (f" ({said})" if said else ""))


class MalformedError(EidError):
    """Bytes or messages that are not what the standard says; `what` names them, `why` says what is wrong."""

    code = "SP4001"
    sentence = "This cannot be read."


class CryptoError(EidError):
    """A point that is not on its curve, a checksum or signature that does not fit."""

    code = "SP4002"
    sentence = "A cryptographic check failed."


class CardError(EidError):
    """The card answered with an error; `status` is its status word in hexadecimal."""

    code = "SP4010"
    sentence = "The card refused a command."


class CardRemovedError(CardError):
    code = "SP4011"
    sentence = "The card was taken away."


class NoCardError(CardError):
    code = "SP4012"
    sentence = "No card lies on the reader."


class WrongSecretError(CardError):
    """Wrong PIN, CAN, PUK or machine-readable zone; `tries` are left of the PIN where the card says it."""

    code = "SP4013"
    sentence = "The number was wrong."


class SuspendedError(CardError):
    """One try is left: the CAN has to be entered before the PIN."""

    code = "SP4014"
    sentence = "The PIN is suspended: the card wants its access number first."


class BlockedError(CardError):
    """No try is left: the PUK has to be entered."""

    code = "SP4015"
    sentence = "The PIN is blocked: the card wants its PUK."


class DeactivatedError(CardError):
    code = "SP4016"
    sentence = "The online function of this card is switched off."


class TransportPinError(CardError):
    """The five digits of the letter only serve to choose a PIN of one's own."""

    code = "SP4017"
    sentence = "The PIN of the letter has not been replaced by an own one."


class CertificateError(EidError):
    """A card-verifiable certificate that is expired, of the wrong role, or not of this chain."""

    code = "SP4020"
    sentence = "A certificate was refused."


class ReaderError(EidError):
    code = "SP4401"
    sentence = "The reader does not answer as it should."


class PadCancelledError(ReaderError):
    """The person pressed cancel on the reader, or waited too long."""

    code = "SP4402"
    sentence = "The entry at the reader was cancelled."


class NoReaderError(ReaderError):
    """No reader of this name, or no service for readers (pcscd) on this computer."""

    code = "SP4403"
    sentence = "No card reader was found."


def error_of(code: str) -> type[EidError]:
    """Of all that are imported the error with this code, which was kept in place of the error; the base for none."""

    def below(kind: type[EidError]) -> Iterator[type[EidError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    return next((one for one in below(EidError) if one.code == code), EidError)
