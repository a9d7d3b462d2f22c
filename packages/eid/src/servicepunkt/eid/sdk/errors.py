"""What goes wrong with the AusweisApp, with stable codes SP41nn."""

from __future__ import annotations

from servicepunkt.eid.errors import EidError


class SdkError(EidError):
    """`url`: where the service wants to have the person back, if a workflow has ended and it said so. It names a
    session and therefore stands in no text."""

    code = "SP4100"
    sentence = "The AusweisApp could not help."
    url: str | None = None


class MessageError(SdkError):
    """A message of the AusweisApp that is too long, no JSON, or not of the types that its documentation gives."""

    code = "SP4101"
    sentence = "The AusweisApp said something that cannot be read."


class UnreachableError(SdkError):
    """`status`: the HTTP status with which it refused."""

    code = "SP4102"
    sentence = "No AusweisApp answers."


class ConnectionLostError(SdkError):
    code = "SP4103"
    sentence = "The connection to the AusweisApp broke."


class BusyError(SdkError):
    """One client leads one workflow at a time, and one AusweisApp serves one client."""

    code = "SP4104"
    sentence = "The AusweisApp is busy with something else."


class OutOfOrderError(SdkError):
    """`message` came in a `state` in which it means nothing; the workflow was cancelled."""

    code = "SP4105"
    sentence = "The AusweisApp said something at the wrong moment."


class SlowError(SdkError):
    """`who` let too much time pass: app, person or card."""

    code = "SP4106"
    sentence = "It took too long."


class LevelError(SdkError):
    """None of the API levels 1 to 3, or not the one that was asked for."""

    code = "SP4107"
    sentence = "This AusweisApp speaks another language."


class RefusedError(SdkError):
    """`command` was not accepted as it was."""

    code = "SP4108"
    sentence = "The AusweisApp refused a command."


class NotOfferedError(SdkError):
    """A right was chosen that the service did not ask for."""

    code = "SP4109"
    sentence = "Nobody asked for this right."


class EndedError(SdkError):
    """A workflow that did not end well; `reason` and `minor` as the AusweisApp names them."""

    code = "SP4110"
    sentence = "The AusweisApp ended with an error."


class GivenUpError(EndedError):
    code = "SP4111"
    sentence = "It was given up."


class CardTakenError(EndedError):
    code = "SP4112"
    sentence = "The card was taken away."


class UnprovenError(EndedError):
    """It claims success, though what belongs to a success has not happened."""

    code = "SP4113"
    sentence = "The AusweisApp claims a success that cannot be one."


class PukUsedUpError(EndedError):
    """The PUK has unblocked the PIN ten times; the authority that issued the card sets a new PIN."""

    code = "SP4114"
    sentence = "The PUK of this card is used up."


class ReaderLostError(EndedError):
    code = "SP4115"
    sentence = "The card reader is gone."


class OnlineFunctionOffError(EndedError):
    code = "SP4116"
    sentence = "The online function of this card is switched off."


class OwnPinNeededError(EndedError):
    """Five digits of the letter authenticate nobody: first they are changed into a PIN of one's own."""

    code = "SP4117"
    sentence = "The PIN of the letter has not been replaced by an own one."


class NewPinMismatchError(EndedError):
    """Entered at the reader, twice, and not the same."""

    code = "SP4118"
    sentence = "The two entries of the new PIN differ."
