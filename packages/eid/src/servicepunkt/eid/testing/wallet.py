"""A wallet with the PID of a test person in both formats, and the authority that issued it; it misbehaves on demand.

    issuer = FakeIssuer(now=now)
    wallet = FakeWallet(issuer, now=now)
    wallet.scan(session.qr, http)          # http(method, url, body) -> body of the answer

It shares no code with the verifier. mdoc needs the extra `[wallet]`. Nothing in here is for use with real people: keys
come with the object and go with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID, ObjectIdentifier

#: method ("GET" or "POST"), address, body → body of the answer. Raises what the verifier raised.
Http = Callable[[str, str, bytes | None], bytes]
Path = tuple[str, ...]
Key = ec.EllipticCurvePrivateKey

SD_JWT, MDOC = "dc+sd-jwt", "mso_mdoc"
DOCTYPE = "eu.europa.ec.eudi.pid.1"
STATUS_URI = "https://pid.example/status/1"
#: The test person, under the names of the SD-JWT VC.
ERIKA: Mapping[str, Any] = {
    "given_name": "ERIKA",
    "family_name": "MUSTERMANN",
    "birth_family_name": "GABLER",
    "birthdate": "1964-08-12",
    "place_of_birth": {"locality": "BERLIN", "country": "DE"},
    "nationalities": ["DE"],
    "sex": 2,
    "address": {
        "street_address": "HEIDESTRASSE 17",
        "postal_code": "51147",
        "locality": "KÖLN",
        "country": "DE",
    },
    "age_equal_or_over": {"18": True, "65": False},
    "date_of_expiry": "2031-10-31",
    "issuing_country": "DE",
    "issuing_authority": "DE",
}
#: The same claim in the mdoc.
ELEMENTS: Mapping[Path, str] = {
    ("given_name",): "given_name",
    ("family_name",): "family_name",
    ("birth_family_name",): "family_name_birth",
    ("birthdate",): "birth_date",
    ("place_of_birth",): "place_of_birth",
    ("nationalities",): "nationality",
    ("sex",): "sex",
    ("address", "street_address"): "resident_street",
    ("address", "postal_code"): "resident_postal_code",
    ("address", "locality"): "resident_city",
    ("address", "country"): "resident_country",
    ("age_equal_or_over", "18"): "age_over_18",
    ("age_equal_or_over", "65"): "age_over_65",
    ("date_of_expiry",): "expiry_date",
    ("issuing_country",): "issuing_country",
    ("issuing_authority",): "issuing_authority",
}
DATES = frozenset({"birthdate", "date_of_expiry"})


class Fault(StrEnum):
    """What a wallet, or somebody in its place, may do wrong."""

    NONCE = "nonce"  # a proof for another nonce
    AUDIENCE = "audience"  # a proof for another verifier
    HOLDER_KEY = "holder key"  # a proof by somebody else's key
    OLD_PROOF = "old proof"  # an SD-JWT whose proof was made an hour ago
    DIGEST = "digest"  # a claim that was changed
    ALG_NONE = "alg none"  # an issuer's signature left away
    DUPLICATE_CLAIMS = "duplicate claims"  # a claim that is there twice
    EXPIRED = "expired"  # a PID of last year
    REVOKED = "revoked"  # a PID that the issuer took back
    UNTRUSTED = "untrusted"  # a PID by an issuer whom nobody knows
    REPLAY = "replay"  # the presentation of the session before
    STATE = "state"  # the state of another session
    PLAIN = "plain"  # an answer that is not encrypted
    MISSING = "missing"  # less than was asked for
    DECLINED = "declined"  # the person said no


class FakeIssuer:
    """An authority with a root, a certificate for signing, and a status list.

    `certificate` is what a verifier has to believe; `fetch` is its web server. `status_uri`: where its documents say
    that their status is found; empty: they say nothing of it, as those that hold for days.
    """

    def __init__(
        self, *, now: datetime, name: str = "Testland", status_uri: str = STATUS_URI, root_key: Key | None = None
    ) -> None:
        self.now = now.replace(microsecond=0)
        self.status_uri = status_uri
        self.root_key = root_key or ec.generate_private_key(ec.SECP256R1())
        self.key = ec.generate_private_key(ec.SECP256R1())
        root, signer = _name(f"{name} PID root"), _name(f"{name} PID signer")
        self.certificate = _certificate(root, root, self.root_key, self.root_key, self.now, authority=True)
        self.signer = _certificate(signer, root, self.key, self.root_key, self.now, authority=False)
        self.revoked: set[int] = set()
        self._count = 0

    def next_index(self) -> int:
        """A place on the status list for a new document."""
        self._count += 1
        return self._count

    def fetch(self, uri: str) -> bytes:
        """The status list, one bit for each document. Raises OSError for another address."""
        if uri != STATUS_URI:
            raise FileNotFoundError(uri)
        bits = bytearray(1_024)
        for index in self.revoked:
            bits[index // 8] |= 1 << index % 8
        claims = {
            "sub": STATUS_URI,
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + timedelta(days=1)).timestamp()),
            "ttl": 300,
            "status_list": {"bits": 1, "lst": _b64(zlib.compress(bytes(bits), 9))},
        }
        return _jws({"typ": "statuslist+jwt", "x5c": [_standard(self.signer)]}, claims, self.key).encode()

    def _times(self, expired: bool) -> tuple[datetime, datetime]:
        begin = self.now - timedelta(days=20 if expired else 1)
        return begin, begin + timedelta(days=14)

    def _status(self, index: int) -> dict[str, Any]:
        return {"status": {"status_list": {"uri": self.status_uri, "idx": index}}} if self.status_uri else {}

    def sd_jwt(
        self, claims: Mapping[str, Any], holder: Key, *, index: int, expired: bool = False
    ) -> tuple[str, dict[Path, str]]:
        """The token, and its disclosures by the path of the claim: every claim can be shown by itself."""
        begin, end = self._times(expired)
        shown: dict[Path, str] = {}
        digests = []
        for name, value in claims.items():
            if isinstance(value, dict):
                inner = []
                for part, one in value.items():
                    shown[name, part] = _disclosure(part, one)
                    inner.append(_digest(shown[name, part]))
                shown[(name,)] = _disclosure(name, {"_sd": sorted(inner)})
            else:
                shown[(name,)] = _disclosure(name, value)
            digests.append(_digest(shown[(name,)]))
        payload = {
            "iss": "https://pid.example",
            "vct": "urn:eudi:pid:de:1",
            "iat": int(begin.timestamp()),
            "exp": int(end.timestamp()),
            "cnf": {"jwk": _jwk(holder)},
            "_sd_alg": "sha-256",
            "_sd": sorted([*digests, _digest("decoy")]),
            **self._status(index),
        }
        return _jws({"typ": SD_JWT, "x5c": [_standard(self.signer)]}, payload, self.key), shown

    def mdoc(
        self, claims: Mapping[str, Any], holder: Key, *, index: int, expired: bool = False
    ) -> tuple[list[Any], dict[Path, bytes]]:
        """`issuerAuth`, and the items by the path of the claim."""
        from cbor2 import CBORTag, dumps

        begin, end = self._times(expired)
        items, digests = {}, {}
        for number, (path, element) in enumerate(ELEMENTS.items()):
            value: Any = claims
            for step in path:
                value = value.get(step) if isinstance(value, Mapping) else None
            if value is None:
                continue
            if path[0] in DATES:
                value = date.fromisoformat(value)
            item = dumps({
                "digestID": number,
                "random": os.urandom(32),
                "elementIdentifier": element,
                "elementValue": value,
            })  # fmt: skip
            items[path] = item
            digests[number] = hashlib.sha256(dumps(CBORTag(24, item))).digest()
        security = {
            "version": "1.0",
            "digestAlgorithm": "SHA-256",
            "valueDigests": {DOCTYPE: digests},
            "deviceKeyInfo": {"deviceKey": _cose_key(holder)},
            "docType": DOCTYPE,
            "validityInfo": {"signed": begin, "validFrom": begin, "validUntil": end},
            **self._status(index),
        }
        payload = dumps(CBORTag(24, dumps(security)))
        return _cose_sign(self.key, payload, x5chain=self.signer), items


class Request(msgspec.Struct, frozen=True):
    """What a wallet was asked: the claims of the request object, verified as far as a wallet can."""

    claims: dict[str, Any]

    @property
    def thumbprint(self) -> bytes | None:
        keys = self.claims["client_metadata"].get("jwks", {}).get("keys", [])
        if self.claims["response_mode"] != "direct_post.jwt":
            return None
        needed = {name: keys[0][name] for name in ("crv", "kty", "x", "y")}
        return hashlib.sha256(json.dumps(needed, separators=(",", ":")).encode()).digest()


class FakeWallet:
    """A wallet with the PID of one person in one format. `fault`: what it does wrong from now on; may be set anew."""

    def __init__(
        self,
        issuer: FakeIssuer,
        *,
        now: datetime,
        format: str = SD_JWT,  # noqa: A002  the standard's word
        person: Mapping[str, Any] = ERIKA,
        fault: Fault | None = None,
    ) -> None:
        self.issuer, self.now, self.format, self.person, self.fault = issuer, now, format, person, fault
        self.key = ec.generate_private_key(ec.SECP256R1())
        #: What it showed last, by the id of the query: for a replay.
        self.shown: dict[str, list[str]] = {}

    def scan(self, qr: str, http: Http) -> Request:
        """From the code on the screen to the answer. Raises ValueError for a request that no wallet would take, and
        what `http` raises."""
        request = self.fetch(qr, http)
        http("POST", request.claims["response_uri"], self.answer(request))
        return request

    def fetch(self, qr: str, http: Http) -> Request:
        """Get the request object and look at it as OpenID4VP §5.9.3 and §5.10 want. Raises ValueError."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(qr).query, strict_parsing=True).items()}
        nonce = secrets.token_urlsafe(16)
        if asked.get("request_uri_method") == "post":
            token = http("POST", asked["request_uri"], urlencode({"wallet_nonce": nonce}).encode())
        else:
            token, nonce = http("GET", asked["request_uri"], None), ""
        head, body, signature = token.decode().split(".")
        header, claims = (json.loads(_unb64(part)) for part in (head, body))
        if header["typ"] != "oauth-authz-req+jwt" or header["alg"] != "ES256":
            raise ValueError("no request object")
        certificate = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
        r, s = (int.from_bytes(_unb64(signature)[part], "big") for part in (slice(32), slice(32, None)))
        key = certificate.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("no key of an elliptic curve")
        key.verify(utils.encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        if claims["client_id"] != asked["client_id"] or not _belongs(claims["client_id"], certificate):
            raise ValueError("the client id is not the certificate's")
        if claims["aud"] != "https://self-issued.me/v2" or claims.get("wallet_nonce", "") != nonce:
            raise ValueError("a request for somebody else")
        return Request(claims)

    def answer(self, request: Request) -> bytes:
        """The form that goes to `response_uri`."""
        state = "another" if self.fault is Fault.STATE else request.claims["state"]
        if self.fault is Fault.DECLINED:
            return urlencode({"error": "access_denied", "state": state}).encode()
        token = self.shown if self.fault is Fault.REPLAY else self.present(request)
        self.shown = token
        if request.claims["response_mode"] == "direct_post" or self.fault is Fault.PLAIN:
            return urlencode({"vp_token": json.dumps(token), "state": state}).encode()
        plain = json.dumps({"vp_token": token, "state": state}).encode()
        return b"response=" + self.encrypt(plain, request).encode()

    def encrypt(self, plain: bytes, request: Request, enc: str = "A256GCM") -> str:
        """A JWE by ECDH-ES for the key in the request."""
        [jwk] = request.claims["client_metadata"]["jwks"]["keys"]
        x, y = (int.from_bytes(_unb64(jwk[name]), "big") for name in ("x", "y"))
        theirs = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        own = ec.generate_private_key(ec.SECP256R1())
        parties = [os.urandom(16), request.claims["nonce"].encode()]
        header = {"alg": "ECDH-ES", "enc": enc, "kid": jwk["kid"], "epk": _jwk(own),
                  "apu": _b64(parties[0]), "apv": _b64(parties[1])}  # fmt: skip
        size = int(enc[1:4]) // 8
        info = b"".join(len(part).to_bytes(4, "big") + part for part in (enc.encode(), *parties))
        shared = own.exchange(ec.ECDH(), theirs)
        key = hashlib.sha256((1).to_bytes(4, "big") + shared + info + (8 * size).to_bytes(4, "big")).digest()[:size]
        head, nonce = _b64(json.dumps(header).encode()), os.urandom(12)
        sealed = AESGCM(key).encrypt(nonce, plain, head.encode())
        return f"{head}..{_b64(nonce)}.{_b64(sealed[:-16])}.{_b64(sealed[-16:])}"

    def present(self, request: Request) -> dict[str, list[str]]:
        """The `vp_token`: one presentation in the wallet's format, with the first set of claims that it has."""
        query = next(one for one in request.claims["dcql_query"]["credentials"] if one["format"] == self.format)
        paths = self._chosen(query)
        if self.fault is Fault.MISSING:
            paths = paths[1:]
        index = self.issuer.next_index()
        if self.fault is Fault.REVOKED:
            self.issuer.revoked.add(index)
        issuer = FakeIssuer(now=self.now) if self.fault is Fault.UNTRUSTED else self.issuer
        show = self._show_sd_jwt if self.format == SD_JWT else self._show_mdoc
        return {query["id"]: [show(request, paths, issuer, index)]}

    def _chosen(self, query: dict[str, Any]) -> list[Path]:
        by_id = {claim.get("id"): self._path(claim["path"]) for claim in query["claims"]}
        for names in query.get("claim_sets") or [list(by_id)]:
            paths = [by_id[name] for name in names]
            if all(self._has(path) for path in paths):
                return paths
        raise ValueError("a claim that this person does not have")

    def _path(self, path: list[str]) -> Path:
        if self.format == SD_JWT:
            return tuple(path)
        return next((found for found, element in ELEMENTS.items() if element == path[1]), ("",))

    def _has(self, path: Path) -> bool:
        value: Any = self.person
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value is not None

    def _show_sd_jwt(self, request: Request, paths: list[Path], issuer: FakeIssuer, index: int) -> str:
        expired = self.fault is Fault.EXPIRED
        token, by_path = issuer.sd_jwt(self.person, self.key, index=index, expired=expired)
        if self.fault is Fault.ALG_NONE:
            head, body, _ = token.split(".")
            unsigned = {**json.loads(_unb64(head)), "alg": "none"}
            token = f"{_b64(json.dumps(unsigned).encode())}.{body}."
        wanted = dict.fromkeys(path[:size] for path in paths for size in range(1, len(path) + 1))
        shown = [by_path[path] for path in wanted]
        if self.fault is Fault.DIGEST:
            salt, name, value = json.loads(_unb64(shown[-1]))
            shown[-1] = _b64(json.dumps([salt, name, f"{value}!"]).encode())
        if self.fault is Fault.DUPLICATE_CLAIMS:
            shown.append(shown[0])
        text = "~".join([token, *shown, ""])
        made = self.now - timedelta(hours=self.fault is Fault.OLD_PROOF)
        proof = {
            "iat": int(made.timestamp()),
            "aud": self._audience(request),
            "nonce": self._nonce(request),
            "sd_hash": _digest(text),
        }
        return text + _jws({"typ": "kb+jwt"}, proof, self._holder())

    def _show_mdoc(self, request: Request, paths: list[Path], issuer: FakeIssuer, index: int) -> str:
        from cbor2 import CBORTag, dumps, loads

        expired = self.fault is Fault.EXPIRED
        auth, by_path = issuer.mdoc(self.person, self.key, index=index, expired=expired)
        items = [by_path[path] for path in dict.fromkeys(paths)]
        if self.fault is Fault.DIGEST:
            items[-1] = dumps({**loads(items[-1]), "elementValue": "!"})
        if self.fault is Fault.DUPLICATE_CLAIMS:
            items.append(items[0])
        if self.fault is Fault.ALG_NONE:
            auth = [dumps({}), *auth[1:3], b""]
        info = dumps(
            [self._audience(request), self._nonce(request), request.thumbprint, request.claims["response_uri"]]
        )
        session = [None, None, ["OpenID4VPHandover", hashlib.sha256(info).digest()]]
        nothing = CBORTag(24, dumps({}))
        content = dumps(CBORTag(24, dumps(["DeviceAuthentication", session, DOCTYPE, nothing])))
        proof = _cose_sign(self._holder(), content)
        proof[2] = None
        document = {
            "docType": DOCTYPE,
            "issuerSigned": {"nameSpaces": {DOCTYPE: [CBORTag(24, item) for item in items]}, "issuerAuth": auth},
            "deviceSigned": {"nameSpaces": nothing, "deviceAuth": {"deviceSignature": proof}},
        }
        return _b64(dumps({"version": "1.0", "documents": [document], "status": 0}))

    def _audience(self, request: Request) -> str:
        return "x509_hash:another" if self.fault is Fault.AUDIENCE else str(request.claims["client_id"])

    def _nonce(self, request: Request) -> str:
        return "another" if self.fault is Fault.NONCE else str(request.claims["nonce"])

    def _holder(self) -> Key:
        return ec.generate_private_key(ec.SECP256R1()) if self.fault is Fault.HOLDER_KEY else self.key


def fake_client_certificate(*, now: datetime, host: str = "stadt.example") -> tuple[Key, x509.Certificate]:
    """A key and certificate with which a verifier presents itself to wallets."""
    key, root = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name, issuer = _name(host), _name("Testland access root")
    return key, _certificate(name, issuer, key, root, now.replace(microsecond=0), authority=False, host=host)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _digest(text: str) -> str:
    return _b64(hashlib.sha256(text.encode()).digest())


def _disclosure(name: str, value: object) -> str:
    return _b64(json.dumps([secrets.token_urlsafe(16), name, value]).encode())


def _sign(key: Key, data: bytes) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _jws(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    signed = ".".join(_b64(json.dumps(part).encode()) for part in ({"alg": "ES256", **header}, claims))
    return f"{signed}.{_b64(_sign(key, signed.encode()))}"


def _coordinates(key: Key) -> tuple[bytes, bytes]:
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


def _jwk(key: Key) -> dict[str, str]:
    x, y = _coordinates(key)
    return {"kty": "EC", "crv": "P-256", "x": _b64(x), "y": _b64(y)}


def _cose_key(key: Key) -> dict[int, Any]:
    x, y = _coordinates(key)
    return {1: 2, -1: 1, -2: x, -3: y}


def _cose_sign(key: Key, payload: bytes, x5chain: x509.Certificate | None = None) -> list[Any]:
    from cbor2 import dumps

    protected = dumps({1: -7})
    unprotected = {} if x5chain is None else {33: x5chain.public_bytes(serialization.Encoding.DER)}
    return [protected, unprotected, payload, _sign(key, dumps(["Signature1", protected, b"", payload]))]


def _standard(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def _belongs(client_id: str, certificate: x509.Certificate) -> bool:
    prefix, _, name = client_id.partition(":")
    if prefix == "x509_hash":
        return name == _b64(hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return prefix == "x509_san_dns" and name in names.get_values_for_type(x509.DNSName)


def _name(common: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])  # fmt: skip


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: Key, signer: Key, now: datetime, *, authority: bool, host: str = ""
) -> x509.Certificate:
    made = (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if host:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    elif not authority:
        purpose = x509.ExtendedKeyUsage([ObjectIdentifier("1.0.18013.5.1.2")])
        made = made.add_extension(purpose, critical=True)
    return made.sign(signer, hashes.SHA256())
