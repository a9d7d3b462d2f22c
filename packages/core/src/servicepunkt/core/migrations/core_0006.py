"""What went wrong with plugins lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0006"
down_revision = "core_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "plugin_failure",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("hook", sa.Text, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.CheckConstraint("fault IN ('failed', 'slow')", name="ck_plugin_failure_fault"),
        key=("plugin", "hook", "fault"),
    )


def downgrade() -> None:
    op.drop_table("plugin_failure")
