"""Whatever comes in is read or refused: nothing but the package's own errors, also behind signatures that fit.

`SERVICEPUNKT_FUZZ_EXAMPLES` says how many examples each; CI takes few of them.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.wallet import SD_JWT, FakeIssuer, FakeWallet, _sign
from servicepunkt.eid.wallet import attributes, jose, jwe, request, sdjwt, status
from servicepunkt.eid.wallet.dcql import Query, select
from servicepunkt.eid.wallet.trust import TrustAnchors
from servicepunkt.eid.wallet.verifier import Verifier

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ISSUER = FakeIssuer(now=NOW)
ANCHORS = TrustAnchors.of(ISSUER.certificate)
HOLDER = ec.generate_private_key(ec.SECP256R1())
X5C = [base64.b64encode(ISSUER.signer.public_bytes(Encoding.DER)).decode()]
WORDS = st.sampled_from([
    "_sd", "_sd_alg", "...", "cnf", "jwk", "kty", "crv", "x", "y", "exp", "iat", "nbf", "vct", "status", "status_list",
    "uri", "idx", "bits", "lst", "sub", "ttl", "aud", "nonce", "sd_hash", "alg", "typ", "x5c", "EC", "P-256", "ES256",
    "given_name", "birthdate", "address", "nationalities", "sex", "sha-256", "https://a.example", "1964-08-12",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
ELEMENTS = st.sampled_from(sorted({name for one in attributes.PID.values() for name in one.elements}))
OBJECTS = st.dictionaries(WORDS | st.text(max_size=4), JSON, max_size=6)
fuzzed = settings(
    max_examples=int(os.environ.get("SERVICEPUNKT_FUZZ_EXAMPLES", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def signed(header: dict[str, Any], payload: object, key: ec.EllipticCurvePrivateKey) -> str:
    """As `jose.sign`, for what it would not write: no object, half letters, numbers that are none."""
    text = ".".join(jose.encode64(json.dumps(part).encode()) for part in ({"alg": "ES256", **header}, payload))
    return f"{text}.{jose.encode64(_sign(key, text.encode()))}"


@fuzzed
@given(st.binary(max_size=300))
def test_json(data: bytes) -> None:
    with suppress(EidError):
        jose.read_json(data, "x")


@fuzzed
@given(OBJECTS, OBJECTS, st.lists(JSON, max_size=3))
def test_sdjwt_behind_a_good_signature(header: dict[str, Any], payload: dict[str, Any], shown: list[Any]) -> None:
    disclosures = [jose.encode64(json.dumps(one).encode()) for one in shown]
    digests = [sdjwt.digest("sha-256", one) for one in disclosures]
    claims = {"vct": attributes.VCTS[0], "cnf": {"jwk": jose.jwk_of(HOLDER.public_key())}, "_sd": digests, **payload}
    text = "~".join([signed({"typ": SD_JWT, "x5c": X5C, **header}, claims, ISSUER.key), *disclosures, ""])
    proof = {"aud": "me", "nonce": "n", "iat": NOW.timestamp(), "sd_hash": sdjwt.digest("sha-256", text)}
    text += signed({"typ": "kb+jwt"}, proof, HOLDER)
    with suppress(EidError):
        found = sdjwt.verify(text, anchors=ANCHORS, vct=attributes.VCTS, audience="me", nonce="n", now=NOW)
        attributes.from_sdjwt(found.claims, attributes.Ask(required=tuple(attributes.PID), age=18), NOW.date())


@fuzzed
@given(OBJECTS, OBJECTS)
def test_proofs_behind_a_good_signature(header: dict[str, Any], proof: dict[str, Any]) -> None:
    claims = {"vct": attributes.VCTS[0], "cnf": {"jwk": jose.jwk_of(HOLDER.public_key())}}
    text = signed({"typ": SD_JWT, "x5c": X5C}, claims, ISSUER.key) + "~"
    text += signed({"typ": "kb+jwt", **header}, proof, HOLDER)
    with suppress(EidError):
        sdjwt.verify(text, anchors=ANCHORS, vct=attributes.VCTS, audience="me", nonce="n", now=NOW)


@fuzzed
@given(st.text(alphabet="~.eyJ0AQ-_=é", max_size=60))
def test_sdjwt_of_any_text(text: str) -> None:
    with suppress(EidError):
        sdjwt.parse(text)


@fuzzed
@given(OBJECTS, st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_jwe(header: dict[str, Any], rest: list[bytes]) -> None:
    epk = jose.jwk_of(HOLDER.public_key())
    whole = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": "1", "epk": epk, **header}
    parts = [json.dumps(whole).encode(), b"", *rest]
    with suppress(EidError):
        jwe.decrypt(".".join(jose.encode64(part) for part in parts), HOLDER, "1")


@fuzzed
@given(OBJECTS, st.binary(max_size=60))
def test_status_lists(payload: dict[str, Any], data: bytes) -> None:
    uri, listed = "https://a.example", {"bits": 1, "lst": jose.encode64(data)}
    claims = {"sub": uri, "iat": NOW.timestamp(), "status_list": listed, **payload}
    token = signed({"typ": status.TYPE, "x5c": X5C}, claims, ISSUER.key).encode()
    for one in (token, data):
        with suppress(EidError):
            status.read(one, uri=uri, anchors=ANCHORS, now=NOW)


@fuzzed
@given(JSON)
def test_references_to_a_status(value: Any) -> None:
    with suppress(EidError):
        status.StatusReference.of_claims(value)


@fuzzed
@given(OBJECTS)
def test_trust_lists(payload: dict[str, Any]) -> None:
    at = NOW.timestamp()
    for table in (payload, {"issued": at, "next_update": at + 9, "anchors": [payload]}):
        with suppress(EidError):
            TrustAnchors.from_list(json.dumps(table).encode(), now=NOW)


@fuzzed
@given(st.binary(max_size=200) | st.text(alphabet="&=%ABCF0123abc_", max_size=60).map(str.encode))
def test_forms(body: bytes) -> None:
    with suppress(EidError):
        request.wallet_nonce(body)
    with suppress(EidError):
        request.vp_token(request.read_form(body, "x"))


@fuzzed
@given(OBJECTS)
def test_presentations(payload: dict[str, Any]) -> None:
    with suppress(EidError):
        request.vp_token({"vp_token": payload})


@fuzzed
@given(OBJECTS, st.lists(st.text(max_size=3) | st.none() | st.integers(0, 3) | WORDS, max_size=4))
def test_queries_and_paths(payload: dict[str, Any], path: list[Any]) -> None:
    for table in (
        payload,
        {"credentials": [payload]},
        {"credentials": [{"id": "a", "format": "x", "meta": {}, **payload}]},
    ):
        with suppress(EidError):
            Query.decode(json.dumps(table).encode())
    with suppress(EidError):
        select(payload, path)


@fuzzed
@given(
    st.dictionaries(st.sampled_from(sorted({name for one in attributes.PID.values() for name in one.elements})), JSON)
)
def test_attributes(claims: dict[str, Any]) -> None:
    with suppress(EidError):
        ask = attributes.Ask(required=tuple(attributes.PID), age=18)
        attributes.from_mdoc({attributes.NAMESPACE: claims}, ask, date(2026, 11, 22))


@fuzzed
@given(body=st.binary(max_size=200) | OBJECTS.map(lambda found: json.dumps(found).encode()))
def test_answers(
    body: bytes, verifier: Verifier, begin: Callable[..., Any], wire: Callable[..., Any],
    make_wallet: Callable[..., FakeWallet],
) -> None:  # fmt: skip
    session = begin(verifier)
    wallet = make_wallet()
    asked = wallet.fetch(session.qr, wire(verifier))
    with pytest.raises(EidError):
        verifier.receive(session.response_id, b"response=" + wallet.encrypt(body, asked).encode(), now=NOW)
    assert session.phase == "ended"
    verifier.cancel(session.id)
