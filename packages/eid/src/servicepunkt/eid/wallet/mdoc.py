"""The PID as mdoc: a DeviceResponse with what the issuer and the device signed (ISO/IEC 18013-5 §8.3, §9.1). Pure.

Needs the extra `[wallet]`. The session is OpenID4VP's (appendix B.2.6): who asked, with which nonce, for which key of
the answer, to be sent where. What a device signs of its own (DeviceNameSpaces) is refused: nobody vouches for it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Masked
from servicepunkt.eid.wallet import cbor, cose
from servicepunkt.eid.wallet.errors import (
    AlgorithmError,
    AnswerError,
    BindingError,
    DigestError,
    OutdatedError,
    SignatureError,
)
from servicepunkt.eid.wallet.status import StatusReference
from servicepunkt.eid.wallet.trust import DOCUMENT_SIGNERS, TrustAnchors, is_within

FORMAT = "mso_mdoc"
WHAT = "mdoc"
HASHES: Mapping[str, str] = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
LEEWAY = timedelta(seconds=60)
MOST_ITEMS = 256
LEAST_RANDOM = 16


class IssuerSigned(msgspec.Struct, frozen=True):
    """What the issuer signed: `claims` by name space and name, and the key of the device that may show them."""

    doctype: str
    claims: dict[str, dict[str, Any]]
    device_key: ec.EllipticCurvePublicKey
    valid_from: datetime
    until: datetime
    status: StatusReference | None

    def __repr__(self) -> str:
        return f"IssuerSigned({self.doctype!r})"


class VerifiedMdoc(Masked, frozen=True, kw_only=True):
    """What was shown and verified. `claims`: by name space and name."""

    doctype: str
    claims: dict[str, dict[str, Any]]
    until: datetime
    status: StatusReference | None


def session_transcript(client_id: str, nonce: str, thumbprint: bytes | None, response_uri: str) -> bytes:
    """SessionTranscript of OpenID4VP by redirect (appendix B.2.6.1).

    `thumbprint`: of the JWK for which the answer is encrypted (RFC 7638, SHA-256); None when it is not encrypted.
    """
    info = cbor.dumps([client_id, nonce, thumbprint, response_uri])
    return cbor.dumps([None, None, ["OpenID4VPHandover", hashlib.sha256(info).digest()]])


def verify(
    data: bytes,
    *,
    anchors: TrustAnchors,
    doctype: str,
    transcript: bytes,
    now: datetime,
    reader_key: ec.EllipticCurvePrivateKey | None = None,
) -> VerifiedMdoc:
    """A DeviceResponse with one document of this type, signed by its device for this session.

    `reader_key`: with which a device agrees on a key for a code in place of a signature (§9.1.3.5); without it codes
    are refused. Raises MalformedError, AnswerError, AlgorithmError, UntrustedError, SignatureError, OutdatedError,
    DigestError, BindingError. Whether it was revoked is still to be asked: `status`.
    """
    document = _document(data)
    if document.get("docType") != doctype:
        raise AnswerError(what="doctype")
    issued = verify_issuer(_map(document.get("issuerSigned")), anchors=anchors, now=now)
    if issued.doctype != doctype:
        raise AnswerError(what="doctype")
    verify_device(_map(document.get("deviceSigned")), issued, transcript=transcript, reader_key=reader_key)
    return VerifiedMdoc(doctype=doctype, claims=issued.claims, until=issued.until, status=issued.status)


def _document(data: bytes) -> Mapping[Any, Any]:
    response = _map(cbor.loads(data, WHAT))
    if response.get("version") != "1.0" or response.get("status") != 0 or "documentErrors" in response:
        raise MalformedError(what=WHAT, why="no answer of version 1.0 without errors")
    documents = response.get("documents")
    if not isinstance(documents, list) or len(documents) != 1:
        raise MalformedError(what=WHAT, why="not one document")
    return _map(documents[0])


def verify_issuer(signed: Mapping[Any, Any], *, anchors: TrustAnchors, now: datetime) -> IssuerSigned:
    """What the issuer signed, and that each item that is shown is part of it (§9.1.2, §9.3.1).

    Raises MalformedError, AlgorithmError, UntrustedError, SignatureError, OutdatedError, DigestError.
    """
    auth = cose.take_apart(signed.get("issuerAuth"), WHAT)
    if auth.payload is None:
        raise MalformedError(what=WHAT, why="no security object")
    chain = cose.chain(auth, WHAT)
    key = anchors.issuer_key(chain, now=now, use="pid", purposes=DOCUMENT_SIGNERS)
    cose.verify(auth, key, auth.payload, WHAT)
    wrapped = cbor.loads(auth.payload, WHAT)
    if not isinstance(wrapped, cbor.Encoded):
        raise MalformedError(what=WHAT, why="no security object")
    security = _map(cbor.loads(wrapped.data, WHAT))
    if security.get("version") != "1.0":
        raise MalformedError(what=WHAT, why="a security object of another version")
    made, begins, until = _validity(_map(security.get("validityInfo")), now)
    if not is_within(made, chain[0], LEEWAY):
        raise OutdatedError(what="certificate")
    doctype = security.get("docType")
    if not isinstance(doctype, str):
        raise MalformedError(what=WHAT, why="no type")
    return IssuerSigned(
        doctype=doctype,
        claims=_items(_map(signed.get("nameSpaces", {})), security),
        device_key=cose.public_key(_map(security.get("deviceKeyInfo")).get("deviceKey"), "device key"),
        valid_from=begins,
        until=until,
        status=StatusReference.of_claims(security.get("status")),
    )


def _validity(info: Mapping[Any, Any], now: datetime) -> tuple[datetime, datetime, datetime]:
    signed, begins, until = (info.get(name) for name in ("signed", "validFrom", "validUntil"))
    if not (isinstance(signed, datetime) and isinstance(begins, datetime) and isinstance(until, datetime)):
        raise MalformedError(what=WHAT, why="no times")
    if not signed <= begins < until:
        raise MalformedError(what=WHAT, why="times in another order")
    if not begins - LEEWAY <= now < until + LEEWAY:
        raise OutdatedError(what=WHAT)
    return signed, begins, until


def _items(spaces: Mapping[Any, Any], security: Mapping[Any, Any]) -> dict[str, dict[str, Any]]:
    algorithm = HASHES.get(str(security.get("digestAlgorithm")))
    if algorithm is None:
        raise AlgorithmError(what="digests")
    digests = _map(security.get("valueDigests"))
    found: dict[str, dict[str, Any]] = {}
    for space, items in spaces.items():
        if not isinstance(space, str) or not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
            raise MalformedError(what=WHAT, why="no items")
        found[space] = _space(items, _map(digests.get(space)), algorithm)
    return found


def _space(items: list[Any], digests: Mapping[Any, Any], algorithm: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if not isinstance(item, cbor.Encoded):
            raise MalformedError(what=WHAT, why="no item")
        number, name, value = _item(item)
        expected = digests.get(number)
        actual = hashlib.new(algorithm, bytes(item)).digest()
        if not isinstance(expected, bytes) or not hmac.compare_digest(expected, actual):
            raise DigestError(what="a claim that the issuer did not sign")
        if name in found:
            raise DigestError(what="a claim that is there twice")
        found[name] = value
    return found


def _item(item: cbor.Encoded) -> tuple[int, str, Any]:
    """IssuerSignedItem: digestID, random, elementIdentifier, elementValue (§8.3.2.1.2.2)."""
    match cbor.loads(item.data, WHAT):
        case {"digestID": int(number), "random": bytes(random), "elementIdentifier": str(name), "elementValue": value}:
            if len(random) >= LEAST_RANDOM and not isinstance(number, bool):
                return number, name, value
    raise MalformedError(what=WHAT, why="no item")


def verify_device(
    signed: Mapping[Any, Any],
    issued: IssuerSigned,
    *,
    transcript: bytes,
    reader_key: ec.EllipticCurvePrivateKey | None = None,
) -> None:
    """That the device with the issuer's key for it answered in this session (§9.1.3).

    Raises MalformedError, AlgorithmError, BindingError.
    """
    spaces = signed.get("nameSpaces")
    if not isinstance(spaces, cbor.Encoded) or cbor.loads(spaces.data, WHAT) != {}:
        raise MalformedError(what=WHAT, why="claims that the device made itself")
    # Put together from its parts: a transcript is not written anew, so that it stays as both sides know it.
    parts = cbor.dumps("DeviceAuthentication"), transcript, cbor.dumps(issued.doctype), bytes(spaces)
    content = cbor.encoded(b"\x84" + b"".join(parts))
    auth = _map(signed.get("deviceAuth"))
    if len(auth) != 1:
        raise MalformedError(what=WHAT, why="not one proof of the device")
    [(kind, value)] = auth.items()
    proof = cose.take_apart(value, WHAT)
    if proof.payload is not None:
        raise MalformedError(what=WHAT, why="a proof over something else")
    try:
        if kind == "deviceSignature":
            cose.verify(proof, issued.device_key, content, "device")
        elif kind == "deviceMac":
            cose.verify_mac(proof, mac_key(reader_key, issued.device_key, transcript), content, "device")
        else:
            raise MalformedError(what=WHAT, why="no proof of the device")
    except SignatureError:
        raise BindingError(what="device") from None


def mac_key(
    reader_key: ec.EllipticCurvePrivateKey | None, device_key: ec.EllipticCurvePublicKey, transcript: bytes
) -> bytes:
    """EMacKey (§9.1.3.5). Raises AlgorithmError without a key of the same curve."""
    if reader_key is None or reader_key.curve.name != device_key.curve.name:
        raise AlgorithmError(what="device")
    salt = hashlib.sha256(cbor.encoded(transcript)).digest()
    return HKDF(hashes.SHA256(), 32, salt, b"EMacKey").derive(reader_key.exchange(ec.ECDH(), device_key))


def _map(value: object) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise MalformedError(what=WHAT, why="no map")
    return value
