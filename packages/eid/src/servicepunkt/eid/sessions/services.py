"""The eID services of tenants: connected when one is first asked, for as long as its settings stand."""

from __future__ import annotations

import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, SecretError
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid import settings as section
from servicepunkt.eid.service.client import EidService, ServiceSettings
from servicepunkt.eid.service.soap import Signer

#: A person waits for it.
SECONDS = 10.0


def address(deployment: Deployment, ctx: TenantContext, written: str) -> str:
    """An address of the tenant file, or what the reference in its place leads to. Raises SecretError."""
    if not written.startswith(section.REFERENCES):
        return written
    return read_secret(tenant_secret(written, slug=ctx.slug, home=deployment.settings.home)).decode(errors="replace")


def connected(deployment: Deployment, ctx: TenantContext, wanted: section.ServiceSettings) -> EidService:
    """A client with the tenant's own certificate and key. Raises SecretError for what is missing or is none."""

    def read(reference: str) -> bytes:
        return read_secret(tenant_secret(reference, slug=ctx.slug, home=deployment.settings.home))

    certificate, key = read(wanted.certificate), read(wanted.key)
    try:
        loaded = load_pem_private_key(key, None)
        if not isinstance(loaded, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            raise SecretError("the key for the eID service is neither RSA nor of an elliptic curve")
        settings = ServiceSettings(
            url=address(deployment, ctx, wanted.url),
            tls=_tls(certificate, key, read(wanted.authorities) if wanted.authorities else b""),
            signer=Signer(x509.load_pem_x509_certificate(certificate), loaded),
            trusted=x509.load_pem_x509_certificate(read(wanted.trusted)),
            seconds=SECONDS,
        )
    except (ValueError, TypeError, ssl.SSLError):
        # Not chained: what is wrong with a key may quote it.
        raise SecretError("a certificate or the key for the eID service cannot be read") from None
    return EidService(settings, now=deployment.clock.now)


def _tls(certificate: bytes, key: bytes, authorities: bytes) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authorities.decode("ascii") if authorities else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # the library reads files alone
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


class Services:
    """Of one process."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[section.ServiceSettings, EidService]] = {}

    async def of(self, deployment: Deployment, ctx: TenantContext) -> EidService:
        """Raises NotFoundError where the tenant has none, SecretError."""
        wanted = section.settings_of(ctx).service
        if wanted is None:
            raise NotFoundError
        known = self._open.get(ctx.id)
        if known is not None and known[0] == wanted:
            return known[1]
        made = connected(deployment, ctx, wanted)
        self._open[ctx.id] = (wanted, made)
        if known is not None:
            await known[1].aclose()
        return made

    async def close(self) -> None:
        """End every connection."""
        for _, service in self._open.values():
            await service.aclose()
        self._open.clear()
