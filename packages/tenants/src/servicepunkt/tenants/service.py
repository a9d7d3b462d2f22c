"""Apply a tenant file: the tenant's row, its catalogue and its plugins' rows, in one transaction or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.sources import service as sources
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, SettingsError
from servicepunkt.core.tenancy import store
from servicepunkt.tenants.checking import check, context_of
from servicepunkt.tenants.model import TenantFile


class Applied(msgspec.Struct, frozen=True):
    """What is in force after a file was applied."""

    tenant_id: int
    slug: str
    state: str
    revision: int
    services: int
    offers: int


def load(deployment: Deployment, folder: Path) -> TenantFile:
    """Read and check a tenant's folder. Raises InvalidInputError with every mistake; warnings do not stop it."""
    checked = check(deployment, folder)
    if checked.file is None:
        raise InvalidInputError([(one.where, one.sentence) for one in checked.errors])
    return checked.file


async def apply(deployment: Deployment, read: TenantFile, *, actor: str) -> Applied:
    """Put a file into force. Needs the role that owns the tables. Raises SettingsError without it."""
    if not deployment.settings.owner_database_url:
        raise SettingsError("SERVICEPUNKT_OWNER_DATABASE_URL names no role that owns the tables")
    owner = Database(deployment.settings.owner_database_url, clock=deployment.clock, pool_size=1)
    try:
        async with owner.platform("apply a tenant file") as connection:
            return await _apply(deployment, owner, connection, read, actor=actor)
    finally:
        await owner.close()
        deployment.directory.forget()


async def _apply(
    deployment: Deployment, owner: Database, connection: AsyncConnection, read: TenantFile, *, actor: str
) -> Applied:
    now, part = deployment.clock.now(), read.tenant
    tenant_id = await store.save(
        connection,
        {
            "slug": part.slug,
            "name": part.name,
            "state": part.state,
            "hosts": list(part.hosts),
            "plugins": list(part.plugins),
            "locale": part.locale,
            "languages": list(part.languages),
            "zone": part.zone,
            "subdivision": part.subdivision,
            "settings": msgspec.to_builtins(dict(read.sections)),
            "updated_at": now,
        },
    )
    ctx = context_of(part, read.sections, tenant_id)
    async with owner.within(connection, ctx) as tx:
        await sources.put_files(tx, read.catalogue, at=now)
        revision, composed = await catalogue.publish_sources(tx, at=now, actor=actor)
        for answer in deployment.plugins.collect(ctx, "tenant_applied"):
            await answer.value.applied(tx)
        await audit.record(
            tx, at=now, actor=actor, action="tenant.apply", subject=f"tenant:{tenant_id}", revision=revision
        )
    published = composed.catalogue
    return Applied(tenant_id, part.slug, part.state, revision, len(published.services), len(published.offers))
