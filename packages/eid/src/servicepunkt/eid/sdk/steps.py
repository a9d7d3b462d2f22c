"""What a workflow wants of its caller: commands to send, questions to a person, notices to show, its end. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from servicepunkt.eid.model import Masked
from servicepunkt.eid.sdk import messages
from servicepunkt.eid.sdk.errors import SdkError
from servicepunkt.eid.sdk.messages import CertificateDescription, Command, Validity


class Number(StrEnum):
    """What a person may be asked for."""

    PIN = "pin"
    CAN = "can"
    PUK = "puk"
    NEW_PIN = "new_pin"


class Mistake(StrEnum):
    """What was wrong with the number before. After FORM and LETTER no try is lost."""

    FORM = "form"  # too short, too long, no digits
    LETTER = "letter"  # the five digits of the letter cannot identify, only be changed into a PIN
    WRONG_PIN = "wrong_pin"
    WRONG_CAN = "wrong_can"
    WRONG_PUK = "wrong_puk"


class Request(Masked, frozen=True, kw_only=True):
    """What a service wants to know, to be shown before the person agrees. Rights have the names of
    `messages.AccessRight`; there may be newer ones. `optional` may be switched off one by one, `required` not.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    certificate: CertificateDescription
    validity: Validity
    auxiliary: messages.Auxiliary | None = None
    transaction: str | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A number to ask for. `lengths`: so many digits. `tries`: of the PIN, where the card says it; the CAN has no
    counter and the one of the PUK cannot be read. `mistake`: what was wrong with the number before this one."""

    number: Number
    lengths: tuple[int, ...]
    tries: int | None = None
    mistake: Mistake | None = None


class Occasion(StrEnum):
    """What a notice is about."""

    STARTED = "started"
    PROGRESS = "progress"
    INSERT_CARD = "insert_card"
    CARD_FOUND = "card_found"
    CARD_TAKEN = "card_taken"
    CARD_UNKNOWN = "card_unknown"  # no German eID card
    CARD_OFF = "card_off"  # the online function is switched off; another card may be laid on
    READER_LOST = "reader_lost"
    KEYPAD = "keypad"  # a number is to be entered at the reader
    CANCELLING = "cancelling"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something to show, without an answer. `progress` in percent; `number`, `tries` and `mistake` as in `Question`."""

    occasion: Occasion
    progress: int | None = None
    reader: str | None = None
    number: Number | None = None
    tries: int | None = None
    mistake: Mistake | None = None


# ---- Steps: what the caller has to do -----------------------------------------------------------------------


class Send(msgspec.Struct, frozen=True):
    """Send it, and wipe its secret."""

    command: Command


class AskRights(msgspec.Struct, frozen=True):
    """Answer with `Workflow.agree`."""

    request: Request


class AskNumber(msgspec.Struct, frozen=True):
    """Answer with `Workflow.enter`."""

    question: Question


class AskPosition(msgspec.Struct, frozen=True):
    """The card lies badly (`cause`); answer with `Workflow.proceed` once it lies well."""

    cause: str


class Show(msgspec.Struct, frozen=True):
    notice: Notice


class End(Masked, frozen=True, kw_only=True):
    """The last step. Without `error` it ended well; `url` is where the service wants to have the person back."""

    error: SdkError | None = None
    url: str | None = None


Ask = AskRights | AskNumber | AskPosition
Step = Send | Ask | Show | End
