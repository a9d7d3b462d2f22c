"""Every policy of every tenant table: without it the check of the catalogue names the table.

`servicepunkt db check` and a test of the kernel ask the same question of the real database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from isolation.twins import tenant_tables
from servicepunkt.core.db import check
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import database_server

#: What takes the second lock away, with the rule that has to be broken then.
LOSSES = {
    "DROP POLICY tenant_isolation ON {table}": "exactly the policy",
    "ALTER POLICY tenant_isolation ON {table} USING (true)": "exactly the policy",
    "ALTER POLICY tenant_isolation ON {table} WITH CHECK (true)": "exactly the policy",
    "CREATE POLICY another ON {table} USING (true)": "exactly the policy",
    "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY": "forced row-level security",
    "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY": "forced row-level security",
}


@pytest.fixture(scope="module")
def owner() -> Iterator[str]:
    plugins = PluginHost()
    plugins.load_installed()
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as folder, database_server(Path(folder), plugins) as made:
        yield made.owner


def broken(connection: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """(rule, name of what breaks it), as the connection sees the catalogue in its transaction."""
    wanted = {"role": "servicepunkt_app", "jobs": check.PROCRASTINATE}
    return {(rule, str(name)) for rule, query in check.QUERIES.items() for (name,) in connection.execute(query, wanted)}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_policy_is_named_for_every_table(owner: str, loss: str) -> None:
    tables = [table.name for table in tenant_tables()]
    assert len(tables) >= 20
    with psycopg.connect(conninfo(owner)) as connection:
        assert broken(connection) == set()
        for table in tables:
            with connection.transaction(force_rollback=True):
                connection.execute(loss.format(table=table))
                found = broken(connection)
            assert [name for rule, name in found if LOSSES[loss] in rule] == [table], loss
