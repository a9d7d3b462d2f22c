"""Applications: what is personal of them is sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0013"
down_revision = "core_0012"
branch_labels = None
depends_on = None

STATES = "'draft', 'submitted', 'failed', 'forwarded', 'closed'"
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    tenant_table(
        "application",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("session", sa.LargeBinary, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=True),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("keep_days", sa.Integer, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("submitted_at", Instant, nullable=True),
        sa.Column("ends_at", Instant, nullable=True),
        sa.UniqueConstraint("tenant_id", "reference", name="uq_application_tenant_id_reference"),
        sa.CheckConstraint(f"state IN ({STATES})", name="ck_application_state"),
        sa.CheckConstraint("place IN ('terminal', 'web')", name="ck_application_place"),
        key=("id",),
    )
    op.create_index("ix_application_session", "application", ["tenant_id", "session"])
    op.create_index("ix_application_submitted_at", "application", ["tenant_id", "submitted_at"])


def downgrade() -> None:
    op.drop_table("application")
