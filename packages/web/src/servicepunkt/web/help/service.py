"""Call for help at a terminal, and answer such calls."""

from __future__ import annotations

from uuid import UUID

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.devices.model import Device
from servicepunkt.web.help import model, store
from servicepunkt.web.help.model import HelpCall


async def call(deployment: Deployment, ctx: TenantContext, device: Device, *, topic: str) -> HelpCall:
    """Ask for a person at the device's point; pressing again while somebody is on the way changes nothing."""
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await tx.lock(f"help:{device.id}")
        if waiting := await store.waiting(tx, device=device.id):
            return waiting[0]
        made = HelpCall(id=new_id(), point=device.target, device=device.id, topic=topic, created_at=now, changed_at=now)
        await store.insert(tx, made)
    return made


async def of_device(deployment: Deployment, ctx: TenantContext, device: Device) -> HelpCall | None:
    """The call of this device that is not closed yet."""
    async with deployment.database.tenant(ctx) as tx:
        return next(iter(await store.waiting(tx, device=device.id)), None)


async def waiting(
    deployment: Deployment, ctx: TenantContext, *, points: frozenset[str] | None = None
) -> list[HelpCall]:
    """The calls at these points (None: at all) that are not closed, the oldest first."""
    async with deployment.database.tenant(ctx) as tx:
        return await store.waiting(tx, points=points)


async def answer(
    deployment: Deployment, ctx: TenantContext, call_id: UUID, *, to: str, points: frozenset[str] | None = None
) -> None:
    """Move a call at one of these points (None: at any) on.

    Raises NotFoundError, and ConflictError for a move that the table does not know.
    """
    async with deployment.database.tenant(ctx) as tx:
        found = await store.by_id(tx, call_id, lock=True)
        if found is None or (points is not None and found.point not in points):
            raise NotFoundError
        await store.update(tx, call_id, state=model.move(found.state, to), at=deployment.clock.now())
