"""SD-JWT VC: OpenID4VP's own example, the rules of RFC 9901 one by one, every part of a presentation changed once."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.testing.wallet import ERIKA, FakeIssuer
from servicepunkt.eid.wallet import jose, sdjwt
from servicepunkt.eid.wallet.attributes import VCTS
from servicepunkt.eid.wallet.errors import BindingError
from servicepunkt.eid.wallet.trust import TrustAnchors

EXAMPLE = Path(__file__).parent.parent / "data" / "openid4vp" / "sd_jwt"
#: `settings.yml` of the example.
ISSUER = {
    "kty": "EC",
    "crv": "P-256",
    "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
}
Verify = Callable[..., sdjwt.VerifiedSdJwt]


def test_the_example_of_the_standard() -> None:
    found = sdjwt.parse("".join((EXAMPLE / "sd_jwt_presentation.txt").read_text().split()))
    jose.verify(found.issued, jose.public_key(ISSUER, "issuer"), "issuer")
    proof = json.loads((EXAMPLE / "kb_jwt_payload.json").read_text())
    assert found.issued.payload == json.loads((EXAMPLE / "sd_jwt_payload.json").read_text())
    assert found.binding.payload == proof
    at = datetime.fromtimestamp(proof["iat"], UTC)
    sdjwt._check_binding(found, audience=proof["aud"], nonce=proof["nonce"], now=at)
    claims = sdjwt.disclosed(found.issued.payload, found.disclosures)
    assert claims == json.loads((EXAMPLE / "verified_contents.json").read_text())
    for wrong in (
        {"audience": "https://verifier.example.net", "nonce": proof["nonce"], "now": at},
        {"audience": proof["aud"], "nonce": "1234567891", "now": at},
        {"audience": proof["aud"], "nonce": proof["nonce"], "now": at + timedelta(hours=1)},
        {"audience": proof["aud"], "nonce": proof["nonce"], "now": at - timedelta(hours=1)},
    ):
        with pytest.raises(BindingError):
            sdjwt._check_binding(found, **wrong)


class Maker:
    """Presentations of which every part can be set."""

    def __init__(self, issuer: FakeIssuer, now: datetime) -> None:
        self.issuer, self.now = issuer, now
        self.holder = ec.generate_private_key(ec.SECP256R1())
        x5c = [base64.b64encode(issuer.signer.public_bytes(Encoding.DER)).decode()]
        self.header: dict[str, Any] = {"typ": "dc+sd-jwt", "x5c": x5c}
        at = int(now.timestamp())
        self.claims: dict[str, Any] = {
            "vct": VCTS[0],
            "iat": at - 100,
            "exp": at + 100,
            "cnf": {"jwk": jose.jwk_of(self.holder.public_key())},
        }
        self.proof_header: dict[str, Any] = {"typ": "kb+jwt"}
        self.proof: dict[str, Any] = {"iat": at, "aud": "x509_hash:me", "nonce": "n"}
        self.shown: list[str] = []

    def disclose(self, *parts: Any) -> str:
        text = jose.encode64(json.dumps(["salt", *parts]).encode())
        self.shown.append(text)
        return sdjwt.digest("sha-256", text)

    def make(self) -> str:
        text = "~".join([jose.sign(self.header, self.claims, self.issuer.key), *self.shown, ""])
        algorithm = str(self.claims.get("_sd_alg", "sha-256"))
        hashed = sdjwt.digest(algorithm if algorithm in sdjwt.HASHES else "sha-256", text)
        proof = {"sd_hash": hashed, **self.proof}
        return text + jose.sign(self.proof_header, proof, self.holder)


@pytest.fixture
def maker(issuer: FakeIssuer, now: datetime) -> Maker:
    return Maker(issuer, now)


@pytest.fixture
def verify(anchors: TrustAnchors, now: datetime) -> Verify:
    def run(text: str, **other: Any) -> sdjwt.VerifiedSdJwt:
        settings = {"anchors": anchors, "vct": VCTS, "audience": "x509_hash:me", "nonce": "n", "now": now}
        return sdjwt.verify(text, **(settings | other))

    return run


def test_disclosures_lie_in_each_other(maker: Maker, verify: Verify) -> None:
    street = maker.disclose("street_address", "HEIDESTRASSE 17")
    address = maker.disclose("address", {"_sd": [street, "unknown"], "country": "DE"})
    german, hidden = maker.disclose("DE"), "hidden"
    maker.claims |= {"_sd": [address], "nationalities": [{"...": german}, {"...": hidden}, "FR"], "_sd_alg": "sha-256"}
    claims = verify(maker.make()).claims
    assert claims["address"] == {"street_address": "HEIDESTRASSE 17", "country": "DE"}
    assert claims["nationalities"] == ["DE", "FR"]
    assert "_sd" not in claims
    assert "_sd_alg" not in claims


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_hashes(algorithm: str, maker: Maker, verify: Verify) -> None:
    maker.disclose("sex", 2)
    maker.claims |= {"_sd": [sdjwt.digest(algorithm, maker.shown[0])], "_sd_alg": algorithm}
    assert verify(maker.make()).claims["sex"] == 2


def refused(maker: Maker, verify: Verify, code: str, **other: Any) -> None:
    with pytest.raises(EidError) as caught:
        verify(maker.make(), **other)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"vct": "urn:eudi:pid:2"}, "SP4321"),
        ({"vct": ["urn:eudi:pid:1"]}, "SP4321"),
        ({"exp": 0}, "SP4311"),
        ({"exp": "tomorrow"}, "SP4001"),
        ({"exp": True}, "SP4001"),
        ({"exp": 1e300}, "SP4001"),
        ({"nbf": 2_000_000_000}, "SP4311"),
        ({"iat": 2_000_000_000}, "SP4311"),
        ({"cnf": None}, "SP4001"),
        ({"cnf": {"kid": "1"}}, "SP4001"),
        ({"cnf": {"jwk": {"kty": "oct", "k": "AA"}}}, "SP4001"),
        ({"_sd_alg": "md5"}, "SP4001"),
        ({"_sd_alg": ["sha-256"]}, "SP4001"),
        ({"_sd": "no array"}, "SP4001"),
        ({"_sd": [1]}, "SP4001"),
        ({"_sd": ["same", "same"]}, "SP4314"),
        ({"_sd": ["same"], "inner": {"_sd": ["same"]}}, "SP4314"),
        ({"inner": {"_sd_alg": "sha-256"}}, "SP4001"),
        ({"...": "digest"}, "SP4001"),
        ({"inner": {"...": "digest"}}, "SP4001"),
        ({"inner": [{"...": "digest", "more": 1}]}, "SP4001"),
        ({"inner": [{"...": 1}]}, "SP4001"),
        ({"status": {"bits": 1}}, "SP4001"),
        ({"status": {"status_list": {"uri": "http://plain.example", "idx": 1}}}, "SP4001"),
        ({"status": {"status_list": {"uri": "https://a.example", "idx": -1}}}, "SP4001"),
        ({"status": {"status_list": {"uri": "https://a.example", "idx": True}}}, "SP4001"),
    ],
)
def test_claims_that_are_refused(claims: dict[str, Any], code: str, maker: Maker, verify: Verify) -> None:
    maker.claims |= claims
    refused(maker, verify, code)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"typ": "JWT"}, "SP4001"),
        ({"typ": None}, "SP4001"),
        ({"alg": "none"}, "SP4301"),
        ({"alg": "HS256"}, "SP4301"),
        ({"alg": ["ES256"]}, "SP4301"),
        ({"alg": "ES384"}, "SP4301"),
        ({"crit": ["exp"]}, "SP4001"),
        ({"b64": False}, "SP4001"),
        ({"x5c": []}, "SP4001"),
        ({"x5c": ["AAAA"]}, "SP4001"),
        ({"x5c": "AAAA"}, "SP4001"),
        ({"x5c": [1]}, "SP4001"),
    ],
)
def test_headers_that_are_refused(header: dict[str, Any], code: str, maker: Maker, verify: Verify) -> None:
    maker.header |= header
    refused(maker, verify, code)


@pytest.mark.parametrize(
    ("header", "proof", "code"),
    [
        ({"typ": "JWT"}, {}, "SP4001"),
        ({"alg": "none"}, {}, "SP4301"),
        ({}, {"aud": "me"}, "SP4320"),
        ({}, {"aud": ["x509_hash:me"]}, "SP4320"),
        ({}, {"nonce": ""}, "SP4320"),
        ({}, {"nonce": None}, "SP4320"),
        ({}, {"sd_hash": "AA"}, "SP4320"),
        ({}, {"iat": None}, "SP4001"),
        ({}, {"iat": 0}, "SP4320"),
    ],
)
def test_proofs_that_are_refused(
    header: dict[str, Any], proof: dict[str, Any], code: str, maker: Maker, verify: Verify
) -> None:
    maker.proof_header |= header
    maker.proof |= proof
    refused(maker, verify, code)


def test_half_a_letter_as_an_audience(maker: Maker, verify: Verify) -> None:
    """JSON can say half of a surrogate pair, which no other encoding can."""
    text = maker.make().rpartition("~")[0] + "~"
    body = json.dumps({**maker.proof, "aud": "\ud800", "sd_hash": sdjwt.digest("sha-256", text)}).encode()
    head = jose.encode64(b'{"alg":"ES256","typ":"kb+jwt"}')
    signed = f"{head}.{jose.encode64(body)}"
    r, s = utils.decode_dss_signature(maker.holder.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    with pytest.raises(BindingError, match="aud"):
        verify(f"{text}{signed}.{jose.encode64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}")


def test_disclosures_that_are_refused(maker: Maker, verify: Verify) -> None:
    """Not signed, an element as a claim, a claim as an element, names twice, names that are never shown."""
    for make in (
        lambda: maker.disclose("sex", 2),
        lambda: maker.claims.update(_sd=[maker.disclose("only a value")]),
        lambda: maker.claims.update(list=[{"...": maker.disclose("sex", 2)}]),
        lambda: maker.claims.update(_sd=[maker.disclose("sex", 2), maker.disclose("sex", 1)]),
        lambda: maker.claims.update(sex=2, _sd=[maker.disclose("sex", 1)]),
        lambda: maker.claims.update(_sd=[maker.disclose("exp", 2**33)]),
        lambda: maker.claims.update(_sd=[maker.disclose("cnf", {})]),
        lambda: maker.claims.update(_sd=[maker.disclose("nbf", 1)]),
        lambda: maker.claims.update(_sd=[maker.disclose("status", {})]),
    ):
        kept, maker.shown = dict(maker.claims), []
        make()
        refused(maker, verify, "SP4314")
        maker.claims = kept


@pytest.mark.parametrize(
    "parts", [("_sd", []), ("...", 1), (1, 2), ("a", "b", "c"), ()], ids=["_sd", "dots", "number", "four", "one"]
)
def test_disclosures_that_are_none(parts: tuple[Any, ...], maker: Maker, verify: Verify) -> None:
    maker.claims["_sd"] = [maker.disclose(*parts)]
    refused(maker, verify, "SP4001")


def test_a_name_twice_in_an_object(maker: Maker, verify: Verify) -> None:
    text = jose.encode64(b'["salt", "address", {"locality": "KOELN", "locality": "BONN"}]')
    maker.shown.append(text)
    maker.claims["_sd"] = [sdjwt.digest("sha-256", text)]
    with pytest.raises(MalformedError, match="twice"):
        verify(maker.make())


def test_without_a_proof(maker: Maker, verify: Verify) -> None:
    with pytest.raises(BindingError, match="missing"):
        verify(maker.make().rpartition("~")[0] + "~")
    with pytest.raises(MalformedError):
        verify(maker.make().partition("~")[0])


def test_a_proof_for_what_was_shown_before(maker: Maker, verify: Verify) -> None:
    """Somebody leaves a disclosure out, or puts it back in: `sd_hash` no longer fits."""
    maker.claims["_sd"] = [maker.disclose("sex", 2), maker.disclose("given_name", "ERIKA")]
    first, *shown, proof = maker.make().split("~")
    with pytest.raises(BindingError, match="sd_hash"):
        verify("~".join([first, shown[0], proof]))


def test_every_letter_counts(maker: Maker, verify: Verify) -> None:
    """No letter of a presentation can be changed, left out or doubled."""
    maker.claims["_sd"] = [maker.disclose("sex", 2)]
    text = maker.make()
    verify(text)
    for at in range(0, len(text), 7):
        letter = "A" if text[at] != "A" else "B"
        for changed in (text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :]):
            with pytest.raises(EidError):
                verify(changed)


def test_bombs(maker: Maker, verify: Verify) -> None:
    nested: Any = 1
    for _ in range(200):
        nested = [nested]
    maker.claims["deep"] = nested
    refused(maker, verify, "SP4001")
    for text in ("~" * 300_000, "~".join(["a"] * 400), "[" * 100_000):
        with pytest.raises(EidError):
            verify(text)
    began = time.perf_counter()
    with pytest.raises(MalformedError):
        jose.read_json("[" * 200_000, "x")
    with pytest.raises(MalformedError):
        jose.read_json("9" * 200_000, "x")
    with pytest.raises(MalformedError):
        jose.read_json("1e999", "x")
    assert time.perf_counter() - began < 1


def test_whole_claims_of_the_person(issuer: FakeIssuer, maker: Maker, verify: Verify) -> None:
    token, by_path = issuer.sd_jwt(ERIKA, maker.holder, index=1)
    text = "~".join([token, *by_path.values(), ""])
    text += jose.sign({"typ": "kb+jwt"}, {**maker.proof, "sd_hash": sdjwt.digest("sha-256", text)}, maker.holder)
    found = verify(text)
    assert {name: found.claims[name] for name in ERIKA} == ERIKA
    assert "ERIKA" not in repr(found)
    assert "ERIKA" not in repr(sdjwt.parse(text))
    assert found.status is not None
