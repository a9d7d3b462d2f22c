"""Copies of one tenant: all of its rows as of one moment, with their hashes; brought back in one transaction.

The keys of a tenant go along as they are, wrapped by the deployment's master key. A tenant comes back under its own id,
because its id is part of every key and every hash. Jobs stay away: what waited then is not sent again now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.backup import model, store
from servicepunkt.core.backup.model import BackupError, Manifest, TableCopy
from servicepunkt.core.backup.whole import PART, alone, clear, settle, sha256_of
from servicepunkt.core.clock import Clock
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.distribute import read_layout
from servicepunkt.core.db.session import Database
from servicepunkt.core.tenancy.model import TenantContext

MANIFEST = "manifest.json"
CHUNK = 1 << 20


def take(owner_url: str, folder: Path, slug: str, clock: Clock) -> Path:
    """A copy of the tenant below `folder`/tenants/`slug`; where it is. Raises BackupError."""
    place = folder / "tenants" / slug
    with alone(folder), psycopg.connect(conninfo(owner_url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        row = connection.execute("SELECT id FROM tenant WHERE slug = %s", (slug,)).fetchone()
        if row is None:
            raise BackupError(f"there is no tenant {slug!r}")
        clear(place / PART)
        (place / PART).mkdir(parents=True)
        store.bind(connection, row[0])
        manifest = Manifest(
            slug=slug,
            tenant_id=row[0],
            at=clock.now(),
            revisions=_revisions(connection),
            tables=tuple(_take_table(connection, name, row[0], place / PART) for name in _order(connection)),
        )
        (place / PART / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        name = model.name_of(manifest.at)
        settle(place / PART, place / name)
    return place / name


def _order(connection: psycopg.Connection) -> tuple[str, ...]:
    layout = read_layout(connection)
    references: dict[str, set[str]] = {}
    for key in layout.foreign_keys:
        references.setdefault(key.table, set()).add(key.target)
    return model.parents_first(layout.tenant_tables | {"tenant"}, references)


def _revisions(connection: psycopg.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT version_num FROM alembic_version ORDER BY version_num")
    return tuple(name for (name,) in rows)


def _take_table(connection: psycopg.Connection, name: str, tenant_id: int, folder: Path) -> TableCopy:
    columns = _columns(connection, name)
    query = sql.SQL("COPY (SELECT {columns} FROM {table} WHERE {key} = {id}) TO STDOUT").format(
        columns=_listed(columns), table=sql.Identifier(name), key=sql.Identifier(_key(name)), id=tenant_id
    )
    digest = hashlib.sha256()
    with connection.cursor() as cursor, (folder / f"{name}.copy").open("wb") as file:
        with cursor.copy(query) as rows:
            for chunk in rows:
                digest.update(chunk)
                file.write(chunk)
        return TableCopy(name=name, columns=columns, rows=cursor.rowcount, sha256=digest.hexdigest())


def _key(table: str) -> str:
    return "id" if table == "tenant" else "tenant_id"


def _columns(connection: psycopg.Connection, table: str) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
        "AND attgenerated = '' ORDER BY attnum",
        (f'public."{table}"',),
    )
    return tuple(name for (name,) in rows)


def _listed(columns: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)


def verified(copy: Path) -> Manifest:
    """The manifest of a copy of which every file is as it was written. Raises BackupError with all that are not."""
    try:
        manifest = msgspec.json.decode((copy / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise BackupError(f"{copy} has no manifest that can be read: {error}") from error
    if manifest.format != model.FORMAT:
        raise BackupError(f"{copy} is of format {manifest.format}; this version reads {model.FORMAT}")
    broken = [table.name for table in manifest.tables if sha256_of(copy / f"{table.name}.copy") != table.sha256]
    if broken:
        raise BackupError(f"{copy} is damaged: {', '.join(broken)}")
    return manifest


async def bring_back(owner: Database, copy: Path, *, replace: bool, at: datetime, actor: str) -> Manifest:
    """Put a tenant's rows back, all or none; its audit chain says so. `replace`: what it has now goes.

    Raises BackupError where the copy is damaged or of other tables, or where the tenant or its id are taken.
    """
    manifest = verified(copy)
    async with owner.platform("bring a tenant back") as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await _require_room(raw, manifest, replace=replace)
        await raw.execute(f"SET LOCAL app.tenant = {int(manifest.tenant_id)}".encode())
        for table in reversed(manifest.tables):
            remove = sql.SQL("DELETE FROM {} WHERE {} = {}").format(
                sql.Identifier(table.name), sql.Identifier(_key(table.name)), manifest.tenant_id
            )
            await raw.execute(remove)
        for table in manifest.tables:
            await _put_table(raw, table, copy)
        # The directory looks at the highest revision to see that something has changed.
        await raw.execute(
            "UPDATE tenant SET revision = (SELECT max(revision) + 1 FROM tenant) WHERE id = %s", (manifest.tenant_id,)
        )
        await _record(owner, connection, manifest, copy, at=at, actor=actor)
    return manifest


async def _require_room(raw: psycopg.AsyncConnection, manifest: Manifest, *, replace: bool) -> None:
    found = await raw.execute("SELECT version_num FROM alembic_version ORDER BY version_num")
    here = tuple(name for (name,) in await found.fetchall())
    if here != manifest.revisions:
        raise BackupError(f"the copy is of revision {', '.join(manifest.revisions)}, the database of {', '.join(here)}")
    await raw.execute("SELECT pg_advisory_xact_lock(115002)")  # that of everybody who writes a tenant
    same = "SELECT id, slug FROM tenant WHERE id = %s OR slug = %s"
    for tenant_id, slug in await (await raw.execute(same, (manifest.tenant_id, manifest.slug))).fetchall():
        if (tenant_id, slug) != (manifest.tenant_id, manifest.slug):
            raise BackupError(f"number {tenant_id} and the name {slug} belong to another tenant here")
        if not replace:
            raise BackupError(f"there is a tenant {slug} already; with --replace its rows are given up for the copy")


async def _put_table(raw: psycopg.AsyncConnection, table: TableCopy, copy: Path) -> None:
    """By way of a table beside: nothing is copied past row-level security, and so nothing of others comes in."""
    names = {"staging": sql.Identifier(f"staging_{table.name}"), "table": sql.Identifier(table.name)}
    parts = {**names, "columns": _listed(table.columns)}
    await raw.execute(sql.SQL("CREATE TEMP TABLE {staging} (LIKE {table}) ON COMMIT DROP").format(**names))
    async with raw.cursor() as cursor:
        async with cursor.copy(sql.SQL("COPY {staging} ({columns}) FROM STDIN").format(**parts)) as rows:
            with (copy / f"{table.name}.copy").open("rb") as file:
                while chunk := file.read(CHUNK):
                    await rows.write(chunk)
        await cursor.execute(sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging}").format(**parts))
        if cursor.rowcount != table.rows:
            raise BackupError(f"{table.name} has {cursor.rowcount} rows in place of {table.rows}")


async def _record(
    owner: Database, connection: AsyncConnection, manifest: Manifest, copy: Path, *, at: datetime, actor: str
) -> None:
    ctx = TenantContext(id=manifest.tenant_id, slug=manifest.slug, name=manifest.slug, plugins=frozenset())
    async with owner.within(connection, ctx) as tx:
        details = {"copy": copy.name, "manifest": sha256_of(copy / MANIFEST)}
        await audit.record(tx, at=at, actor=actor, action="tenant.restore", subject=f"tenant:{ctx.slug}", **details)
