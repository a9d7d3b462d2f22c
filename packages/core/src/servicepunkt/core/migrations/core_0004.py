"""What editors write, one value at a time; and what became of the links of the catalogue when they were tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0004"
down_revision = "core_0003"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    tenant_table(
        "catalogue_edit",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("below", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("authors", ARRAY(sa.Text), nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("remark", sa.Text, nullable=False),
        sa.Column("publish_on", sa.Date, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'proposed', 'approved', 'rejected', 'live', 'withdrawn')",
            name="ck_catalogue_edit_state",
        ),
        key=("id",),
    )
    op.create_index("ix_catalogue_edit_state", "catalogue_edit", ["tenant_id", "state", "service"])
    op.create_index("ix_catalogue_edit_service", "catalogue_edit", ["tenant_id", "service", "path"])
    tenant_table(
        "catalogue_link",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("checked_at", Instant, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("failing_since", Instant, nullable=True),
        key=("digest",),
    )


def downgrade() -> None:
    for name in ("catalogue_link", "catalogue_edit"):
        op.drop_table(name)
