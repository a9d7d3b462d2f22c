"""Whether a tenant is ready: what its plugins say, and what the deployment itself must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from servicepunkt.core.db import check as db_check
from servicepunkt.core.db import migrate
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import SecretError
from servicepunkt.core.protocols import Readiness
from servicepunkt.core.rules import Broken, rule
from servicepunkt.core.secrets import read_secret, tenant_secret
from servicepunkt.core.tenancy.model import TenantContext

NO_HTTPS = rule(
    "SP1511", "SERVICEPUNKT_PUBLIC_URL is not https: {url}", "Codes and sign-ins would go over the wire in the clear."
)
COOKIES = rule("SP1512", "SERVICEPUNKT_SECURE_COOKIES is off", "It is for this computer only.")
MASTER_KEY = rule(
    "SP1513",
    "the master key lies in the home folder",
    "Name it: SERVICEPUNKT_MASTER_KEY=file:... , and keep a copy elsewhere.",
    warns=True,
)
REHEARSAL_CLOCK = rule("SP1514", "SERVICEPUNKT_REHEARSAL_CLOCK shifts the time")
EMBEDDED = rule(
    "SP1515", "the database is the embedded one", "For many citizens: an own server with backups.", warns=True
)
BEHIND = rule("SP1516", "the database is not at the newest revision", "servicepunkt db upgrade")
UNPROTECTED = rule("SP1517", "{rule}: {name}", "servicepunkt db check")
FAILED = rule("SP1518", "the plugin {plugin!r} could not be asked")
NO_SECRET = rule("SP1519", "the secret {reference} of {place} cannot be read")


class Answer(msgspec.Struct, frozen=True):
    """What was looked at, and what is to be said about it."""

    title: str
    said: tuple[Broken, ...] = ()

    @property
    def blocks(self) -> list[Broken]:
        return [one for one in self.said if not one.rule.warns]


async def answers(deployment: Deployment, tx: Transaction, hook: str) -> list[Answer]:
    """What the tenant's plugins say; one that fails blocks."""
    found = []
    for answer in deployment.plugins.collect(tx.ctx, hook):
        for check in answer.value:
            found.append(Answer(check.title, await _asked(check, tx, answer.plugin)))
    return found


async def _asked(check: Readiness, tx: Transaction, plugin: str) -> tuple[Broken, ...]:
    try:
        async with tx.connection.begin_nested():
            return tuple(await check.look(tx))
    except Exception:  # noqa: BLE001 - whatever a plugin raises, its answer is missing, and that blocks
        return (FAILED(plugin=plugin),)


async def doctor(deployment: Deployment, ctx: TenantContext) -> list[Answer]:
    """The list before going live: deployment, database, secrets, and what the plugins say."""
    found = [
        Answer("Deployment", tuple(_of_settings(deployment))),
        Answer("Database", tuple(_of_database(deployment))),
        Answer("Secrets", tuple(_of_secrets(deployment, ctx))),
    ]
    async with deployment.database.tenant(ctx) as tx:
        return [*found, *await answers(deployment, tx, "go_live_checks")]


def _of_settings(deployment: Deployment) -> Iterator[Broken]:
    settings = deployment.settings
    if urlsplit(settings.public_url).scheme != "https":
        yield NO_HTTPS(url=settings.public_url)
    if not settings.secure_cookies:
        yield COOKIES()
    if not settings.master_key:
        yield MASTER_KEY()
    if settings.rehearsal_clock:
        yield REHEARSAL_CLOCK()
    if str(settings.home) in settings.database_url:
        yield EMBEDDED()


def _of_database(deployment: Deployment) -> Iterator[Broken]:
    if not migrate.at_head(deployment.settings.database_url, deployment.plugins):
        yield BEHIND()
    for broken, name in db_check.violations(deployment.settings.database_url):
        yield UNPROTECTED(rule=broken, name=name)


def _of_secrets(deployment: Deployment, ctx: TenantContext) -> Iterator[Broken]:
    for place, reference in references(msgspec.to_builtins(dict(ctx.settings))):
        try:
            read_secret(tenant_secret(reference, slug=ctx.slug, home=deployment.settings.home))
        except SecretError:
            yield NO_SECRET(reference=reference, place=place)


def references(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every reference to a secret in settings, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from references(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from references(inner, f"{place}[{number}]")
    elif isinstance(value, str) and value.startswith(("env:", "file:")):
        yield place, value
