"""The kernel's tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from servicepunkt.core.db.ddl import platform_table, tenant_table
from servicepunkt.core.db.schema import APPLICATION_ROLE

revision = "core_0001"
down_revision = None
branch_labels = ("core",)
depends_on = None

Instant = sa.DateTime(timezone=True)
TENANT_STATES = "state IN ('draft', 'rehearsal', 'live', 'paused', 'retired')"
NOTICE_STATES = (
    "state IN ('created', 'sending', 'temporary-failure', 'sent', 'delivered', 'permanent-failure',"
    " 'technical-failure')"
)


def upgrade() -> None:
    op.execute("CREATE SCHEMA app")
    op.execute(
        # No missing_ok: a forgotten tenant is an error, never an empty page.
        "CREATE FUNCTION app.current_tenant() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE "
        "AS $$ SELECT current_setting('app.tenant')::integer $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA app TO {APPLICATION_ROLE}")
    op.execute(f"GRANT EXECUTE ON FUNCTION app.current_tenant() TO {APPLICATION_ROLE}")
    op.execute(f"GRANT SELECT ON alembic_version TO {APPLICATION_ROLE}")
    platform_table(
        "tenant",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("hosts", ARRAY(sa.Text), nullable=False),
        sa.Column("plugins", ARRAY(sa.Text), nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("languages", ARRAY(sa.Text), nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("subdivision", sa.Text, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.UniqueConstraint("slug", name="uq_tenant_slug"),
        sa.CheckConstraint(TENANT_STATES, name="ck_tenant_state"),
    )
    tenant_table(
        "account",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("roles", ARRAY(sa.Text), nullable=False),
        sa.Column("totp", sa.LargeBinary, nullable=True),
        sa.Column("totp_used", sa.BigInteger, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", Instant, nullable=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.UniqueConstraint("tenant_id", "login", name="uq_account_tenant_id_login"),
        key=("id",),
    )
    tenant_table(
        "audit_entry",
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        key=("seq",),
        append_only=True,
    )
    op.create_index("ix_audit_entry_subject", "audit_entry", ["tenant_id", "subject", "seq"])
    tenant_table(
        "catalogue_revision",
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("published_at", Instant, nullable=False),
        sa.Column("published_by", sa.Text, nullable=False),
        key=("revision",),
        append_only=True,
    )
    tenant_table(
        "data_key",
        sa.Column("subject", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("public", sa.LargeBinary, nullable=True),
        key=("subject", "purpose"),
    )
    tenant_table(
        "notice",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("case", sa.Uuid, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("params", JSONB, nullable=False),
        sa.Column("recipient", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=True),
        sa.Column("sealed_context", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.CheckConstraint(NOTICE_STATES, name="ck_notice_state"),
        key=("id",),
    )
    op.create_index("ix_notice_case", "notice", ["tenant_id", "case"])


def downgrade() -> None:
    for name in ("notice", "data_key", "catalogue_revision", "audit_entry", "account", "tenant"):
        op.drop_table(name)
    op.execute("DROP FUNCTION app.current_tenant()")
    op.execute("DROP SCHEMA app")
