"""The certificates of a simulated eID service and of the town that asks it, as files. Made once."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from servicepunkt.eid.service.soap import Signer

#: Of the town, for its section of the tenant file: `certificate`, `key`, `trusted` and `authorities`.
TOWN, TOWN_KEY, SERVICE = "eid-town.pem", "eid-town.key", "eid-service.pem"
SERVICE_KEY = "eid-service.key"
DAYS = 3_650


def prepare(secrets: Path, home: Path) -> None:
    """Make what is missing: `secrets` is the folder of the tenant's own secrets, `home` the service's."""
    for folder, certificate, key, name in (
        (secrets, TOWN, TOWN_KEY, "Simulated town"),
        (home, SERVICE, SERVICE_KEY, "Simulated eID service"),
    ):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / certificate).exists():
            _make(folder / certificate, folder / key, name)
    (secrets / SERVICE).write_bytes((home / SERVICE).read_bytes())


def signer(certificate: Path, key: Path) -> Signer:
    found = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return Signer(x509.load_pem_x509_certificate(certificate.read_bytes()), found)


def server_context(secrets: Path, home: Path) -> ssl.SSLContext:
    """TLS of the service: nobody but the town is let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / SERVICE, home / SERVICE_KEY)
    context.load_verify_locations(secrets / TOWN)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _make(certificate: Path, key: Path, name: str) -> None:
    own, at = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(own, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
