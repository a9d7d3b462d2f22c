"""A verifier, the wallet of a test person, and the wire between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import msgspec
import pytest

from servicepunkt.eid.testing.wallet import MDOC, SD_JWT, FakeIssuer, FakeWallet, Http, fake_client_certificate
from servicepunkt.eid.wallet.attributes import Ask
from servicepunkt.eid.wallet.request import Client
from servicepunkt.eid.wallet.status import StatusLists
from servicepunkt.eid.wallet.trust import TrustAnchors
from servicepunkt.eid.wallet.verifier import PresentationSession, Verifier

#: Without the extra the tests of the other format run all the same.
FORMATS = (SD_JWT, MDOC) if find_spec("cbor2") else (SD_JWT,)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def issuer() -> FakeIssuer:
    return FakeIssuer(now=NOW)


@pytest.fixture(scope="session")
def anchors(issuer: FakeIssuer) -> TrustAnchors:
    return TrustAnchors.of(issuer.certificate)


@pytest.fixture(scope="session")
def client() -> Client:
    key, certificate = fake_client_certificate(now=NOW)
    return Client(key, (certificate,))


@pytest.fixture
def make_verifier(issuer: FakeIssuer, anchors: TrustAnchors, client: Client) -> Callable[..., Verifier]:
    def make(**other: Any) -> Verifier:
        settings = {
            "client": client,
            "anchors": anchors,
            "address": "https://stadt.example/wallet",
            "statuses": StatusLists(issuer.fetch, anchors),
            "formats": FORMATS,
        }
        return Verifier(**(settings | other))

    return make


@pytest.fixture
def verifier(make_verifier: Callable[..., Verifier]) -> Verifier:
    return make_verifier()


@pytest.fixture
def wire() -> Callable[..., Http]:
    """The verifier's web server."""

    def make(verifier: Verifier, now: datetime = NOW) -> Http:
        def http(method: str, url: str, body: bytes | None) -> bytes:
            kind, name = url.rsplit("/", 2)[1:]
            assert url.startswith(verifier.address)
            if kind == "request":
                assert (body is None) == (method == "GET")
                return verifier.request(name, now=now, body=body).encode()
            assert body is not None
            return msgspec.json.encode(verifier.receive(name, body, now=now))

        return http

    return make


@pytest.fixture
def begin() -> Callable[..., PresentationSession]:
    def start(verifier: Verifier, **asked: Any) -> PresentationSession:
        ask = Ask(**(asked or {"required": ("given_names", "family_names"), "optional": ("address",)}))
        return verifier.begin(ask, now=NOW, binding="terminal 7", random=os.urandom)

    return start


@pytest.fixture
def make_wallet(issuer: FakeIssuer) -> Callable[..., FakeWallet]:
    def make(**settings: Any) -> FakeWallet:
        return FakeWallet(issuer, now=NOW, **settings)

    return make
