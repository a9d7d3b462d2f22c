"""Turn a database into a Citus cluster, distributed by tenant_id: what there is, the plan, and its execution.

The plan is pure: from what PostgreSQL's catalogue says to the statements, always in the same order. Foreign keys go
first and come back last, because Citus takes none that leads to a table of another kind; reference tables come before
what refers to them; the tables of tenants share one co-location group, so that all rows of a tenant lie on one node.
While rows move and keys are checked, row-level security does not bind the owner: he has no tenant then.
"""

from __future__ import annotations

import msgspec
import psycopg
from psycopg import sql

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import OWNER
from servicepunkt.core.db.schema import APPLICATION_ROLE, TENANT
from servicepunkt.core.errors import NoCitusError, UndistributableError

#: Tables of other software that know no tenant and are asked by one process at a time: they stay on the coordinator.
LOCAL = ("alembic_version", "procrastinate_")
TENANT_FUNCTION = "app.current_tenant()"


class ForeignKey(msgspec.Struct, frozen=True, order=True):
    """`definition` is PostgreSQL's own: FOREIGN KEY (...) REFERENCES ..."""

    table: str
    name: str
    target: str
    definition: str


class Layout(msgspec.Struct, frozen=True):
    """The tables of the product: those of tenants, those that all share, and which are distributed already."""

    tenant_tables: frozenset[str]
    shared_tables: frozenset[str]
    foreign_keys: frozenset[ForeignKey]
    done: frozenset[str] = frozenset()


class Plan(msgspec.Struct, frozen=True):
    """Statements of one transaction of the owner, and those that the application's role says for itself."""

    owner: tuple[str, ...]
    application: tuple[str, ...]


def plan(layout: Layout) -> Plan:
    """What has to be said; nothing for tables that are distributed already. Raises UndistributableError."""
    shared = sorted(layout.shared_tables - layout.done)
    tenants = sorted(layout.tenant_tables - layout.done)
    moved = {*shared, *tenants}
    keys = sorted(key for key in layout.foreign_keys if key.table in moved or key.target in moved)
    _refuse_impossible(layout, keys)
    if not moved:
        return Plan(owner=(), application=(_carry_settings(APPLICATION_ROLE),))
    return Plan(
        owner=(
            # A key to a reference table locks it on every node: statements side by side would wait for each other.
            "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'",
            _carry_settings(OWNER),
            f"SELECT create_distributed_function('{TENANT_FUNCTION}')",
            *(f"ALTER TABLE {_name(table)} NO FORCE ROW LEVEL SECURITY" for table in tenants),
            *(f"ALTER TABLE {_name(key.table)} DROP CONSTRAINT {_name(key.name)}" for key in keys),
            *(f"SELECT create_reference_table('{_name(table)}')" for table in shared),
            *(_distribute(table, _companion(layout, tenants, table)) for table in tenants),
            *(f"ALTER TABLE {_name(key.table)} ADD CONSTRAINT {_name(key.name)} {key.definition}" for key in keys),
            *(f"ALTER TABLE {_name(table)} FORCE ROW LEVEL SECURITY" for table in tenants),
        ),
        application=(_carry_settings(APPLICATION_ROLE),),
    )


def _distribute(table: str, companion: str) -> str:
    return f"SELECT create_distributed_table('{_name(table)}', '{TENANT}', colocate_with => '{companion}')"


def _companion(layout: Layout, tenants: list[str], table: str) -> str:
    """The table with which `table` shares its group: one that is distributed, else the first; that one begins it."""
    first = min(layout.done & layout.tenant_tables, default=tenants[0])
    return "none" if table == first else _name(first)


def _carry_settings(role: str) -> str:
    """So that SET LOCAL app.tenant reaches the nodes, where row-level security asks for it."""
    return f"ALTER ROLE {role} SET citus.propagate_set_commands TO 'local'"


def _refuse_impossible(layout: Layout, keys: list[ForeignKey]) -> None:
    for key in keys:
        if key.table in layout.shared_tables and key.target in layout.tenant_tables:
            raise UndistributableError(f"{key.table} is shared by all tenants and refers to {key.target} ({key.name})")
        if {key.table, key.target} - layout.shared_tables - layout.tenant_tables:
            raise UndistributableError(f"{key.name} of {key.table} refers to a table that stays on the coordinator")


def _name(identifier: str) -> str:
    return sql.Identifier(identifier).as_string(None)


def read_layout(connection: psycopg.Connection) -> Layout:
    """What the catalogue says. `done` is empty where there is no Citus."""
    tables = connection.execute(
        """SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %s)
           FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace""",
        (TENANT,),
    ).fetchall()
    keys = connection.execute(
        """SELECT t.relname, k.conname, f.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k
           JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
           WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace"""
    ).fetchall()
    own = [(name, has_tenant) for name, has_tenant in tables if not name.startswith(LOCAL)]
    return Layout(
        tenant_tables=frozenset(name for name, has_tenant in own if has_tenant),
        shared_tables=frozenset(name for name, has_tenant in own if not has_tenant),
        foreign_keys=frozenset(ForeignKey(*row) for row in keys if not row[0].startswith(LOCAL)),
        done=_distributed(connection),
    )


def _distributed(connection: psycopg.Connection) -> frozenset[str]:
    if connection.execute("SELECT to_regclass('pg_dist_partition')").fetchone() == (None,):
        return frozenset()
    rows = connection.execute(
        "SELECT relname FROM pg_dist_partition JOIN pg_class ON pg_class.oid = logicalrelid"
    ).fetchall()
    return frozenset(row[0] for row in rows)


def planned(owner_url: str) -> Plan:
    """The plan for the database as it is now."""
    with psycopg.connect(conninfo(owner_url)) as connection:
        return plan(read_layout(connection))


def distribute(owner_url: str, application_url: str) -> Plan:
    """Execute the plan: wholly or, where something fails, not at all. Raises NoCitusError."""
    with psycopg.connect(conninfo(owner_url)) as owner, psycopg.connect(conninfo(application_url)) as application:
        if owner.execute("SELECT FROM pg_extension WHERE extname = 'citus'").fetchone() is None:
            raise NoCitusError
        return execute(owner, application)


def execute(owner: psycopg.Connection, application: psycopg.Connection) -> Plan:
    """The same on two open connections; commits both."""
    made = plan(read_layout(owner))
    for connection, statements in ((owner, made.owner), (application, made.application)):
        for statement in statements:
            connection.execute(statement.encode())
        connection.commit()
    return made
