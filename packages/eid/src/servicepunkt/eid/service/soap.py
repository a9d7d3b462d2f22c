"""Messages of an eID service as XML, signed both ways (SOAP 1.1, WS-Security with X.509, TR-03130-1 §4).

XML is read without entities, without network and up to a limit; what is believed is only what the signature covers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import InvalidInput, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from servicepunkt.eid.errors import CryptoError, MalformedError
from servicepunkt.eid.model import Answers, Attributes, Level, PartialDate, Place
from servicepunkt.eid.service.model import LEVELS, MAJOR, OPERATIONS, Result, Session, UseId, refusal

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
EID = "http://bsi.bund.de/eID/"
DSS = "urn:oasis:names:tc:dss:1.0:core:schema"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE, WSU = f"{_WSS}wssecurity-secext-1.0.xsd", f"{_WSS}wssecurity-utility-1.0.xsd"
X509 = f"{_WSS}x509-token-profile-1.0#X509v3"
BASE64 = f"{_WSS}soap-message-security-1.0#Base64Binary"
NAMES = {"s": SOAP, "eid": EID, "dss": DSS, "wsse": WSSE, "wsu": WSU, "ds": "http://www.w3.org/2000/09/xmldsig#"}
MOST_BYTES = 1_048_576
MOST_LETTERS = 4_000
#: How long a message is good, and how far clocks may differ.
FRESH, SKEW = timedelta(minutes=5), timedelta(minutes=2)
_ID = f"{{{WSU}}}Id"
_ALGORITHMS = frozenset([
    SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512, SignatureMethod.ECDSA_SHA256,
    SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512, SignatureMethod.SHA256_RSA_MGF1,
])  # fmt: skip
_DIGESTS = frozenset([DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512])
#: Operations that are compared, and no datum.
COMPARED = ("AgeVerification", "PlaceVerification")


class Signer(msgspec.Struct, frozen=True):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


# --- what we say ------------------------------------------------------------------------------------------------------


def use_id(wanted: UseId) -> etree._Element:
    request = etree.Element(_eid("useIDRequest"), nsmap={"eid": EID})
    operations = _child(request, "UseOperations")
    for name in OPERATIONS:
        _child(operations, name, wanted.operations.get(name, "PROHIBITED"))
    if wanted.age is not None:
        _child(_child(request, "AgeVerificationRequest"), "Age", str(wanted.age))
    if wanted.community:
        _child(_child(request, "PlaceVerificationRequest"), "CommunityID", wanted.community)
    if wanted.transaction:
        _child(request, "TransactionInfo", wanted.transaction)
    if wanted.level:
        _child(request, "LevelOfAssuranceRequest", next(uri for uri, level in LEVELS.items() if level == wanted.level))
    return request


def get_result(session: str, counter: int) -> etree._Element:
    request = etree.Element(_eid("getResultRequest"), nsmap={"eid": EID})
    _child(_child(request, "Session"), "ID", session)
    _child(request, "RequestCounter", str(counter))
    return request


def signed(message: etree._Element, signer: Signer, at: datetime) -> bytes:
    """The envelope around a message, with a time stamp, both signed."""
    envelope = etree.Element(_name(SOAP, "Envelope"), nsmap={"s": SOAP, "wsu": WSU})
    security = etree.SubElement(etree.SubElement(envelope, _name(SOAP, "Header")), _name(WSSE, "Security"),
                                {_name(SOAP, "mustUnderstand"): "1"}, nsmap={"wsse": WSSE})  # fmt: skip
    token = etree.SubElement(security, _name(WSSE, "BinarySecurityToken"),
                             {_ID: "certificate", "ValueType": X509, "EncodingType": BASE64})  # fmt: skip
    token.text = base64.b64encode(signer.certificate.public_bytes(Encoding.DER)).decode()
    stamp = etree.SubElement(security, _name(WSU, "Timestamp"), {_ID: "time"})
    for name, moment in (("Created", at), ("Expires", at + FRESH)):
        etree.SubElement(stamp, _name(WSU, name)).text = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    body = etree.SubElement(envelope, _name(SOAP, "Body"), {_ID: "body"})
    body.append(message)
    is_rsa = isinstance(signer.key, rsa.RSAPrivateKey)
    made = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256 if is_rsa else SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    ).sign(
        envelope,
        key=signer.key,
        cert=[signer.certificate],
        reference_uri=["#body", "#time"],
        id_attribute="Id",
        key_info=_key_info(),
    )
    security.append(made)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + etree.tostring(envelope)


def _key_info() -> etree._Element:
    info = etree.Element(_name(NAMES["ds"], "KeyInfo"))
    reference = etree.SubElement(info, _name(WSSE, "SecurityTokenReference"))
    etree.SubElement(reference, _name(WSSE, "Reference"), {"URI": "#certificate", "ValueType": X509})
    return info


# --- what is said to us -----------------------------------------------------------------------------------------------


def parse(data: bytes) -> etree._Element:
    """An envelope. Raises MalformedError."""
    if len(data) > MOST_BYTES:
        raise MalformedError(what="SOAP", why="too long")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MalformedError(what="SOAP", why="no XML") from error
    information: Any = root.getroottree().docinfo
    if information.doctype or root.tag != _name(SOAP, "Envelope"):
        raise MalformedError(what="SOAP", why="no envelope")
    return root


def verified(data: bytes, trusted: x509.Certificate, at: datetime) -> etree._Element:
    """The message within a signed envelope: what the signature covers, and nothing beside it.

    Raises MalformedError, CryptoError for a signature of somebody else, and for one that is too old.
    """
    root = parse(data)
    config = SignatureConfiguration(
        expect_references=2,
        signature_methods=_ALGORITHMS,
        digest_algorithms=_DIGESTS,
        location=f"./{_name(SOAP, 'Header')}/{_name(WSSE, 'Security')}/",
        ignore_ambiguous_key_info=True,
    )
    found = _covered(root, trusted, config)
    bodies = [one for one in found if one.tag == _name(SOAP, "Body")]
    stamps = [one for one in found if one.tag == _name(WSU, "Timestamp")]
    if len(bodies) != 1 or len(stamps) != 1 or len(bodies[0]) != 1:
        raise CryptoError(what="SOAP", why="other parts are signed")
    _check_time(stamps[0], at)
    message: etree._Element = bodies[0][0]
    return message


def _covered(root: etree._Element, trusted: x509.Certificate, config: SignatureConfiguration) -> list[etree._Element]:
    """The elements that are signed, as the library saw them. The certificate is the one that we know, whichever is
    sent along."""
    signatures = root.findall("./s:Header/wsse:Security/ds:Signature", NAMES)
    if len(signatures) != 1:
        raise CryptoError(what="SOAP", why="not one signature")
    try:
        results: Any = XMLVerifier().verify(root, x509_cert=trusted, id_attribute="Id", expect_config=config)
    except (SignXMLException, InvalidInput, ValueError, etree.LxmlError) as error:
        raise CryptoError(what="SOAP", why="the signature does not fit") from error
    return [one.signed_xml for one in results if one.signed_xml is not None]


def _check_time(stamp: etree._Element, at: datetime) -> None:
    created, expires = (_moment(stamp.findtext(f"wsu:{name}", "", NAMES)) for name in ("Created", "Expires"))
    if not created - SKEW <= at <= expires + SKEW or expires - created > timedelta(hours=1):
        raise CryptoError(what="SOAP", why="the message is not of now")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedError(what="SOAP", why="no moment") from error
    if found.tzinfo is None:
        raise MalformedError(what="SOAP", why="a moment without a zone")
    return found


def opened(message: etree._Element) -> Session:
    """The answer to useID. Raises MalformedError, ServiceError."""
    _check_result(message, "useIDResponse")
    return Session(
        id=_text(message, "eid:Session/eid:ID", required=True),
        psk_id=_text(message, "eid:PSK/eid:ID"),
        psk=_hex(_text(message, "eid:PSK/eid:Key")),
    )


def result(message: etree._Element) -> Result:
    """The answer to getResult. Raises MalformedError, ServiceError: NotYetError while the person is at it."""
    _check_result(message, "getResultResponse")
    allowed: dict[str, Any] = {}
    for one in message.iterfind("eid:OperationsAllowedByUser/*", NAMES):
        name, said = etree.QName(one).localname, (one.text or "").strip()
        if name in OPERATIONS and said in ("ALLOWED", "PROHIBITED", "NOTONCHIP"):
            allowed[name] = said
    level = _text(message, "eid:LevelOfAssuranceResult")
    if level and level not in LEVELS:
        raise MalformedError(what="getResult", why="a level that is not known")
    return Result(
        attributes=Attributes(**dict(_attributes(message))),
        answers=Answers(old_enough=_answer(message, "FulfilsAgeVerification"),
                        lives_there=_answer(message, "FulfilsPlaceVerification")),
        allowed=allowed,
        level=LEVELS.get(level, Level.NONE),
    )  # fmt: skip


def _check_result(message: etree._Element, name: str) -> None:
    major = _text(message, "dss:Result/dss:ResultMajor") or _text(message, "eid:Result/dss:ResultMajor")
    if message.tag != _eid(name) or not major:
        raise MalformedError(what="SOAP", why=f"no {name}")
    if major != f"{MAJOR}ok":
        minor = _text(message, "dss:Result/dss:ResultMinor") or _text(message, "eid:Result/dss:ResultMinor")
        raise refusal(major, minor)


def _attributes(message: etree._Element) -> Iterator[tuple[str, Any]]:
    for name, attribute in OPERATIONS.items():
        found = message.findall(f"eid:PersonalData/eid:{name}", NAMES)
        if len(found) > 1:
            raise MalformedError(what="getResult", why=f"{name} twice")
        if found and attribute:
            yield attribute, READ.get(name, _plain)(found[0])


def _plain(element: etree._Element) -> str:
    text = element.text or ""
    if len(element) or len(text) > MOST_LETTERS:
        raise MalformedError(what="getResult", why="no plain text")
    return text.strip()


def _date(element: etree._Element) -> PartialDate:
    """DateString has eight places, with spaces for what is unknown."""
    return PartialDate.parse(element.findtext("eid:DateString", "", NAMES))


def _day(element: etree._Element) -> date:
    try:
        return date.fromisoformat(_plain(element)[:10])
    except ValueError as error:
        raise MalformedError(what="getResult", why="no day") from error


def _place(element: etree._Element) -> Place:
    for name in ("FreetextPlace", "NoPlaceInfo"):
        if (free := element.find(f"eid:{name}", NAMES)) is not None:
            return Place(free=_plain(free))
    fields = {"Street": "street", "City": "city", "State": "state", "Country": "country", "ZipCode": "zip_code"}
    found = element.find("eid:StructuredPlace", NAMES)
    if found is None:
        raise MalformedError(what="getResult", why="no place")
    return Place(**{field: _text(found, f"eid:{name}") for name, field in fields.items()})


def _pseudonym(element: etree._Element) -> bytes:
    return _hex(_text(element, "eid:ID", required=True))


READ: Mapping[str, Callable[[etree._Element], Any]] = {
    "DateOfExpiry": _day,
    "DateOfBirth": _date,
    "PlaceOfBirth": _place,
    "PlaceOfResidence": _place,
    "RestrictedID": _pseudonym,
}


def _answer(message: etree._Element, name: str) -> bool | None:
    said = _text(message, f"eid:{name}/eid:FulfilsRequest")
    if said not in ("", "true", "false", "1", "0"):
        raise MalformedError(what="getResult", why="neither yes nor no")
    return None if not said else said in ("true", "1")


def _text(element: etree._Element, path: str, *, required: bool = False) -> str:
    found = element.findall(path, NAMES)
    if len(found) > 1 or (required and not found):
        raise MalformedError(what="SOAP", why=f"not one {path.rpartition(':')[2]}")
    return _plain(found[0]) if found else ""


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError as error:
        raise MalformedError(what="SOAP", why="no hexadecimal digits") from error


def _child(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    made = etree.SubElement(parent, _eid(name))
    made.text = text
    return made


def _eid(name: str) -> str:
    return _name(EID, name)


def _name(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}"
