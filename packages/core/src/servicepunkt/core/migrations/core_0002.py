"""Several providers a kind of notice: their attempts and weights; what notices are limited and answered by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0002"
down_revision = "core_0001"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("notice", sa.Column("recipient_index", sa.LargeBinary, nullable=False, server_default=""))
    op.add_column("notice", sa.Column("source", sa.Text, nullable=False, server_default=""))
    op.add_column("notice", sa.Column("until", Instant, nullable=True))
    op.add_column("notice", sa.Column("sent_at", Instant, nullable=True))
    op.create_index("ix_notice_recipient", "notice", ["tenant_id", "recipient_index", "created_at"])
    op.create_index("ix_notice_created_at", "notice", ["tenant_id", "created_at"])
    tenant_table(
        "notice_attempt",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("notice", sa.Uuid, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("answers", sa.Boolean, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.Column("receipt_at", Instant, nullable=True),
        sa.CheckConstraint("outcome IN ('accepted', 'failed', 'refused')", name="ck_notice_attempt_outcome"),
        sa.CheckConstraint(
            "receipt IN ('', 'delivered', 'temporary-failure', 'permanent-failure')", name="ck_notice_attempt_receipt"
        ),
        key=("id",),
    )
    op.create_index("ix_notice_attempt_provider", "notice_attempt", ["tenant_id", "provider", "at"])
    op.create_index("ix_notice_attempt_reference", "notice_attempt", ["tenant_id", "provider", "reference"])
    op.create_index("ix_notice_attempt_notice", "notice_attempt", ["tenant_id", "notice"])
    tenant_table(
        "provider_weight",
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("moved_at", Instant, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.CheckConstraint("weight BETWEEN 1 AND 100", name="ck_provider_weight_weight"),
        key=("provider",),
    )


def downgrade() -> None:
    for name in ("provider_weight", "notice_attempt"):
        op.drop_table(name)
    for name in ("ix_notice_created_at", "ix_notice_recipient"):
        op.drop_index(name, "notice")
    for name in ("sent_at", "until", "source", "recipient_index"):
        op.drop_column("notice", name)
