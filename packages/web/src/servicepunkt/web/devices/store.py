"""The table of devices."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.schema import Instant, tenant_table
from servicepunkt.core.db.session import Transaction
from servicepunkt.web.devices.model import Device

device = tenant_table(
    "device",
    sa.Column("id", sa.Uuid, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("code_hash", sa.LargeBinary, nullable=True),
    sa.Column("code_until", Instant, nullable=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=True),
    sa.Column("public_key", sa.LargeBinary, nullable=True),
    sa.Column("info", JSONB, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=True),
    sa.CheckConstraint("state IN ('pending', 'active', 'revoked')", name="state"),
    key=("id",),
    kept="a thing of the town; those that were switched off stay to be told apart",
)


async def insert(tx: Transaction, new: Device) -> None:
    await tx.insert(device, new)


async def by_id(tx: Transaction, device_id: UUID, *, lock: bool = False) -> Device | None:
    query = sa.select(device).where(device.c.tenant_id == tx.tenant_id, device.c.id == device_id)
    return await tx.first(Device, query.with_for_update() if lock else query)


async def pending(tx: Transaction, code_hash: bytes) -> Device | None:
    query = sa.select(device).where(
        device.c.tenant_id == tx.tenant_id, device.c.state == "pending", device.c.code_hash == code_hash
    )
    return await tx.first(Device, query.with_for_update())


async def waiting(tx: Transaction, *, kind: str, target: str, label: str) -> Device | None:
    """The newest device of this description that nobody has enrolled or switched off."""
    query = (
        sa.select(device)
        .where(
            device.c.tenant_id == tx.tenant_id,
            device.c.kind == kind,
            device.c.target == target,
            device.c.label == label,
            device.c.state == "pending",
        )
        .order_by(device.c.id.desc())
        .limit(1)
    )
    return await tx.first(Device, query)


async def active(tx: Transaction, kind: str, target: str) -> Device | None:
    """The newest active device of a kind for a target."""
    query = (
        sa.select(device)
        .where(
            device.c.tenant_id == tx.tenant_id,
            device.c.kind == kind,
            device.c.target == target,
            device.c.state == "active",
        )
        .order_by(device.c.id.desc())
        .limit(1)
    )
    return await tx.first(Device, query)


async def of_target(tx: Transaction, kind: str, target: str) -> list[Device]:
    """Every device of a kind for a target that is not switched off."""
    query = sa.select(device).where(
        device.c.tenant_id == tx.tenant_id,
        device.c.kind == kind,
        device.c.target == target,
        device.c.state != "revoked",
    )
    return await tx.all(Device, query.order_by(device.c.id))


async def all_devices(tx: Transaction) -> list[Device]:
    query = sa.select(device).where(device.c.tenant_id == tx.tenant_id).order_by(device.c.kind, device.c.id)
    return await tx.all(Device, query)


async def count(tx: Transaction) -> int:
    """How many there are that are not switched off."""
    query = sa.select(sa.func.count()).select_from(device)
    return int(await tx.scalar(query.where(device.c.tenant_id == tx.tenant_id, device.c.state != "revoked")))


async def update(tx: Transaction, device_id: UUID, **values: Any) -> None:
    statement = sa.update(device).where(device.c.tenant_id == tx.tenant_id, device.c.id == device_id)
    await tx.execute(statement.values(**values))
