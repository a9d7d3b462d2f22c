"""A centre for one benchmark: embedded PostgreSQL below a temporary folder, with the reference tenant in force."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import _processes as processes
import msgspec
import psycopg

from servicepunkt.core import deployment as deployments
from servicepunkt.core.db import migrate
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import files, service

TENANT = "kassel"
THEME = "/t/kassel/theme/verwaltung"
SERVICE_ID = "reisepass"
SERVICE = f"/t/kassel/service/{SERVICE_ID}"
API = f"/t/kassel/api/v1/catalogue/services/{SERVICE_ID}"


class Centre:
    """The database of a benchmark and how processes of the product are started on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home

    @property
    def superuser(self) -> str:
        """Connection string of the role that row-level security does not bind: only to prepare and to look."""
        return conninfo(self.settings.owner_database_url).replace("servicepunkt_owner", "postgres")

    @property
    def database_pid(self) -> int:
        return int((self.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    @property
    def database_version(self) -> str:
        with psycopg.connect(self.superuser) as connection:
            return str(connection.info.parameter_status("server_version"))

    def environment(self, *, database_url: str = "", limited: bool = False) -> dict[str, str]:
        """What a process of the product is told. Only with `limited` it refuses who asks too much: a load is one."""
        limits = {} if limited else {"SERVICEPUNKT_TENANT_REQUESTS": "0", "SERVICEPUNKT_ADDRESS_REQUESTS": "0"}
        return processes.clean_environment(
            SERVICEPUNKT_HOME=str(self.home),
            SERVICEPUNKT_DATABASE_URL=database_url or self.settings.database_url,
            SERVICEPUNKT_SECURE_COOKIES="false",
            **limits,
        )

    @contextmanager
    def serving(self, *, database_url: str = "", limited: bool = False) -> Iterator[tuple[int, Popen[bytes]]]:
        """`servicepunkt serve` with its port, ready to answer."""
        port = processes.free_port()
        with processes.running(
            [sys.executable, "-m", "servicepunkt.core", "serve", "--port", str(port)],
            environment=self.environment(database_url=database_url, limited=limited),
            log=self.home / "serve.log",
        ) as process:
            asyncio.run(processes.answers(port, "/health/ready", process))
            yield port, process


@contextmanager
def centre(home: Path | None = None) -> Iterator[Centre]:
    """A running database with the reference tenant; in `home`, or in a folder that is removed afterwards."""
    if home is None:
        with tempfile.TemporaryDirectory(prefix="servicepunkt-bench-") as folder, centre(Path(folder)) as made:
            yield made
        return
    with deployments.configured(Settings(home=home, secure_cookies=False)) as settings:
        plugins = deployments.load_plugins(settings)
        migrate.upgrade(settings.owner_database_url, plugins)
        asyncio.run(_apply(settings))
        yield Centre(settings)


async def _apply(settings: Settings) -> None:
    async with deployments.running(settings) as deployment:
        await service.apply(deployment, service.load(deployment, files.folder_of(TENANT)), actor="bench")


def with_database(settings: Settings, name: str) -> Settings:
    """The same settings for another database of the same server."""
    return msgspec.structs.replace(
        settings,
        database_url=settings.database_url.replace("/servicepunkt?", f"/{name}?"),
        owner_database_url=settings.owner_database_url.replace("/servicepunkt?", f"/{name}?"),
    )
