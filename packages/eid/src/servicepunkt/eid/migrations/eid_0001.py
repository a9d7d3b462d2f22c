"""Identifications that are under way: what they hold of a person is sealed, and gone after minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "eid_0001"
down_revision = None
branch_labels = ("eid",)
depends_on = "core_0013"

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    tenant_table(
        "eid_session",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("wish", sa.LargeBinary, nullable=False),
        sa.Column("device", sa.Uuid, nullable=True),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("binding", sa.LargeBinary, nullable=False),
        sa.Column("ticket", sa.LargeBinary, nullable=True),
        sa.Column("ticket_until", Instant, nullable=True),
        sa.Column("kept", sa.LargeBinary, nullable=True),
        sa.Column("found", sa.LargeBinary, nullable=True),
        sa.Column("refused_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name="uq_eid_session_tenant_id_key"),
        sa.UniqueConstraint("tenant_id", "ticket", name="uq_eid_session_tenant_id_ticket"),
        sa.CheckConstraint("state IN ('open', 'reading', 'identified', 'refused')", name="ck_eid_session_state"),
        sa.CheckConstraint("door IN ('card', 'wallet')", name="ck_eid_session_door"),
        key=("id",),
    )


def downgrade() -> None:
    op.drop_table("eid_session")
