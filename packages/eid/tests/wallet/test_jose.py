"""Tokens, keys and the encrypted answer: the standard's example, and what is not taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.testing.wallet import FakeWallet, Request
from servicepunkt.eid.wallet import jose, jwe
from servicepunkt.eid.wallet.errors import AlgorithmError, DecryptionError, SignatureError

EXAMPLE = (Path(__file__).parent.parent / "data" / "openid4vp" / "jwe.txt").read_text().strip()
#: OpenID4VP 1.0 §8.3: the key "ac".
KEY = ec.derive_private_key(
    int.from_bytes(jose.decode64("Et-3ce0omz8_TuZ96Df9lp0GAaaDoUnDe6X-CRO7Aww", "d"), "big"), ec.SECP256R1()
)


def test_the_encrypted_example_of_the_standard() -> None:
    found = jose.read_object(jwe.decrypt(EXAMPLE, KEY, "ac"), "answer")
    assert found == {"vp_token": {"example_credential_id": ["eyJhb...YMetA"]}}
    with pytest.raises(DecryptionError, match="kid"):
        jwe.decrypt(EXAMPLE, KEY, "other")
    with pytest.raises(DecryptionError, match="tag"):
        jwe.decrypt(EXAMPLE, ec.generate_private_key(ec.SECP256R1()), "ac")


@pytest.mark.parametrize("enc", ["A128GCM", "A256GCM"])
def test_encrypted_by_the_wallet(enc: str, make_wallet: Callable[..., FakeWallet]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {**jose.jwk_of(key.public_key()), "kid": "1"}
    request = Request({"client_metadata": {"jwks": {"keys": [jwk]}}, "nonce": "n"})
    assert jwe.decrypt(make_wallet().encrypt(b"{}", request, enc), key, "1") == b"{}"


def with_header(**changes: Any) -> str:
    head, *rest = EXAMPLE.split(".")
    header = {**json.loads(jose.decode64(head, "x")), **changes}
    return ".".join([jose.encode64(json.dumps(header).encode()), *rest])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"alg": "dir"}, AlgorithmError),
        ({"alg": "ECDH-ES+A128KW"}, AlgorithmError),
        ({"alg": ["ECDH-ES"]}, AlgorithmError),
        ({"enc": "A128CBC-HS256"}, AlgorithmError),
        ({"enc": ["A128GCM"]}, AlgorithmError),
        ({"zip": "DEF"}, MalformedError),
        ({"crit": []}, MalformedError),
        ({"epk": None}, MalformedError),
        ({"epk": {"kty": "EC", "crv": ["P-256"], "x": "", "y": ""}}, MalformedError),
        ({"epk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, MalformedError),
        ({"epk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}}, MalformedError),
        ({"epk": jose.jwk_of(ec.generate_private_key(ec.SECP384R1()).public_key())}, MalformedError),
        ({"apu": 1}, MalformedError),
        ({"apu": "QQ"}, DecryptionError),
        ({"more": 1}, DecryptionError),
    ],
)
def test_encrypted_headers_that_are_refused(changes: dict[str, Any], error: type[EidError]) -> None:
    with pytest.raises(error):
        jwe.decrypt(with_header(**changes), KEY, "ac")


def test_each_letter_of_it_counts() -> None:
    for at in range(len(EXAMPLE)):
        letter = "A" if EXAMPLE[at] != "A" else "B"
        with pytest.raises(EidError):
            jwe.decrypt(EXAMPLE[:at] + letter + EXAMPLE[at + 1 :], KEY, "ac")
    for wrong in ("", "....", EXAMPLE + ".", EXAMPLE.replace("..", ".QQ."), "x" * 600_000):
        with pytest.raises(EidError):
            jwe.decrypt(wrong, KEY, "ac")


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "Q+", "Q/", "QQ\n", "Ä", "Q Q"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedError):
        jose.decode64(text, "x")
    assert jose.decode64("QQ", "x") == b"A"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        '{"a": Infinity}',
        '{"a": 1, "a": 2}',
        '[{"a": {"b": 1, "b": 1}}]',
        "1e999",
        "9" * 5000,
        "\ufeff1",
    ],
)
def test_what_is_no_json_here(text: str) -> None:
    with pytest.raises(MalformedError) as caught:
        jose.read_json(text, "x")
    assert caught.value.__cause__ is None, "a cause would quote what was read"


def test_json_is_utf_8() -> None:
    with pytest.raises(MalformedError):
        jose.read_json(b'"\xff"', "x")
    with pytest.raises(MalformedError):
        jose.read_object("[]", "x")


@pytest.mark.parametrize(
    ("curve", "alg"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_what_is_signed_is_verified(curve: ec.EllipticCurve, alg: str) -> None:
    key = ec.generate_private_key(curve)
    token = jose.parse(jose.sign({"typ": "x"}, {"a": 1}, key), typ=("x",), what="x")
    assert token.header["alg"] == alg
    jose.verify(token, jose.public_key(jose.jwk_of(key.public_key()), "x"), "x")
    with pytest.raises(SignatureError):
        jose.verify(token, ec.generate_private_key(curve).public_key(), "x")
    other = ec.SECP384R1() if alg == "ES256" else ec.SECP256R1()
    for wrong in (ec.generate_private_key(other), ed25519.Ed25519PrivateKey.generate()):
        with pytest.raises(AlgorithmError):
            jose.verify(token, wrong.public_key(), "x")


def test_keys_of_other_curves_sign_nothing() -> None:
    with pytest.raises(ValueError, match="P-256"):
        jose.sign({}, {}, ec.generate_private_key(ec.SECP256K1()))


def test_a_private_key_is_no_public_one() -> None:
    jwk = {**jose.jwk_of(KEY.public_key()), "d": "AA"}
    with pytest.raises(MalformedError):
        jose.public_key(jwk, "x")


def test_a_coordinate_has_its_length() -> None:
    jwk = jose.jwk_of(KEY.public_key())
    longer = jose.encode64(b"\x00" + jose.decode64(jwk["x"], "x"))
    with pytest.raises(MalformedError, match="length"):
        jose.public_key({**jwk, "x": longer}, "x")


@pytest.mark.parametrize("value", [None, "1", True, -1, 2**34, float("nan")])
def test_times_that_are_none(value: object) -> None:
    with pytest.raises(MalformedError):
        jose.seconds(value, "x")
