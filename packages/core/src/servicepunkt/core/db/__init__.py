"""The database: PostgreSQL only, every tenant table under forced row-level security, every statement guarded."""

from servicepunkt.core.db.schema import metadata, platform_table, tenant_table
from servicepunkt.core.db.session import Database, Transaction

__all__ = ["Database", "Transaction", "metadata", "platform_table", "tenant_table"]
