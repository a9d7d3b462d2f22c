"""Whom the verifier believes: authorities, their list, and the path from an issuer's certificate to one of them.

An anchor is a certificate with what it is for: "pid" for who issues PIDs, "status" for who says which are revoked.
Paths are checked by what RFC 5280 §6 says of names, signatures, times, basic constraints and key usage; revocation of
certificates (CRL, OCSP) is not looked at. `cryptography.x509.verification` is made for servers and clients of TLS: it
asks for names that issuers of documents do not have.

The list is JSON: `{"issued": 1764000000, "next_update": 1766000000, "anchors": [{"name": "...", "uses": ["pid"],
"certificate": "<DER in base64>"}]}`, local, or as the payload of a token of type `trust-list+jwt`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import OutdatedError, UntrustedError

T = TypeVar("T", bound=x509.ExtensionType)
USES = frozenset({"pid", "status"})
#: Extended key usages of who signs PIDs as mdoc: ISO/IEC 18013-5 §B.1.4, and the one of the EUDI reference issuers.
DOCUMENT_SIGNERS = frozenset({ObjectIdentifier("1.0.18013.5.1.2"), ObjectIdentifier("1.3.130.2.0.0.1.2")})
#: Extensions of which something here takes notice, or that only narrow. Another critical one is refused.
KNOWN = frozenset({
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.CERTIFICATE_POLICIES,
})  # fmt: skip
HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
MOST_ANCHORS = 1_000
LIST_TYPE = "trust-list+jwt"


class Anchor(msgspec.Struct, frozen=True):
    """A certificate that is believed, and for what."""

    certificate: x509.Certificate
    uses: frozenset[str] = USES


class TrustAnchors:
    """The anchors of a deployment. Immutable: a new list makes new ones."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        self._anchors = tuple(anchors)

    def __len__(self) -> int:
        return len(self._anchors)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return tuple(one.certificate for one in self._anchors)

    @classmethod
    def of(cls, *certificates: x509.Certificate) -> Self:
        """These certificates, for everything."""
        return cls(Anchor(one) for one in certificates)

    @classmethod
    def from_files(cls, paths: Iterable[Path], uses: Iterable[str] = USES) -> Self:
        """Certificates in files, PEM (several in one) or DER. Raises MalformedError, OSError."""
        return cls(Anchor(one, frozenset(uses)) for path in paths for one in _certificates(path.read_bytes()))

    @classmethod
    def from_list(cls, data: bytes, *, now: datetime) -> Self:
        """From a list of one's own. Raises MalformedError; OutdatedError when its next update is over."""
        return cls._from_table(jose.read_object(data, "trust list"), now)

    @classmethod
    def from_signed_list(cls, token: str, *, signer: ec.EllipticCurvePublicKey, now: datetime) -> Self:
        """From a list that somebody else keeps. Raises SignatureError and what `from_list` raises."""
        signed = jose.parse(token, typ=(LIST_TYPE,), what="trust list")
        jose.verify(signed, signer, "trust list")
        return cls._from_table(signed.payload, now)

    @classmethod
    def _from_table(cls, table: dict[str, Any], now: datetime) -> Self:
        issued, until = (jose.seconds(table.get(name), "trust list") for name in ("issued", "next_update"))
        if not issued <= now.timestamp() < until:
            raise OutdatedError(what="trust list")
        listed = table.get("anchors")
        if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_ANCHORS:
            raise MalformedError(what="trust list", why="no anchors")
        return cls(_listed(one) for one in listed)

    def issuer_key(
        self,
        chain: Sequence[x509.Certificate],
        *,
        now: datetime,
        use: str,
        purposes: frozenset[ObjectIdentifier] = frozenset(),
    ) -> ec.EllipticCurvePublicKey:
        """The key of the first certificate of a chain, once a path leads from it to an anchor for this use.

        Each certificate of the chain is signed by the next; what stands after the anchor is not looked at. With
        `purposes`, the first one has to name one of these extended key usages. Raises UntrustedError, OutdatedError.
        """
        anchors = [one.certificate for one in self._anchors if use in one.uses]
        leaf = chain[0]
        _check_leaf(leaf, purposes)
        for depth, one in enumerate(chain):
            _check_time(one, now)
            if one in anchors:
                break
            if (above := next((anchor for anchor in anchors if _issued(one, anchor)), None)) is not None:
                _check_time(above, now)
                _check_authority(above, depth)
                break
            if depth + 1 == len(chain) or not _issued(one, chain[depth + 1]):
                raise UntrustedError(why="no path to an authority")
            _check_authority(chain[depth + 1], depth)
        key = leaf.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise UntrustedError(why="no key of an elliptic curve")
        return key


def _certificates(data: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN" not in data:
        return [jose.certificate(data, "trust anchor")]
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise MalformedError(what="trust anchor", why="not PEM") from None


def _listed(entry: object) -> Anchor:
    if not isinstance(entry, dict) or not isinstance(uses := entry.get("uses"), list):
        raise MalformedError(what="trust list", why="an entry without uses")
    if not uses or not all(isinstance(one, str) for one in uses) or not USES.issuperset(uses):
        raise MalformedError(what="trust list", why="an unknown use")
    try:
        der = base64.b64decode(jose.text(entry.get("certificate"), "trust list", 20_000), validate=True)
    except ValueError:
        raise MalformedError(what="trust list", why="not base64") from None
    return Anchor(jose.certificate(der, "trust list"), frozenset(uses))


def _issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    """Whether names and signature fit, and the signature is not made with a hash or key of the past."""
    key = by.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return False
    try:
        if not isinstance(one.signature_hash_algorithm, HASHES):
            return False
        one.verify_directly_issued_by(by)
    except (*jose.UNREADABLE, InvalidSignature):
        return False
    return True


def _check_time(one: x509.Certificate, now: datetime) -> None:
    if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
        raise OutdatedError(what="certificate")


def _check_leaf(leaf: x509.Certificate, purposes: frozenset[ObjectIdentifier]) -> None:
    _check_extensions(leaf)
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise UntrustedError(why="an authority signed for itself")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise UntrustedError(why="a key that is not for signatures")
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes and (extended is None or purposes.isdisjoint(extended)):
        raise UntrustedError(why="a key for something else")


def _check_authority(one: x509.Certificate, below: int) -> None:
    """`below`: how many authorities stand between it and the first certificate."""
    _check_extensions(one)
    constraints, usage = _extension(one, x509.BasicConstraints), _extension(one, x509.KeyUsage)
    if constraints is None or not constraints.ca:
        raise UntrustedError(why="signed by who is no authority")
    if constraints.path_length is not None and constraints.path_length < below:
        raise UntrustedError(why="a path that is too long")
    if usage is not None and not usage.key_cert_sign:
        raise UntrustedError(why="a key that is not for certificates")


def _check_extensions(one: x509.Certificate) -> None:
    for extension in one.extensions:
        if extension.critical and extension.oid not in KNOWN:
            raise UntrustedError(why="a critical extension that is not known")


def _extension(one: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_within(when: datetime, one: x509.Certificate, leeway: timedelta) -> bool:
    """Whether something was signed while the certificate was valid."""
    return one.not_valid_before_utc - leeway <= when <= one.not_valid_after_utc + leeway
