"""Links between accounts of one person at several tenants, codes that make them, tickets to switch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import platform_table

revision = "core_0011"
down_revision = "core_0010"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)
# Whoever may not change a row cannot lead a link elsewhere: it is made or it ends.
RIGHTS = "SELECT, INSERT, DELETE"


def upgrade() -> None:
    platform_table(
        "account_link",
        sa.Column("link", sa.Uuid, nullable=False),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("account", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("link", "tenant", name="pk_account_link"),
        rights=RIGHTS,
    )
    op.create_index("ix_account_link_tenant_account", "account_link", ["tenant", "account"])
    platform_table(
        "account_link_code",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("account", sa.Uuid, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_account_link_code"),
        rights=RIGHTS,
    )
    platform_table(
        "account_switch",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("link", sa.Uuid, nullable=False),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("account", sa.Uuid, nullable=False),
        sa.Column("browser", sa.LargeBinary, nullable=False),
        sa.Column("proof", sa.Text, nullable=False),
        sa.Column("began_at", Instant, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_account_switch"),
        rights=RIGHTS,
    )


def downgrade() -> None:
    for name in ("account_switch", "account_link_code", "account_link"):
        op.drop_table(name)
