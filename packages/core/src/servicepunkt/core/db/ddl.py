"""What every migration uses to make a table, so that no tenant table is ever without its policy and its grants."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.schema import APPLICATION_ROLE


def tenant_table(name: str, *parts: Any, key: tuple[str, ...], append_only: bool = False) -> None:
    """Create a tenant table: key led by tenant_id, forced row-level security, least grants.

    `append_only` grants neither UPDATE nor DELETE (audit).
    """
    op.create_table(
        name,
        sa.Column("tenant_id", sa.Integer, nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("tenant_id", *key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=f"fk_{name}_tenant_id"),
    )
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY tenant_isolation ON {name} "
        "USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant())"
    )
    grant(name, "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE")


def platform_table(name: str, *parts: Any, rights: str = "SELECT") -> None:
    """Create a table of the deployment itself; the application may only read it unless `rights` say more."""
    op.create_table(name, *parts)
    grant(name, rights)


def grant(name: str, rights: str) -> None:
    op.execute(f"GRANT {rights} ON {name} TO {APPLICATION_ROLE}")
