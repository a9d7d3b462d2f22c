"""The kernel's rules with a database: tables, retention, what a plugin's objects do, and what is off for a tenant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import click
import psycopg
from alembic.script import Script, ScriptDirectory
from click.testing import CliRunner, Result

from servicepunkt.core import cli, jobs
from servicepunkt.core.conformance.bench import OFF, Bench
from servicepunkt.core.conformance.model import Rule, Trouble
from servicepunkt.core.db import check as db_check
from servicepunkt.core.db import migrate
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.errors import PluginOffError, ServicepunktError
from servicepunkt.core.retention import unruled
from servicepunkt.core.settings import PREFIX

# --- tables and what stays in them ----------------------------------------------------------------------------


def migrations(bench: Bench) -> list[Trouble]:
    """A branch of its own with the plugin's name, one head, and after it the tables that the plugin names."""
    folder, tables = bench.said("migrations"), bench.said("tables") or ()
    if folder is None:
        return [Trouble(table.name, "no migration makes this table") for table in tables]
    script = ScriptDirectory.from_config(migrate.config("", bench.host))
    own = [one for one in script.walk_revisions() if Path(one.path).resolve().is_relative_to(folder.resolve())]
    return [*_branch(bench.candidate.name, own), *_made(bench, tables)]


def _branch(name: str, own: Sequence[Script]) -> Iterator[Trouble]:
    if not own:
        yield Trouble("", "the folder of migrations holds no revision")
    followed = {one.down_revision for one in own}
    if len(heads := [one.revision for one in own if one.revision not in followed]) > 1:
        yield Trouble(", ".join(sorted(heads)), "more than one revision is the newest")
    for one in own:
        if not one.revision.startswith(f"{name}_"):
            yield Trouble(one.revision, f"the revision's name does not begin with {name}_")
        if one.down_revision is None and name not in one.branch_labels:
            yield Trouble(one.revision, f"the first revision has not the branch label {name!r}")
        if one.down_revision is None and not one.dependencies:
            yield Trouble(one.revision, "the first revision depends on none of the kernel, whose tables it needs")


def _made(bench: Bench, tables: Sequence[Any]) -> Iterator[Trouble]:
    with psycopg.connect(conninfo(bench.urls.owner)) as connection:
        rows = connection.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
    present: dict[str, set[str]] = {}
    for table, column in rows:
        present.setdefault(table, set()).add(column)
    for table in tables:
        if missing := sorted({column.name for column in table.columns} - present.get(table.name, set())):
            yield Trouble(table.name, f"the migrations do not make {', '.join(missing)}")
    of_plugin = {table.name for table in tables}
    for rule, found in db_check.violations(bench.urls.owner):
        if any(found == name or found.startswith((f"{name}.", f"ix_{name}_", f"fk_{name}_")) for name in of_plugin):
            yield Trouble(found, rule)


def retention(bench: Bench) -> list[Trouble]:
    """Each table of a tenant is named by a rule, whole or by field: `locker`, `locker.phone`."""
    return [
        Trouble(table, "nothing says how long its rows stay")
        for plugin, table in unruled(bench.host, _everything_on(bench))
        if plugin == bench.candidate.name
    ]


def _everything_on(bench: Bench) -> Any:
    from servicepunkt.core.tenancy.model import TenantContext

    return TenantContext(id=1, slug="on", name="On", plugins=frozenset(bench.host.names))


# --- what the objects do that hooks return --------------------------------------------------------------------


async def objects(bench: Bench) -> list[Trouble]:
    """Checks, tasks, retention and what is applied, for a tenant of which nothing is known yet."""
    found: list[Trouble] = []
    if not bench.implements("health_checks", "staff_tasks", "retention_rules", "tenant_applied"):
        return found
    async with bench.deployment() as (deployment, on, _):
        for place, answer, act in _acts(bench, on):
            try:
                async with deployment.database.tenant(on) as tx:
                    said = await act(tx)
            except Exception as error:  # noqa: BLE001 - told in the report
                found.append(Trouble(place, f"raises {type(error).__name__}: {error}"))
            else:
                if not answer(said):
                    found.append(Trouble(place, f"answers {said!r}"))
    return found


def _acts(bench: Bench, on: Any) -> Iterator[tuple[str, Any, Any]]:
    """(place, whether an answer is right, what is asked with a transaction)."""
    plugins, own = bench.host, bench.candidate.name
    for answer in plugins.collect(on, "health_checks"):
        yield from ((f"check {one.name}", _is_finding, one.check) for one in answer.value if answer.plugin == own)
    everything = bench.everything
    for answer in plugins.collect(on, "staff_tasks", permissions=everything):
        yield from ((f"task {one.title}", _is_count, one.count) for one in answer.value if answer.plugin == own)
    before = datetime(2026, 1, 1, tzinfo=UTC)
    for answer in plugins.collect(on, "retention_rules"):
        for field, rule in answer.value.items() if answer.plugin == own else ():
            yield f"retention of {field}", _is_count, lambda tx, rule=rule: rule.erase(tx, before)
    for answer in plugins.collect(on, "tenant_applied"):
        if answer.plugin == own:
            yield "tenant_applied", lambda said: said is None, answer.value.applied


