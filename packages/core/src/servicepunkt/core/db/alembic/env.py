"""Alembic's environment: one transaction for all revisions, under an advisory lock, so that two starts cannot race."""

import sqlalchemy as sa
from alembic import context

from servicepunkt.core.db.schema import metadata

engine = sa.create_engine(context.config.attributes["url"], poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(115001)"))
        # While a table is waited for, everybody else waits behind: rather give up, and try again.
        connection.execute(sa.text("SET LOCAL lock_timeout TO '3s'"))
        context.run_migrations()
