"""Passive authentication: the maker of the card has signed its keys (EF.CardSecurity, TR-03110-3 §A.1.2.5).

EF.CardSecurity is CMS SignedData (RFC 5652) with one signer, whose certificate lies within and is signed by a country
signing authority (CSCA) that is trusted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from servicepunkt.eid.errors import CertificateError, CryptoError, MalformedError
from servicepunkt.eid.tlv import Tlv, find, need, only, parse, tlv

SEQUENCE, SET, OID, OCTETS = 0x30, 0x31, 0x06, 0x04
SIGNED_DATA = bytes.fromhex("2A864886F70D010702")
SECURITY_OBJECT = bytes.fromhex("04007F0007030201")
CONTENT_TYPE, MESSAGE_DIGEST = bytes.fromhex("2A864886F70D010903"), bytes.fromhex("2A864886F70D010904")
HASHES: Mapping[bytes, Callable[[], hashes.HashAlgorithm]] = {
    bytes.fromhex("608648016503040201"): hashes.SHA256,
    bytes.fromhex("608648016503040202"): hashes.SHA384,
    bytes.fromhex("608648016503040203"): hashes.SHA512,
}


class _Signer(msgspec.Struct, frozen=True):
    digest: hashes.HashAlgorithm
    attributes: bytes
    signature: bytes


def verified(card_security: bytes, trusted: Sequence[x509.Certificate], at: datetime) -> bytes:
    """The SecurityInfos within EF.CardSecurity, whose signature leads to one of `trusted`.

    Raises MalformedError, CryptoError for a signature, CertificateError for a chain that does not hold at `at`.
    """
    content, certificates, signer = _read(card_security)
    for certificate in certificates:
        if _signed(certificate, signer):
            _check_chain(certificate, trusted, at)
            return content
    raise CryptoError(what="EF.CardSecurity", why="no certificate within fits its signature")


def _read(data: bytes) -> tuple[bytes, list[x509.Certificate], _Signer]:
    """(what was signed, certificates, the signer). Raises MalformedError, and CryptoError for a changed content."""
    outer = parse(only(data, SEQUENCE))
    if len(outer) != 2 or outer[0].value != SIGNED_DATA:
        raise MalformedError(what="EF.CardSecurity", why="not SignedData")
    parts = parse(only(outer[1].value, SEQUENCE))
    encapsulated = next((part.value for part in parts if part.tag == SEQUENCE), b"")
    if need(encapsulated, OID) != SECURITY_OBJECT:
        raise MalformedError(what="EF.CardSecurity", why="other content")
    content = only(need(encapsulated, 0xA0), OCTETS)
    certificates = [_certificate(one) for part in parts if part.tag == 0xA0 for one in parse(part.value)]
    signers = parse(parts[-1].value) if parts[-1].tag == SET else ()
    if len(signers) != 1:
        raise MalformedError(what="EF.CardSecurity", why="not one signer")
    return content, certificates, _signer(signers[0], content)


def _certificate(one: Tlv) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(bytes(one))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedError(what="certificate", why="cannot be read") from error


def _signer(info: Tlv, content: bytes) -> _Signer:
    """version, sid, digestAlgorithm, [0] signedAttrs, signatureAlgorithm, signature."""
    parts = parse(info.value)
    if [part.tag for part in parts[3:6]] != [0xA0, SEQUENCE, OCTETS] or parts[2].tag != SEQUENCE:
        raise MalformedError(what="EF.CardSecurity", why="another form of SignerInfo")
    algorithm = HASHES.get(need(parts[2].value, OID))
    if algorithm is None:
        raise MalformedError(what="EF.CardSecurity", why="another digest")
    attributes = {need(one.value, OID): find(one.value, SET) for one in parse(parts[3].value)}
    if attributes.get(CONTENT_TYPE) != tlv(OID, SECURITY_OBJECT):
        raise MalformedError(what="EF.CardSecurity", why="signed as other content")
    digest = hashlib.new(algorithm().name, content).digest()
    if attributes.get(MESSAGE_DIGEST) != tlv(OCTETS, digest):
        raise CryptoError(what="EF.CardSecurity", why="the content was changed")
    # What is signed is the SET itself, and not the tag with which it stands here (RFC 5652 §5.4).
    return _Signer(algorithm(), tlv(SET, parts[3].value), parts[5].value)


def _signed(certificate: x509.Certificate, signer: _Signer) -> bool:
    try:
        match certificate.public_key():
            case ec.EllipticCurvePublicKey() as key:
                key.verify(signer.signature, signer.attributes, ec.ECDSA(signer.digest))
            case rsa.RSAPublicKey() as key:
                key.verify(signer.signature, signer.attributes, padding.PKCS1v15(), signer.digest)
            case _:
                return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _check_chain(certificate: x509.Certificate, trusted: Sequence[x509.Certificate], at: datetime) -> None:
    for authority in trusted:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        for one in (certificate, authority):
            if not one.not_valid_before_utc <= at <= one.not_valid_after_utc:
                raise CertificateError(what="document signer", why="not valid on this day")
        return
    raise CertificateError(what="document signer", why="of no authority that is trusted")
