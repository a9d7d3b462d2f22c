"""How many devices a tenant may have; one that is switched off makes room."""

from __future__ import annotations

import pytest

from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.quotas import QuotaError
from servicepunkt.core.testing import make_tenant
from servicepunkt.web.devices import service
from servicepunkt.web.devices.model import Device


async def test_one_device_more_than_agreed_is_refused(deployment: Deployment, urls: Urls) -> None:
    ctx = await make_tenant(deployment, urls.owner, "alpha", settings={"limits": {"devices": 2}})

    async def announce(label: str) -> Device:
        device, _ = await service.announce(
            deployment, ctx, actor="test", kind="terminal", target="harbour", label=label
        )
        return device

    first = await announce("first")
    await announce("second")
    with pytest.raises(QuotaError, match="devices"):
        await announce("third")
    await service.revoke(deployment, ctx, actor="test", device_id=first.id)
    await announce("third")
