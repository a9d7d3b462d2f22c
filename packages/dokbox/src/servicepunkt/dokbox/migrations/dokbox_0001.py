"""The centre's tables of boxes and deposits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import tenant_table

revision = "dokbox_0001"
down_revision = None
branch_labels = ("dokbox",)
depends_on = "core_0001"

Instant = sa.DateTime(timezone=True)


def of_box(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"], name=f"fk_{table}_tenant_id_box")


def upgrade() -> None:
    tenant_table(
        "box",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("point", sa.Text, nullable=False),
        sa.Column("acknowledged", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("commands", sa.BigInteger, nullable=False),
        sa.Column("seen_at", Instant, nullable=True),
        key=("id",),
    )
    tenant_table(
        "deposit",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("box", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("compartment", sa.Integer, nullable=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("document_index", sa.LargeBinary, nullable=False),
        sa.Column("personal", sa.LargeBinary, nullable=True),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        of_box("deposit"),
        sa.UniqueConstraint("tenant_id", "reference", name="uq_deposit_tenant_id_reference"),
        key=("id",),
    )
    op.create_index("ix_deposit_state", "deposit", ["tenant_id", "state", "updated_at"])
    op.create_index("ix_deposit_document", "deposit", ["tenant_id", "document_index"])
    tenant_table(
        "box_event",
        sa.Column("box", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("deposit", sa.Text, nullable=False),
        sa.Column("compartment", sa.Integer, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        of_box("box_event"),
        key=("box", "seq"),
        append_only=True,
    )
    op.create_index("ix_box_event_deposit", "box_event", ["tenant_id", "deposit", "seq"])
    tenant_table(
        "box_command",
        sa.Column("box", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        of_box("box_command"),
        key=("box", "seq"),
    )


def downgrade() -> None:
    for name in ("box_command", "box_event", "deposit", "box"):
        op.drop_table(name)
