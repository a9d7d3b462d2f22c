"""Practising with a wallet and no telephone: a relying party with its own issuer, and the wallet of a test person.

Nothing of it is for real people: the issuer's key lies beside the list that believes it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from servicepunkt.eid.testing.wallet import ERIKA, SD_JWT, FakeIssuer, FakeWallet, Fault, fake_client_certificate

CERTIFICATE, KEY, TRUST, ISSUER = "wallet.pem", "wallet-key.pem", "wallet-issuers.pem", "wallet-practice-issuer.pem"
SECONDS = 20.0


def write_practice(folder: Path, *, now: datetime, host: str = "localhost") -> dict[str, str]:
    """Make what `[eid.wallet]` refers to in a tenant's folder of secrets (`secrets/<slug>` below the home), and return
    that section. What is there already stays, so that a wallet goes on being known; it holds for a year.
    """
    section = {"certificate": f"file:{CERTIFICATE}", "key": f"file:{KEY}", "trust": f"file:{TRUST}"}
    if all((folder / name).exists() for name in (CERTIFICATE, KEY, TRUST, ISSUER)):
        return section
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = fake_client_certificate(now=now, host=host)
    issuer = FakeIssuer(now=now, status_uri="")
    (folder / CERTIFICATE).write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / TRUST).write_bytes(issuer.certificate.public_bytes(Encoding.PEM))
    for name, private in ((KEY, key), (ISSUER, issuer.root_key)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(_pem(private))
    return section


def practice_issuer(folder: Path, *, now: datetime) -> FakeIssuer:
    """The issuer that `write_practice` has made. Raises FileNotFoundError."""
    key = load_pem_private_key((folder / ISSUER).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = FakeIssuer(now=now, status_uri="", root_key=key)
    issuer.certificate = x509.load_pem_x509_certificate((folder / TRUST).read_bytes())
    return issuer


def scan(
    link: str,
    folder: Path,
    *,
    now: datetime,
    format: str = SD_JWT,  # noqa: A002 - the standard's word
    decline: bool = False,
) -> str:
    """Answer as the test person's wallet. Returns the address at which a browser goes on, or nothing.

    Raises ValueError for a request that no wallet takes, OSError, FileNotFoundError.
    """
    issuer = practice_issuer(folder, now=now)
    fault = Fault.DECLINED if decline else None
    wallet = FakeWallet(issuer, now=now, format=format, person=_person(now), fault=fault)
    request = wallet.fetch(link, _http)
    answer = _http("POST", request.claims["response_uri"], wallet.answer(request))
    return str(msgspec.json.decode(answer, type=dict[str, str]).get("redirect_uri", ""))


def _person(now: datetime) -> dict[str, object]:
    return {**ERIKA, "date_of_expiry": (now + timedelta(days=3_650)).date().isoformat()}


def _http(method: str, url: str, body: bytes | None) -> bytes:
    """Raises OSError for another answer than 200; ValueError for what is no address of the web."""
    if urlsplit(url).scheme not in ("https", "http"):
        raise ValueError("not an address of the web")
    headers = {} if body is None else {"content-type": "application/x-www-form-urlencoded"}
    asked = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 - looked at above
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310 - looked at above
            return bytes(answer.read(1_000_000))
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(1_000).decode(errors="replace")
        raise OSError(f"{error.code} {said}") from None


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
