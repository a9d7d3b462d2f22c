"""The signed request, the forms of wallets, and what a library that nobody here wrote makes of the token."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import jose, request
from servicepunkt.eid.wallet.attributes import Ask
from servicepunkt.eid.wallet.dcql import pid_query
from servicepunkt.eid.wallet.request import Client, RequestObject


def test_the_request_object(client: Client, now: datetime) -> None:
    asked = RequestObject(
        query=pid_query(Ask(age=18)), nonce="n", state="s", response_uri="https://me.example/r", expires=now,
        key=client.key.public_key(), kid="1",
    )  # fmt: skip
    token = asked.sign(client, now=now, wallet_nonce="w")
    found = jose.parse(token, typ=(request.TYPE,), what="x")
    jose.verify(found, client.chain[0].public_key(), "x")
    claims = found.payload
    assert found.header["x5c"] == client.x5c
    assert (claims["client_id"], claims["aud"], claims["wallet_nonce"]) == (client.id, "https://self-issued.me/v2", "w")
    assert (claims["response_type"], claims["response_mode"]) == ("vp_token", "direct_post.jwt")
    assert "redirect_uri" not in claims
    metadata = claims["client_metadata"]
    assert metadata["encrypted_response_enc_values_supported"] == ["A128GCM", "A256GCM"]
    [jwk] = metadata["jwks"]["keys"]
    assert (jwk["alg"], jwk["use"], jwk["kid"], "d" in jwk) == ("ECDH-ES", "enc", "1", False)
    assert asked.thumbprint == jose.thumbprint(jwk)
    assert set(metadata["vp_formats_supported"]) == {"dc+sd-jwt", "mso_mdoc"}
    assert claims["dcql_query"]["credential_sets"]


def test_another_library_reads_it(client: Client, now: datetime) -> None:
    """jwcrypto comes with sd-jwt."""
    asked = RequestObject(
        query=pid_query(Ask(age=18)), nonce="n", state="s", response_uri="https://me.example/r", expires=now,
        key=None, kid="",
    )  # fmt: skip
    token = JWS()
    token.deserialize(asked.sign(client, now=now), JWK(**jose.jwk_of(client.key.public_key())))
    assert token.jose_header["typ"] == "oauth-authz-req+jwt"
    claims = json.loads(token.payload)
    assert claims["response_mode"] == "direct_post"
    assert "jwks" not in claims["client_metadata"]


@pytest.mark.parametrize(
    ("body", "nonce"),
    [
        (b"", None),
        (b"wallet_nonce=qPmxiNFCR3QTm19POc8u", "qPmxiNFCR3QTm19POc8u"),
        (b"wallet_nonce=kxbJ%2F%2FQQ%2FqheqcBnVzjZPg%3D%3D", "kxbJ//QQ/qheqcBnVzjZPg=="),
        (b"wallet_metadata=%7B%7D&wallet_nonce=a", "a"),
    ],
)
def test_what_wallets_post_for_a_request(body: bytes, nonce: str | None) -> None:
    assert request.wallet_nonce(body) == nonce


@pytest.mark.parametrize(
    "body",
    [
        b"wallet_nonce",
        b"wallet_nonce=",
        b"wallet_nonce=a&wallet_nonce=b",
        b"wallet_nonce=a%20b",
        b"wallet_nonce=" + b"a" * 513,
        b"wallet_metadata=x",
        b"wallet_metadata=[]",
        b"wallet_nonce=%FF",
        "wallet_nonce=ä".encode(),
        b"&".join(b"%d=1" % number for number in range(20)),
        b"a=" + b"b" * 800_000,
    ],
)
def test_what_they_must_not_post(body: bytes) -> None:
    with pytest.raises(MalformedError):
        request.wallet_nonce(body)


@pytest.mark.parametrize(
    "token",
    [None, "", "[]", "{}", 1, {"a": "x"}, {"a": []}, {"a": ["x", "y"]}, {"a": [{}]}, {str(n): ["x"] for n in range(9)},
     '{"a": ["x"], "a": ["y"]}'],
)  # fmt: skip
def test_answers_without_presentations(token: Any) -> None:
    with pytest.raises(MalformedError):
        request.vp_token({"vp_token": token})


def test_answers_with_presentations() -> None:
    assert request.vp_token({"vp_token": {"pid": ["x"]}}) == {"pid": "x"}
    assert request.vp_token({"vp_token": '{"pid": ["x"]}'}) == {"pid": "x"}
