"""Public fakes and fixtures for plugin authors: a fixed clock, a database with two tenants, a recording channel."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from servicepunkt.core.db.cluster import Cluster
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import DATABASE, Urls, create_roles, embedded_postgres, urls_at
from servicepunkt.core.db.migrate import upgrade
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices.model import DeliveryError, Message
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy import store as tenancy_store
from servicepunkt.core.tenancy.model import TenantContext

#: Names the folder of the PostgreSQL programs that tests run instead of the embedded ones.
TEST_POSTGRES = "SERVICEPUNKT_TEST_POSTGRES"


class FixedClock:
    """A clock that stands until it is moved."""

    def __init__(self, instant: datetime = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def forward(self, **step: float) -> None:
        self.instant += timedelta(**step)


class RecordingChannel:
    """A channel that keeps what it is given; set `failure` to make it refuse."""

    kind = "sms"

    def __init__(self, name: str = "recording") -> None:
        self.name = name
        self.messages: list[Message] = []
        self.failure: DeliveryError | None = None

    async def send(self, message: Message) -> str:
        if self.failure is not None:
            raise self.failure
        self.messages.append(message)
        return message.reference


@contextmanager
def database_server(home: Path, plugins: PluginHost) -> Iterator[Urls]:
    """A PostgreSQL with the tables of all `plugins`, which forgets everything in a power cut.

    The embedded one, or a server of the programs in the folder that `SERVICEPUNKT_TEST_POSTGRES` names.
    """
    named = os.environ.get(TEST_POSTGRES)
    with own_server(home, Path(named)) if named else embedded_postgres(home) as urls:
        wait_for_disk(urls, False)
        upgrade(urls.owner, plugins)
        yield urls


@contextmanager
def own_server(home: Path, programs: Path, **settings: str) -> Iterator[Urls]:
    """A new server of these programs below `home`, with the product's roles and an empty database."""
    home.chmod(0o711)  # for the account under which it runs when root starts it
    cluster = Cluster(home / "cluster", programs)
    cluster.create()
    with cluster.running(settings):
        create_roles(cluster.conninfo, DATABASE)
        yield urls_at(cluster.folder)


def wait_for_disk(urls: Urls, wanted: bool) -> None:
    """No test pulls the plug of this server, and waiting for the disk is most of what a small transaction does."""
    superuser = make_url(urls.owner).set(drivername="postgresql", username="postgres", database="postgres")
    with psycopg.connect(superuser.render_as_string(hide_password=False), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = {'on' if wanted else 'off'}")
        connection.execute("SELECT pg_reload_conf()")
        while connection.execute("SHOW full_page_writes").fetchone() != ("on" if wanted else "off",):
            pass  # a session takes a new setting between two of its statements


def empty_database(owner_url: str) -> None:
    """Remove all rows, as fast as tests need it; only ever for a test's own server."""
    with psycopg.connect(conninfo(owner_url)) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).fetchall()
        listed = ", ".join(name for (name,) in names)
        connection.execute(f"TRUNCATE {listed} CASCADE")


async def make_tenant(deployment: Deployment, owner_url: str, slug: str, **values: Any) -> TenantContext:
    """A tenant with the given columns; the rest are sensible."""
    row = {
        "slug": slug,
        "name": slug.title(),
        "state": "rehearsal",
        "hosts": [],
        "plugins": list(deployment.plugins.names),
        "locale": "de",
        "languages": ["de", "en"],
        "zone": "Europe/Berlin",
        "subdivision": "HE",
        "settings": {},
        "updated_at": deployment.clock.now(),
        **values,
    }
    engine = create_async_engine(
        owner_url,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )
    try:
        async with engine.begin() as connection:
            await tenancy_store.save(connection, row)
    finally:
        await engine.dispose()
    deployment.directory.forget()
    ctx = await deployment.directory.by_slug(slug)
    if ctx is None:
        raise LookupError(slug)
    return ctx


@asynccontextmanager
async def open_deployment(
    urls: Urls, home: Path, plugins: PluginHost, *, clock: FixedClock | None = None, **settings: Any
) -> AsyncIterator[Deployment]:
    """A deployment on the test server, with a fixed clock; a test asks as often as it likes."""
    limits = {"tenant_requests": 0.0, "address_requests": 0.0}
    made = Settings(
        home=home,
        database_url=urls.application,
        owner_database_url=urls.owner,
        secure_cookies=False,
        **(limits | settings),
    )
    clock = clock or FixedClock()
    deployment = Deployment(made, plugins, Database(urls.application, clock=clock), clock=clock)
    try:
        yield deployment
    finally:
        await deployment.close()


__all__ = [
    "FixedClock",
    "RecordingChannel",
    "database_server",
    "empty_database",
    "make_tenant",
    "open_deployment",
    "own_server",
]
