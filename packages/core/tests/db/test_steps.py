"""Expand and contract: what a revision may do at once, and what waits for the next release."""

from __future__ import annotations

from types import ModuleType

import pytest
import sqlalchemy as sa
from alembic import op

from servicepunkt.core.db.steps import faults, statements

REFUSED = {
    "takes a table away": "DROP TABLE notice",
    "takes a column away": 'ALTER TABLE notice DROP COLUMN "case"',
    "renames": "ALTER TABLE notice RENAME COLUMN state TO status",
    "changes the type of a column": "ALTER TABLE notice ALTER COLUMN attempts TYPE BIGINT",
    "forbids an empty value": "ALTER TABLE notice ALTER COLUMN until SET NOT NULL",
    "takes a default away": "ALTER TABLE notice ALTER COLUMN source DROP DEFAULT",
    "adds a column that old inserts leave empty": "ALTER TABLE notice ADD COLUMN colour TEXT NOT NULL",
    "checks all rows": "ALTER TABLE notice ADD CONSTRAINT ck_notice_state CHECK (state IN ('created'))",
    "forbids what was allowed": "ALTER TABLE notice ADD CONSTRAINT uq UNIQUE (tenant_id, reference)",
    "forbids what was allowed by an index": "CREATE UNIQUE INDEX ix ON notice (tenant_id, reference)",
    "changes a primary key": "ALTER TABLE notice DROP CONSTRAINT pk_notice",
    "takes a right away": "REVOKE UPDATE ON notice FROM servicepunkt_app",
    "takes away what queries may use": "DROP FUNCTION app.current_tenant()",
}
ALLOWED = [
    "ALTER TABLE notice ADD COLUMN colour TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE notice ADD COLUMN colour TEXT",
    "ALTER TABLE notice ADD CONSTRAINT ck CHECK (state IN ('created')) NOT VALID",
    "ALTER TABLE notice VALIDATE CONSTRAINT ck",
    "ALTER TABLE notice DROP CONSTRAINT ck_notice_state",
    "CREATE INDEX ix ON notice (tenant_id, reference)",
    "GRANT SELECT ON notice TO servicepunkt_app",
]


@pytest.mark.parametrize("reason", REFUSED)
def test_what_the_version_before_cannot_live_with_is_named(reason: str) -> None:
    assert list(faults([REFUSED[reason]])) == [(reason, REFUSED[reason])]
    assert list(faults([REFUSED[reason].lower()])) == [(reason, REFUSED[reason].lower())]


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_only_adds_is_allowed(statement: str) -> None:
    assert list(faults([statement])) == []


def test_a_revisions_own_tables_are_free() -> None:
    made = "CREATE TABLE colour ( tenant_id INTEGER NOT NULL )"
    unique = "CREATE UNIQUE INDEX ix ON colour (tenant_id)"
    assert list(faults([made, unique])) == []
    assert [reason for reason, _ in faults([unique])] == ["forbids what was allowed by an index"]


def test_the_statements_of_a_revision_are_those_that_postgresql_hears() -> None:
    def upgrade() -> None:
        op.add_column("notice", sa.Column("colour", sa.Text, nullable=False))
        op.execute("CREATE SCHEMA\n  extra")
        op.drop_column("notice", "state")

    module = ModuleType("revision")
    vars(module)["upgrade"] = upgrade
    assert statements(module) == [
        "ALTER TABLE notice ADD COLUMN colour TEXT NOT NULL",
        "CREATE SCHEMA extra",
        "ALTER TABLE notice DROP COLUMN state",
    ]
