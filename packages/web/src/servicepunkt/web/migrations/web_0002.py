"""What is remembered of a browser while somebody proves who they are, and passkeys."""

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
    tenant_table(
        "passkey",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("account", sa.Uuid, nullable=False),
        sa.Column("credential", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("tenant_id", "credential", name="uq_passkey_tenant_id_credential"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account"],
            ["account.tenant_id", "account.id"],
            name="fk_passkey_tenant_id_account",
            ondelete="CASCADE",
        ),
        key=("id",),
    )


def downgrade() -> None:
    for name in ("passkey", "handshake"):
        op.drop_table(name)
