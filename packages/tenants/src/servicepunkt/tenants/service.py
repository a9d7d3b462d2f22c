"""Apply a tenant file: the tenant's row, its catalogue and its plugins' rows, in one transaction or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import checks
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, SettingsError
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.notices.templates import missing_language, template_mistakes
from servicepunkt.core.tenancy import store
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import files, model
from servicepunkt.tenants.model import Mistake, TenantFile

# Six digits and the check digits that a policy may add (policies of hand-over allow six to eight).
LONGEST_CODE = "00000000"


class Applied(msgspec.Struct, frozen=True):
    """What is in force after a file was applied."""

    tenant_id: int
    slug: str
    state: str
    revision: int
    services: int
    offers: int


def load(deployment: Deployment, folder: Path) -> TenantFile:
    """Read and check a tenant's folder. Raises InvalidInputError with every mistake."""
    sections = [
        (answer.plugin, section) for answer in deployment.plugins.startup("tenant_sections") for section in answer.value
    ]
    schemas = {section.name: section.schema for _, section in sections}
    read, mistakes = model.read(files.documents_of(folder), schemas)
    if read is None:
        raise InvalidInputError(mistakes)
    mistakes = [*checks.mistakes(read.catalogue), *_plugin_mistakes(deployment, read)]
    ctx = context_of(read, 0)
    for plugin, section in sections:
        if section.check is not None and ctx.allows(plugin):
            mistakes += [
                (f"tenant.toml: [{section.name}] {place}", sentence)
                for place, sentence in section.check(deployment.plugins, ctx)
            ]
    for template in deployment.plugins.flat(ctx, "notice_templates"):
        mistakes += [("notices", sentence) for sentence in _template_mistakes(template, read)]
    if mistakes:
        raise InvalidInputError(mistakes)
    return read


def _plugin_mistakes(deployment: Deployment, read: TenantFile) -> list[Mistake]:
    unknown = sorted(set(read.tenant.plugins) - set(deployment.plugins.names))
    return [("tenant.toml: tenant.plugins", f"the plugin {name!r} is not installed") for name in unknown]


def _template_mistakes(template: NoticeTemplate, read: TenantFile) -> list[str]:
    """The texts with the values that this tenant brings."""
    usual = {
        "tenant": (read.tenant.name,),
        "code": (LONGEST_CODE,),
        "until": ("00.00.",),
        "box": [text for point in read.catalogue.points for text in point.name.values()],
    }
    return [
        *missing_language(template, read.tenant.locale),
        *template_mistakes(template, usual),
    ]


def context_of(read: TenantFile, tenant_id: int) -> TenantContext:
    """The context that the file would give."""
    part = read.tenant
    return TenantContext(
        id=tenant_id,
        slug=part.slug,
        name=part.name,
        plugins=frozenset(part.plugins),
        state=part.state,
        locale=part.locale,
        languages=part.languages,
        zone=part.zone,
        subdivision=part.subdivision,
        settings=read.sections,
    )


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
    ctx = context_of(read, tenant_id)
    async with owner.within(connection, ctx) as tx:
        await importing.put_files(tx, read.catalogue, at=now)
        revision, composed = await catalogue.publish_sources(tx, at=now, actor=actor)
        for answer in deployment.plugins.collect(ctx, "tenant_applied"):
            await answer.value.applied(tx)
        await audit.record(
            tx, at=now, actor=actor, action="tenant.apply", subject=f"tenant:{tenant_id}", revision=revision
        )
    published = composed.catalogue
    return Applied(tenant_id, part.slug, part.state, revision, len(published.services), len(published.offers))
