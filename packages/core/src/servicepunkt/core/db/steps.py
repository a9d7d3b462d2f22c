"""Expand and contract: which statements of a migration the version before cannot live with.

While an upgrade goes round the processes, the old version works on the new tables. So a revision only adds: columns
that the old version need not know, constraints that bind new rows alone. What nobody needs any more goes in a later
release, in a revision that says so: `contracts = "core_0006"` names the one since which nothing has used it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from types import ModuleType

from alembic.migration import MigrationContext
from alembic.operations import Operations

TABLE = r"(?:ONLY )?(?:public\.)?\"?(?P<table>\w+)\"?"
#: What it is, and how PostgreSQL's statement begins; `table` is the one that it touches.
NOT_AT_ONCE = {
    "takes a table away": rf"DROP TABLE (?:IF EXISTS )?{TABLE}",
    "takes a column away": rf"ALTER TABLE {TABLE} DROP COLUMN",
    "renames": rf"ALTER TABLE {TABLE} RENAME",
    "changes the type of a column": rf"ALTER TABLE {TABLE} ALTER (?:COLUMN )?\S+ (?:SET DATA )?TYPE",
    "forbids an empty value": rf"ALTER TABLE {TABLE} ALTER (?:COLUMN )?\S+ SET NOT NULL",
    "takes a default away": rf"ALTER TABLE {TABLE} ALTER (?:COLUMN )?\S+ DROP DEFAULT",
    "adds a column that old inserts leave empty": rf"ALTER TABLE {TABLE} ADD COLUMN (?!.*\bDEFAULT\b).*\bNOT NULL\b",
    "checks all rows": rf"ALTER TABLE {TABLE} ADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY)(?!.*NOT VALID$)",
    "forbids what was allowed": rf"ALTER TABLE {TABLE} ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY)",
    "forbids what was allowed by an index": rf"CREATE UNIQUE INDEX \S+ ON {TABLE}",
    "changes a primary key": rf"ALTER TABLE {TABLE} DROP CONSTRAINT \"?pk_",
    "takes a right away": rf"REVOKE .* ON (?:TABLE )?{TABLE}",
    "takes away what queries may use": r"DROP (?:FUNCTION|VIEW|SCHEMA|SEQUENCE|TYPE) (?P<table>\S+)",
}
MADE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{TABLE}", re.IGNORECASE)


def statements(migration: ModuleType) -> list[str]:
    """What the upgrade of a revision says to PostgreSQL, each statement on one line."""
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written, "literal_binds": True}
    )
    with Operations.context(context):
        migration.upgrade()
    return [" ".join(part.split()) for part in written.getvalue().split(";\n") if part.strip()]


def faults(said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every (reason, statement) for which the version before would fail or wait; the revision's own tables are free."""
    own = {found["table"] for statement in said if (found := MADE.match(statement))}
    for statement in said:
        for reason, pattern in NOT_AT_ONCE.items():
            found = re.match(pattern, statement, re.IGNORECASE)
            if found and found["table"] not in own:
                yield reason, statement
