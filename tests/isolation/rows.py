"""What stands in a tenant's rows, seen by the server's superuser: a digest to compare, a copy to go back to.

Row-level security does not bind this role; what is read here is the truth, whatever the application was shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import make_url

from isolation.twins import tenant_tables
from servicepunkt.core.audit.store import audit_entry

DIGEST = "count(*) || '/' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')"
JOBS = f"SELECT {DIGEST} FROM procrastinate_jobs t WHERE args->>'tenant_id' = %s"


@contextmanager
def superuser(owner_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the role that made the test's server."""
    url = make_url(owner_url).set(drivername="postgresql", username="postgres")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        yield connection


class Rows:
    """The rows of tenants on one server."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._names = [table.name for table in tenant_tables()]

    def digests(self, tenant_id: int) -> dict[str, str]:
        """By table, what changes when any of the tenant's rows does; its jobs as well."""
        parts = [f"SELECT '{name}', {DIGEST} FROM {name} t WHERE tenant_id = {int(tenant_id)}" for name in self._names]
        found = dict(self._connection.execute(" UNION ALL ".join(parts)).fetchall())  # type: ignore[call-overload]
        jobs = self._connection.execute(JOBS, (str(tenant_id),)).fetchone()
        assert jobs is not None
        tenant = self._connection.execute("SELECT md5(t::text) FROM tenant t WHERE id = %s", (tenant_id,)).fetchone()
        return {**found, "procrastinate_jobs": jobs[0], "tenant": str(tenant)}

    def keep(self, tenant_id: int) -> None:
        """Copy the tenant's rows aside."""
        self._connection.execute("DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept")
        for name in self._names:
            self._connection.execute(
                f"CREATE TABLE kept.{name} AS SELECT * FROM {name} WHERE tenant_id = {int(tenant_id)}"  # type: ignore[arg-type]
            )

    def bring_back(self, tenant_id: int) -> None:
        """Make the tenant's rows what they were; its audit chain goes on."""
        names = [name for name in self._names if name != audit_entry.name]
        statements = ["SET session_replication_role = replica"]  # foreign keys hold again once all rows are back
        for name in names:
            statements.append(f"DELETE FROM {name} WHERE tenant_id = {int(tenant_id)}")
            statements.append(f"INSERT INTO {name} SELECT * FROM kept.{name}")
        self._connection.execute("; ".join([*statements, "RESET session_replication_role"]))  # type: ignore[arg-type]

    def columns_without(self, tenant_id: int, words: str) -> set[str]:
        """`table.column` of every column of text or JSON in which no row of the tenant holds `words`, in any case."""
        kinds = "('text', 'jsonb', 'ARRAY')"
        columns = self._connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            f"WHERE table_schema = 'public' AND data_type IN {kinds}"
        ).fetchall()
        return {
            f"{table}.{column}"
            for table, column in columns
            if table in self._names and not self._holds(tenant_id, table, column, words)
        }

    def _holds(self, tenant_id: int, table: str, column: str, words: str) -> bool:
        query = f'SELECT count(*) FROM {table} WHERE tenant_id = {int(tenant_id)} AND "{column}"::text ILIKE %s'
        found = self._connection.execute(query, (f"%{words}%",)).fetchone()  # type: ignore[arg-type]
        return bool(found and found[0])
