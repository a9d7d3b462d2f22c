"""Signatures and authentication codes over CBOR: COSE_Sign1, COSE_Mac0, COSE_Key (RFC 9052, 9053, 9360). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import cbor, jose
from servicepunkt.eid.wallet.errors import AlgorithmError, SignatureError
from servicepunkt.eid.wallet.trust import TrustAnchors

ALG, CRIT, TYP, X5CHAIN = 1, 2, 16, 33
HMAC_256 = 5
#: Names of curves that go with an algorithm: NIST's, and the German ones that ISO/IEC 18013-5 table 22 allows.
_SMALL, _MIDDLE, _LARGE = (
    ("secp256r1", "brainpoolP256r1"),
    ("secp384r1", "brainpoolP384r1"),
    ("secp521r1", "brainpoolP512r1"),
)
#: The algorithm's number → curves and hash: ES256 to ES512, and the same with a fixed curve (RFC 9864).
ALGORITHMS: Mapping[int, tuple[tuple[str, ...], hashes.HashAlgorithm]] = {
    -7: (_SMALL, hashes.SHA256()),
    -35: (_MIDDLE, hashes.SHA384()),
    -36: (_LARGE, hashes.SHA512()),
    -9: (_SMALL[:1], hashes.SHA256()),
    -51: (_MIDDLE[:1], hashes.SHA384()),
    -52: (_LARGE[:1], hashes.SHA512()),
}
#: The number of a curve in a COSE_Key.
CURVES: Mapping[int, ec.EllipticCurve] = {
    1: ec.SECP256R1(),
    2: ec.SECP384R1(),
    3: ec.SECP521R1(),
    256: ec.BrainpoolP256R1(),
    258: ec.BrainpoolP384R1(),
    259: ec.BrainpoolP512R1(),
}
STATUS_TYPE = "application/statuslist+cwt"


class Signed(msgspec.Struct, frozen=True):
    """A COSE_Sign1 or COSE_Mac0 that was taken apart. `payload` is None where it is detached."""

    protected: bytes
    header: dict[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes

    def __repr__(self) -> str:
        return f"Signed(alg={self.header.get(ALG)!r})"


def take_apart(value: object, what: str) -> Signed:
    """From the array of four (RFC 9052 §4.2, §6.2). Raises MalformedError."""
    match value:
        case [bytes(protected), Mapping() as unprotected, (bytes() | None) as payload, bytes(signature)]:
            header = cbor.loads(protected, what)
        case _:
            raise MalformedError(what=what, why="no signed object")
    if not isinstance(header, dict) or CRIT in header or ALG in unprotected:
        raise MalformedError(what=what, why="a header that is not understood")
    return Signed(protected, header, unprotected, payload, signature)


def verify(signed: Signed, key: ec.EllipticCurvePublicKey, payload: bytes, what: str) -> None:
    """A COSE_Sign1 over this payload. Raises SignatureError; AlgorithmError for an unknown one, or another curve."""
    curves, digest = _algorithm(signed, what)
    if key.curve.name not in curves:
        raise AlgorithmError(what=what)
    jose.verify_raw(key, signed.signature, _structure("Signature1", signed, payload), digest, what)


def verify_mac(signed: Signed, key: bytes, payload: bytes, what: str) -> None:
    """A COSE_Mac0 with HMAC 256/256. Raises SignatureError, AlgorithmError."""
    if signed.header.get(ALG) != HMAC_256:
        raise AlgorithmError(what=what)
    code = hmac.HMAC(key, hashes.SHA256())
    code.update(_structure("MAC0", signed, payload))
    try:
        code.verify(signed.signature)
    except InvalidSignature:
        raise SignatureError(what=what) from None


def _algorithm(signed: Signed, what: str) -> tuple[tuple[str, ...], hashes.HashAlgorithm]:
    number = signed.header.get(ALG)
    if isinstance(number, bool) or not isinstance(number, int) or number not in ALGORITHMS:
        raise AlgorithmError(what=what)
    return ALGORITHMS[number]


def _structure(context: str, signed: Signed, payload: bytes) -> bytes:
    return cbor.dumps([context, signed.protected, b"", payload])


def chain(signed: Signed, what: str) -> tuple[x509.Certificate, ...]:
    """The certificates of the signer, his own first (RFC 9360). Raises MalformedError."""
    found = signed.unprotected.get(X5CHAIN, signed.header.get(X5CHAIN))
    listed = found if isinstance(found, list | tuple) else [found]
    if not 1 <= len(listed) <= jose.MOST_CERTIFICATES:
        raise MalformedError(what=what, why="no certificates, or too many")
    return tuple(jose.certificate(one, what) for one in listed)


def public_key(value: object, what: str) -> ec.EllipticCurvePublicKey:
    """The key in a COSE_Key with two coordinates (RFC 9053 §7.1.1). Raises MalformedError."""
    if not isinstance(value, Mapping) or value.get(1) != 2 or -4 in value:
        raise MalformedError(what=what, why="no public key of an elliptic curve")
    number, x, y = (value.get(label) for label in (-1, -2, -3))
    curve = CURVES.get(number) if isinstance(number, int) else None
    if curve is None or not isinstance(x, bytes) or not isinstance(y, bytes):
        raise MalformedError(what=what, why="no public key of a known curve")
    if not len(x) == len(y) == (curve.key_size + 7) // 8:
        raise MalformedError(what=what, why="a coordinate of another length")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    except ValueError:
        raise MalformedError(what=what, why="not on its curve") from None


def status_claims(data: bytes, anchors: TrustAnchors, now: datetime) -> dict[str, Any]:
    """The claims of a status list in CBOR, verified, under the names that they have in JSON.

    Raises MalformedError, AlgorithmError, UntrustedError, OutdatedError, SignatureError.
    """
    what = "status list"
    signed = take_apart(cbor.loads(data, what, len(data)), what)
    if signed.header.get(TYP) != STATUS_TYPE or signed.payload is None:
        raise MalformedError(what=what, why="another kind of token")
    verify(signed, anchors.issuer_key(chain(signed, what), now=now, use="status"), signed.payload, what)
    claims = cbor.loads(signed.payload, what, len(data))
    if not isinstance(claims, dict):
        raise MalformedError(what=what, why="no claims")
    names = {2: "sub", 4: "exp", 6: "iat", 65534: "ttl", 65533: "status_list"}
    return {name: claims[label] for label, name in names.items() if label in claims}
