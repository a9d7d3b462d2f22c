"""The town as wallets know it: from the references of its file to a verifier, kept for minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from servicepunkt.core.errors import NotFoundError, SecretError, ServicepunktError
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.errors import EidError
from servicepunkt.eid.model import Level
from servicepunkt.eid.settings import WalletSettings, settings_of
from servicepunkt.eid.wallet.request import Client
from servicepunkt.eid.wallet.status import MOST_BYTES, StatusLists
from servicepunkt.eid.wallet.trust import TrustAnchors
from servicepunkt.eid.wallet.verifier import Verifier

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

T = TypeVar("T")
#: How long a changed file may stay unseen.
KEPT_SECONDS = 300
#: For a status list: for each part of the answer, and for all of it.
FETCH_SECONDS, ALL_SECONDS = 3.0, 5.0
ACCEPT = "application/statuslist+jwt, application/statuslist+cwt"


class WalletNotReadyError(ServicepunktError):
    """The certificate, its key or the list of issuers cannot be used; the checks before going live say why."""

    code = "SP4487"
    status = 503
    citizen = "The wallet cannot be used here at the moment."
    staff = "What [eid.wallet] names cannot be used; `servicepunkt tenant doctor` says why."
    next_step = "Please choose another way, or ask here at the counter."


class Party:
    """What the file refers to, read anew with each call. Each raises WalletNotReadyError."""

    def __init__(self, settings: WalletSettings, *, slug: str, home: Path) -> None:
        self._settings, self._slug, self._home = settings, slug, home

    def chain(self) -> tuple[x509.Certificate, ...]:
        """The own certificate first."""
        return _read(lambda: tuple(x509.load_pem_x509_certificates(self._bytes(self._settings.certificate))))

    def key(self) -> ec.EllipticCurvePrivateKey:
        found = _read(lambda: load_pem_private_key(self._bytes(self._settings.key), None))
        if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
            raise WalletNotReadyError("the key is none of the curve P-256")
        return found

    def client(self) -> Client:
        return _read(lambda: Client(self.key(), self.chain(), self._settings.prefix))

    def anchors(self, now: datetime) -> TrustAnchors:
        data = self._bytes(self._settings.trust)
        if data.lstrip().startswith(b"{"):
            return _read(lambda: TrustAnchors.from_list(data, now=now))
        return _read(lambda: TrustAnchors.of(*x509.load_pem_x509_certificates(data)))

    def _bytes(self, reference: str) -> bytes:
        return _read(lambda: read_secret(tenant_secret(reference, slug=self._slug, home=self._home)))


def _read(read: Callable[[], T]) -> T:
    try:
        return read()
    except (SecretError, EidError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        # Not chained: what libraries say of a key may quote it.
        raise WalletNotReadyError(f"{WalletNotReadyError.staff} ({type(error).__name__})") from None


def verifier_of(deployment: Deployment, ctx: TenantContext) -> Verifier:
    """Raises NotFoundError where the town has no wallet's door, and WalletNotReadyError."""
    settings = settings_of(ctx).wallet
    if settings is None:
        raise NotFoundError
    window = int(deployment.clock.now().timestamp()) // KEPT_SECONDS
    return _verifier(settings, ctx.slug, deployment.settings.home, window)


@lru_cache(maxsize=64)
def _verifier(settings: WalletSettings, slug: str, home: Path, window: int) -> Verifier:
    party = Party(settings, slug=slug, home=home)
    anchors = party.anchors(datetime.fromtimestamp((window + 1) * KEPT_SECONDS, UTC))
    return _read(
        lambda: Verifier(
            client=party.client(),
            anchors=anchors,
            statuses=StatusLists(fetch, anchors),
            formats=settings.formats,
            level=Level(settings.level),
            scheme=settings.scheme,
        )
    )


def fetch(uri: str) -> bytes:
    """A status list, for a thread. Its address stands in a document whose issuer is believed. Raises OSError."""
    until = time.monotonic() + ALL_SECONDS
    try:
        with (
            httpx.Client(timeout=FETCH_SECONDS, follow_redirects=False) as client,
            client.stream("GET", uri, headers={"accept": ACCEPT}) as answer,
        ):
            if answer.status_code != 200:
                raise OSError(f"answered {answer.status_code}")
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > MOST_BYTES or time.monotonic() > until:
                    raise OSError("too long")
            return body
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise OSError(type(error).__name__) from None
