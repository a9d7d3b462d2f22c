"""Deposits know their last day, their reminders and who needs a low compartment; a box may be on its way elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "dokbox_0003"
down_revision = "dokbox_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deposit", sa.Column("low", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("deposit", sa.Column("until", sa.Date, nullable=True))
    op.add_column("deposit", sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("deposit", sa.Column("reminded", sa.Integer, nullable=False, server_default="0"))
    op.add_column("box", sa.Column("closing", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("box", "closing")
    for column in ("reminded", "notified_at", "until", "low"):
        op.drop_column("deposit", column)
