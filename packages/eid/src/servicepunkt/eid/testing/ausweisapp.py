"""An AusweisApp for tests: it plays a `Scenario` over its websocket, and writes down what a client does wrong.

    async with FakeAusweisApp(Scenario(card=FakeCard(tries=1))) as app:
        async with SdkClient(app.url) as client:
            await client.change_pin(ui=...)
    assert app.card.pin == "654321"

Leaving the block raises AssertionError with everything that the client did and the documentation of the SDK forbids:
a command at the wrong moment, a number where the reader has a keypad, a workflow without SET_API_LEVEL, and so on;
`strict=False` leaves that to `app.violations`. `app.received` holds the names of commands, without what they carry.

Source: https://www.ausweisapp.bund.de/sdk; where that is silent, what AusweisApp2 1.26.2 does.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PATH = "/eID-Kernel"
_MAJOR = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#"
_MINOR = "http://www.bsi.bund.de/ecard/api/1.1/resultminor/"

_Said = dict[str, Any]
#: What is said, piece by piece; None hangs up.
Words = Iterator[str | bytes | None]
_Number = Generator[str | bytes | None, None, str | None]


#: After which message a command is awaited.
_MOMENTS = {
    "GET_ACCESS_RIGHTS": "ACCESS_RIGHTS",
    "SET_ACCESS_RIGHTS": "ACCESS_RIGHTS",
    "GET_CERTIFICATE": "ACCESS_RIGHTS",
    "ACCEPT": "ACCESS_RIGHTS",
    "SET_CARD": "INSERT_CARD",
    "SET_PIN": "ENTER_PIN",
    "SET_CAN": "ENTER_CAN",
    "SET_PUK": "ENTER_PUK",
    "SET_NEW_PIN": "ENTER_NEW_PIN",
    "CONTINUE": "PAUSE",
}


class FakeCard(msgspec.Struct, kw_only=True):
    """A card. `letter`: its PIN is still the five digits of the letter. `puk_uses`: how often the PUK works yet."""

    pin: str = "123456"
    can: str = "500540"
    puk: str = "1234567890"
    tries: int = 3
    puk_uses: int = 10
    letter: bool = False
    deactivated: bool = False
    is_eid: bool = True


class TakeCard(msgspec.Struct, frozen=True, kw_only=True):
    """The card is taken off. `then`: the AusweisApp ends, or it asks for a card, which is laid on again."""

    then: Literal["end", "again"] = "end"


class LoseReader(msgspec.Struct, frozen=True):
    """The reader is unplugged, and the AusweisApp ends."""


class Hold(msgspec.Struct, frozen=True):
    """PAUSE: the card lies badly. Level 3."""


class Say(msgspec.Struct, frozen=True):
    """These very words, whatever they are: misbehaviour, and what a newer version may say."""

    words: str | bytes


class Claim(msgspec.Struct, frozen=True):
    """The AusweisApp claims a success and ends."""


class Fail(msgspec.Struct, frozen=True, kw_only=True):
    """The AusweisApp ends with an error."""

    reason: str | None = None
    minor: str = "al/common#internalError"


class HangUp(msgspec.Struct, frozen=True):
    """The connection is closed."""


class Silence(msgspec.Struct, frozen=True):
    """From here on it says nothing more in this workflow, not even to CANCEL."""


Happening = TakeCard | LoseReader | Hold | Say | Claim | Fail | HangUp | Silence


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What happens.

    `card` lies on the reader from the start, or is laid on when it is asked for (`card_at`); None: never one. At a
    reader with a `keypad`, `typed` is what the person enters there, in turn. `happenings`, each once: keyed by the
    name of a command (`"SET_PIN"`), they take the place of its answer, and `Say` comes before it; keyed by the name of
    a message other than READER (`"ENTER_PIN"`, or `"END"` for the last one), they come right after it. `slow`: seconds
    before a message of that name. `subject`: who asks.
    """

    levels: tuple[int, ...] = (1, 2, 3)
    version: str = "2.3.1"
    reader: str = "Fake Reader 00 00"
    keypad: bool = False
    typed: tuple[str, ...] = ()
    insertable: bool = False
    card: FakeCard | None = msgspec.field(default_factory=FakeCard)
    card_at: Literal["start", "asked"] = "start"
    subject: str = "Stadt Musterhausen"
    required: tuple[str, ...] = ("FamilyName", "GivenNames")
    optional: tuple[str, ...] = ("Address", "AgeVerification")
    auxiliary: Mapping[str, str] = {}
    transaction: str | None = None
    can_allowed: bool = False
    happenings: Mapping[str, tuple[Happening, ...]] = {}
    slow: Mapping[str, float] = {}


