"""Where a catalogue comes from: sources, runs, records and reports; and which revision was brought back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.ddl import tenant_table

revision = "core_0003"
down_revision = "core_0002"
branch_labels = None
depends_on = None

Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("catalogue_revision", sa.Column("origins", sa.LargeBinary, nullable=False, server_default=""))
    op.add_column("catalogue_revision", sa.Column("restores", sa.Integer, nullable=True))
    tenant_table(
        "catalogue_source",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        key=("name",),
    )
    tenant_table(
        "catalogue_run",
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('reading', 'done', 'failed')", name="ck_catalogue_run_state"),
        key=("run",),
    )
    op.create_index("ix_catalogue_run_source", "catalogue_run", ["tenant_id", "source", "run"])
    tenant_table(
        "catalogue_record",
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        key=("run", "kind", "id"),
    )
    tenant_table(
        "catalogue_report",
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        key=("run", "number"),
    )
    tenant_table(
        "search_miss",
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("last_on", sa.Date, nullable=False),
        key=("words",),
    )


def downgrade() -> None:
    for name in ("search_miss", "catalogue_report", "catalogue_record", "catalogue_run", "catalogue_source"):
        op.drop_table(name)
    op.drop_column("catalogue_revision", "restores")
    op.drop_column("catalogue_revision", "origins")
