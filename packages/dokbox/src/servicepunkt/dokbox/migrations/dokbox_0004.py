"""A box's signing key, the peppers that the centre keeps for it, and how it says that it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import tenant_table

revision = "dokbox_0004"
down_revision = "dokbox_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("box", sa.Column("vault", sa.Text, nullable=False, server_default=""))
    op.add_column("box", sa.Column("troubles", JSONB, nullable=False, server_default="[]"))
    tenant_table(
        "box_trust",
        sa.Column("box", sa.Text, nullable=False),
        sa.Column("device", sa.Uuid, nullable=False),
        sa.Column("signing_key", sa.LargeBinary, nullable=False),
        sa.Column("peppers", sa.LargeBinary, nullable=True),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "box"], ["box.tenant_id", "box.id"], name="fk_box_trust_tenant_id_box"),
        key=("box",),
    )


def downgrade() -> None:
    op.drop_table("box_trust")
    op.drop_column("box", "troubles")
    op.drop_column("box", "vault")
