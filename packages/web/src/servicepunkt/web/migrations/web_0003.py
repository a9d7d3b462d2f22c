"""What was shown when a session began, and by which link of two accounts it did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "web_0003"
down_revision = "web_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("proof", sa.Text, nullable=True))
    op.add_column("session", sa.Column("link", sa.Uuid, nullable=True))


def downgrade() -> None:
    for name in ("link", "proof"):
        op.drop_column("session", name)
