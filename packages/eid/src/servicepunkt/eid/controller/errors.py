"""What the card controller refuses, with stable codes SP4451 to SP4469."""

from __future__ import annotations

from servicepunkt.eid.errors import EidError


class TicketRefusedError(EidError):
    """Unknown, used, of another point, or older than a minute: one answer."""

    code = "SP4451"
    sentence = "The ticket was refused."


class CentreAwayError(EidError):
    code = "SP4452"
    sentence = "The centre does not answer."


class CentreMessageError(EidError):
    """What the centre said is too long, or not what `wire` says."""

    code = "SP4453"
    sentence = "The centre said something that cannot be read."


class ReaderInUseError(EidError):
    """One person at a time."""

    code = "SP4454"
    sentence = "Somebody else is using the reader."


class VisitOverError(EidError):
    code = "SP4455"
    sentence = "This visit is over."


class LeftError(EidError):
    """Nobody touched the screen for a while, or it took longer than a visit may."""

    code = "SP4456"
    sentence = "The visit was ended, because time was up."


class CardStaysAwayError(EidError):
    """The card was taken away, and neither came it back nor did the AusweisApp end."""

    code = "SP4457"
    sentence = "The card was taken away and did not come back."
