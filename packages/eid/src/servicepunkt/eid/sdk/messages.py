"""Commands and messages of the AusweisApp SDK, API levels 1 to 3, as JSON text and back. Pure.

Source: https://www.ausweisapp.bund.de/sdk, sections Commands and Messages; what AusweisApp2 1.26.2 really says. What
a newer one adds does not disturb: fields that nobody knows are passed over, a message that nobody knows is `Unknown`.
No `repr` shows what a message holds, only which of its fields do.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, field

from servicepunkt.eid.model import Masked
from servicepunkt.eid.sdk.errors import MessageError
from servicepunkt.eid.secret import Secret

#: Bytes of a message. The longest are certificates with their terms of use, a few thousand.
MAX_MESSAGE = 256 * 1024
#: The levels that are spoken here, the best first.
LEVELS = (3, 2, 1)

Name = Annotated[str, Meta(max_length=1024)]
Text = Annotated[str, Meta(max_length=65536)]
Names = Annotated[tuple[Name, ...], Meta(max_length=64)]
Address = Annotated[str, Meta(max_length=8192)]


class AccessRight(StrEnum):
    """The names of rights. Messages carry them as text, so that a new one is shown instead of refused."""

    ADDRESS = "Address"
    BIRTH_NAME = "BirthName"
    FAMILY_NAME = "FamilyName"
    GIVEN_NAMES = "GivenNames"
    PLACE_OF_BIRTH = "PlaceOfBirth"
    DATE_OF_BIRTH = "DateOfBirth"
    DOCTORAL_DEGREE = "DoctoralDegree"
    ARTISTIC_NAME = "ArtisticName"
    PSEUDONYM = "Pseudonym"
    VALID_UNTIL = "ValidUntil"
    NATIONALITY = "Nationality"
    ISSUING_COUNTRY = "IssuingCountry"
    DOCUMENT_TYPE = "DocumentType"
    RESIDENCE_PERMIT_I = "ResidencePermitI"
    RESIDENCE_PERMIT_II = "ResidencePermitII"
    COMMUNITY_ID = "CommunityID"
    ADDRESS_VERIFICATION = "AddressVerification"
    AGE_VERIFICATION = "AgeVerification"
    WRITE_ADDRESS = "WriteAddress"
    WRITE_COMMUNITY_ID = "WriteCommunityID"
    WRITE_RESIDENCE_PERMIT_I = "WriteResidencePermitI"
    WRITE_RESIDENCE_PERMIT_II = "WriteResidencePermitII"
    CAN_ALLOWED = "CanAllowed"
    PIN_MANAGEMENT = "PinManagement"


# ---- Commands: from us to the AusweisApp --------------------------------------------------------------------


class Command(Masked, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="cmd"):
    """What we say. `since`: the API level that a command needs."""

    since: ClassVar[int] = 1


class GetInfo(Command, frozen=True, tag="GET_INFO"):
    """Answered by INFO."""


class GetStatus(Command, frozen=True, tag="GET_STATUS"):
    """Answered by STATUS."""

    since = 2


class GetApiLevel(Command, frozen=True, tag="GET_API_LEVEL"):
    """Answered by API_LEVEL with `available`."""


class SetApiLevel(Command, frozen=True, kw_only=True, tag="SET_API_LEVEL"):
    """Answered by API_LEVEL. The level is one for the whole process of the AusweisApp, not for a connection."""

    level: int


class GetReader(Command, frozen=True, kw_only=True, tag="GET_READER"):
    """Answered by READER, with `attached` false for one that it does not know."""

    name: Name


class GetReaderList(Command, frozen=True, tag="GET_READER_LIST"):
    """Answered by READER_LIST."""


class DialogTexts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What the system's own dialog of iOS says."""

    session_started: str = ""
    session_failed: str = ""
    session_succeeded: str = ""
    session_in_progress: str = ""


class RunAuth(Command, frozen=True, kw_only=True, tag="RUN_AUTH"):
    """Begins to identify; answered by AUTH. `status` (level 2) and `handle_interrupt` (level 1 alone, iOS) are left out
    where they are None."""

    tc_token_url: Address = field(name="tcTokenURL")
    developer_mode: bool = False
    status: bool | None = None
    handle_interrupt: bool | None = None
    messages: DialogTexts | None = None


class RunChangePin(Command, frozen=True, kw_only=True, tag="RUN_CHANGE_PIN"):
    """Begins to change the PIN; answered by CHANGE_PIN."""

    status: bool | None = None
    handle_interrupt: bool | None = None
    messages: DialogTexts | None = None


class GetAccessRights(Command, frozen=True, tag="GET_ACCESS_RIGHTS"):
    """Answered by ACCESS_RIGHTS."""


class SetAccessRights(Command, frozen=True, kw_only=True, tag="SET_ACCESS_RIGHTS"):
    """`chat`: the optional rights that stay. Answered by ACCESS_RIGHTS."""

    chat: Names


class GetCertificate(Command, frozen=True, tag="GET_CERTIFICATE"):
    """Answered by CERTIFICATE."""


