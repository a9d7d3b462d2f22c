"""What the verifier says to a wallet: who it is, the code on the screen, the signed request (OpenID4VP 1.0 §5). Pure.

The code carries the client id and an address; the wallet gets the request object there, by GET or by POST with a nonce
of its own (§5.10), and knows the verifier by its certificate: `x509_hash` or `x509_san_dns` (§5.9.3).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from servicepunkt.eid.errors import MalformedError
from servicepunkt.eid.wallet import jose, jwe
from servicepunkt.eid.wallet.dcql import MDOC, SD_JWT, Query

TYPE = "oauth-authz-req+jwt"
MEDIA_TYPE = "application/oauth-authz-req+jwt"
#: `aud` of a request that is for whichever wallet comes (§5.8).
ANY_WALLET = "https://self-issued.me/v2"
#: The most that a form from a wallet has, and its fields: the answer with both formats stays below 100 KiB.
MOST_FORM_BYTES = 700_000
MOST_FIELDS = 16
#: Characters of `nonce`, `state` and `wallet_nonce` (§5.2).
URL_SAFE = re.compile(r"[A-Za-z0-9._~-]{1,512}")
WALLET_NONCE = re.compile(r"[\x21-\x7e]{1,512}")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Prefix = Literal["x509_hash", "x509_san_dns"]
ResponseMode = Literal["direct_post", "direct_post.jwt"]


class Client:
    """The verifier as wallets see it: a key, its certificate with those above it, and how both become a client id."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        chain: tuple[x509.Certificate, ...],
        prefix: Prefix = "x509_hash",
    ) -> None:
        """`chain`: the own certificate first, without the anchor. Raises ValueError for a key that is not its own,
        and for `x509_san_dns` with a certificate that does not name exactly one host."""
        if chain[0].public_key() != key.public_key():
            raise ValueError("the certificate is for another key")
        self.key, self.chain, self.prefix = key, chain, prefix
        der = chain[0].public_bytes(serialization.Encoding.DER)
        name = jose.encode64(hashlib.sha256(der).digest()) if prefix == "x509_hash" else host_of(chain[0])
        #: With its prefix, as it is in requests, proofs and transcripts.
        self.id = f"{prefix}:{name}"
        self.x5c = [base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in chain]

    def check_address(self, address: str) -> None:
        """Raises ValueError for an address without TLS, and for one of another host than the certificate names.

        On this very computer http will do: no telephone comes there, but a wallet to practise with."""
        parts = urlsplit(address)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not secure or not parts.hostname or parts.query or parts.fragment or address.endswith("/"):
            raise ValueError("an address is https://host/path, with nothing after it")
        if self.prefix == "x509_san_dns" and parts.hostname != self.id.partition(":")[2]:
            raise ValueError("an address at another host than the certificate names")


def host_of(certificate: x509.Certificate) -> str:
    """The one host that a certificate names. Raises ValueError for none and for several."""
    names: list[str] = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = extension.value.get_values_for_type(x509.DNSName)
    if len(names) != 1:
        raise ValueError("a certificate for x509_san_dns names one host")
    return names[0]


class RequestObject(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, in which session. `key`: for which the wallet encrypts, None with `direct_post`."""

    query: Query
    nonce: str
    state: str
    response_uri: str
    expires: datetime
    key: ec.EllipticCurvePublicKey | None
    kid: str

    @property
    def response_mode(self) -> ResponseMode:
        return "direct_post" if self.key is None else "direct_post.jwt"

    @property
    def thumbprint(self) -> bytes | None:
        """Of the key for the answer, as it is in the transcript of an mdoc."""
        return None if self.key is None else jose.thumbprint(jose.jwk_of(self.key))

    def sign(self, client: Client, *, now: datetime, wallet_nonce: str | None = None) -> str:
        """As a token for the wallet."""
        claims = {
            "response_type": "vp_token",
            "response_mode": self.response_mode,
            "client_id": client.id,
            "aud": ANY_WALLET,
            "response_uri": self.response_uri,
            "nonce": self.nonce,
            "state": self.state,
            "dcql_query": self.query,
            "client_metadata": self._metadata(),
            "iat": int(now.timestamp()),
            "exp": int(self.expires.timestamp()),
        }
        if wallet_nonce is not None:
            claims["wallet_nonce"] = wallet_nonce
        return jose.sign({"typ": TYPE, "x5c": client.x5c}, claims, client.key)

    def _metadata(self) -> dict[str, Any]:
        """What the verifier reads (§11.1): these formats and algorithms, and how the answer is encrypted."""
        algorithms = list(jose.ALGORITHMS)
        formats = {
            SD_JWT: {"sd-jwt_alg_values": algorithms, "kb-jwt_alg_values": algorithms},
            MDOC: {"issuerauth_alg_values": [-7, -35, -36], "deviceauth_alg_values": [-7, -35, -36]},
        }
        asked = {one.format for one in self.query.credentials}
        metadata: dict[str, Any] = {
            "vp_formats_supported": {name: found for name, found in formats.items() if name in asked}
        }
        if self.key is not None:
            jwk = {**jose.jwk_of(self.key), "kid": self.kid, "use": "enc", "alg": jwe.ALGORITHM}
            metadata["jwks"] = {"keys": [jwk]}
            metadata["encrypted_response_enc_values_supported"] = list(jwe.ENCRYPTIONS)
        return metadata


def link(client: Client, request_uri: str, scheme: str) -> str:
    """What the code on the screen says."""
    client_id, address = quote(client.id, safe=""), quote(request_uri, safe="")
    return f"{scheme}://?client_id={client_id}&request_uri={address}&request_uri_method=post"


def read_form(body: bytes, what: str) -> dict[str, str]:
    """The fields of a form (application/x-www-form-urlencoded, UTF-8), each once. Raises MalformedError."""
    if len(body) > MOST_FORM_BYTES or not body.isascii():
        raise MalformedError(what=what, why="too long, or not ASCII")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise MalformedError(what=what, why="no form") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError(what=what, why="a field that is there twice")
    return found


def wallet_nonce(body: bytes) -> str | None:
    """From what a wallet posts to `request_uri`; what it says of itself is read and not used. Raises MalformedError."""
    fields = read_form(body, "request_uri")
    if "wallet_metadata" in fields:
        jose.read_object(fields["wallet_metadata"], "wallet_metadata", 65_536)
    nonce = fields.get("wallet_nonce")
    if nonce is not None and not WALLET_NONCE.fullmatch(nonce):
        raise MalformedError(what="request_uri", why="no nonce")
    return nonce


def vp_token(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Id of a document → its one presentation (§8.1). Raises MalformedError."""
    token = parameters.get("vp_token")
    if isinstance(token, str):
        token = jose.read_json(token, "vp_token")
    if not isinstance(token, dict) or not 1 <= len(token) <= 8:
        raise MalformedError(what="vp_token", why="no presentations")
    found = {}
    for name, shown in token.items():
        if not isinstance(shown, list) or len(shown) != 1 or not isinstance(shown[0], str):
            raise MalformedError(what="vp_token", why="not one presentation of a document")
        found[name] = shown[0]
    return found
