"""Paths from an issuer to an authority, step by step, and lists of authorities."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.testing.wallet import FakeIssuer
from servicepunkt.eid.wallet import jose
from servicepunkt.eid.wallet.errors import OutdatedError, SignatureError, UntrustedError
from servicepunkt.eid.wallet.trust import DOCUMENT_SIGNERS, Anchor, TrustAnchors


class Certified:
    """A key with its certificate; signs others."""

    def __init__(self, name: str, by: Certified | None, now: datetime, *, ca: bool = False, **other: Any) -> None:
        self.key = other.get("key") or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        begin, end = other.get("times", (now - timedelta(days=1), now + timedelta(days=1)))
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name if by else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        if other.get("constraints", True):
            builder = builder.add_extension(x509.BasicConstraints(ca, other.get("length")), critical=True)
        if "usage" in other:
            names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                     "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
            usage = x509.KeyUsage(**{one: one in other["usage"] for one in names})
            builder = builder.add_extension(usage, critical=True)
        if "purposes" in other:
            builder = builder.add_extension(x509.ExtendedKeyUsage(other["purposes"]), critical=True)
        if "unknown" in other:
            extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
            builder = builder.add_extension(extension, critical=other["unknown"])
        self.certificate = builder.sign((by or self).key, other.get("hash", hashes.SHA256()))


def issuer_key(now: datetime, root: Certified, *chain: Certified, **other: Any) -> ec.EllipticCurvePublicKey:
    anchors = TrustAnchors.of(root.certificate)
    return anchors.issuer_key([one.certificate for one in chain], now=now, use="pid", **other)


def test_paths_of_one_two_and_three(now: datetime) -> None:
    root = Certified("root", None, now, ca=True, length=1, usage=["key_cert_sign"])
    middle = Certified("middle", root, now, ca=True, length=0, usage=["key_cert_sign"])
    leaf = Certified("leaf", middle, now, usage=["digital_signature"])
    expected = leaf.key.public_key()
    assert issuer_key(now, root, leaf, middle) == expected
    assert issuer_key(now, root, leaf, middle, root) == expected, "the anchor may stand in the chain"
    assert issuer_key(now, middle, leaf) == expected
    assert issuer_key(now, leaf, leaf) == expected, "a signer may be believed by itself"


def test_paths_that_end_nowhere(now: datetime) -> None:
    root = Certified("root", None, now, ca=True)
    leaf = Certified("leaf", root, now)
    for anchor, signer in (
        (Certified("root", None, now, ca=True), leaf),  # another of the same name
        (root, Certified("leaf", Certified("middle", root, now, ca=True), now)),  # one is missing between
        (root, Certified("self", None, now)),
        (root, root),  # an authority that signs itself
    ):
        with pytest.raises(UntrustedError):
            issuer_key(now, anchor, signer)


@pytest.mark.parametrize(
    ("middle", "leaf"),
    [
        ({"ca": False}, {}),
        ({"ca": True, "constraints": False}, {}),
        ({"ca": True, "usage": ["digital_signature"]}, {}),
        ({"ca": True, "unknown": True}, {}),
        ({"ca": True}, {"unknown": True}),
        ({"ca": True}, {"usage": ["key_agreement"]}),
        ({"ca": True}, {"ca": True}),
        ({"ca": True}, {"hash": hashes.SHA224()}),
        ({"ca": True}, {"key": rsa.generate_private_key(65537, 2048)}),
    ],
)
def test_certificates_that_are_refused(middle: dict[str, Any], leaf: dict[str, Any], now: datetime) -> None:
    root = Certified("root", None, now, ca=True)
    between = Certified("middle", root, now, **middle)
    signer = Certified("leaf", between, now, **leaf)
    with pytest.raises(UntrustedError):
        issuer_key(now, root, signer, between)


def test_a_path_that_is_too_long(now: datetime) -> None:
    root = Certified("root", None, now, ca=True, length=0)
    middle = Certified("middle", root, now, ca=True)
    with pytest.raises(UntrustedError, match="too long"):
        issuer_key(now, root, Certified("leaf", middle, now), middle)


@pytest.mark.parametrize(("bits", "believed"), [(1024, False), (2048, True)])
def test_authorities_with_rsa(bits: int, believed: bool, now: datetime) -> None:
    root = Certified("root", None, now, ca=True, key=rsa.generate_private_key(65537, bits))
    leaf = Certified("leaf", root, now)
    if believed:
        assert issuer_key(now, root, leaf) == leaf.key.public_key()
        return
    with pytest.raises(UntrustedError):
        issuer_key(now, root, leaf)


def test_extensions_that_nobody_has_to_know(now: datetime) -> None:
    root = Certified("root", None, now, ca=True)
    assert issuer_key(now, root, Certified("leaf", root, now, unknown=False))


@pytest.mark.parametrize("old", ["root", "middle", "leaf"])
def test_each_certificate_has_its_time(old: str, now: datetime) -> None:
    past = {"times": (now - timedelta(days=9), now - timedelta(days=1))}
    root = Certified("root", None, now, ca=True, **(past if old == "root" else {}))
    middle = Certified("middle", root, now, ca=True, **(past if old == "middle" else {}))
    leaf = Certified("leaf", middle, now, **(past if old == "leaf" else {}))
    with pytest.raises(OutdatedError):
        issuer_key(now, root, leaf, middle)


def test_purposes(now: datetime) -> None:
    root = Certified("root", None, now, ca=True)
    for purpose in DOCUMENT_SIGNERS:
        leaf = Certified("leaf", root, now, purposes=[purpose])
        assert issuer_key(now, root, leaf, purposes=DOCUMENT_SIGNERS)
    for other in ({}, {"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}):
        leaf = Certified("leaf", root, now, **other)
        with pytest.raises(UntrustedError, match="something else"):
            issuer_key(now, root, leaf, purposes=DOCUMENT_SIGNERS)


def test_anchors_have_uses(now: datetime) -> None:
    root = Certified("root", None, now, ca=True)
    leaf = Certified("leaf", root, now)
    anchors = TrustAnchors([Anchor(root.certificate, frozenset({"status"}))])
    assert anchors.issuer_key([leaf.certificate], now=now, use="status")
    with pytest.raises(UntrustedError):
        anchors.issuer_key([leaf.certificate], now=now, use="pid")


def test_anchors_in_files(issuer: FakeIssuer, tmp_path: Path) -> None:
    pem, der = tmp_path / "two.pem", tmp_path / "one.der"
    pem.write_bytes(issuer.certificate.public_bytes(Encoding.PEM) + issuer.signer.public_bytes(Encoding.PEM))
    der.write_bytes(issuer.certificate.public_bytes(Encoding.DER))
    assert len(TrustAnchors.from_files([pem, der])) == 3
    for broken in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x00"):
        der.write_bytes(broken)
        with pytest.raises(EidError):
            TrustAnchors.from_files([der])


@pytest.fixture
def table(issuer: FakeIssuer, now: datetime) -> dict[str, Any]:
    at = int(now.timestamp())
    der = base64.b64encode(issuer.certificate.public_bytes(Encoding.DER)).decode()
    return {"issued": at, "next_update": at + 60, "anchors": [{"name": "x", "uses": ["pid"], "certificate": der}]}


def test_a_list_of_ones_own(table: dict[str, Any], issuer: FakeIssuer, now: datetime) -> None:
    anchors = TrustAnchors.from_list(json.dumps(table).encode(), now=now)
    assert anchors.issuer_key([issuer.signer], now=now, use="pid") == issuer.key.public_key()
    with pytest.raises(OutdatedError):
        TrustAnchors.from_list(json.dumps(table).encode(), now=now + timedelta(minutes=1))


@pytest.mark.parametrize(
    "change",
    [
        {"issued": None},
        {"next_update": "soon"},
        {"anchors": []},
        {"anchors": [1]},
        {"anchors": [{"uses": ["pid"], "certificate": "AAAA"}]},
        {"anchors": [{"uses": ["pid"], "certificate": "?"}]},
        {"anchors": [{"uses": [], "certificate": "AAAA"}]},
        {"anchors": [{"uses": ["all"], "certificate": "AAAA"}]},
        {"anchors": [{"uses": [["pid"]], "certificate": "AAAA"}]},
    ],
)
def test_lists_that_are_none(change: dict[str, Any], table: dict[str, Any], now: datetime) -> None:
    with pytest.raises(EidError):
        TrustAnchors.from_list(json.dumps(table | change).encode(), now=now)


def test_a_list_that_somebody_signed(table: dict[str, Any], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    token = jose.sign({"typ": "trust-list+jwt"}, table, key)
    assert len(TrustAnchors.from_signed_list(token, signer=key.public_key(), now=now)) == 1
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(SignatureError):
        TrustAnchors.from_signed_list(token, signer=other.public_key(), now=now)
