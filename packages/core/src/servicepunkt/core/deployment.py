"""One running deployment: settings, plugins, database, directory, keys, clock; made once, passed on explicitly."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from servicepunkt.core.clock import Clock
from servicepunkt.core.db.embedded import embedded_postgres
from servicepunkt.core.db.replica import Replica
from servicepunkt.core.db.session import Database
from servicepunkt.core.keys.service import Keyring
from servicepunkt.core.notices.providers import Providers
from servicepunkt.core.openid.provider import OpenIdProviders
from servicepunkt.core.operators.meters import Meters
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings, read_settings
from servicepunkt.core.tenancy.service import DatabaseDirectory
from servicepunkt.core.texts import Texts


class Deployment:
    """What use cases are given besides the tenant context."""

    def __init__(
        self,
        settings: Settings,
        plugins: PluginHost,
        database: Database,
        *,
        clock: Clock | None = None,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.settings = settings
        self.replica = Replica(settings.replica_database_url) if settings.replica_database_url else None
        self.plugins = plugins
        self.database = database
        self.clock = clock or settings.clock
        self.randomness = randomness
        self.directory = DatabaseDirectory(database, plugins)
        self.keyring = Keyring(settings.master_key_bytes(), randomness)
        self.providers = Providers()
        self.meters = Meters()
        self.meters.watch(database.engine.sync_engine)
        self.openid = OpenIdProviders(self.clock)
        self.texts = Texts([answer.value for answer in plugins.startup("texts")])

    async def close(self) -> None:
        """End every connection: to the database, its replica and the providers of messages."""
        await self.providers.close()
        await self.database.close()
        if self.replica:
            await self.replica.close()


def load_plugins(settings: Settings) -> PluginHost:
    """Every installed plugin, or those named in SERVICEPUNKT_PLUGINS (comma-separated)."""
    host = PluginHost(clock=settings.clock)
    host.load_installed(only=named_plugins(settings.plugins))
    return host


def without_database(settings: Settings) -> Deployment:
    """A deployment that reads files and asks plugins; a query would fail."""
    nowhere = settings.database_url or "postgresql+psycopg://nobody@127.0.0.1:1/nowhere"
    return Deployment(settings, load_plugins(settings), Database(nowhere, clock=settings.clock))


def named_plugins(listed: str) -> frozenset[str] | None:
    """The names in a list with commas; None for an empty one, which means all."""
    return frozenset(name.strip() for name in listed.split(",") if name.strip()) or None


@contextmanager
def configured(settings: Settings | None = None) -> Iterator[Settings]:
    """Settings with a database: the named one, or the embedded one for the length of the block."""
    settings = settings or read_settings(os.environ)
    if settings.database_url:
        yield settings
        return
    with embedded_postgres(settings.home) as urls:
        yield msgspec.structs.replace(
            settings,
            database_url=urls.application,
            owner_database_url=urls.owner,
            backup_database_url=urls.superuser,
        )


@asynccontextmanager
async def running(settings: Settings, plugins: PluginHost | None = None) -> AsyncIterator[Deployment]:
    """A deployment whose database connections are closed at the end of the block."""
    database = Database(settings.database_url, clock=settings.clock, pooled=bool(settings.direct_database_url))
    deployment = Deployment(settings, plugins or load_plugins(settings), database)
    try:
        yield deployment
    finally:
        await deployment.close()
