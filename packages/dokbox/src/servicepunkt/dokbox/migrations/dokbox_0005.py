"""A box may begin a new journal; a corrected number counts from the moment on at which the box has taken it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "dokbox_0005"
down_revision = "dokbox_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("box", sa.Column("life", sa.Integer, nullable=False, server_default="1"))
    op.add_column("box_event", sa.Column("life", sa.Integer, nullable=False, server_default="1"))
    op.drop_constraint("pk_box_event", "box_event", type_="primary")
    op.create_primary_key("pk_box_event", "box_event", ["tenant_id", "box", "life", "seq"])
    op.add_column("deposit", sa.Column("correction", sa.LargeBinary, nullable=True))
    op.add_column("deposit", sa.Column("correcting", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("deposit", sa.Column("disowned", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("deposit", sa.Column("unclear", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute("ALTER TABLE deposit NO FORCE ROW LEVEL SECURITY")  # rows of all tenants
    op.execute("UPDATE deposit SET unclear = true, alert = '' WHERE alert = 'old_document_unclear'")
    op.execute("ALTER TABLE deposit FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    """Only the last journal of a box has room in the table as it was."""
    op.execute("ALTER TABLE box_event NO FORCE ROW LEVEL SECURITY")  # rows of all tenants
    op.execute(
        "DELETE FROM box_event e WHERE e.life < "
        "(SELECT max(n.life) FROM box_event n WHERE n.tenant_id = e.tenant_id AND n.box = e.box)"
    )
    op.execute("ALTER TABLE box_event FORCE ROW LEVEL SECURITY")
    op.drop_constraint("pk_box_event", "box_event", type_="primary")
    op.create_primary_key("pk_box_event", "box_event", ["tenant_id", "box", "seq"])
    op.drop_column("deposit", "unclear")
    op.drop_column("deposit", "disowned")
    op.drop_column("deposit", "correcting")
    op.drop_column("deposit", "correction")
    op.drop_column("box_event", "life")
    op.drop_column("box", "life")
