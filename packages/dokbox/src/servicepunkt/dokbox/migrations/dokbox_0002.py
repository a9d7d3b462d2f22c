"""States of a deposit are those of the table; a journal that is not believed is remembered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "dokbox_0002"
down_revision = "dokbox_0001"
branch_labels = None
depends_on = None

STATES = (
    "state IN ('announced', 'refused', 'reserved', 'loading', 'stored', 'notified', 'presented', 'releasing', "
    "'taking', 'confirming', 'done', 'locked_out', 'expired', 'recalling', 'returned', 'blocked', 'missing', "
    "'cancelled')"
)


def upgrade() -> None:
    op.add_column("box", sa.Column("disputed", sa.BigInteger, nullable=False, server_default="0"))
    op.create_check_constraint(op.f("ck_deposit_state"), "deposit", STATES)


def downgrade() -> None:
    op.execute("ALTER TABLE deposit DROP CONSTRAINT ck_deposit_state")
    op.drop_column("box", "disputed")
