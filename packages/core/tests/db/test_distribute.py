"""The way to Citus: the rules of the plan, and that PostgreSQL takes every statement of it.

Citus itself is not here: its functions are stand-ins of the same names, which note what they are called with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from servicepunkt.core import cli
from servicepunkt.core.db import check
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.distribute import ForeignKey, Layout, Plan, distribute, execute, plan, planned, read_layout
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.errors import NoCitusError, UndistributableError
from servicepunkt.core.plugins import PluginHost

STAND_INS = """
    CREATE SCHEMA standin;
    CREATE TABLE standin.pg_dist_partition (logicalrelid regclass);
    CREATE TABLE standin.said (step serial, what text, name text, by text, beside text);
    CREATE FUNCTION standin.create_reference_table(regclass) RETURNS void LANGUAGE sql AS
      $$ INSERT INTO standin.pg_dist_partition VALUES ($1);
         INSERT INTO standin.said (what, name) VALUES ('reference', $1::text) $$;
    CREATE FUNCTION standin.create_distributed_table(regclass, text, colocate_with text) RETURNS void LANGUAGE sql AS
      $$ INSERT INTO standin.pg_dist_partition VALUES ($1);
         INSERT INTO standin.said (what, name, by, beside) VALUES ('distributed', $1::text, $2, colocate_with) $$;
    CREATE FUNCTION standin.create_distributed_function(regprocedure) RETURNS void LANGUAGE sql AS
      $$ INSERT INTO standin.said (what, name) VALUES ('function', $1::text) $$;
    GRANT USAGE ON SCHEMA standin TO servicepunkt_owner;
    GRANT ALL ON ALL TABLES IN SCHEMA standin TO servicepunkt_owner;
    GRANT ALL ON ALL SEQUENCES IN SCHEMA standin TO servicepunkt_owner;
    -- Citus declares this setting as one that everybody may change.
    GRANT SET ON PARAMETER citus.propagate_set_commands TO servicepunkt_owner, servicepunkt_app;
"""


@pytest.fixture
def owner(urls: Urls) -> Iterator[psycopg.Connection]:
    """The owner's connection in a database with the stand-ins, and without any trace of them afterwards."""
    superuser = conninfo(urls.owner).replace("servicepunkt_owner", "postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute(STAND_INS)
    try:
        with psycopg.connect(conninfo(urls.owner), options="-c search_path=public,standin") as connection:
            yield connection
    finally:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("DROP SCHEMA standin CASCADE")
            roles = "servicepunkt_owner, servicepunkt_app"
            connection.execute(f"REVOKE SET ON PARAMETER citus.propagate_set_commands FROM {roles}")
            for role in ("servicepunkt_owner", "servicepunkt_app"):
                connection.execute(f"ALTER ROLE {role} RESET citus.propagate_set_commands")


def positions(made: Plan, pattern: str) -> dict[str, int]:
    """Where each statement of a form stands, by what its first group finds."""
    found = [(re.match(pattern, statement), number) for number, statement in enumerate(made.owner)]
    places = [(match[1], number) for match, number in found if match]
    assert len(places) == len(dict(places)), "a statement is said twice"
    return dict(places)


def obeys(made: Plan, layout: Layout) -> None:
    """Every rule of the plan."""
    off = positions(made, r'ALTER TABLE "?\w+"? DROP CONSTRAINT "(\w+)"')
    on = positions(made, r'ALTER TABLE "?\w+"? ADD CONSTRAINT "(\w+)" FOREIGN KEY')
    shared = positions(made, r"SELECT create_reference_table\('\"(\w+)\"'\)")
    tenants = positions(made, r"SELECT create_distributed_table\('\"(\w+)\"', 'tenant_id', colocate_with => '.+'\)")
    lifted = positions(made, r'ALTER TABLE "(\w+)" NO FORCE')
    forced = positions(made, r'ALTER TABLE "(\w+)" FORCE')
    moved = {*shared.values(), *tenants.values()}
    assert set(shared) == layout.shared_tables - layout.done
    assert set(tenants) == layout.tenant_tables - layout.done
    assert set(off) == set(on) == {key.name for key in layout.foreign_keys if key.table in {*shared, *tenants}}
    assert max(off.values(), default=-1) < min(moved, default=len(made.owner))
    assert min(on.values(), default=len(made.owner)) > max(moved, default=-1)
    assert max(shared.values(), default=-1) < min(tenants.values(), default=len(made.owner))
    assert set(lifted) == set(forced) == set(tenants)
    assert max(lifted.values(), default=-1) < min([*off.values(), *moved], default=len(made.owner))
    assert min(forced.values(), default=len(made.owner)) > max([*on.values(), *moved], default=-1)
    if moved:
        assert made.owner[0] == "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"
    assert made.application == ("ALTER ROLE servicepunkt_app SET citus.propagate_set_commands TO 'local'",)


def test_the_plan_for_this_database_obeys_the_rules(urls: Urls) -> None:
    with psycopg.connect(conninfo(urls.owner)) as connection:
        layout = read_layout(connection)
    assert {"account", "audit_entry", "notice"} <= layout.tenant_tables
    assert {"tenant", "national_service"} <= layout.shared_tables
    assert not [name for name in layout.tenant_tables | layout.shared_tables if name.startswith("procrastinate")]
    assert len(layout.foreign_keys) > len(layout.tenant_tables) - 1
    obeys(plan(layout), layout)


names = st.text("abcdef", min_size=1, max_size=4)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    everything = draw(st.lists(names, unique=True, max_size=9))
    split = draw(st.integers(0, len(everything)))
    tenants, shared = everything[:split], everything[split:]
    keys = set()
    for table in everything:
        for target in draw(st.lists(st.sampled_from(everything), unique=True, max_size=3)):
            if table in tenants or target in shared:
                keys.add(ForeignKey(table, f"fk_{table}_{target}", target, f"FOREIGN KEY (a) REFERENCES {target}(a)"))
    done = draw(st.sets(st.sampled_from(everything))) if everything else set()
    keys = {key for key in keys if key.table not in done or key.target in done}
    return Layout(frozenset(tenants), frozenset(shared), frozenset(keys), frozenset(done))


@given(layouts())
def test_every_plan_obeys_the_rules_and_is_the_same_each_time(layout: Layout) -> None:
    made = plan(layout)
    obeys(made, layout)
    assert plan(layout) == made
    beside = [statement.rpartition("=> ")[2] for statement in made.owner if "create_distributed_table" in statement]
    first = min(layout.done & layout.tenant_tables, default="")
    expected = [f"'\"{first}\"')"] if first else ["'none')"]
    assert beside[:1] == (expected if beside else [])
    assert len(set(beside[1:])) <= 1


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (ForeignKey("shared", "fk", "mine", "..."), "shared is shared by all tenants and refers to mine"),
        (ForeignKey("mine", "fk", "elsewhere", "..."), "refers to a table that stays on the coordinator"),
    ],
)
def test_a_key_that_citus_would_not_take_is_refused_before_anything_is_done(key: ForeignKey, said: str) -> None:
    with pytest.raises(UndistributableError, match=said):
        plan(Layout(frozenset({"mine"}), frozenset({"shared"}), frozenset({key})))


