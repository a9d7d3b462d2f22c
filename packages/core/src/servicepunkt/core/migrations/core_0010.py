"""What operators of the platform see and settle, and consents to look at one tenant."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from servicepunkt.core.db.ddl import platform_table, tenant_table

revision = "core_0010"
down_revision = "core_0009"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)
WRITTEN = "SELECT, INSERT, UPDATE, DELETE"
CONSENT_ROLES = "'editor', 'point_staff', 'auditor'"


def upgrade() -> None:
    platform_table(
        "tenant_terms",
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("limits", JSONB, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("slow_requests", sa.Float, nullable=True),
        sa.Column("slow_until", Instant, nullable=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenant_terms"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.id"], name="fk_tenant_terms_tenant"),
        rights="SELECT, INSERT, UPDATE",
    )
    platform_table(
        "tenant_usage",
        sa.Column("minute", Instant, nullable=False),
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("process", sa.Uuid, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("database_seconds", sa.Float, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("jobs", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("minute", "tenant", "process", name="pk_tenant_usage"),
        rights=WRITTEN,
    )
    platform_table(
        "tenant_count",
        sa.Column("tenant", sa.Integer, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("counted_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenant_count"),
        sa.ForeignKeyConstraint(["tenant"], ["tenant.id"], name="fk_tenant_count_tenant"),
        rights="SELECT, INSERT, UPDATE",
    )
    platform_table(
        "process",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_process"),
        sa.CheckConstraint("kind IN ('serve', 'worker')", name="ck_process_kind"),
        rights=WRITTEN,
    )
    tenant_table(
        "operator_consent",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("granted_by", sa.Uuid, nullable=False),
        sa.Column("granted_at", Instant, nullable=False),
        sa.Column("starts_at", Instant, nullable=False),
        sa.Column("ends_at", Instant, nullable=False),
        sa.Column("withdrawn_at", Instant, nullable=True),
        sa.Column("operator", sa.Uuid, nullable=True),
        sa.CheckConstraint(f"role IN ({CONSENT_ROLES})", name="ck_operator_consent_role"),
        key=("id",),
    )
    tenant_table(
        "operator_session",
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("consent", sa.Uuid, nullable=False),
        sa.Column("operator", sa.Uuid, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "consent"],
            ["operator_consent.tenant_id", "operator_consent.id"],
            name="fk_operator_session_tenant_id_consent",
            ondelete="CASCADE",
        ),
        key=("key",),
    )


def downgrade() -> None:
    for name in ("operator_session", "operator_consent", "process", "tenant_count", "tenant_usage", "tenant_terms"):
        op.drop_table(name)