class Accept(Command, frozen=True, tag="ACCEPT"):
    """The person agrees to the rights."""


class Cancel(Command, frozen=True, tag="CANCEL"):
    """Answered by the end of the workflow: AUTH or CHANGE_PIN."""


class SimulatorFile(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Hexadecimal: file identifier, its short form, and DER (TR-03110-4)."""

    file_id: str
    short_file_id: str
    content: str


class SimulatorKey(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    private: str


class Simulator(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the AusweisApp's own invented card holds."""

    files: tuple[SimulatorFile, ...] = ()
    keys: tuple[SimulatorKey, ...] = ()


class SetCard(Command, frozen=True, kw_only=True, tag="SET_CARD"):
    """Lays the invented card on the reader `name`, after INSERT_CARD alone."""

    since = 2

    name: Name
    simulator: Simulator | None = None


class SetNumber(Command, frozen=True, kw_only=True):
    """A number that opens. `value` is left out at a reader with a keypad. Whoever sends it wipes it."""

    value: Secret | None = None


class SetPin(SetNumber, frozen=True, tag="SET_PIN"):
    """Six digits; five or six while the PIN is changed."""


class SetNewPin(SetNumber, frozen=True, tag="SET_NEW_PIN"):
    """Six digits."""


class SetCan(SetNumber, frozen=True, tag="SET_CAN"):
    """Six digits."""


class SetPuk(SetNumber, frozen=True, tag="SET_PUK"):
    """Ten digits."""


class Continue(Command, frozen=True, tag="CONTINUE"):
    """What caused PAUSE is over."""

    since = 3


class Interrupt(Command, frozen=True, tag="INTERRUPT"):
    """Closes the system's dialog of iOS, and is unknown elsewhere."""


# ---- Messages: from the AusweisApp to us --------------------------------------------------------------------


class Message(Masked, frozen=True, kw_only=True, rename="camel", tag_field="msg"):
    """What the AusweisApp says."""


class Card(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A card in a reader. At level 3 one without any field is no German eID card at all."""

    inoperative: bool = False
    deactivated: bool = False
    retry_counter: Annotated[int, Meta(ge=-1, le=99)] | None = None

    @property
    def is_known(self) -> bool:
        return self.retry_counter is not None

    @property
    def tries(self) -> int | None:
        """How often the PIN may be entered; None where the AusweisApp has not found out."""
        return None if self.retry_counter == -1 else self.retry_counter


class ReaderState(msgspec.Struct, frozen=True, kw_only=True):
    """A reader. `insertable`: SET_CARD works here. `keypad`: numbers are typed at the reader, never sent."""

    name: Name = ""
    attached: bool = True
    insertable: bool = False
    keypad: bool = False
    card: Card | None = None


class Reader(Message, ReaderState, frozen=True, kw_only=True, tag="READER"):
    """A reader or a card came or went; comes unasked, too."""

    error: Text | None = None


class ReaderList(Message, frozen=True, kw_only=True, tag="READER_LIST"):
    """All readers. Level 1 calls the list `reader`; `found` is either."""

    readers: Annotated[tuple[ReaderState, ...], Meta(max_length=256)] = ()
    reader: Annotated[tuple[ReaderState, ...], Meta(max_length=256)] = ()

    @property
    def found(self) -> tuple[ReaderState, ...]:
        return self.readers or self.reader


class VersionInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: Name = field(name="Name", default="")
    implementation_title: Name = field(name="Implementation-Title", default="")
    implementation_vendor: Name = field(name="Implementation-Vendor", default="")
    implementation_version: Name = field(name="Implementation-Version", default="")
    specification_title: Name = field(name="Specification-Title", default="")
    specification_vendor: Name = field(name="Specification-Vendor", default="")
    specification_version: Name = field(name="Specification-Version", default="")


class Info(Message, frozen=True, kw_only=True, tag="INFO"):
    version_info: VersionInfo = field(name="VersionInfo")


class ApiLevel(Message, frozen=True, kw_only=True, tag="API_LEVEL"):
    """`available` only after GET_API_LEVEL."""

    current: int
    available: Annotated[tuple[int, ...], Meta(max_length=64)] = ()
    error: Text | None = None


class Status(Message, frozen=True, kw_only=True, tag="STATUS"):
    """How far a workflow is, in percent; all None while there is none. Comes unasked, too."""

    workflow: Name | None = None
    progress: Annotated[int, Meta(ge=0, le=100)] | None = None
    state: Name | None = None


class AuthResult(Masked, frozen=True, kw_only=True):
    """ResultMajor and ResultMinor of the eCard-API; `reason` is one of the failure codes (1.26.3)."""

    major: Name
    minor: Name | None = None
    language: Name | None = None
    description: Text | None = None
    message: Text | None = None
    reason: Name | None = None

    @property
    def is_ok(self) -> bool:
        return self.major == "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"


class Auth(Message, frozen=True, kw_only=True, tag="AUTH"):
    """Bare: it has begun. With `error`: RUN_AUTH was wrong. With `result`: it is over."""

    error: Text | None = None
    result: AuthResult | None = None
    url: Address | None = None


class ChangePin(Message, frozen=True, kw_only=True, tag="CHANGE_PIN"):
    """Bare: it has begun. With `success`: it is over."""

    success: bool | None = None
    reason: Name | None = None
    error: Text | None = None


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """Names of rights. `effective`: all that is required, and what of the optional is switched on."""

    effective: Names
    optional: Names
    required: Names


class Auxiliary(Masked, frozen=True, kw_only=True, rename="camel"):
    """What the verifying rights compare with."""

    age_verification_date: date | None = None
    required_age: Annotated[str, Meta(max_length=8)] | int | None = None
    validity_date: date | None = None
    community_id: Annotated[str, Meta(max_length=64)] | None = None


class AccessRights(Message, frozen=True, kw_only=True, tag="ACCESS_RIGHTS"):
    """What the service wants to do. `error`: what we chose was refused."""

    chat: Chat
    error: Text | None = None
    transaction_info: Text | None = None
    aux: Auxiliary | None = None


class CertificateDescription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    issuer_name: Text = ""
    issuer_url: Address = ""
    subject_name: Text = ""
    subject_url: Address = ""
    terms_of_usage: Text = ""
    purpose: Text = ""


class Validity(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    effective_date: date
    expiration_date: date


class Certificate(Message, frozen=True, kw_only=True, tag="CERTIFICATE"):
    """Who wants to know it."""

    description: CertificateDescription
    validity: Validity


class InsertCard(Message, frozen=True, kw_only=True, tag="INSERT_CARD"):
    """A card is needed. `error`: SET_CARD was wrong."""

    error: Text | None = None


class EnterNumber(Message, frozen=True, kw_only=True):
    """A number is needed. `error`: the last one was no such number, and no try is lost."""

    error: Text | None = None
    reader: ReaderState = ReaderState()


class EnterPin(EnterNumber, frozen=True, tag="ENTER_PIN"):
    pass


class EnterNewPin(EnterNumber, frozen=True, tag="ENTER_NEW_PIN"):
    pass


class EnterCan(EnterNumber, frozen=True, tag="ENTER_CAN"):
    pass


class EnterPuk(EnterNumber, frozen=True, tag="ENTER_PUK"):
    pass


class Pause(Message, frozen=True, kw_only=True, tag="PAUSE"):
    """It waits for CONTINUE; at level 3 alone. The one known cause is BadCardPosition."""

    cause: Name


class BadState(Message, frozen=True, kw_only=True, tag="BAD_STATE"):
    """`error`: the name of a command that came at the wrong moment."""

    error: Name = ""


class UnknownCommand(Message, frozen=True, kw_only=True, tag="UNKNOWN_COMMAND"):
    """`error`: the name of a command that it does not know at this level."""

    error: Name = ""


class Invalid(Message, frozen=True, kw_only=True, tag="INVALID"):
    """What we sent was no JSON."""

    error: Text = ""


class InternalError(Message, frozen=True, kw_only=True, tag="INTERNAL_ERROR"):
    error: Text = ""


class Unknown(Masked, frozen=True, kw_only=True):
    """A message that nobody here knows. `raw`: its JSON, to look at."""

    tag: str
    raw: bytes


AnyMessage = (
    AccessRights | ApiLevel | Auth | BadState | Certificate | ChangePin | EnterCan | EnterNewPin | EnterPin | EnterPuk
    | Info | InsertCard | InternalError | Invalid | Pause | Reader | ReaderList | Status | UnknownCommand
)  # fmt: skip


def tag_of(kind: Message | Command | Unknown | type[Message | Command]) -> str:
    """The name on the wire, such as `ENTER_PIN`."""
    return kind.tag if isinstance(kind, Unknown) else str(kind.__struct_config__.tag)


class _Envelope(msgspec.Struct):
    msg: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_]+\Z")]


_envelope = msgspec.json.Decoder(_Envelope)
_decoders = {tag_of(kind): msgspec.json.Decoder(kind) for kind in AnyMessage.__args__}
_MISREAD = (msgspec.MsgspecError, RecursionError, UnicodeError)


def parse(text: str | bytes) -> AnyMessage | Unknown:
    """A message. Raises MessageError, which never repeats what it could not read."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > MAX_MESSAGE:
            raise MessageError(why="too long")
        tag = _envelope.decode(raw).msg
        decoder = _decoders.get(tag)
        return decoder.decode(raw) if decoder else Unknown(tag=tag, raw=raw)
    except _MISREAD as error:
        raise MessageError(why=type(error).__name__) from None


def write(command: Command) -> bytearray:
    """The JSON of a command, in a buffer that whoever sends it fills with zeros afterwards."""
    buffer = bytearray()
    _encoder.encode_into(command, buffer)
    return buffer


def _plain(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal().decode("ascii")
    raise NotImplementedError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=_plain)
