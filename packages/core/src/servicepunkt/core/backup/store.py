"""What a database holds, in a form that can be compared; and the rows of one tenant, out and in.

The owner's role reads: it is bound by row-level security like everybody, so that each tenant is read as that tenant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from servicepunkt.core.backup.model import BackupError
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.distribute import read_layout

Sums = Mapping[tuple[str, str], str]
SHARED = "-"
#: Under which a row is written in one way, whatever the server's settings.
PLAIN = "SET LOCAL timezone TO 'UTC'; SET LOCAL datestyle TO 'ISO, YMD'; SET LOCAL bytea_output TO 'hex'; \
SET LOCAL extra_float_digits TO 1; SET LOCAL intervalstyle TO 'postgres'"
LOCK_WAIT = "2s"


@contextmanager
def at_rest(owner_url: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """A connection that sees one moment between two transactions, and the place of that moment in the log of writes.

    Writers wait for as long as it takes to look: the locks are gone when the moment is known. Raises BackupError where
    somebody's transaction stays open: nobody shall wait behind us for him.
    """
    with psycopg.connect(conninfo(owner_url)) as reader:
        with psycopg.connect(conninfo(owner_url)) as still:
            still.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            still.execute(f"SET LOCAL lock_timeout TO '{LOCK_WAIT}'")
            # Also the queue, whose rows change with those of tenants.
            names = sql.SQL(", ").join(sql.Identifier(name) for name in _tables(reader))
            reader.rollback()
            try:
                still.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names))
            except psycopg.errors.LockNotAvailable as error:
                raise BackupError("a transaction stays open, so that there is no moment of rest; try again") from error
            row = still.execute("SELECT pg_export_snapshot(), pg_current_wal_insert_lsn()").fetchone()
            snapshot, place = row or ("", "")
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        yield reader, str(place)


def _tables(connection: psycopg.Connection) -> list[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [name for (name,) in rows]


def mark(owner_url: str) -> str:
    """Write something into the log of writes that changes nothing; the place behind it, which is on the disk."""
    with psycopg.connect(conninfo(owner_url)) as connection:
        connection.execute("SELECT pg_logical_emit_message(true, 'servicepunkt', 'here')")
        connection.commit()
        return str((connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone() or ("",))[0])


def sums(connection: psycopg.Connection) -> Sums:
    """(slug, table) -> "rows:sum of the hashes of all rows", for every tenant and for what all share."""
    connection.execute(PLAIN)
    mine = sorted(read_layout(connection).tenant_tables)
    others = [name for name in _tables(connection) if name not in mine]
    found = {(SHARED, name): value for name, value in _sums(connection, others, sql.SQL("true")).items()}
    for tenant_id, slug in connection.execute("SELECT id, slug FROM tenant ORDER BY id").fetchall():
        bind(connection, tenant_id)
        own = _sums(connection, mine, sql.SQL("tenant_id = {}").format(tenant_id))
        found |= {(slug, name): value for name, value in own.items()}
    return found


def _sums(connection: psycopg.Connection, names: list[str], condition: sql.Composable) -> dict[str, str]:
    """One statement for all tables: a tenant has many, most of them empty."""
    part = sql.SQL("SELECT {}, count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} t WHERE {}")
    query = sql.SQL(" UNION ALL ").join(part.format(name, sql.Identifier(name), condition) for name in names)
    return dict(connection.execute(query).fetchall()) if names else {}


def bind(connection: psycopg.Connection, tenant_id: int) -> None:
    """Until the end of the transaction, or until another one is named."""
    connection.execute(f"SET LOCAL app.tenant = {int(tenant_id)}".encode())


def rows_in(found: Sums) -> int:
    return sum(int(value.partition(":")[0]) for (tenant, _), value in found.items() if tenant != SHARED)
