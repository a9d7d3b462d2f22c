"""mdoc: annex D of the standard, an answer of the European reference wallet, and every part of one changed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding

from servicepunkt.eid.errors import EidError, MalformedError
from servicepunkt.eid.testing.wallet import DOCTYPE, ERIKA, MDOC, FakeIssuer, FakeWallet, _certificate, _name
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import AlgorithmError, AnswerError, BindingError, OutdatedError, UntrustedError
from servicepunkt.eid.wallet.trust import Anchor, TrustAnchors

cbor2 = pytest.importorskip("cbor2")
cbor = pytest.importorskip("servicepunkt.eid.wallet.cbor")
cose = pytest.importorskip("servicepunkt.eid.wallet.cose")
mdoc = pytest.importorskip("servicepunkt.eid.wallet.mdoc")

DATA = Path(__file__).parent.parent / "data"
UTOPIA = datetime(2021, 1, 1, tzinfo=UTC)
#: Annex D.5.1: the reader's ephemeral key.
READER = ec.derive_private_key(
    0xDE3B4B9E5F72DD9B58406AE3091434DA48A6F9FD010D88FCB0958E2CEBEC947C, ec.SECP256R1()
)  # fmt: skip
TRANSCRIPT = mdoc.session_transcript("x509_hash:me", "nonce", bytes(32), "https://me.example/r")
Verify = Callable[..., Any]


def annex_d(name: str) -> bytes:
    return bytes.fromhex((DATA / "mdoc" / f"annex_d_{name}.hex").read_text())


@pytest.fixture(scope="module")
def utopia() -> TrustAnchors:
    return TrustAnchors.from_files([DATA / "mdoc" / "annex_d_iaca_root.der"], ["pid"])


def test_the_issuer_of_annex_d(utopia: TrustAnchors) -> None:
    signed = cbor.loads(annex_d("issuer_signed"), "issuer")
    found = mdoc.verify_issuer(signed, anchors=utopia, now=UTOPIA)
    claims = found.claims["org.iso.18013.5.1"]
    assert (found.doctype, claims["family_name"], claims["document_number"]) == (
        "org.iso.18013.5.1.mDL", "Doe", "123456789",
    )  # fmt: skip
    assert str(claims["expiry_date"]) == "2024-10-20"
    assert len(claims) == 6
    for now, error in ((UTOPIA - timedelta(days=200), EidError), (UTOPIA + timedelta(days=300), EidError)):
        with pytest.raises(error, match="SP4311"):
            mdoc.verify_issuer(signed, anchors=utopia, now=now)
    with pytest.raises(UntrustedError):
        mdoc.verify_issuer(signed, anchors=TrustAnchors([]), now=UTOPIA)


def test_the_device_of_annex_d_with_its_code(utopia: TrustAnchors) -> None:
    issued = mdoc.verify_issuer(cbor.loads(annex_d("issuer_signed"), "issuer"), anchors=utopia, now=UTOPIA)
    signed = cbor.loads(annex_d("device_signed"), "device")
    transcript = cbor.loads(annex_d("session_transcript"), "session").data
    mdoc.verify_device(signed, issued, transcript=transcript, reader_key=READER)
    with pytest.raises(AlgorithmError):
        mdoc.verify_device(signed, issued, transcript=transcript)
    with pytest.raises(BindingError):
        mdoc.verify_device(signed, issued, transcript=TRANSCRIPT, reader_key=READER)
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(BindingError):
        mdoc.verify_device(signed, issued, transcript=transcript, reader_key=other)


def test_each_byte_of_annex_d_counts(utopia: TrustAnchors) -> None:
    """What was changed is refused, or nothing is left of it: an issuer need not show any claim."""
    data = bytearray(annex_d("issuer_signed"))
    for at in range(0, len(data), 11):
        data[at] ^= 0x01
        try:
            found = mdoc.verify_issuer(mdoc._map(cbor.loads(bytes(data), "issuer")), anchors=utopia, now=UTOPIA).claims
        except EidError:
            found = {}
        assert found == {}, f"byte {at}"
        data[at] ^= 0x01


def test_the_transcript_of_the_standard() -> None:
    """OpenID4VP 1.0, appendix B.2.6.1."""
    key = {
        "kty": "EC", "use": "enc", "alg": "ECDH-ES", "kid": "1", "crv": "P-256",
        "x": "DxiH5Q4Yx3UrukE2lWCErq8N8bqC9CHLLrAwLz5BmE0", "y": "XtLM4-3h5o3HUH0MHVJV0kyq0iBlrBwlh8qEDMZ4-Pc",
    }  # fmt: skip
    thumbprint = jose.thumbprint(key)
    assert thumbprint.hex() == "4283ec927ae0f208daaa2d026a814f2b22dca52cf85ffa8f3f8626c6bd669047"
    nonce = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA"
    found = mdoc.session_transcript("x509_san_dns:example.com", nonce, thumbprint, "https://example.com/response")
    assert found.hex() == (
        "83f6f682714f70656e494434565048616e646f7665725820"
        "048bc053c00442af9b8eed494cefdd9d95240d254b046b11b68013722aad38ac"
    )
    assert found != mdoc.session_transcript("x509_san_dns:example.com", nonce, None, "https://example.com/response")


class Maker:
    """Answers of which every part can be set before it is signed."""

    def __init__(self, issuer: FakeIssuer, now: datetime) -> None:
        self.issuer = issuer
        self.holder = ec.generate_private_key(ec.SECP256R1())
        self.key = issuer.key
        self.header: dict[Any, Any] = {1: -7}
        self.unprotected: dict[Any, Any] = {33: issuer.signer.public_bytes(Encoding.DER)}
        self.items = [self.item(0, "given_name", "ERIKA"), self.item(1, "family_name", "MUSTERMANN")]
        begin = now.replace(microsecond=0) - timedelta(days=1)
        numbers = self.holder.public_key().public_numbers()
        self.security: dict[str, Any] = {
            "version": "1.0",
            "digestAlgorithm": "SHA-256",
            "docType": DOCTYPE,
            "validityInfo": {"signed": begin, "validFrom": begin, "validUntil": begin + timedelta(days=9)},
            "deviceKeyInfo": {
                "deviceKey": {1: 2, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
            },
        }
        self.response: dict[str, Any] = {"version": "1.0", "status": 0}
        self.document: dict[str, Any] = {"docType": DOCTYPE}
        self.device: dict[str, Any] = {"nameSpaces": cbor2.CBORTag(24, b"\xa0")}
        self.device_payload: bytes | None = None

    @staticmethod
    def item(number: int, name: object, value: object, size: int = 32) -> bytes:
        return bytes(cbor2.dumps({
            "digestID": number, "random": os.urandom(size), "elementIdentifier": name, "elementValue": value,
        }))  # fmt: skip

    def sign(self, key: ec.EllipticCurvePrivateKey, header: Any, payload: bytes) -> bytes:
        digest = {-7: hashes.SHA256(), -35: hashes.SHA384(), -36: hashes.SHA512()}.get(header.get(1), hashes.SHA256())
        r, s = utils.decode_dss_signature(
            key.sign(cbor2.dumps(["Signature1", cbor2.dumps(header), b"", payload]), ec.ECDSA(digest))
        )
        size = (key.curve.key_size + 7) // 8
        return bytes(r.to_bytes(size, "big") + s.to_bytes(size, "big"))

    def make(self, shown: list[bytes] | None = None) -> bytes:
        tags = [cbor2.CBORTag(24, item) for item in self.items]
        name = str(self.security["digestAlgorithm"]).replace("-", "").lower()
        name = name if name in hashlib.algorithms_available else "sha256"
        digests = {number: hashlib.new(name, cbor2.dumps(tag)).digest() for number, tag in enumerate(tags)}
        security = {"valueDigests": {DOCTYPE: digests}, **self.security}
        payload = cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(security)))
        auth = [cbor2.dumps(self.header), self.unprotected, payload, self.sign(self.key, self.header, payload)]
        shown_tags = tags if shown is None else [cbor2.CBORTag(24, item) for item in shown]
        content = cbor2.dumps(["DeviceAuthentication", cbor2.loads(TRANSCRIPT), DOCTYPE, self.device["nameSpaces"]])
        content = cbor2.dumps(cbor2.CBORTag(24, content))
        proof = [cbor2.dumps({1: -7}), {}, self.device_payload, self.sign(self.holder, {1: -7}, content)]
        document = {
            "issuerSigned": {"nameSpaces": {DOCTYPE: shown_tags}, "issuerAuth": auth},
            "deviceSigned": {"deviceAuth": {"deviceSignature": proof}, **self.device},
            **self.document,
        }
        return bytes(cbor2.dumps({"documents": [document], **self.response}))


@pytest.fixture
def maker(issuer: FakeIssuer, now: datetime) -> Maker:
    return Maker(issuer, now)


@pytest.fixture
def verify(anchors: TrustAnchors, now: datetime) -> Verify:
    def run(data: bytes, **other: Any) -> Any:
        settings = {"anchors": anchors, "doctype": DOCTYPE, "transcript": TRANSCRIPT, "now": now}
        return mdoc.verify(data, **(settings | other))

    return run


def test_what_is_shown(maker: Maker, verify: Verify) -> None:
    found = verify(maker.make())
    assert found.claims == {DOCTYPE: {"given_name": "ERIKA", "family_name": "MUSTERMANN"}}
    assert "ERIKA" not in repr(found)
    assert verify(maker.make(maker.items[1:])).claims == {DOCTYPE: {"family_name": "MUSTERMANN"}}


@pytest.mark.parametrize("algorithm", ["SHA-256", "SHA-384", "SHA-512"])
def test_hashes(algorithm: str, maker: Maker, verify: Verify) -> None:
    maker.security["digestAlgorithm"] = algorithm
    assert verify(maker.make()).claims


@pytest.mark.parametrize(
    ("part", "changes", "code"),
    [
        ("security", {"digestAlgorithm": "SHA-1"}, "SP4301"),
        ("security", {"digestAlgorithm": 1}, "SP4301"),
        ("security", {"version": "2.0"}, "SP4001"),
        ("security", {"docType": "org.iso.18013.5.1.mDL"}, "SP4321"),
        ("security", {"docType": 1}, "SP4001"),
        ("security", {"validityInfo": {}}, "SP4001"),
        ("security", {"deviceKeyInfo": {}}, "SP4001"),
        ("security", {"deviceKeyInfo": {"deviceKey": {1: 2, -1: 1, -2: bytes(32), -3: bytes(32)}}}, "SP4001"),
        ("security", {"deviceKeyInfo": {"deviceKey": {1: 1, -1: 6, -2: bytes(32)}}}, "SP4001"),
        ("security", {"valueDigests": {}}, "SP4001"),
        ("security", {"valueDigests": {DOCTYPE: {0: b"", 1: b""}}}, "SP4314"),
        ("security", {"status": {"other": 1}}, "SP4001"),
        ("response", {"version": "1.1"}, "SP4001"),
        ("response", {"status": 10}, "SP4001"),
        ("response", {"documents": []}, "SP4001"),
        ("response", {"documentErrors": []}, "SP4001"),
        ("document", {"docType": "org.iso.18013.5.1.mDL"}, "SP4321"),
        ("document", {"deviceSigned": None}, "SP4001"),
        ("document", {"issuerSigned": []}, "SP4001"),
        ("device", {"nameSpaces": cbor2.CBORTag(24, cbor2.dumps({DOCTYPE: {"sex": 1}}))}, "SP4001"),
        ("device", {"deviceAuth": {}}, "SP4001"),
        ("device", {"deviceAuth": {"deviceOther": [b"\xa1\x01\x26", {}, None, bytes(64)]}}, "SP4001"),
        ("device", {"deviceAuth": {"deviceSignature": [b"\xa1\x01\x26", {}, None, bytes(64)]}}, "SP4320"),
        ("device", {"deviceAuth": {"deviceSignature": [b"\xa1\x01\x26", {}, None, bytes(63)]}}, "SP4320"),
        ("device", {"deviceAuth": {"deviceSignature": [b"\xa0", {}, None, bytes(64)]}}, "SP4301"),
        ("device", {"deviceAuth": {"deviceSignature": [b"\xa1\x01\x05", {}, None, bytes(64)]}}, "SP4301"),
        ("device", {"deviceAuth": {"deviceMac": [b"\xa1\x01\x05", {}, None, bytes(32)]}}, "SP4301"),
        ("header", {1: -8}, "SP4301"),
        ("header", {1: "ES256"}, "SP4301"),
        ("header", {1: True}, "SP4301"),
        ("header", {1: -35}, "SP4301"),
        ("header", {2: [1]}, "SP4001"),
        ("unprotected", {33: b"no certificate"}, "SP4001"),
        ("unprotected", {33: []}, "SP4001"),
        ("unprotected", {1: -7}, "SP4001"),
    ],
)
def test_parts_that_are_refused(part: str, changes: Any, code: str, maker: Maker, verify: Verify) -> None:
    getattr(maker, part).update(changes)
    with pytest.raises(EidError) as caught:
        verify(maker.make())
    assert caught.value.code == code


def test_times_that_are_refused(maker: Maker, verify: Verify, now: datetime) -> None:
    day = timedelta(days=1)
    for begin, until, error in (
        (now + day, now + 2 * day, OutdatedError),
        (now - 2 * day, now - day, OutdatedError),
        (now, now, MalformedError),
    ):
        maker.security["validityInfo"] = {"signed": begin, "validFrom": begin, "validUntil": until}
        with pytest.raises(error):
            verify(maker.make())
    old = now - timedelta(days=300)
    maker.security["validityInfo"] = {"signed": old, "validFrom": old, "validUntil": now + day}
    with pytest.raises(OutdatedError, match="certificate"):
        verify(maker.make())


def test_items_that_are_refused(maker: Maker, verify: Verify) -> None:
    changed = maker.item(0, "given_name", "MAX")
    for shown, code in (
        ([changed], "SP4314"),
        ([maker.items[0], maker.items[0]], "SP4314"),
        ([maker.item(7, "sex", 1)], "SP4314"),
        ([], "SP4001"),
        ([b"\xa0"], "SP4001"),
        ([maker.item(0, 1, 1)], "SP4001"),
        ([maker.items[0] + b"\x00"], "SP4001"),
    ):
        with pytest.raises(EidError) as caught:
            verify(maker.make(shown))
        assert caught.value.code == code
    for items in (
        [maker.item(0, "sex", 1), maker.item(1, "sex", 2)],
        [maker.item(0, "sex", 1), maker.item(0, "age", 2)],
    ):
        maker.items = items
        with pytest.raises(EidError, match="SP4314"):
            verify(maker.make())
    maker.items = [maker.item(0, "sex", 1, size=15)]
    with pytest.raises(MalformedError):
        verify(maker.make())


def test_a_proof_over_something_else(maker: Maker, verify: Verify) -> None:
    """The device signs the session, which is never in the answer."""
    maker.device_payload = b"session"
    with pytest.raises(MalformedError, match="something else"):
        verify(maker.make())


def test_a_signer_without_the_purpose(maker: Maker, verify: Verify, issuer: FakeIssuer, now: datetime) -> None:
    maker.key, names = ec.generate_private_key(ec.SECP256R1()), (_name("Somebody"), issuer.certificate.subject)
    other = _certificate(*names, maker.key, issuer.root_key, now, authority=False, host="somebody.example")
    maker.unprotected = {33: other.public_bytes(Encoding.DER)}
    with pytest.raises(UntrustedError, match="for something else"):
        verify(maker.make())


def test_a_signer_of_something_else(maker: Maker, verify: Verify, issuer: FakeIssuer) -> None:
    with pytest.raises(UntrustedError):
        verify(maker.make(), anchors=TrustAnchors([Anchor(issuer.certificate, frozenset({"status"}))]))
    maker.unprotected = {33: issuer.certificate.public_bytes(Encoding.DER)}
    with pytest.raises(UntrustedError, match="authority"):
        verify(maker.make())


def test_another_type_of_document(maker: Maker, verify: Verify) -> None:
    with pytest.raises(AnswerError):
        verify(maker.make(), doctype="org.iso.18013.5.1.mDL")


def test_a_code_in_place_of_a_signature(maker: Maker, verify: Verify, now: datetime) -> None:
    reader = ec.generate_private_key(ec.SECP256R1())
    key = mdoc.mac_key(reader, maker.holder.public_key(), TRANSCRIPT)
    content = cbor2.dumps(["DeviceAuthentication", cbor2.loads(TRANSCRIPT), DOCTYPE, maker.device["nameSpaces"]])
    content = cbor2.dumps(cbor2.CBORTag(24, content))
    code = hmac.HMAC(key, hashes.SHA256())
    code.update(cbor2.dumps(["MAC0", b"\xa1\x01\x05", b"", content]))
    maker.device["deviceAuth"] = {"deviceMac": [b"\xa1\x01\x05", {}, None, code.finalize()]}
    assert verify(maker.make(), reader_key=reader).claims
    with pytest.raises(BindingError):
        verify(maker.make(), reader_key=ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(AlgorithmError):
        verify(maker.make(), reader_key=ec.generate_private_key(ec.SECP384R1()))
    maker.device["deviceAuth"]["deviceMac"][0] = b"\xa1\x01\x04"  # HMAC 256/64
    with pytest.raises(AlgorithmError):
        verify(maker.make(), reader_key=reader)


def test_curves_of_devices(maker: Maker) -> None:
    for number, curve in cose.CURVES.items():
        numbers = ec.generate_private_key(curve).public_key().public_numbers()
        size = (curve.key_size + 7) // 8
        key = {1: 2, -1: number, -2: numbers.x.to_bytes(size, "big"), -3: numbers.y.to_bytes(size, "big")}
        assert cose.public_key(key, "key").public_numbers() == numbers
        with pytest.raises(MalformedError):
            cose.public_key(key | {-4: b"private"}, "key")
        with pytest.raises(MalformedError):
            cose.public_key(key | {-3: key[-3] + b"\x00"}, "key")


def test_each_byte_of_an_answer_counts(issuer: FakeIssuer, maker: Maker, verify: Verify) -> None:
    data = bytearray(maker.make())
    assert verify(bytes(data)).claims
    for at in range(0, len(data), 5):
        data[at] ^= 0x01
        try:
            found = verify(bytes(data)).claims
        except EidError:
            found = {}
        assert found == {}, f"byte {at}"
        data[at] ^= 0x01


def test_the_wallet_of_the_test_person(
    make_wallet: Callable[..., FakeWallet], issuer: FakeIssuer, anchors: TrustAnchors, now: datetime
) -> None:
    wallet = make_wallet(format=MDOC)
    auth, items = issuer.mdoc(ERIKA, wallet.key, index=3)
    signed = {"nameSpaces": {DOCTYPE: [cbor2.CBORTag(24, item) for item in items.values()]}, "issuerAuth": auth}
    found = mdoc.verify_issuer(cbor.loads(cbor2.dumps(signed), "x"), anchors=anchors, now=now)
    assert len(found.claims[DOCTYPE]) == len(items) == 16
    assert found.status.index == 3


@pytest.mark.parametrize(
    "data",
    [
        "", "00ff", "a2010101 02", "9f00ff", "5f4100ff", "c249ffffffffffffffffff", "d823613d", "d81c80", "d81d00",
        "c482010f", "c5821a7fffffff01", "d81e820100", "d9010080", "d90104c0", "d864 00", "d818a0", "d81864", "c000",
        "c0613d", "c074323032302d30322d33305431333a33303a30325a", "d903ec6a323032302d30322d3330", "d903ec00",
        "dbffffff", "9bffffffffffffffff00", "5bffffffffffffffff00", "bbffffffffffffffff00", "81" * 17 + "00",
        "a1", "61ff", "1c",
        "d9d9f700", "f818", "c60000", "d820613d", "d825",
    ],
)  # fmt: skip
def test_what_is_no_cbor_here(data: str) -> None:
    with pytest.raises(MalformedError):
        cbor.loads(bytes.fromhex(data), "x")


def test_cbor_has_a_size() -> None:
    with pytest.raises(MalformedError, match="long"):
        cbor.loads(cbor2.dumps(bytes(300_000)), "x")


def test_what_is_cbor_here() -> None:
    encoded = cbor.loads(bytes.fromhex("d81841a0"), "x")
    assert (encoded.data, bytes(encoded), cbor.dumps(encoded)) == (b"\xa0", *[bytes.fromhex("d81841a0")] * 2)
    assert list(cbor.loads(bytes.fromhex("d28101"), "x")) == [1]
    with pytest.raises(TypeError):
        cbor.dumps(object())
