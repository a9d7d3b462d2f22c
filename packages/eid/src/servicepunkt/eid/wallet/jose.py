"""JSON Web Signatures and Keys as far as the wallet's formats use them (RFC 7515, 7517, 7638). Pure.

Read strictly: compact form only, base64url in its one spelling, no name twice in an object, algorithms from a list, and
no header that changes what a token means (`crit`, `b64`, `zip`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet.errors import AlgorithmError, SignatureError

#: A token with a portrait inside stays below; a request object has 4 KiB.
MOST_BYTES = 262_144
#: Certificates in a header, and bytes of one.
MOST_CERTIFICATES = 5
MOST_CERTIFICATE_BYTES = 8_192

#: What `cryptography` raises for a certificate that it cannot read; there is no common base.
UNREADABLE = (
    ValueError, TypeError, UnsupportedAlgorithm,
    x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType,
)  # fmt: skip
_LETTER = "[A-Za-z0-9_-]"
#: Groups of four, then two or three whose last letter leaves no bit over.
_BASE64URL = re.compile(f"(?:{_LETTER}{{4}})*(?:{_LETTER}[AQgw]|{_LETTER}{{2}}[AEIMQUYcgkosw048])?")
CURVES: Mapping[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
#: Algorithm → name of its curve and its hash (RFC 7518 §3.4).
ALGORITHMS: Mapping[str, tuple[str, hashes.HashAlgorithm]] = {
    "ES256": ("P-256", hashes.SHA256()),
    "ES384": ("P-384", hashes.SHA384()),
    "ES512": ("P-521", hashes.SHA512()),
}


class Jws(msgspec.Struct, frozen=True):
    """A signed token that was taken apart and not yet verified."""

    header: dict[str, Any]
    payload: dict[str, Any]
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"Jws(alg={self.header['alg']!r}, typ={self.header.get('typ')!r})"


def encode64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode64(text: str, what: str) -> bytes:
    """The bytes; raises MalformedError for padding, other letters, and bits at the end that say nothing."""
    if not _BASE64URL.fullmatch(text):
        raise MalformedError(what=what, why="not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_json(data: bytes | str, what: str, most: int = MOST_BYTES) -> Any:
    """A JSON value. Raises MalformedError for a name that is twice in an object, what is no number, and deep nests."""
    if len(data) > most:
        raise MalformedError(what=what, why="too long")
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        # The cause would quote what was read.
        why = str(error) if isinstance(error, _TwiceError) else "not JSON"
        raise MalformedError(what=what, why=why) from None


class _TwiceError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError("a name that is there twice")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


_JSON = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def read_object(data: bytes | str, what: str, most: int = MOST_BYTES) -> dict[str, Any]:
    """As `read_json`. Raises MalformedError for what is no object, too."""
    found = read_json(data, what, most)
    if not isinstance(found, dict):
        raise MalformedError(what=what, why="no object")
    return found


def parse(token: str, *, typ: Iterable[str], what: str, most: int = MOST_BYTES) -> Jws:
    """Take a compact token apart. `typ`: what its header may say it is.

    Raises MalformedError; AlgorithmError for an algorithm that is not on the list.
    """
    if len(token) > most:
        raise MalformedError(what=what, why="too long")
    parts = token.split(".")
    if len(parts) != 3:
        raise MalformedError(what=what, why="not three parts")
    header = read_object(decode64(parts[0], what), what)
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise AlgorithmError(what=what)
    if header.get("typ") not in tuple(typ):
        raise MalformedError(what=what, why="another kind of token")
    if changing := {"crit", "b64", "zip"} & header.keys():
        raise MalformedError(what=what, why=f"header {min(changing)}")
    payload = read_object(decode64(parts[1], what), what, most)
    return Jws(header, payload, f"{parts[0]}.{parts[1]}".encode(), decode64(parts[2], what))


def verify(token: Jws, key: object, what: str) -> None:
    """Raises SignatureError; AlgorithmError where the key is not one for the algorithm of the header."""
    curve, digest = ALGORITHMS[token.header["alg"]]
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != CURVES[curve].name:
        raise AlgorithmError(what=what)
    verify_raw(key, token.signature, token.signed, digest, what)


def verify_raw(
    key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes, digest: hashes.HashAlgorithm, what: str
) -> None:
    """An ECDSA signature as r and s in a row (RFC 7518 §3.4, RFC 9053 §2.1). Raises SignatureError."""
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise SignatureError(what=what)
    r, s = (int.from_bytes(part, "big") for part in (signature[:size], signature[size:]))
    try:
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    except InvalidSignature:
        raise SignatureError(what=what) from None


def sign(header: Mapping[str, Any], payload: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """A compact token; the algorithm follows from the key. Raises ValueError for a key of another curve."""
    found = [alg for alg, (curve, _) in ALGORITHMS.items() if CURVES[curve].name == key.curve.name]
    if not found:
        raise ValueError("no key of P-256, P-384 or P-521")
    [alg] = found
    digest = ALGORITHMS[alg][1]
    head, body = (encode64(msgspec.json.encode(part)) for part in ({"alg": alg, **header}, payload))
    r, s = utils.decode_dss_signature(key.sign(f"{head}.{body}".encode(), ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return f"{head}.{body}.{encode64(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"


def public_key(jwk: object, what: str) -> ec.EllipticCurvePublicKey:
    """The key in a JWK of an elliptic curve. Raises MalformedError, also for a point that is not on its curve."""
    curve = CURVES.get(str(jwk.get("crv"))) if isinstance(jwk, dict) else None
    if not isinstance(jwk, dict) or curve is None or jwk.get("kty") != "EC" or "d" in jwk:
        raise MalformedError(what=what, why="no public key of P-256, P-384 or P-521")
    x, y = (_coordinate(jwk.get(name), curve, what) for name in ("x", "y"))
    try:
        return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError:
        raise MalformedError(what=what, why="not on its curve") from None


def _coordinate(value: object, curve: ec.EllipticCurve, what: str) -> int:
    if not isinstance(value, str) or len(value) > 100:
        raise MalformedError(what=what, why="no coordinate")
    data = decode64(value, what)
    if len(data) != (curve.key_size + 7) // 8:
        raise MalformedError(what=what, why="a coordinate of another length")
    return int.from_bytes(data, "big")


def jwk_of(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The members that every JWK of this key has."""
    numbers = key.public_numbers()
    name = next(name for name, curve in CURVES.items() if curve.name == key.curve.name)
    size = (key.curve.key_size + 7) // 8
    x, y = (encode64(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"crv": name, "kty": "EC", "x": x, "y": y}


def thumbprint(jwk: Mapping[str, str]) -> bytes:
    """SHA-256 over the members that every key of this kind has, sorted, without spaces (RFC 7638)."""
    needed = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return hashlib.sha256(json.dumps(needed, separators=(",", ":")).encode()).digest()


def x5c(header: Mapping[str, Any], what: str) -> tuple[x509.Certificate, ...]:
    """The certificates in a header, the signer's first (RFC 7515 §4.1.6). Raises MalformedError."""
    listed = header.get("x5c")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_CERTIFICATES:
        raise MalformedError(what=what, why="no certificates")
    return tuple(certificate(_decode_standard(one, what), what) for one in listed)


def _decode_standard(value: object, what: str) -> bytes:
    """base64 with padding, as only certificates in headers have it."""
    if isinstance(value, str) and len(value) <= 2 * MOST_CERTIFICATE_BYTES:
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            pass
    raise MalformedError(what=what, why="not base64")


def certificate(der: object, what: str) -> x509.Certificate:
    """A certificate of which everything that is needed can be read. Raises MalformedError."""
    if not isinstance(der, bytes) or len(der) > MOST_CERTIFICATE_BYTES:
        raise MalformedError(what=what, why="no certificate")
    try:
        found = x509.load_der_x509_certificate(der)
        # These are decoded only when somebody asks for them.
        _ = (found.extensions, found.subject, found.issuer, found.not_valid_after_utc, found.public_key())
    except UNREADABLE:
        raise MalformedError(what=what, why="a certificate that cannot be read") from None
    return found


def text(value: object, what: str, most: int = 2_000) -> str:
    """A string of at most so many letters. Raises MalformedError."""
    if not isinstance(value, str) or not value or len(value) > most:
        raise MalformedError(what=what, why="no text")
    return value


def seconds(value: object, what: str) -> float:
    """A NumericDate (RFC 7519 §2): seconds since 1970, of this and the next centuries. Raises MalformedError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**34:
        raise MalformedError(what=what, why="no time")
    return float(value)
