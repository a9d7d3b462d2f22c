"""Houses: hours that a host has changed itself, incidents, the calendar of spaces, footfall."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0008"
down_revision = "core_0007"
branch_labels = None
depends_on = None

INCIDENTS = "'reported', 'acknowledged', 'closed'"
SLOTS = "'asked', 'approved', 'vetoed', 'withdrawn'"
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    tenant_table(
        "host_hours",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("said", JSONB, nullable=False),
        sa.Column("below", JSONB, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        key=("host",),
    )
    tenant_table(
        "host_incident",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reported_by", sa.Text, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="uq_host_incident_tenant_id_key"),
        sa.CheckConstraint(f"state IN ({INCIDENTS})", name="ck_host_incident_state"),
        key=("id",),
    )
    op.create_index("ix_host_incident_point", "host_incident", ["tenant_id", "point", "created_at"])
    tenant_table(
        "host_slot",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("space", sa.Text, nullable=False),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("equipment", sa.Text, nullable=False),
        sa.Column("noise", sa.Text, nullable=False),
        sa.Column("begins_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="uq_host_slot_tenant_id_key"),
        sa.CheckConstraint(f"state IN ({SLOTS})", name="ck_host_slot_state"),
        sa.CheckConstraint("begins_at < ends_at", name="ck_host_slot_order"),
        key=("id",),
    )
    op.create_index("ix_host_slot_begins_at", "host_slot", ["tenant_id", "host", "begins_at"])
    tenant_table(
        "host_slot_quarter",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("space", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("slot", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "slot"],
            ["host_slot.tenant_id", "host_slot.id"],
            name="fk_host_slot_quarter_tenant_id_slot",
            ondelete="CASCADE",
        ),
        key=("host", "space", "at"),
    )
    op.create_index("ix_host_slot_quarter_slot", "host_slot_quarter", ["tenant_id", "slot"])
    tenant_table(
        "host_footfall",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name="ck_host_footfall_hour"),
        sa.CheckConstraint('"count" >= 0', name="ck_host_footfall_count"),
        key=("host", "day", "hour"),
    )


def downgrade() -> None:
    for name in ("host_footfall", "host_slot_quarter", "host_slot", "host_incident", "host_hours"):
        op.drop_table(name)
