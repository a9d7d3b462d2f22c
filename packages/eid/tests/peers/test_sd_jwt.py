"""The PyPI package sd-jwt as issuer and as holder: what it issues and shows, our verifier believes.

It is the reference implementation of the authors of RFC 9901, on top of jwcrypto. Part of the group `test`, so that it
is never absent.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.wallet import FakeIssuer
from servicepunkt.eid.wallet import attributes, jose, jwe, sdjwt
from servicepunkt.eid.wallet.trust import TrustAnchors

NOW = datetime.now(UTC)
ISSUER = FakeIssuer(now=NOW)
ANCHORS = TrustAnchors.of(ISSUER.certificate)
HOLDER = JWK.generate(kty="EC", crv="P-256")
PERSON: dict[Any, Any] = {
    "vct": "urn:eudi:pid:de:1",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
    SDObj("given_name"): "ERIKA",
    SDObj("family_name"): "MUSTERMANN",
    SDObj("birthdate"): "1964-08-12",
    SDObj("sex"): 2,
    SDObj("age_equal_or_over"): {SDObj("18"): True, SDObj("65"): False},
    SDObj("address"): {SDObj("locality"): "KÖLN", SDObj("postal_code"): "51147", "country": "DE"},
    "nationalities": [SDObj("DE"), SDObj("FR")],
}


def present(shown: dict[str, Any], *, nonce: str = "n-123", aud: str = "x509_hash:abc", decoys: bool = True) -> str:
    pem = ISSUER.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    header = {"typ": "dc+sd-jwt", "x5c": [base64.b64encode(ISSUER.signer.public_bytes(Encoding.DER)).decode()]}
    issued = SDJWTIssuer(
        PERSON, JWK.from_pem(pem), HOLDER, add_decoy_claims=decoys, extra_header_parameters=header
    ).sd_jwt_issuance
    holder = SDJWTHolder(issued)
    holder.create_presentation(shown, nonce=nonce, aud=aud, holder_key=HOLDER)
    return str(holder.sd_jwt_presentation)


def verify(text: str) -> sdjwt.VerifiedSdJwt:
    return sdjwt.verify(
        text, anchors=ANCHORS, vct=attributes.VCTS, audience="x509_hash:abc", nonce="n-123", now=datetime.now(UTC)
    )


@pytest.mark.parametrize("decoys", [True, False])
@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({}, {"nationalities": []}),
        ({"given_name": True}, {"given_name": "ERIKA", "nationalities": []}),
        ({"age_equal_or_over": {"18": True}}, {"age_equal_or_over": {"18": True}, "nationalities": []}),
        ({"address": {"locality": True}}, {"address": {"locality": "KÖLN", "country": "DE"}, "nationalities": []}),
        ({"nationalities": [False, True]}, {"nationalities": ["FR"]}),
    ],
)
def test_what_it_shows_is_believed(decoys: bool, shown: dict[str, Any], expected: dict[str, Any]) -> None:
    claims = verify(present(shown, decoys=decoys)).claims
    assert {name: value for name, value in claims.items() if name not in ("vct", "iat", "exp", "cnf")} == expected


def test_the_whole_person() -> None:
    shown = {"given_name": True, "family_name": True, "birthdate": True, "sex": True, "nationalities": [True, True]}
    claims = verify(present(shown)).claims
    wanted = attributes.Ask(required=("given_names", "family_names", "date_of_birth", "sex", "nationality"), age=62)
    found, answers = attributes.from_sdjwt(claims, wanted, NOW.date())
    assert (found.given_names, found.family_names, str(found.date_of_birth)) == ("ERIKA", "MUSTERMANN", "1964-08-12")
    assert (found.sex, found.nationality, answers.old_enough) == ("F", "D, FRA", True)


@pytest.mark.parametrize("wrong", [{"nonce": "n-124"}, {"aud": "x509_hash:abd"}])
def test_what_it_shows_to_somebody_else(wrong: dict[str, str]) -> None:
    with pytest.raises(EidError, match="SP4320"):
        verify(present({"sex": True}, **wrong))


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_what_jwcrypto_encrypts_is_decrypted(enc: str) -> None:
    key = ISSUER.key
    header = {"alg": "ECDH-ES", "enc": enc, "kid": "1", "apu": jose.encode64(b"Alice"), "apv": jose.encode64(b"Bob")}
    token = JWE(b"plain", protected=json.dumps(header))
    token.add_recipient(JWK(**jose.jwk_of(key.public_key())))
    assert jwe.decrypt(token.serialize(compact=True), key, "1") == b"plain"
