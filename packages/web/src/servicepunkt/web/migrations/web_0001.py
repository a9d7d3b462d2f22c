"""The shell's tables: sessions, devices, help calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import tenant_table

revision = "web_0001"
down_revision = None
branch_labels = ("web",)
depends_on = "core_0001"

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    tenant_table(
        "session",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("account", sa.Uuid, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account"],
            ["account.tenant_id", "account.id"],
            name="fk_session_tenant_id_account",
            ondelete="CASCADE",
        ),
        key=("key",),
    )
    tenant_table(
        "device",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=True),
        sa.Column("code_until", Instant, nullable=True),
        sa.Column("token_hash", sa.LargeBinary, nullable=True),
        sa.Column("public_key", sa.LargeBinary, nullable=True),
        sa.Column("info", JSONB, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=True),
        sa.CheckConstraint("state IN ('pending', 'active', 'revoked')", name="ck_device_state"),
        key=("id",),
    )
    tenant_table(
        "help_call",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("device", sa.Uuid, nullable=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.CheckConstraint("state IN ('open', 'coming', 'closed')", name="ck_help_call_state"),
        key=("id",),
    )
    op.create_index("ix_help_call_state", "help_call", ["tenant_id", "state", "created_at"])


def downgrade() -> None:
    for name in ("help_call", "device", "session"):
        op.drop_table(name)