class Conversation:
    """The AusweisApp without its websocket: text in, text out. `None` stands for hanging up."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.card = scenario.card
        self.received: list[str] = []
        self.violations: list[str] = []
        self.level = max(scenario.levels)
        self._lies = scenario.card is not None and scenario.card_at == "start"
        self._has_reader = True
        self._to_come = {name: list(these) for name, these in scenario.happenings.items()}
        self._typed = list(scenario.typed)
        self._level_was_set = False
        self._workflow: Literal["AUTH", "CHANGE_PIN"] | None = None
        self._state = ""  # the last message that waits for a command
        self._crossed: set[str] = set()  # what it waited for when something happened
        self._status = True
        self._silent = self._can_was_right = self._pin_was_right = self._needs_card = False
        self._effective: list[str] = []

    def connect(self) -> Words:
        self._level_was_set = False
        yield from self._say(self._reader_said())

    def receive(self, text: str | bytes) -> Words:
        """What is said to a command."""
        try:
            said = json.loads(text)
            name = said["cmd"]
        except (ValueError, TypeError, KeyError):
            self._blame("no command")
            yield from self._say({"msg": "INVALID", "error": "illegal value (offset: 0)"})
            return
        self.received.append(str(name))
        answer = getattr(self, f"_on_{str(name).lower()}", None)
        if answer is None or self.level < {"GET_STATUS": 2, "SET_CARD": 2, "CONTINUE": 3}.get(name, 1):
            self._blame(f"{name} is unknown at level {self.level}")
            yield from self._say({"msg": "UNKNOWN_COMMAND", "error": name})
            return
        happening = self._next(name)
        if happening is not None:
            yield from self._let(happening)
        if happening is None or isinstance(happening, Say) or self._is_idle(happening):
            yield from answer(said)

    def disconnect(self) -> None:
        """A client that goes away gives up."""
        self._workflow, self._state = None, ""

    # ---- asked at any time ----------------------------------------------------------------------------------

    def _on_get_info(self, _: _Said) -> Words:
        version = {"Name": "AusweisApp", "Implementation-Title": "AusweisApp", "Specification-Title": "TR-03124-1"}
        version |= {"Implementation-Version": self.scenario.version, "Specification-Version": "1.4"}
        yield from self._say({"msg": "INFO", "VersionInfo": version})

    def _on_get_api_level(self, _: _Said) -> Words:
        yield from self._say({"msg": "API_LEVEL", "available": [*self.scenario.levels], "current": self.level})

    def _on_set_api_level(self, said: _Said) -> Words:
        wanted = said.get("level")
        answer: _Said = {"msg": "API_LEVEL"}
        if wanted in self.scenario.levels:
            self.level, self._level_was_set = wanted, True
        else:
            self._blame("a level that there is not")
            answer["error"] = "Unknown level"
        yield from self._say(answer | {"current": self.level})

    def _on_get_status(self, _: _Said) -> Words:
        yield from self._say(self._status_said(50))

    def _on_get_reader(self, said: _Said) -> Words:
        known = said.get("name") == self.scenario.reader
        unknown = {"msg": "READER", "name": said.get("name"), "attached": False}
        yield from self._say(self._reader_said() if known else unknown)

    def _on_get_reader_list(self, _: _Said) -> Words:
        key = "reader" if self.level == 1 else "readers"
        yield from self._say({"msg": "READER_LIST", key: [self._reader()] if self._has_reader else []})

    # ---- workflows ------------------------------------------------------------------------------------------

    def _on_run_auth(self, said: _Said) -> Words:
        if not str(said.get("tcTokenURL", "")).startswith("https://"):
            self._blame("RUN_AUTH without an address")
            yield from self._say({"msg": "AUTH", "error": "Validation of tcTokenURL failed"})
        elif self._may_run("RUN_AUTH"):
            self._begin("AUTH", said)
            yield from self._say({"msg": "AUTH"})
            yield from self._progress(0)
            self._effective = [*self.scenario.required, *self.scenario.optional]
            yield from self._ask(self._rights_said())
        else:
            yield from self._say({"msg": "BAD_STATE", "error": "RUN_AUTH"})

    def _on_run_change_pin(self, said: _Said) -> Words:
        if self._may_run("RUN_CHANGE_PIN"):
            self._begin("CHANGE_PIN", said)
            yield from self._say({"msg": "CHANGE_PIN"})
            yield from self._progress(0)
            yield from self._ask_for_number()
        else:
            yield from self._say({"msg": "BAD_STATE", "error": "RUN_CHANGE_PIN"})

    def _on_cancel(self, _: _Said) -> Words:
        if self._workflow is None:
            yield from self._bad_state("CANCEL")
        else:
            yield from self._fail(Fail(reason="User_Cancelled", minor="sal#cancellationByUser"))

    def _on_get_access_rights(self, _: _Said) -> Words:
        if self._state == "ACCESS_RIGHTS":
            yield from self._say(self._rights_said())
        else:
            yield from self._bad_state("GET_ACCESS_RIGHTS")

    def _on_set_access_rights(self, said: _Said) -> Words:
        if self._state != "ACCESS_RIGHTS":
            yield from self._bad_state("SET_ACCESS_RIGHTS")
        elif strange := set(said.get("chat", ["?"])) - set(self.scenario.optional):
            self._blame("a right was chosen that is not optional")
            yield from self._say(self._rights_said() | {"error": f"Invalid rights: {len(strange)}"})
        else:
            self._effective = [*self.scenario.required, *said["chat"]]
            yield from self._say(self._rights_said())

    def _on_get_certificate(self, _: _Said) -> Words:
        if self._state != "ACCESS_RIGHTS":
            yield from self._bad_state("GET_CERTIFICATE")
            return
        description = {
            "issuerName": "Fake DVCA",
            "issuerUrl": "https://dvca.example",
            "subjectName": self.scenario.subject,
            "subjectUrl": "https://eid.example",
            "termsOfUsage": "Anschrift:\r\nRathausplatz 1\r\n12345 Musterhausen",
            "purpose": "Antrag ausfüllen",
        }
        validity = {"effectiveDate": "2026-01-01", "expirationDate": "2026-12-31"}
        yield from self._say({"msg": "CERTIFICATE", "description": description, "validity": validity})

    def _on_accept(self, _: _Said) -> Words:
        if self._state != "ACCESS_RIGHTS":
            yield from self._bad_state("ACCEPT")
            return
        if "GET_CERTIFICATE" not in self.received:
            self._blame("accepted without a look at the certificate")
        self._state = ""
        yield from self._ask_for_number()

    def _on_set_card(self, said: _Said) -> Words:
        if self._state != "INSERT_CARD":
            yield from self._bad_state("SET_CARD")
        elif said.get("name") != self.scenario.reader or not self.scenario.insertable:
            self._blame("SET_CARD for a reader that takes none")
            yield from self._say({"msg": "INSERT_CARD", "error": "Unknown reader name"})
        else:
            self.card = self.card or FakeCard()
            yield from self._lay_on()

    def _on_continue(self, _: _Said) -> Words:
        if self._state != "PAUSE":
            yield from self._bad_state("CONTINUE")
        else:
            self._state = ""
            yield from self._ask_for_number()

    # ---- numbers --------------------------------------------------------------------------------------------

    def _on_set_pin(self, said: _Said) -> Words:
        number = yield from self._number(said, "PIN", (5, 6) if self._workflow == "CHANGE_PIN" else (6,))
        card = self.card
        if number is None or card is None:
            return
        if self._workflow == "AUTH" and len(number) == 5:  # at the keypad: one of the letter
            yield from self._fail(Fail(reason="Establish_Pace_Channel_No_Active_Pin"))
        elif number == card.pin and not (card.letter and self._workflow == "AUTH"):
            card.tries, self._pin_was_right = 3, True
            yield from self._ask_for_number()
        else:
            card.tries, self._can_was_right = card.tries - 1, False
            yield from self._ask_for_number()

    def _on_set_can(self, said: _Said) -> Words:
        number = yield from self._number(said, "CAN", (6,))
        if number is not None and self.card is not None:
            self._can_was_right = number == self.card.can
            yield from self._ask_for_number()

    def _on_set_puk(self, said: _Said) -> Words:
        number = yield from self._number(said, "PUK", (10,))
        if number is None or self.card is None:
            return
        if number == self.card.puk and self.card.puk_uses:
            self.card.puk_uses, self.card.tries = self.card.puk_uses - 1, 3
        elif number == self.card.puk:
            self.card.puk_uses = -1
        yield from self._ask_for_number()

    def _on_set_new_pin(self, said: _Said) -> Words:
        number = yield from self._number(said, "NEW_PIN", (6,))
        if number is not None and self.card is not None:
            self.card.pin, self.card.letter = number, False
            yield from self._succeed()

    def _number(self, said: _Said, what: str, lengths: tuple[int, ...]) -> _Number:
        """Returns the number, or None where something was wrong with it."""
        value = said.get("value")
        if self._state != f"ENTER_{what}":
            yield from self._bad_state(f"SET_{what}")
            return None
        if self.scenario.keypad and value is not None:
            self._blame(f"SET_{what} with a value at a keypad")
            yield from self._ask(self._enter_said(what) | {"error": "Value cannot be defined"})
            return None
        if self.scenario.keypad:
            value = self._typed.pop(0) if self._typed else None
            if value is None:
                yield from self._fail(Fail(reason="Establish_Pace_Channel_User_Cancelled"))
                return None
        elif not (isinstance(value, str) and value.isdecimal() and len(value) in lengths):
            self._blame(f"SET_{what} without {lengths[-1]} digits")
            yield from self._ask(self._enter_said(what) | {"error": f"You must provide {lengths[-1]} digits"})
            return None
        if not self._lies:
            yield from self._fail(Fail(reason="Card_Removed"))
            return None
        self._state = ""
        return str(value)

    def _ask_for_number(self) -> Words:
        card, self._needs_card = self.card, True
        if not self._lies or card is None:
            yield from self._insert_card()
        elif (card.deactivated and not self.scenario.can_allowed) or not card.is_eid:
            yield from self._ask({"msg": "INSERT_CARD"})
        elif self._workflow == "AUTH" and self.scenario.can_allowed:
            if self._can_was_right:
                yield from self._succeed()
            else:
                yield from self._ask(self._enter_said("CAN"))
        elif self._pin_was_right:
            if self._workflow == "AUTH":
                yield from self._succeed()
            else:
                yield from self._ask(self._enter_said("NEW_PIN"))
        elif card.tries <= 0:
            yield from self._ask(self._enter_said("PUK"))
        elif card.tries == 1 and not self._can_was_right:
            yield from self._ask(self._enter_said("CAN"))
        else:
            yield from self._ask(self._enter_said("PIN"))

    def _insert_card(self) -> Words:
        yield from self._ask({"msg": "INSERT_CARD"})
        may = self.card is not None and self._has_reader and not self.scenario.insertable
        if may and self._state == "INSERT_CARD":
            yield from self._lay_on()

    def _lay_on(self) -> Words:
        self._lies, self._state = True, ""
        yield from self._say(self._reader_said())
        yield from self._ask_for_number()

    # ---- happenings and ends --------------------------------------------------------------------------------

    def _next(self, name: str) -> Happening | None:
        these = self._to_come.get(name)
        return these.pop(0) if these and not self._silent else None

    def _is_idle(self, happening: Happening) -> bool:
        """A card that nobody needs yet is taken, and will be asked for."""
        return happening == TakeCard(then="again") and not self._needs_card

    def _let(self, happening: Happening) -> Words:
        if self._workflow is not None:
            self._crossed.add(self._state)
        match happening:
            case TakeCard(then=then):
                self._lies = self._can_was_right = self._pin_was_right = False
                yield from self._say(self._reader_said())
                if then == "end":
                    yield from self._fail(Fail(reason="Card_Removed"))
                elif self._needs_card:
                    yield from self._insert_card()
            case LoseReader():
                self._lies = self._has_reader = False
                yield from self._say(self._reader_said())
                yield from self._fail(Fail(reason="Card_Removed"))
            case Hold():
                self._can_was_right = False
                yield from self._ask({"msg": "PAUSE", "cause": "BadCardPosition"})
            case Say(words=words):
                yield words
            case Claim():
                yield from self._succeed()
            case Fail():
                yield from self._fail(happening)
            case HangUp():
                yield None
            case Silence():
                self._silent = True

    def _succeed(self) -> Words:
        yield from self._progress(100)
        end: _Said = {"success": True}
        if self._workflow == "AUTH":
            end = {"result": {"major": f"{_MAJOR}ok"}, "url": "https://eid.example/done?refID=5f3a"}
        yield from self._over(end)

    def _fail(self, fail: Fail) -> Words:
        end: _Said = {"success": False}
        if self._workflow == "AUTH":
            result = {"major": f"{_MAJOR}error", "minor": _MINOR + fail.minor, "language": "en"}
            result |= {"description": "It failed.", "message": "It failed."}
            end = {"result": result | ({"reason": fail.reason} if fail.reason else {})}
            end["url"] = "https://eid.example/done?errID=5f3a"
        elif fail.reason:
            end["reason"] = fail.reason
        yield from self._over(end)

    def _over(self, end: _Said) -> Words:
        if self._workflow is not None:
            said = {"msg": self._workflow, **end}
            yield from self._say(said)
            if not self._silent:
                self._workflow, self._state = None, ""

    def _begin(self, workflow: Literal["AUTH", "CHANGE_PIN"], said: _Said) -> None:
        self._workflow, self._state = workflow, ""
        self._status = said.get("status", True) is not False
        self._silent = self._can_was_right = self._pin_was_right = self._needs_card = False
        self._crossed = set()

    def _may_run(self, name: str) -> bool:
        if not self._level_was_set:
            self._blame(f"{name} without SET_API_LEVEL on this connection")
        if self._workflow is not None:
            self._blame(f"{name} during a workflow")
        return self._workflow is None

    def _bad_state(self, name: str) -> Words:
        """What crossed a mishap is nobody's fault: the client could not know of it."""
        if not self._crossed or (name != "CANCEL" and _MOMENTS[name] not in self._crossed):
            self._blame(f"{name} at the wrong moment")
        yield from self._say({"msg": "BAD_STATE", "error": name})

    def _blame(self, what: str) -> None:
        self.violations.append(what)

    # ---- words ----------------------------------------------------------------------------------------------

    def _ask(self, said: _Said) -> Words:
        if self._workflow is not None:  # or something has ended it meanwhile
            self._state = said["msg"]
            yield from self._say(said)

    def _say(self, said: _Said) -> Words:
        if not self._silent:
            yield json.dumps(said, ensure_ascii=False)
            name = "END" if "result" in said or "success" in said else said["msg"]
            if name != "READER" and (happening := self._next(name)):
                yield from self._let(happening)

    def _progress(self, percent: int) -> Words:
        if self.level >= 2 and self._status and self._workflow is not None:
            yield from self._say(self._status_said(percent))

    def _status_said(self, percent: int) -> _Said:
        running = self._workflow is not None
        said: _Said = {"msg": "STATUS", "workflow": self._workflow, "progress": percent if running else None}
        return said | {"state": self._state or None}

    def _rights_said(self) -> _Said:
        rights = {"effective": self._effective, "optional": [*self.scenario.optional]}
        said: _Said = {"msg": "ACCESS_RIGHTS", "chat": rights | {"required": [*self.scenario.required]}}
        if self.scenario.auxiliary:
            said["aux"] = dict(self.scenario.auxiliary)
        if self.scenario.transaction is not None:
            said["transactionInfo"] = self.scenario.transaction
        return said

    def _enter_said(self, what: str) -> _Said:
        return {"msg": f"ENTER_{what}", "reader": self._reader()}

    def _reader_said(self) -> _Said:
        return {"msg": "READER", **self._reader()}

    def _reader(self) -> _Said:
        said: _Said = {"name": self.scenario.reader, "attached": self._has_reader}
        if self._has_reader:
            said |= {"keypad": self.scenario.keypad, "card": self._card_said()}
            if self.level >= 2:
                said["insertable"] = self.scenario.insertable
        return said

    def _card_said(self) -> _Said | None:
        card = self.card
        if card is None or not self._lies:
            return None
        if not card.is_eid:
            return {} if self.level >= 3 else None
        return {"deactivated": card.deactivated, "inoperative": card.puk_uses < 0, "retryCounter": card.tries}


