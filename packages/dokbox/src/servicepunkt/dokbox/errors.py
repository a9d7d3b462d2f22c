"""What the box refuses, with stable codes: SP31nn hand-over, SP32nn boards and buses, SP33nn vault and journal.

These errors stand on their own: the package works without the house around it.
"""

from __future__ import annotations

from typing import ClassVar


class DokboxError(Exception):
    """Base of everything that the box refuses on purpose; `details` hold no personal data."""

    code: ClassVar[str] = "SP3100"
    sentence: ClassVar[str] = "The box refused."

    def __init__(self, **details: str | int) -> None:
        self.details = details
        said = ", ".join(f"{name} {value}" for name, value in details.items())
        super().__init__(f"{self.code}: {self.sentence}" + (f" ({said})" if said else ""))


class IllegalMoveError(DokboxError):
    code = "SP3101"
    sentence = "This cannot happen to the deposit in its present state."


class RefusedError(DokboxError):
    """The one answer to every unknown, wrong, expired, used, locked, foreign or malformed code."""

    code = "SP3102"
    sentence = "This combination of number and code opens nothing."


class ClosedError(DokboxError):
    code = "SP3103"
    sentence = "The place is closed now."


class OutOfOrderError(DokboxError):
    code = "SP3104"
    sentence = "The box does not work at the moment; codes stay valid."


class UnknownKindError(DokboxError):
    """The tenant file does not name the kind of a document that lies in the box; staff take it back."""

    code = "SP3108"
    sentence = "This document can only be handed out by staff."


class VisitOverError(DokboxError):
    code = "SP3106"
    sentence = "The visit is over; please start again."


class JournalError(DokboxError):
    code = "SP3301"
    sentence = "The journal does not hold: an entry is missing, out of order or was changed."


class VaultError(DokboxError):
    code = "SP3302"
    sentence = "The box's own secrets cannot be read."


class DiskError(OutOfOrderError):
    """The disk failed once; nobody knows what is on it until the journal is opened anew."""

    code = "SP3303"
    sentence = "The box cannot write to its disk, or cannot read from it; it has to be looked at and started again."


class SignatureError(DokboxError):
    code = "SP3304"
    sentence = "What came in the centre's name is not signed by the centre."


def kinds_of_refusals(kind: type[DokboxError] = DokboxError) -> list[type[DokboxError]]:
    """Every kind of error below `kind`, and itself."""
    return [kind, *(found for below in kind.__subclasses__() for found in kinds_of_refusals(below))]
