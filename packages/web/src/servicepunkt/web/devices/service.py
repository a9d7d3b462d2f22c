"""Announce, enrol, recognise and revoke devices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from servicepunkt.core import quotas
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.declarations import DeviceKind
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.devices import model, store
from servicepunkt.web.devices.model import Device, DeviceRefusedError

MAX_INFO = 20


def kinds(deployment: Deployment, ctx: TenantContext) -> dict[str, DeviceKind]:
    """The kinds of devices that the tenant's plugins know."""
    found = [
        kind
        for answer in deployment.plugins.startup("device_kinds")
        if ctx.allows(answer.plugin)
        for kind in answer.value
    ]
    return {kind.name: kind for kind in found}


async def announce(
    deployment: Deployment, ctx: TenantContext, *, actor: str, kind: str, target: str, label: str
) -> tuple[Device, str]:
    """Make a device that waits for its one-time code; returns it with the code, which is shown once.

    Raises InvalidInputError with every mistake, QuotaError when the tenant has as many as it may.
    """
    mistakes = []
    if kind not in kinds(deployment, ctx):
        mistakes.append(("kind", "There is no such kind of device."))
    if not target.strip() or len(target) > 100:
        mistakes.append(("target", "Say what the device belongs to."))
    if not label.strip() or len(label) > 100:
        mistakes.append(("label", "Give the device a name of at most 100 characters."))
    if mistakes:
        raise InvalidInputError(mistakes)
    now = deployment.clock.now()
    code = model.new_code(deployment.randomness)
    device = Device(
        id=new_id(),
        kind=kind,
        target=target.strip(),
        label=label.strip(),
        code_hash=model.digest(code),
        code_until=now + model.CODE_LIFETIME,
        created_at=now,
    )
    async with deployment.database.tenant(ctx) as tx:
        await tx.lock("devices")
        quotas.keep_within(ctx, "devices", await store.count(tx) + 1)
        await store.insert(tx, device)
        await audit.record(
            tx,
            at=now,
            actor=actor,
            action="device.announce",
            subject=f"device:{device.id}",
            kind=kind,
            target=device.target,
        )
    return device, code


async def waiting(deployment: Deployment, ctx: TenantContext, *, kind: str, target: str, label: str) -> Device | None:
    """The newest device of this description that has not been enrolled yet, whether its code has expired or not."""
    async with deployment.database.tenant(ctx) as tx:
        return await store.waiting(tx, kind=kind, target=target, label=label)


async def renew(deployment: Deployment, ctx: TenantContext, *, actor: str, device_id: UUID) -> str:
    """A new one-time code, shown once, for a device that still waits; its old one is void. Raises NotFoundError."""
    now = deployment.clock.now()
    code = model.new_code(deployment.randomness)
    async with deployment.database.tenant(ctx) as tx:
        device = await store.by_id(tx, device_id, lock=True)
        if device is None or device.state != "pending":
            raise NotFoundError
        await store.update(tx, device_id, code_hash=model.digest(code), code_until=now + model.CODE_LIFETIME)
        await audit.record(tx, at=now, actor=actor, action="device.renew", subject=f"device:{device_id}")
    return code


async def enrol(
    deployment: Deployment,
    ctx: TenantContext,
    *,
    code: str,
    kind: str | None = None,
    public_key: bytes | None = None,
    info: dict[str, str] | None = None,
) -> tuple[Device, str]:
    """Exchange a one-time code for a token. Raises DeviceRefusedError, in the same words for every reason."""
    now = deployment.clock.now()
    secret = deployment.randomness(32).hex()
    async with deployment.database.tenant(ctx) as tx:
        device = await store.pending(tx, model.digest(model.plain_code(code)))
        if device is None or device.code_until is None or now > device.code_until:
            raise DeviceRefusedError
        known = kinds(deployment, ctx).get(device.kind)
        wrong_kind = known is None or (kind is not None and kind != device.kind)
        if wrong_kind or (
            known is not None and known.needs_public_key and (public_key is None or len(public_key) != 32)
        ):
            raise DeviceRefusedError
        await store.update(
            tx,
            device.id,
            state="active",
            code_hash=None,
            code_until=None,
            token_hash=model.digest(secret),
            public_key=public_key,
            info=_short(info or {}),
            seen_at=now,
        )
        await audit.record(
            tx,
            at=now,
            actor=f"device:{device.id}",
            action="device.enrol",
            subject=f"device:{device.id}",
            kind=device.kind,
        )
        enrolled = await store.by_id(tx, device.id)
    if enrolled is None:
        raise DeviceRefusedError
    return enrolled, model.make_token(ctx.id, device.id, secret)


async def recognise(deployment: Deployment, ctx: TenantContext, token: str) -> Device:
    """The active device of a token. Raises DeviceRefusedError."""
    parts = model.parts_of_token(token)
    if parts is None or model.tenant_of_token(token) != ctx.id:
        raise DeviceRefusedError
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        device = await store.by_id(tx, parts[0])
        right = model.same(device.token_hash if device else None, model.digest(parts[1]))
        if device is None or not right or device.state != "active":
            raise DeviceRefusedError
        if device.seen_at is None or now - device.seen_at > model.SEEN_EVERY:
            await store.update(tx, device.id, seen_at=now)
    return device


async def active(tx: Transaction, kind: str, target: str) -> Device | None:
    """The newest device of a kind that is switched on for a target, for areas that speak to it."""
    return await store.active(tx, kind, target)


async def find(tx: Transaction, device_id: UUID) -> Device | None:
    """A device by its id, in whatever state, for areas that know which one they speak to."""
    return await store.by_id(tx, device_id)


async def heartbeat(deployment: Deployment, ctx: TenantContext, device: Device, info: dict[str, str]) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await store.update(tx, device.id, seen_at=deployment.clock.now(), info=_short(info))


async def revoke(deployment: Deployment, ctx: TenantContext, *, actor: str, device_id: UUID) -> None:
    """Switch a device off; its token opens nothing from now on."""
    async with deployment.database.tenant(ctx) as tx:
        if await store.by_id(tx, device_id) is None:
            raise NotFoundError
        await _revoke(tx, device_id, actor=actor, at=deployment.clock.now())


async def revoke_all(tx: Transaction, *, actor: str, kind: str, target: str, at: datetime) -> None:
    """Switch off every device of a target, also those that wait for their code, for areas that begin anew there."""
    for device in await store.of_target(tx, kind, target):
        await _revoke(tx, device.id, actor=actor, at=at)


async def _revoke(tx: Transaction, device_id: UUID, *, actor: str, at: datetime) -> None:
    await store.update(tx, device_id, state="revoked", token_hash=None, code_hash=None)
    await audit.record(tx, at=at, actor=actor, action="device.revoke", subject=f"device:{device_id}")


def _short(info: dict[str, str]) -> dict[str, str]:
    return {key[:40]: value[:200] for key, value in list(info.items())[:MAX_INFO]}
