"""Accounts for whom an OpenID provider vouches, and one-time codes for a first password."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "core_0009"
down_revision = "core_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("external", sa.LargeBinary, nullable=True))
    op.add_column("account", sa.Column("code_hash", sa.LargeBinary, nullable=True))
    op.add_column("account", sa.Column("code_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_account_external", "account", ["tenant_id", "external"])


def downgrade() -> None:
    op.drop_index("ix_account_external", "account")
    for name in ("code_until", "code_hash", "external"):
        op.drop_column("account", name)
