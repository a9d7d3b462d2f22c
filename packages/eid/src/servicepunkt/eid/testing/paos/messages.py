"""PAOS messages as bytes (TR-03112-7 §2.6, §3.6; TR-03124-1 §2.6): SOAP within HTTP the other way round. Pure.

A message is read only without a document type, entities or comments, below a size, and with one element in its body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec

from servicepunkt.eid.testing.paos.errors import MessageError

#: EF.CardSecurity and some dozen answers of a card, each byte as two letters.
MOST_BYTES = 262_144
MOST_ELEMENTS = 2_000
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
ADDRESSING = "{http://www.w3.org/2005/03/addressing}"
TECH = "{urn:iso:std:iso-iec:24727:tech:schema}"
ECARD = "{http://www.bsi.bund.de/ecard/api/1.1}"
RESULT = "{urn:oasis:names:tc:dss:1.0:core:schema}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
OK = "http://www.bsi.bund.de/ecard/api/1.1/resultmajor#ok"
EAC = "urn:oid:1.3.162.15480.3.0.14.2"
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


class StartPaos(msgspec.Struct, frozen=True, kw_only=True):
    session: str
    slot: str


class FrameworkInitialized(msgspec.Struct, frozen=True, kw_only=True):
    """InitializeFrameworkResponse."""


class Eac1Output(msgspec.Struct, frozen=True, kw_only=True):
    """`chat`: the object 7F4C with what the user left of the rights."""

    chat: bytes
    authorities: tuple[str, ...]
    card_access: bytes
    chip_id: bytes
    challenge: bytes


class Eac2Output(msgspec.Struct, frozen=True, kw_only=True):
    card_security: bytes
    token: bytes
    nonce: bytes


class Transmitted(msgspec.Struct, frozen=True, kw_only=True):
    """TransmitResponse: the answers of the card."""

    answers: tuple[bytes, ...]


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Any answer whose result is not ok."""

    minor: str


Body = StartPaos | FrameworkInitialized | Eac1Output | Eac2Output | Transmitted | Refusal


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What a client posts: its body with the id of the message, and of the one that it answers."""

    id: str
    relates_to: str
    body: Body


def parse(data: bytes) -> Message:
    """Raises MessageError."""
    envelope = _tree(data)
    if envelope.tag != f"{SOAP}Envelope":
        raise MessageError(why="not SOAP")
    header, body = envelope.find(f"{SOAP}Header"), envelope.find(f"{SOAP}Body")
    if header is None or body is None or len(body) != 1:
        raise MessageError(why="header or body")
    relates_to = header.findtext(f"{ADDRESSING}RelatesTo", "")
    return Message(id=_text(header, f"{ADDRESSING}MessageID", 200), relates_to=relates_to[:200], body=_body(body[0]))


def _tree(data: bytes) -> Any:
    if len(data) > MOST_BYTES:
        raise MessageError(why="too long")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(why="not UTF-8") from error
    if "<!" in text:  # document types, entities, comments: nothing that could grow
        raise MessageError(why="a declaration")
    try:
        found = ElementTree.fromstring(text)  # noqa: S314  without declarations there is nothing to expand
    except (ElementTree.ParseError, ValueError) as error:
        raise MessageError(why="not XML") from error
    if sum(1 for _ in found.iter()) > MOST_ELEMENTS:
        raise MessageError(why="too many elements")
    return found


def _body(element: Any) -> Body:
    if element.tag.endswith("Response") and (minor := _refusal(element)) is not None:
        return Refusal(minor=minor)
    if element.tag == f"{TECH}StartPAOS":
        slot = _text(element, f"{TECH}ConnectionHandle/{TECH}SlotHandle", 200)
        return StartPaos(session=_text(element, f"{TECH}SessionIdentifier", 200), slot=slot)
    if element.tag == f"{ECARD}InitializeFrameworkResponse":
        return FrameworkInitialized()
    if element.tag == f"{TECH}TransmitResponse":
        return Transmitted(answers=tuple(_bytes(one.text or "") for one in element.findall(f"{TECH}OutputAPDU")))
    if element.tag == f"{TECH}DIDAuthenticateResponse":
        return _authenticated(element.find(f"{TECH}AuthenticationProtocolData"))
    raise MessageError(why="unknown message")


def _refusal(element: Any) -> str | None:
    """Why a result is not ok; None for one that is."""
    major = element.findtext(f"{RESULT}Result/{RESULT}ResultMajor", "")
    minor = element.findtext(f"{RESULT}Result/{RESULT}ResultMinor", "")
    return None if major == OK else re.sub(r"^.*resultminor", "", minor)[:200]


def _authenticated(data: Any) -> Body:
    kind = "" if data is None else data.get(TYPE, "").rpartition(":")[2]
    if kind == "EAC1OutputType":
        return Eac1Output(
            chat=_field(data, "CertificateHolderAuthorizationTemplate"),
            authorities=tuple(one.text or "" for one in data.findall(f"{TECH}CertificationAuthorityReference")),
            card_access=_field(data, "EFCardAccess"),
            chip_id=_field(data, "IDPICC"),
            challenge=_field(data, "Challenge"),
        )
    if kind == "EAC2OutputType":
        return Eac2Output(
            card_security=_field(data, "EFCardSecurity"),
            token=_field(data, "AuthenticationToken"),
            nonce=_field(data, "Nonce"),
        )
    raise MessageError(why="unknown protocol data")


def _text(element: Any, path: str, most: int) -> str:
    found: str = element.findtext(path, "")
    if not 1 <= len(found) <= most:
        raise MessageError(why=f"{path.rpartition('}')[2]} missing or too long")
    return found


def _field(element: Any, name: str) -> bytes:
    return _bytes(_text(element, f"{TECH}{name}", MOST_BYTES))


def _bytes(text: str) -> bytes:
    if not _HEX.fullmatch(text):
        raise MessageError(why="not hexadecimal")
    return bytes.fromhex(text)


def envelope(body: str, *, message_id: str, relates_to: str) -> bytes:
    """A message to the client, which it wants to be an answer to its own."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header '
        'xmlns:wsa="http://www.w3.org/2005/03/addressing">'
        f"<wsa:RelatesTo>{escape(relates_to)}</wsa:RelatesTo><wsa:MessageID>{escape(message_id)}</wsa:MessageID>"
        f"</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def initialize_framework() -> str:
    return '<InitializeFramework xmlns="http://www.bsi.bund.de/ecard/api/1.1"/>'


