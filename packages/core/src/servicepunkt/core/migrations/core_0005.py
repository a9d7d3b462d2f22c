"""National sources that are shared by all tenants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import platform_table

revision = "core_0005"
down_revision = "core_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    platform_table(
        "national_source",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("services", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    platform_table(
        "national_service",
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("leika", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("source", "leika", "id", name="pk_national_service"),
        sa.ForeignKeyConstraint(
            ["source"], ["national_source.name"], name="fk_national_service_source", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    for name in ("national_service", "national_source"):
        op.drop_table(name)