@pytest.mark.usefixtures("tenant")
async def test_postgresql_takes_every_statement_and_the_tables_are_as_before(
    urls: Urls, owner: psycopg.Connection
) -> None:
    """With a row in them: keys are checked anew while no tenant is named."""
    owner.execute("SET LOCAL app.tenant = 1")
    owner.execute("INSERT INTO data_key VALUES (1, gen_random_uuid(), 'test', 'x', NULL)")
    owner.commit()
    before = read_layout(owner)
    with psycopg.connect(conninfo(urls.application)) as application:
        execute(owner, application)
    said = owner.execute("SELECT what, name, by, beside FROM standin.said ORDER BY step").fetchall()
    shared = sorted(before.shared_tables)
    tenants = sorted(before.tenant_tables)
    assert said == [
        ("function", "app.current_tenant()", None, None),
        *(("reference", name, None, None) for name in shared),
        *(("distributed", name, "tenant_id", "none" if name == tenants[0] else f'"{tenants[0]}"') for name in tenants),
    ]
    assert read_layout(owner).foreign_keys == before.foreign_keys
    assert check.violations(urls.application) == []
    with psycopg.connect(conninfo(urls.application)) as application:
        assert application.execute("SHOW citus.propagate_set_commands").fetchone() == ("local",)


def test_what_is_distributed_is_left_alone_and_a_new_table_joins(urls: Urls, owner: psycopg.Connection) -> None:
    with psycopg.connect(conninfo(urls.application)) as application:
        execute(owner, application)
        assert plan(read_layout(owner)).owner == ()
        owner.execute("DELETE FROM standin.pg_dist_partition WHERE logicalrelid = 'notice'::regclass")
        made = execute(owner, application)
        assert (
            "SELECT create_distributed_table('\"notice\"', 'tenant_id', colocate_with => '\"account\"')" in made.owner
        )
        assert len([statement for statement in made.owner if "create_" in statement]) == 2


def test_a_statement_that_fails_leaves_everything_as_it_was(urls: Urls, owner: psycopg.Connection) -> None:
    before = read_layout(owner)
    owner.commit()
    superuser = conninfo(urls.owner).replace("servicepunkt_owner", "postgres")
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("ALTER TABLE standin.said ADD CHECK (name <> 'notice')")
    with psycopg.connect(conninfo(urls.application)) as application, pytest.raises(psycopg.errors.CheckViolation):
        execute(owner, application)
    owner.rollback()
    assert read_layout(owner) == before


@pytest.mark.usefixtures("environment")
def test_without_the_extension_it_is_refused_and_the_plan_can_still_be_read(urls: Urls, plugins: PluginHost) -> None:
    with pytest.raises(NoCitusError):
        distribute(urls.owner, urls.application)
    result = CliRunner().invoke(cli.root(plugins), ["db", "distribute"])
    assert isinstance(result.exception, NoCitusError)
    read = CliRunner().invoke(cli.root(plugins), ["db", "distribute", "--dry-run"]).output.splitlines()
    made = planned(urls.owner)
    assert read == [f"{statement};" for statement in (*made.owner, *made.application)]