def eac1_input(
    slot: str, *, certificates: Iterable[bytes], description: bytes, required: bytes, optional: bytes, auxiliary: bytes,
    transaction: str,
) -> str:  # fmt: skip
    """The certificates of the terminal and what it asks for: objects 7F4C and 67."""
    return _did_authenticate(
        slot,
        "EAC1InputType",
        *(("Certificate", one) for one in certificates),
        ("CertificateDescription", description),
        ("RequiredCHAT", required),
        ("OptionalCHAT", optional),
        *([("AuthenticatedAuxiliaryData", auxiliary)] if auxiliary else []),
        *([("TransactionInfo", transaction)] if transaction else []),
    )


def eac2_input(slot: str, *, public_key: bytes, signature: bytes) -> str:
    return _did_authenticate(slot, "EAC2InputType", ("EphemeralPublicKey", public_key), ("Signature", signature))


def _did_authenticate(slot: str, kind: str, *parts: tuple[str, bytes | str]) -> str:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    inner = "".join(
        f"<{name}>{value.hex() if isinstance(value, bytes) else escape(value)}</{name}>" for name, value in parts
    )
    return (
        f'<DIDAuthenticate xmlns="urn:iso:std:iso-iec:24727:tech:schema">'
        f'<ConnectionHandle {xsi} xsi:type="ConnectionHandle"><SlotHandle>{escape(slot)}</SlotHandle>'
        f"</ConnectionHandle><DIDName>PIN</DIDName>"
        f'<AuthenticationProtocolData Protocol="{EAC}" {xsi} xsi:type="{kind}">{inner}</AuthenticationProtocolData>'
        f"</DIDAuthenticate>"
    )


def transmit(slot: str, commands: Iterable[bytes]) -> str:
    inner = "".join(f"<InputAPDUInfo><InputAPDU>{one.hex().upper()}</InputAPDU></InputAPDUInfo>" for one in commands)
    return (
        f'<Transmit xmlns="urn:iso:std:iso-iec:24727:tech:schema"><SlotHandle>{escape(slot)}</SlotHandle>'
        f"{inner}</Transmit>"
    )


def paos_response(*, is_ok: bool) -> str:
    """StartPAOSResponse: the end."""
    result = f"<ResultMajor>{OK}</ResultMajor>" if is_ok else (
        "<ResultMajor>http://www.bsi.bund.de/ecard/api/1.1/resultmajor#error</ResultMajor>"
        "<ResultMinor>http://www.bsi.bund.de/ecard/api/1.1/resultminor/al/common#internalError</ResultMinor>"
    )  # fmt: skip
    return (
        '<StartPAOSResponse Profile="http://www.bsi.bund.de/ecard/api/1.1" '
        'xmlns="urn:iso:std:iso-iec:24727:tech:schema">'
        f'<Result xmlns="urn:oasis:names:tc:dss:1.0:core:schema">{result}</Result></StartPAOSResponse>'
    )


def tc_token(*, server: str, session: str, refresh: str, error: str) -> bytes:
    """Where the client finds the server (TR-03124-1 §2.6.6). Without a PSK element: attached."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><TCTokenType>'
        f"<ServerAddress>{escape(server)}</ServerAddress><SessionIdentifier>{escape(session)}</SessionIdentifier>"
        f"<RefreshAddress>{escape(refresh)}</RefreshAddress>"
        f"<CommunicationErrorAddress>{escape(error)}</CommunicationErrorAddress>"
        "<Binding>urn:liberty:paos:2006-08</Binding></TCTokenType>"
    ).encode()
