"""Orders of what partners sell and book."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0007"
down_revision = "core_0006"
branch_labels = None
depends_on = None

STATES = "'draft', 'placed', 'paid_at_counter', 'cancelled', 'expired'"


def upgrade() -> None:
    tenant_table(
        "partner_order",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("chosen", JSONB, nullable=False),
        sa.Column("total", sa.Numeric(12, 2), nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="uq_partner_order_tenant_id_key"),
        sa.UniqueConstraint("tenant_id", "reference", name="uq_partner_order_tenant_id_reference"),
        sa.CheckConstraint(f"state IN ({STATES})", name="ck_partner_order_state"),
        key=("id",),
    )
    op.create_index("ix_partner_order_created_at", "partner_order", ["tenant_id", "created_at"])
    tenant_table(
        "partner_stock",
        sa.Column("plugin", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("taken >= 0", name="ck_partner_stock_taken"),
        key=("plugin", "service", "item"),
    )


def downgrade() -> None:
    for name in ("partner_stock", "partner_order"):
        op.drop_table(name)
