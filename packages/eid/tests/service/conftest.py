"""A service and a town with certificates of their own, on one clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from servicepunkt.eid.service.soap import Signer
from servicepunkt.eid.testing.eid_server import EidServer

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def signer(name: str, *, elliptic: bool = False) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1()) if elliptic else rsa.generate_private_key(65537, 2048)
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return Signer(certificate, key)


@pytest.fixture(scope="session")
def town() -> Signer:
    return signer("a town")


@pytest.fixture(scope="session")
def service() -> Signer:
    return signer("an eID service", elliptic=True)


@pytest.fixture(scope="session")
def stranger() -> Signer:
    return signer("somebody else")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(town: Signer, service: Signer, clock: Clock) -> EidServer:
    return EidServer(signer=service, client=town.certificate, now=clock)
