"""To identify and to change the PIN, as two state machines: messages and answers in, steps out. Pure.

All moves stand in the tables of `states`. What the AusweisApp says at a moment for which no row is there is an
error, upon which the workflow is cancelled; a person's answer then is one of the caller. The word success is allowed
from FINISHING on alone, where everything that it takes has been sent, and even there it means for `IDENTIFY` only that
the client has done its part: who somebody is says the eID service.

Time limits belong to the caller: `Workflow.waits_for` says whose turn it is, and `Workflow.cancel` ends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from servicepunkt.eid.sdk import errors, messages
from servicepunkt.eid.sdk.errors import (
    BusyError,
    EndedError,
    GivenUpError,
    LevelError,
    NotOfferedError,
    OutOfOrderError,
    PukUsedUpError,
    RefusedError,
    SdkError,
    UnprovenError,
)
from servicepunkt.eid.sdk.messages import (
    AccessRights,
    Auth,
    AuthResult,
    Certificate,
    ChangePin,
    Command,
    EnterCan,
    EnterNewPin,
    EnterPin,
    EnterPuk,
    InsertCard,
    Pause,
    Reader,
    ReaderState,
    SetCard,
    SetNumber,
    Status,
    Unknown,
    tag_of,
)
from servicepunkt.eid.sdk.states import CHANGE_PIN, IDENTIFY, TURNS, Event, Moves, State, Turn
from servicepunkt.eid.sdk.steps import (
    Ask,
    AskNumber,
    AskPosition,
    AskRights,
    End,
    Mistake,
    Notice,
    Number,
    Occasion,
    Question,
    Request,
    Send,
    Show,
    Step,
)
from servicepunkt.eid.secret import Secret

AnyMessage = messages.AnyMessage | Unknown
_AskT = TypeVar("_AskT", AskRights, AskNumber, AskPosition)

#: Where a simulator may have its tasks: nobody listens in.
ON_THIS_COMPUTER = ("http://127.0.0.1:", "http://localhost:")
_LENGTHS = {Number.PIN: (6,), Number.CAN: (6,), Number.PUK: (10,), Number.NEW_PIN: (6,)}
_SET: Mapping[Number, type[SetNumber]] = {
    Number.PIN: messages.SetPin,
    Number.CAN: messages.SetCan,
    Number.PUK: messages.SetPuk,
    Number.NEW_PIN: messages.SetNewPin,
}
_WRONG = {Number.PIN: Mistake.WRONG_PIN, Number.CAN: Mistake.WRONG_CAN, Number.PUK: Mistake.WRONG_PUK}
_EVENTS: Mapping[type, Event] = {
    AccessRights: Event.ACCESS_RIGHTS,
    Certificate: Event.CERTIFICATE,
    InsertCard: Event.INSERT_CARD,
    EnterPin: Event.ENTER_PIN,
    EnterCan: Event.ENTER_CAN,
    EnterPuk: Event.ENTER_PUK,
    EnterNewPin: Event.ENTER_NEW_PIN,
    Pause: Event.PAUSE,
}
_NUMBERS: Mapping[type, Number] = {
    EnterPin: Number.PIN,
    EnterCan: Number.CAN,
    EnterPuk: Number.PUK,
    EnterNewPin: Number.NEW_PIN,
}
#: They say nothing about the workflow, at any moment.
_ASIDE = (messages.ApiLevel, messages.Info, messages.ReaderList, Unknown)
#: Failure codes of the AusweisApp that mean something to a person; every other one is an `EndedError`.
REASONS: Mapping[str, type[EndedError]] = {
    "User_Cancelled": GivenUpError,
    "Establish_Pace_Channel_User_Cancelled": GivenUpError,
    "Change_Pin_User_Cancelled": GivenUpError,
    "Change_Pin_Card_User_Cancelled": GivenUpError,
    "Enter_Pace_Password_Ifd_User_Cancelled": GivenUpError,
    "Enter_New_Pace_Pin_Ifd_User_Cancelled": GivenUpError,
    "Card_Removed": errors.CardTakenError,
    "Connect_Card_Eid_Inactive": errors.OnlineFunctionOffError,
    "Establish_Pace_Channel_No_Active_Pin": errors.OwnPinNeededError,
    "Establish_Pace_Channel_Puk_Inoperative": PukUsedUpError,
    "Change_Pin_New_Pin_Mismatch": errors.NewPinMismatchError,
    "Change_Pin_Card_New_Pin_Mismatch": errors.NewPinMismatchError,
}
_OVER = (State.DONE, State.ENDED)
_STOPPING = (State.CANCELLING, State.CANCELLING_LATE)
_CROSSING = frozenset(tag_of(kind) for kind in _SET.values())
_BY_USER = "cancellationByUser"
_TOKEN = re.compile(r"[A-Za-z0-9_]{1,80}")


class Workflow:
    """One workflow from its first command to its `End`. Make one with `identify` or `change_pin`."""

    def __init__(self, moves: Moves, opening: Command, *, level: int, card: SetCard | None) -> None:
        if card is not None and level < SetCard.since:
            raise LevelError(level=level)
        self.state = State.STARTING
        self.pending: Ask | None = None
        self._moves = moves
        self._opening = opening
        self._own: type[Auth | ChangePin] = Auth if moves is IDENTIFY else ChangePin
        self._level = level
        self._card = card
        self._error: SdkError | None = None
        self._said: set[str] = set()
        self._rights: AccessRights | None = None
        self._agreed: frozenset[str] = frozenset()
        self._reader = ReaderState()
        self._lost = self._taken = False
        self._sent: Number | None = None
        self._tries: int | None = None

    @classmethod
    def identify(
        cls, tc_token_url: str, *, level: int, developer_mode: bool = False, card: SetCard | None = None
    ) -> Self:
        """`tc_token_url`: where the eID service has the task for the client; https, or on this computer, which the
        AusweisApp itself does not take. `card`: the AusweisApp's invented card, to be laid on where one is needed.
        Raises RefusedError, LevelError."""
        if not _is_https(tc_token_url) and not tc_token_url.startswith(ON_THIS_COMPUTER):
            raise RefusedError(command=tag_of(messages.RunAuth), why="no https address")
        opening = messages.RunAuth(tc_token_url=tc_token_url, developer_mode=developer_mode)
        return cls(IDENTIFY, opening, level=level, card=card)

    @classmethod
    def change_pin(cls, *, level: int, card: SetCard | None = None) -> Self:
        return cls(CHANGE_PIN, messages.RunChangePin(), level=level, card=card)

    # ---- this side ------------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self.state in _OVER

    @property
    def is_stopping(self) -> bool:
        """CANCEL was sent, and its end is still to come."""
        return self.state in _STOPPING

    @property
    def waits_for(self) -> Turn:
        return TURNS.get(self.state, "app")

    def start(self) -> list[Step]:
        return [self._send(self._opening)]

    def agree(self, optional: Iterable[str]) -> list[Step]:
        """The person agrees to what is required and to these `optional` rights. Raises NotOfferedError, upon which
        nothing is sent."""
        request = self._asked(AskRights).request
        chosen = frozenset(optional)
        if strange := chosen - {*request.optional, *request.required}:
            raise NotOfferedError(rights=len(strange))
        self._agreed = chosen | {*request.required}
        kept = tuple(right for right in request.optional if right in chosen)
        self._move(Event.AGREE)
        return [self._send(messages.SetAccessRights(chat=kept))]

    def enter(self, secret: Secret) -> list[Step]:
        """What the person typed; it is for the command alone and wiped with it. What cannot be such a number is not
        sent, but asked for again."""
        question = self._asked(AskNumber).question
        if secret.is_digits(*question.lengths):
            return [self._send(self._number(question.number, secret))]
        letter = self._moves is IDENTIFY and question.number is Number.PIN and secret.is_digits(5)
        secret.wipe()
        mistake = Mistake.LETTER if letter else Mistake.FORM
        self.pending = AskNumber(msgspec.structs.replace(question, mistake=mistake))
        return [self.pending]

    def proceed(self) -> list[Step]:
        """The card lies well now."""
        self._asked(AskPosition)
        self._move(Event.CONTINUE)
        return [self._send(messages.Continue())]

    def cancel(self, error: SdkError | None = None) -> list[Step]:
        """Give up; `error` says why, where it was not the person. Its end is still to come; once more does nothing."""
        if self.is_over or self.is_stopping:
            return []
        self._error = error or GivenUpError()
        self._move(Event.CANCEL)
        return [self._send(messages.Cancel()), Show(Notice(occasion=Occasion.CANCELLING))]

    def abandon(self, error: SdkError) -> list[Step]:
        """The AusweisApp is gone or says nothing any more: end without it. What had been the reason stays it."""
        return [] if self.is_over else [self._over(State.ENDED, self._error or error)]

    # ---- the AusweisApp -------------------------------------------------------------------------------------

    def receive(self, message: AnyMessage) -> list[Step]:
        """What a message brings about. Nothing that the AusweisApp says raises."""
        if self.is_over or isinstance(message, _ASIDE):
            return []
        match message:
            case Status(progress=progress):
                return [Show(Notice(occasion=Occasion.PROGRESS, progress=progress))] if progress is not None else []
            case Reader():
                return self._look_at(message)
            case messages.BadState() | messages.UnknownCommand():
                return self._rejected(message)
            case messages.Invalid() | messages.InternalError():
                return self.cancel(RefusedError(message=tag_of(message)))
        event = self._event(message)
        if event is None or (self.state, event) not in self._moves or (event is Event.PAUSE and self._level < 3):
            return [] if self.is_stopping else self._out_of_order(message)
        return self._act(event, message)

    def _act(self, event: Event, message: AnyMessage) -> list[Step]:
        before = self._move(event)
        match message:
            case Auth() | ChangePin() if event is Event.BEGUN:
                return [Show(Notice(occasion=Occasion.STARTED))]
            case Auth(result=result, url=url):
                return [self._finish(event, result, url)]
            case ChangePin(reason=reason):
                return [self._finish(event, reason, None)]
            case AccessRights() if before is State.STARTED:
                self._rights = message
                return [self._send(messages.GetCertificate())]
            case AccessRights():
                return self._check(message)
            case Certificate():
                return self._ask(AskRights(_request(self._rights, message)))
            case InsertCard():
                return self._insert(message)
            case Pause(cause=cause):
                self._sent = self._sent if self._sent is Number.PIN else None  # its tries tell whether it was wrong
                return self._ask(AskPosition(cause))
            case EnterPin() | EnterCan() | EnterPuk() | EnterNewPin():
                return self._ask_number(message)
        raise AssertionError(event)

    def _event(self, message: AnyMessage) -> Event | None:
        if type(message) is not self._own:
            return _EVENTS.get(type(message))
        match message:
            case Auth(result=AuthResult() as result, url=url):
                return Event.OK if result.is_ok and _is_https(url or "") else Event.FAILED
            case ChangePin(success=bool() as success):
                return Event.OK if success else Event.FAILED
            case Auth(error=str()) | ChangePin(error=str()):
                return Event.REFUSED
        return Event.BEGUN

    def _check(self, rights: AccessRights) -> list[Step]:
        """ACCEPT is sent for what the person has seen and for nothing else."""
        shown = self._rights
        if rights.error is not None:
            return self.cancel(RefusedError(command=tag_of(messages.SetAccessRights)))
        if shown is None or _essence(rights) != _essence(shown) or {*rights.chat.effective} != self._agreed:
            return self._out_of_order(rights)
        return [self._send(messages.Accept())]

    def _insert(self, message: InsertCard) -> list[Step]:
        self._sent = None
        if message.error is not None:
            return self.cancel(RefusedError(command=tag_of(SetCard)))
        shown = Show(Notice(occasion=Occasion.INSERT_CARD))
        if self._card is None:
            return [shown]
        card, self._card = self._card, None
        return [shown, self._send(card)]

    def _ask_number(self, message: EnterPin | EnterCan | EnterPuk | EnterNewPin) -> list[Step]:
        number, self._reader = _NUMBERS[type(message)], message.reader
        self._taken = self._lost = False
        card = message.reader.card
        tries = card.tries if card else None
        mistake = self._mistake(number, tries, is_form=message.error is not None)
        self._sent, self._tries = None, tries
        if number is Number.PUK and card and card.inoperative:
            return self.cancel(PukUsedUpError())
        lengths = (5, 6) if number is Number.PIN and self._moves is CHANGE_PIN else _LENGTHS[number]
        if not message.reader.keypad:
            return self._ask(AskNumber(Question(number=number, lengths=lengths, tries=tries, mistake=mistake)))
        if message.error is not None:
            return self.cancel(RefusedError(command=tag_of(_SET[number])))
        notice = Notice(
            occasion=Occasion.KEYPAD, reader=message.reader.name, number=number, tries=tries, mistake=mistake
        )
        return [Show(notice), self._send(self._number(number, None))]

    def _mistake(self, number: Number, tries: int | None, *, is_form: bool) -> Mistake | None:
        """Being asked again means that the number was wrong, and for the PIN that a try is gone; being asked for
        another one is the consequence of a wrong PIN, or of a right CAN or PUK."""
        if is_form:
            return Mistake.FORM
        if self._sent is Number.PIN and number in (Number.PIN, Number.CAN, Number.PUK):
            return None if tries is not None and tries == self._tries else Mistake.WRONG_PIN
        return _WRONG.get(number) if self._sent is number else None

    def _look_at(self, reader: Reader) -> list[Step]:
        is_ours = reader.name == self._reader.name
        if not is_ours and (not reader.attached or reader.card is None):
            return []
        if not reader.attached:
            occasion, self._lost = Occasion.READER_LOST, True
        elif reader.card is None:
            occasion, self._taken = Occasion.CARD_TAKEN, True
        elif not reader.card.is_known:
            occasion = Occasion.CARD_UNKNOWN
        elif reader.card.deactivated:
            occasion = Occasion.CARD_OFF
        else:
            occasion = Occasion.CARD_FOUND
            self._taken = self._taken and not is_ours
        return [Show(Notice(occasion=occasion, reader=reader.name))]

    def _rejected(self, message: messages.BadState | messages.UnknownCommand) -> list[Step]:
        command = message.error
        crossed = command in _CROSSING and isinstance(message, messages.BadState)
        if command not in self._said or (crossed and self._sent and command != tag_of(_SET[self._sent])):
            return []  # late: about a workflow before this one, or a number before the last one
        if crossed and (self.state, Event.CROSSED) in self._moves:
            self.state, self._sent = self._moves[self.state, Event.CROSSED], None
            return []
        if self.is_stopping:
            ended = command == tag_of(messages.Cancel)
            return [self._over(State.ENDED, self._error)] if ended else []
        if command == tag_of(self._opening) and self.state is State.STARTING:
            busy = isinstance(message, messages.BadState)
            return [self._over(State.ENDED, BusyError() if busy else RefusedError(command=command))]
        return self.cancel(RefusedError(command=command))

    # ---- ends -----------------------------------------------------------------------------------------------

    def _finish(self, event: Event, said: AuthResult | str | None, url: str | None) -> End:
        url = url if _is_https(url or "") else None
        if self.state is State.DONE:
            return self._over(State.DONE, None, url)
        if event is Event.REFUSED:
            error: SdkError = RefusedError(command=tag_of(self._opening))
        elif self._error is not None:
            error = self._error
        elif event is Event.OK or (isinstance(said, AuthResult) and said.is_ok):
            error = UnprovenError()
        else:
            error = self._failure(said)
        error.url = url
        return self._over(State.ENDED, error, url)

    def _failure(self, said: AuthResult | str | None) -> EndedError:
        reason = (said.reason if isinstance(said, AuthResult) else said) or ""
        minor = ((isinstance(said, AuthResult) and said.minor) or "").rpartition("#")[2]
        kind = REASONS.get(reason, EndedError)
        if minor == _BY_USER:
            kind = GivenUpError
        if kind is errors.CardTakenError or (not reason and kind is EndedError):
            kind = errors.ReaderLostError if self._lost else errors.CardTakenError if self._taken else kind
        details = {name: text for name, text in (("reason", reason), ("minor", minor)) if _TOKEN.fullmatch(text)}
        return kind(**details)

    def _out_of_order(self, message: AnyMessage) -> list[Step]:
        return self.cancel(OutOfOrderError(message=tag_of(message), state=self.state))

    def _over(self, state: State, error: SdkError | None, url: str | None = None) -> End:
        self.state, self.pending = state, None
        return End(error=error, url=url)

    # ---- moves ----------------------------------------------------------------------------------------------

    def _move(self, event: Event) -> State:
        """Go where the table says. What was asked is withdrawn."""
        before, self.state = self.state, self._moves[self.state, event]
        self.pending = None
        return before

    def _send(self, command: Command) -> Send:
        self._said.add(tag_of(command))
        return Send(command)

    def _ask(self, ask: Ask) -> list[Step]:
        self.pending = ask
        return [ask]

    def _asked(self, kind: type[_AskT]) -> _AskT:
        if not isinstance(self.pending, kind):
            raise OutOfOrderError(message="answer", state=self.state)
        return self.pending

    def _number(self, number: Number, secret: Secret | None) -> SetNumber:
        self._move(Event.NUMBER)
        self._sent = number
        return _SET[number](value=secret)


def _request(rights: AccessRights | None, certificate: Certificate) -> Request:
    assert rights is not None  # the table leads here by ACCESS_RIGHTS
    return Request(
        required=rights.chat.required,
        optional=rights.chat.optional,
        certificate=certificate.description,
        validity=certificate.validity,
        auxiliary=rights.aux,
        transaction=rights.transaction_info,
    )


def _essence(rights: AccessRights) -> tuple[object, ...]:
    return {*rights.chat.required}, {*rights.chat.optional}, rights.aux, rights.transaction_info


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and url.isprintable() and " " not in url
