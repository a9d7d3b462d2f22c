"""Authorities of the online ID, made for a test: countries, document verifiers and terminals; signers of cards; TLS.

    country = new_country(today=today)
    verifier = issue(country, "DEDVTEST00001", Role.DV_OTHER, today=today)
    terminal = issue(verifier, "DETERMINAL00001", Role.TERMINAL, today=today, rights=reading(4, 5))

What is wrong on purpose, is so by its arguments: other dates, another role, another country.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from servicepunkt.eid.cvc import ID_SECTOR, Certificate, Extension, PublicKey
from servicepunkt.eid.rights import Chat, Right, Role
from servicepunkt.eid.tlv import tlv

EVERYTHING = frozenset(Right)
#: How long certificates of a role hold, in days.
DAYS = {Role.CVCA: 1_095, Role.DV_OFFICIAL: 90, Role.DV_OTHER: 90, Role.TERMINAL: 30}


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A card-verifiable certificate with its key."""

    certificate: Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def name(self) -> str:
        return self.certificate.holder


def new_country(
    name: str = "DETESTeID00001", *, today: date, rights: Iterable[Right] = EVERYTHING, days: int = DAYS[Role.CVCA]
) -> Holder:
    """A certificate authority that signed itself: the anchor of cards."""
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    return _signed(key, name, name, key, Role.CVCA, rights, today, days, ())


def issue(
    issuer: Holder, name: str, role: Role, *, today: date, rights: Iterable[Right] = EVERYTHING,
    days: int | None = None, extensions: tuple[Extension, ...] = (),
) -> Holder:  # fmt: skip
    """A certificate for a new key; with the role of a country it is a link. Valid from `today` for so many days."""
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    lasting = DAYS[role] if days is None else days
    return _signed(issuer.key, issuer.name, name, key, role, rights, today, lasting, extensions)


def _signed(
    signer: ec.EllipticCurvePrivateKey, authority: str, name: str, key: ec.EllipticCurvePrivateKey, role: Role,
    rights: Iterable[Right], today: date, days: int, extensions: tuple[Extension, ...],
) -> Holder:  # fmt: skip
    public = PublicKey.of(key.public_key())
    certificate = Certificate.issue(
        signer=signer,
        authority=authority,
        holder=name,
        key=public if role is Role.CVCA else msgspec.structs.replace(public, curve=None),
        chat=Chat(frozenset(rights), role),
        effective=today,
        expiration=today + timedelta(days=days),
        extensions=extensions,
    )
    return Holder(certificate=certificate, key=key)


def sector(*keys: PublicKey) -> Extension:
    """What lets a terminal ask for pseudonyms of these sector keys, which need their domain parameters."""
    return Extension(ID_SECTOR, tuple(hashlib.sha256(key.encode()).digest() for key in keys))


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """An X.509 certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Certificate and key in one file, as TLS servers take it."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.certificate.public_bytes(Encoding.PEM) + key


def new_csca(*, today: date) -> Signer:
    """The country's signing authority for documents."""
    return _x509("Test CSCA", ec.BrainpoolP256R1(), None, today=today, authority=True)


def new_document_signer(csca: Signer, *, today: date, days: int = 365) -> Signer:
    """Whose signature stands below EF.CardSecurity."""
    return _x509("Test Document Signer", ec.BrainpoolP256R1(), csca, today=today, days=days)


def new_server(*, today: date) -> Signer:
    """For HTTPS on the loopback address."""
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return _x509("localhost", ec.SECP256R1(), None, today=today, days=30, names=names)


def _x509(
    name: str, curve: ec.EllipticCurve, issuer: Signer | None, *, today: date, days: int = 1_095,
    authority: bool = False, names: x509.SubjectAlternativeName | None = None,
) -> Signer:  # fmt: skip
    key = ec.generate_private_key(curve)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Servicepunkt Test"),
        x509.NameAttribute(NameOID.COMMON_NAME, name),
    ])  # fmt: skip
    start = datetime.combine(today, time(), UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return Signer(certificate=builder.sign(issuer.key if issuer else key, hashes.SHA256()), key=key)


#: Object identifiers of CMS, as DER writes them: signedData, contentType, messageDigest, SHA-256, ecdsa-with-SHA256.
SIGNED_DATA = bytes.fromhex("2A864886F70D010702")
_CONTENT_TYPE = bytes.fromhex("2A864886F70D010903")
_MESSAGE_DIGEST = bytes.fromhex("2A864886F70D010904")
_SHA_256 = bytes.fromhex("608648016503040201")
_ECDSA_SHA_256 = bytes.fromhex("2A8648CE3D040302")
SECURITY_OBJECT = bytes.fromhex("04007F0007030201")


def signed_security(infos: bytes, signer: Signer) -> bytes:
    """EF.CardSecurity: SignedData of RFC 5652 over SecurityInfos, with the signer's certificate.

    TR-03110-3 §A.1.2.5.
    """
    algorithm = tlv(0x30, tlv(0x06, _SHA_256))
    digest = hashlib.sha256(infos).digest()
    attributes = tlv(0x30, tlv(0x06, _CONTENT_TYPE), tlv(0x31, tlv(0x06, SECURITY_OBJECT))) + tlv(
        0x30, tlv(0x06, _MESSAGE_DIGEST), tlv(0x31, tlv(0x04, digest))
    )
    signature = signer.key.sign(tlv(0x31, attributes), ec.ECDSA(hashes.SHA256()))
    serial = signer.certificate.serial_number
    signer_info = tlv(
        0x30,
        tlv(0x02, b"\x01"),
        tlv(0x30, signer.certificate.issuer.public_bytes(), _integer(serial)),
        algorithm,
        tlv(0xA0, attributes),
        tlv(0x30, tlv(0x06, _ECDSA_SHA_256)),
        tlv(0x04, signature),
    )
    content = tlv(0x30, tlv(0x06, SECURITY_OBJECT), tlv(0xA0, tlv(0x04, infos)))
    data = tlv(
        0x30, tlv(0x02, b"\x03"), tlv(0x31, algorithm), content, tlv(0xA0, signer.der), tlv(0x31, signer_info)
    )  # fmt: skip
    return tlv(0x30, tlv(0x06, SIGNED_DATA), tlv(0xA0, data))


def _integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