class FakeAusweisApp:
    """A `Conversation` behind a websocket on the loopback, for one connection at a time; port 0 is any free one."""

    def __init__(self, scenario: Scenario | None = None, *, strict: bool = True, port: int = 0) -> None:
        self._port = port
        self._conversation = Conversation(scenario or Scenario())
        self._strict = strict
        self._server: Server | None = None
        self._busy = False

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}{PATH}"

    @property
    def card(self) -> FakeCard:
        """The card as it is by now. Raises ValueError where there never was one."""
        if self._conversation.card is None:
            raise ValueError("this scenario has no card")
        return self._conversation.card

    @property
    def received(self) -> list[str]:
        return self._conversation.received

    @property
    def violations(self) -> list[str]:
        return self._conversation.violations

    async def __aenter__(self) -> Self:
        quiet = logging.Logger("quiet")  # what it hears are secrets, though invented ones
        quiet.disabled = True
        self._server = await serve(
            self._serve, "127.0.0.1", self._port, process_request=self._admit, logger=quiet, compression=None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self._strict and error is None and self.violations:
            raise AssertionError(f"the client did wrong: {'; '.join(self.violations)}")

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path != PATH:
            return connection.respond(404, "Not Found\n")
        return connection.respond(429, "Too Many Requests\n") if self._busy else None

    async def _serve(self, connection: ServerConnection) -> None:
        self._busy = True
        try:
            if await self._utter(connection, self._conversation.connect()):
                async for text in connection:
                    if not await self._utter(connection, self._conversation.receive(text)):
                        return
        except ConnectionClosed:
            pass
        finally:
            self._conversation.disconnect()
            self._busy = False

    async def _utter(self, connection: ServerConnection, texts: Words) -> bool:
        for text in texts:
            if text is None:
                return False
            await asyncio.sleep(self._pause(text))
            await connection.send(text, text=True)
        return True

    def _pause(self, text: str | bytes) -> float:
        slow = self._conversation.scenario.slow
        return next((seconds for name, seconds in slow.items() if f'"msg": "{name}"' in str(text)), 0)