def _is_finding(said: object) -> bool:
    return isinstance(said, tuple) and [type(part) for part in said] == [bool, str]


def _is_count(said: object) -> bool:
    return type(said) is int and said >= 0


# --- off is off -----------------------------------------------------------------------------------------------


async def jobs_off(bench: Bench) -> list[Trouble]:
    """The worker's own jobs, run for a tenant that has the plugin off: none of them begins."""
    found: list[Trouble] = []
    if not bench.implements("jobs"):
        return found
    async with bench.deployment() as (deployment, _, off):
        app = jobs.build_app(deployment)
        for entry in bench.said("jobs") or ():
            if not entry.name.startswith(f"{bench.candidate.name}."):
                found.append(Trouble(entry.name, f"a job's name begins with {bench.candidate.name}."))
            with mock.patch.object(entry, "function") as function:
                await app.tasks[entry.name].func(None, tenant_id=off.id)
            if function.called:
                found.append(Trouble(entry.name, "runs for a tenant that has the plugin off"))
    return found


async def _with_tenants(bench: Bench) -> None:
    async with bench.deployment():
        pass


def commands_off(bench: Bench) -> list[Trouble]:
    """Each command that names a tenant is given one that has the plugin off."""
    import asyncio

    commands = [one for root in bench.said("commands") or () for one in _leaves(root, ())]
    named = [(path, command) for path, command in commands if _parameter(command) is not None]
    if not named:
        return []
    asyncio.run(_with_tenants(bench))
    environment = {
        f"{PREFIX}HOME": str(bench.home),
        f"{PREFIX}DATABASE_URL": bench.urls.application,
        f"{PREFIX}OWNER_DATABASE_URL": bench.urls.owner,
    }
    cleared = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    with mock.patch.dict(os.environ, {**cleared, **environment}, clear=True):
        root = cli.root(bench.host)
        results = [(path, CliRunner().invoke(root, [*path, *_arguments(bench, command)])) for path, command in named]
    return [trouble for path, result in results for trouble in _refusal(" ".join(path), result)]


def _leaves(command: click.Command, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    path = (*above, command.name or "")
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _leaves(child, path)
    else:
        yield path, command


def _parameter(command: click.Command) -> click.Parameter | None:
    """The one that names the tenant: `--tenant`, whatever the function calls it, or an argument of that name."""
    return next((one for one in command.params if "--tenant" in one.opts or one.name in ("tenant", "slug")), None)


def _arguments(bench: Bench, command: click.Command) -> list[str]:
    """The tenant, and something of the right kind for everything else that has to be there."""
    given = []
    for one in command.params:
        if one is not _parameter(command) and not one.required:
            continue
        value = OFF if one is _parameter(command) else _value(bench, one.type)
        given += [value] if isinstance(one, click.Argument) else [one.opts[0], value]
    return given


def _value(bench: Bench, kind: click.ParamType[Any]) -> str:
    match kind:
        case click.Choice():
            return str(kind.choices[0])
        case click.Path(dir_okay=True, file_okay=False):
            return str(bench.home)
        case click.Path() | click.File():
            (bench.home / "given").touch()
            return str(bench.home / "given")
        case click.IntRange():
            return str(kind.min or 0)
        case click.types.UUIDParameterType():
            return "0" * 32
        case _:
            return "1"


def _refusal(path: str, result: Result) -> list[Trouble]:
    if isinstance(result.exception, PluginOffError):
        return []
    if result.exit_code == 0:
        return [Trouble(path, "does its work for a tenant that has the plugin off")]
    said = (
        str(result.exception) if isinstance(result.exception, ServicepunktError) else f"it ends with {result.exit_code}"
    )
    return [Trouble(path, f"could not be tried with values of ours: {said}", serious=False)]


RULES = (
    Rule(
        name="migrations",
        wants="tables come by migrations on a branch with the plugin's name, and are protected like all tenant tables",
        remedy="Make them with `servicepunkt.core.db.ddl.tenant_table`, and look at `servicepunkt db check`.",
        check=migrations,
    ),
    Rule(
        name="retention",
        wants="each tenant table has a rule that says how long its rows stay",
        remedy="Name it in `retention_rules`, or say in `tenant_table(kept=...)` why its rows stay.",
        check=retention,
    ),
    Rule(
        name="objects",
        wants="checks, tasks, retention and `tenant_applied` work for a tenant of which nothing is known yet",
        remedy="Try it with a tenant from `servicepunkt.core.testing.make_tenant`.",
        check=objects,
    ),
    Rule(
        name="jobs-off",
        wants="jobs are the plugin's own by name, and do nothing for a tenant that has it off",
        remedy="Declare them with `@job(plugin=..., name=...)` and the name of the plugin.",
        check=jobs_off,
    ),
    Rule(
        name="commands-off",
        wants="commands refuse a tenant that has the plugin off",
        remedy="Take the tenant from `servicepunkt.core.commands.tenant_or_refuse`.",
        check=commands_off,
    ),
)
