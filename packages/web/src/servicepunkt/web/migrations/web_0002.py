"""What is remembered of a browser while somebody proves who they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "web_0002"
down_revision = "web_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "handshake",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        key=("key",),
    )


def downgrade() -> None:
    op.drop_table("handshake")
