"""SD-JWT VC with key binding: taken apart, verified, and its disclosed claims put in their places. Pure.

RFC 9901 §7 (which digests are replaced by what, and what is refused), SD-JWT VC §3 (`dc+sd-jwt`, `vct`, claims that are
never disclosed), OpenID4VP §B.3 (audience and nonce). The issuer is whom the certificate in the header names; `iss`
says nothing more and is not looked at.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.model import Masked
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import AnswerError, BindingError, DigestError, OutdatedError, SignatureError
from servicepunkt.eid.wallet.status import StatusReference
from servicepunkt.eid.wallet.trust import TrustAnchors

FORMAT = "dc+sd-jwt"
BINDING_TYPE = "kb+jwt"
WHAT = "SD-JWT"
MOST_DISCLOSURES = 256
MOST_LEVELS = 16
HASHES = frozenset({"sha-256", "sha-384", "sha-512"})
#: Claims of the token itself, which a holder must not be able to leave out (SD-JWT VC §3.2.2.2).
NEVER_DISCLOSED = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"})
#: How long before now the holder may have signed: he looks at what is asked for before.
BINDING_AGE = timedelta(minutes=10)
LEEWAY = timedelta(seconds=60)


class Disclosure(msgspec.Struct, frozen=True):
    """What the holder shows: a claim with its name, or an element of an array (`name` is None)."""

    value: Any
    name: str | None

    def __repr__(self) -> str:
        return "Disclosure(***)"


class SdJwt(msgspec.Struct, frozen=True):
    """Taken apart, not verified. `bound` is what the key binding signs a digest of."""

    issued: jose.Jws
    disclosures: dict[str, Disclosure]
    binding: jose.Jws
    bound: bytes

    def __repr__(self) -> str:
        return f"SdJwt({len(self.disclosures)} disclosures)"


class VerifiedSdJwt(Masked, frozen=True, kw_only=True):
    """What was shown and verified. `claims`: without the digests; `until`: None where it does not expire."""

    vct: str
    claims: dict[str, Any]
    until: datetime | None
    status: StatusReference | None


def verify(
    text: str, *, anchors: TrustAnchors, vct: Collection[str], audience: str, nonce: str, now: datetime
) -> VerifiedSdJwt:
    """A presentation for this audience (the whole client id) and nonce, of one of these types.

    Raises MalformedError, AlgorithmError, UntrustedError, SignatureError, OutdatedError, DigestError, BindingError,
    AnswerError for another type. Whether it was revoked is still to be asked: `status`.
    """
    found = parse(text)
    claims = found.issued.payload
    jose.verify(found.issued, anchors.issuer_key(jose.x5c(found.issued.header, WHAT), now=now, use="pid"), WHAT)
    if claims.get("vct") not in tuple(vct):
        raise AnswerError(what="vct")
    until = _check_times(claims, now)
    _check_binding(found, audience=audience, nonce=nonce, now=now)
    return VerifiedSdJwt(
        vct=claims["vct"],
        claims=disclosed(claims, found.disclosures),
        until=until,
        status=StatusReference.of_claims(claims.get("status")),
    )


def parse(text: str) -> SdJwt:
    """Take a presentation with key binding apart (RFC 9901 §4). Raises MalformedError, AlgorithmError, DigestError."""
    if len(text) > jose.MOST_BYTES or not text.isascii():
        raise MalformedError(what=WHAT, why="too long, or not ASCII")
    parts = text.split("~")
    if not 2 <= len(parts) <= MOST_DISCLOSURES + 2:
        raise MalformedError(what=WHAT, why="no presentation, or too many disclosures")
    first, *shown, binding = parts
    if not binding:
        raise BindingError(what="missing")
    issued = jose.parse(first, typ=(FORMAT,), what=WHAT)
    algorithm = issued.payload.get("_sd_alg", "sha-256")
    if not isinstance(algorithm, str) or algorithm not in HASHES:
        raise MalformedError(what=WHAT, why="unknown _sd_alg")
    disclosures = {digest(algorithm, one): _disclosure(one) for one in shown}
    if len(disclosures) != len(shown):
        raise DigestError(what="a disclosure that is there twice")
    bound = text[: -len(binding)].encode()
    return SdJwt(issued, disclosures, jose.parse(binding, typ=(BINDING_TYPE,), what="key binding"), bound)


def digest(algorithm: str, text: str | bytes) -> str:
    """As it stands in `_sd` and `sd_hash`."""
    data = text.encode() if isinstance(text, str) else text
    return jose.encode64(hashlib.new(algorithm.replace("-", ""), data).digest())


def _disclosure(text: str) -> Disclosure:
    """RFC 9901 §4.2: salt, name and value, or salt and value. Raises MalformedError."""
    match jose.read_json(jose.decode64(text, "disclosure"), "disclosure"):
        case [str(), str(name), value] if name not in ("_sd", "..."):
            return Disclosure(value, name)
        case [str(), value]:
            return Disclosure(value, None)
    raise MalformedError(what="disclosure", why="no salt, name and value")


def disclosed(payload: Mapping[str, Any], disclosures: Mapping[str, Disclosure]) -> dict[str, Any]:
    """The payload with each digest replaced by what was disclosed for it, or left out (RFC 9901 §7.1).

    Raises DigestError for a disclosure without its digest, a digest that is there twice, a name that is there twice, a
    claim that must not be disclosed; MalformedError for `_sd` and `...` in wrong places and for deep nests.
    """
    seen: set[str] = set()
    top = {name: value for name, value in payload.items() if name != "_sd_alg"}
    found = _object(top, disclosures, seen, 0)
    if not disclosures.keys() <= seen:
        raise DigestError(what="a disclosure that the issuer did not sign")
    return found


def _value(value: Any, disclosures: Mapping[str, Disclosure], seen: set[str], level: int) -> Any:
    if level > MOST_LEVELS:
        raise MalformedError(what=WHAT, why="nested too deeply")
    if isinstance(value, dict):
        return _object(value, disclosures, seen, level)
    if isinstance(value, list):
        return _array(value, disclosures, seen, level)
    return value


def _object(value: dict[str, Any], disclosures: Mapping[str, Disclosure], seen: set[str], level: int) -> dict[str, Any]:
    if "..." in value or "_sd_alg" in value:
        raise MalformedError(what=WHAT, why="a digest in a wrong place")
    digests = value.get("_sd", [])
    if not isinstance(digests, list):
        raise MalformedError(what=WHAT, why="_sd that is no array")
    found = {name: _value(one, disclosures, seen, level + 1) for name, one in value.items() if name != "_sd"}
    for one in digests:
        shown = _lookup(one, disclosures, seen)
        if shown is None:
            continue
        if shown.name is None:
            raise DigestError(what="an element in place of a claim")
        if shown.name in found or (level == 0 and shown.name in NEVER_DISCLOSED):
            raise DigestError(what="a claim that is there twice, or must not be disclosed")
        found[shown.name] = _value(shown.value, disclosures, seen, level + 1)
    return found


def _array(value: list[Any], disclosures: Mapping[str, Disclosure], seen: set[str], level: int) -> list[Any]:
    found = []
    for one in value:
        if not (isinstance(one, dict) and "..." in one):
            found.append(_value(one, disclosures, seen, level + 1))
            continue
        if len(one) != 1:
            raise MalformedError(what=WHAT, why="a digest in a wrong place")
        shown = _lookup(one["..."], disclosures, seen)
        if shown is not None and shown.name is not None:
            raise DigestError(what="a claim in place of an element")
        if shown is not None:
            found.append(_value(shown.value, disclosures, seen, level + 1))
    return found


def _lookup(one: object, disclosures: Mapping[str, Disclosure], seen: set[str]) -> Disclosure | None:
    if not isinstance(one, str):
        raise MalformedError(what=WHAT, why="a digest that is no text")
    if one in seen:
        raise DigestError(what="a digest that is there twice")
    seen.add(one)
    return disclosures.get(one)


def _check_times(claims: Mapping[str, Any], now: datetime) -> datetime | None:
    at = now.timestamp()
    for name in ("iat", "nbf"):
        if name in claims and jose.seconds(claims[name], name) > at + LEEWAY.total_seconds():
            raise OutdatedError(what=name)
    if "exp" not in claims:
        return None
    until = jose.seconds(claims["exp"], "exp")
    if until <= at - LEEWAY.total_seconds():
        raise OutdatedError(what="exp")
    return datetime.fromtimestamp(until, UTC)


def _check_binding(found: SdJwt, *, audience: str, nonce: str, now: datetime) -> None:
    """RFC 9901 §7.3: signed by the key in `cnf`, for this request, for exactly what is shown, a moment ago."""
    cnf = found.issued.payload.get("cnf")
    if not isinstance(cnf, dict):
        raise MalformedError(what=WHAT, why="no key of the holder")
    try:
        jose.verify(found.binding, jose.public_key(cnf.get("jwk"), "holder's key"), "key binding")
    except SignatureError:
        raise BindingError(what="signature") from None
    said = found.binding.payload
    hashed = digest(found.issued.payload.get("_sd_alg", "sha-256"), found.bound)
    for name, expected in (("aud", audience), ("nonce", nonce), ("sd_hash", hashed)):
        value = said.get(name)
        if not isinstance(value, str) or not hmac.compare_digest(value.encode(errors="replace"), expected.encode()):
            raise BindingError(what=name)
    at, signed = now.timestamp(), jose.seconds(said.get("iat"), "key binding")
    if not at - BINDING_AGE.total_seconds() <= signed <= at + LEEWAY.total_seconds():
        raise BindingError(what="iat")
