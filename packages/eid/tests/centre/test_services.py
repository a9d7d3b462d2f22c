"""The client of a tenant's eID service is made of its own secrets, and lasts as long as its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError, SecretError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.eid.sessions.services import Services
from servicepunkt.eid.settings import EidSettings

if TYPE_CHECKING:
    from conftest import Bought


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.fixture
def papers(deployment: Deployment, new_service: Bought) -> Any:
    """The folder of the first town's secrets, filled."""
    folder = deployment.settings.home / "secrets" / "alpha"
    folder.mkdir(parents=True)
    (folder / "eid.pem").write_bytes(new_service.town.certificate.public_bytes(Encoding.PEM))
    (folder / "eid.key").write_bytes(pem(new_service.town.key))
    (folder / "service.pem").write_bytes(new_service.service.certificate.public_bytes(Encoding.PEM))
    return folder


async def test_a_client_is_made_once(
    deployment: Deployment, town: TenantContext, other: TenantContext, papers: Any
) -> None:
    services = Services()
    made = await services.of(deployment, town)
    assert await services.of(deployment, town) is made
    with pytest.raises(SecretError):
        await services.of(deployment, other)
    section = town.section("eid", EidSettings)
    assert section.service
    changed = msgspec.structs.replace(section.service, url="https://other.invalid", authorities="file:service.pem")
    settings = {"eid": msgspec.structs.replace(section, service=changed)}
    assert await services.of(deployment, msgspec.structs.replace(town, settings=settings)) is not made
    assert made._http.is_closed
    with pytest.raises(NotFoundError):
        await services.of(deployment, msgspec.structs.replace(town, settings={}))
    await services.close()


@pytest.mark.parametrize("name", ["eid.pem", "eid.key", "service.pem"])
@pytest.mark.parametrize("content", [None, b"", b"secret canary", "another"])
async def test_papers_that_are_none_are_named_and_not_quoted(
    name: str, content: Any, deployment: Deployment, town: TenantContext, papers: Any
) -> None:
    if content is None:
        (papers / name).unlink()
    else:
        (papers / name).write_bytes(pem(ed25519.Ed25519PrivateKey.generate()) if content == "another" else content)
    with pytest.raises(SecretError) as refused:
        await Services().of(deployment, town)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None or content is None


@pytest.fixture
def new_service(clock: FixedClock, make_service: Any) -> Any:
    return make_service(clock)
