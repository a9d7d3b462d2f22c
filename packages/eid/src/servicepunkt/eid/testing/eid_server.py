"""An eID server for tests: it opens sessions, lets a test say what a card would have said, and gives results out once.

server = EidServer(signer=..., client=..., now=...)
status, answer = server.answer(request)          # bytes in, bytes out
server.finish(session_id, attributes)            # the person has identified
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from cryptography import x509
from lxml import etree

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Answers, Attributes, Level, PartialDate, Place
from servicepunkt.eid.service import soap
from servicepunkt.eid.service.model import LEVELS, MAJOR, MINOR, OPERATIONS
from servicepunkt.eid.service.soap import NAMES, Signer

MOST_SESSIONS = 100


class Held(msgspec.Struct):
    """A session: what was asked, the number of the last question, and what was read."""

    operations: Mapping[str, str]
    age: int | None = None
    community: str = ""
    psk_id: str = ""
    counter: int = 0
    attributes: Attributes | None = None
    answers: Answers = Answers()
    refused: str = ""


class EidServer:
    """Behaves as TR-03130-1 wants it; `fault` makes it misbehave on demand."""

    def __init__(
        self, *, signer: Signer, client: x509.Certificate, now: Callable[[], datetime], level: Level = Level.HIGH
    ) -> None:
        self._signer, self._client, self._now, self._level = signer, client, now, level
        self.sessions: dict[str, Held] = {}
        self.denied: frozenset[str] = frozenset()
        #: Called with each message before it is signed.
        self.fault: Callable[[etree._Element], None] | None = None

    def answer(self, request: bytes) -> tuple[int, bytes]:
        """Status and envelope; 400 for what cannot be believed."""
        try:
            message = soap.verified(request, self._client, self._now())
        except EidError:
            return 400, b""
        kind = etree.QName(message).localname
        said = self._open(message) if kind == "useIDRequest" else self._result(message)
        if self.fault is not None:
            self.fault(said)
        return 200, soap.signed(said, self._signer, self._now())

    def find(self, name: str) -> tuple[str, Held] | None:
        """A session by what a TcToken calls it: its own name, or that of its key."""
        return next((one for one in self.sessions.items() if name and name in (one[0], one[1].psk_id)), None)

    def finish(self, session: str, attributes: Attributes, answers: Answers | None = None) -> None:
        """The card was read."""
        self.sessions[session].attributes, self.sessions[session].answers = attributes, answers or Answers()

    def refuse(self, session: str, minor: str) -> None:
        """The card was refused, as in '/getResult#deniedDocument'."""
        self.sessions[session].refused = minor

    # --- the two operations ---------------------------------------------------------------------------------------

    def _open(self, message: etree._Element) -> etree._Element:
        if len(self.sessions) >= MOST_SESSIONS:
            return _response("useIDResponse", "/useID#tooManyOpenSessions")
        wanted = {
            etree.QName(one).localname: (one.text or "") for one in message.iterfind("eid:UseOperations/*", NAMES)
        }
        asked = {name for name, wish in wanted.items() if wish != "PROHIBITED"}
        if asked & self.denied:
            return _response("useIDResponse", "/useID#missingTerminalRights")
        identity = secrets.token_hex(16)
        age = message.findtext("eid:AgeVerificationRequest/eid:Age", "", NAMES)
        community = message.findtext("eid:PlaceVerificationRequest/eid:CommunityID", "", NAMES)
        self.sessions[identity] = Held(
            operations=wanted,
            age=int(age) if age else None,
            community=community,
            psk_id=secrets.token_hex(16),
        )
        answer = _response("useIDResponse")
        _put(_put(answer, "Session"), "ID", identity)
        key = _put(answer, "PSK")
        _put(key, "ID", self.sessions[identity].psk_id)
        _put(key, "Key", secrets.token_hex(32))
        return answer

    def _result(self, message: etree._Element) -> etree._Element:
        identity = message.findtext("eid:Session/eid:ID", "", NAMES)
        held = self.sessions.get(identity)
        if held is None:
            return _response("getResultResponse", "/getResult#invalidSession")
        counter = int(message.findtext("eid:RequestCounter", "0", NAMES))
        if counter <= held.counter:
            del self.sessions[identity]
            return _response("getResultResponse", "/getResult#invalidCounter")
        held.counter = counter
        if held.refused:
            del self.sessions[identity]
            return _response("getResultResponse", held.refused)
        if held.attributes is None:
            return _response("getResultResponse", "/getResult#noResultYet")
        del self.sessions[identity]
        return self._read(held, held.attributes)

    def _read(self, held: Held, attributes: Attributes) -> etree._Element:
        answer = _response("getResultResponse")
        data = _put(answer, "PersonalData")
        present = attributes.held()
        for name, attribute in OPERATIONS.items():
            if attribute in present and held.operations.get(name) != "PROHIBITED":
                _put_value(data, name, getattr(attributes, attribute))
        for name, said in (("Age", held.answers.old_enough), ("Place", held.answers.lives_there)):
            if said is not None:
                _put(_put(answer, f"Fulfils{name}Verification"), "FulfilsRequest", str(said).lower())
        allowed = _put(answer, "OperationsAllowedByUser")
        for name, wish in held.operations.items():
            there = OPERATIONS[name] in present or not OPERATIONS[name]
            _put(allowed, name, "PROHIBITED" if wish == "PROHIBITED" else "ALLOWED" if there else "NOTONCHIP")
        level = next(uri for uri, level in LEVELS.items() if level == self._level)
        _put(answer, "LevelOfAssuranceResult", level)
        return answer


def _response(name: str, minor: str = "") -> etree._Element:
    answer = etree.Element(f"{{{soap.EID}}}{name}", nsmap={"eid": soap.EID, "dss": soap.DSS})
    found = etree.SubElement(answer, f"{{{soap.DSS}}}Result")
    etree.SubElement(found, f"{{{soap.DSS}}}ResultMajor").text = MAJOR + ("error" if minor else "ok")
    if minor:
        etree.SubElement(found, f"{{{soap.DSS}}}ResultMinor").text = MINOR + minor
    return answer


def _put(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    made = etree.SubElement(parent, f"{{{soap.EID}}}{name}")
    made.text = text
    return made


def _put_value(parent: etree._Element, name: str, value: object) -> None:
    match value:
        case PartialDate():
            made = _put(parent, name)
            _put(made, "DateString", value.encode())
            if value.day_known:
                _put(made, "DateValue", value.day_known.isoformat())
        case Place(free=""):
            made = _put(_put(parent, name), "StructuredPlace")
            fields = {"Street": value.street, "City": value.city, "State": value.state, "Country": value.country,
                      "ZipCode": value.zip_code}  # fmt: skip
            for field, text in fields.items():
                if text:
                    _put(made, field, text)
        case Place():
            _put(_put(parent, name), "FreetextPlace", value.free)
        case bytes():
            _put(_put(parent, name), "ID", value.hex().upper())
        case _:
            _put(parent, name, str(value))
