"""The conformance kit: each rule finds what breaks it, in a plugin that is as it should be but for this."""

from __future__ import annotations

import asyncio
import importlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import sqlalchemy as sa

from servicepunkt.core import deployment as deployments
from servicepunkt.core import hookimpl
from servicepunkt.core.commands import tenant_or_refuse
from servicepunkt.core.conformance import Report, check
from servicepunkt.core.conformance.candidate import Candidate, candidate
from servicepunkt.core.conformance.watching import watched
from servicepunkt.core.db import metadata
from servicepunkt.core.db.schema import tenant_table
from servicepunkt.core.declarations import StaffEntry, TerminalTile
from servicepunkt.core.errors import NotFoundError, ServicepunktError
from servicepunkt.core.jobs import job
from servicepunkt.core.notices.model import NoticeTemplate
from servicepunkt.core.protocols import Retention

NAMES = iter(range(1000))


def plugin(name: str = "shelf", **hooks: Any) -> Candidate:
    """A plugin whose module is made of these functions; what does not begin with `_` is a hook."""
    module = ModuleType(f"{name}_of_test_{next(NAMES)}")
    module.__file__ = __file__
    vars(module)["servicepunkt_api"] = "1"
    for hook, value in hooks.items():
        if callable(value):
            value.__name__ = hook
        setattr(module, hook.removeprefix("_"), hookimpl(value) if not hook.startswith("_") else value)
    return Candidate(name=name, points={"servicepunkt": {name: module.__name__}}, plugin=module)


def found(report: Report, rule: str) -> list[str]:
    (finding,) = [one for one in report.findings if one.rule == rule]
    return [f"{trouble.place}: {trouble.sentence}" for trouble in finding.troubles]


def broken(report: Report) -> list[str]:
    return [finding.rule for finding in (*report.failed, *report.warned)]


def entries(ctx: Any, permissions: frozenset[str]) -> Sequence[StaffEntry]:
    return (StaffEntry("Closed", "/staff"),)


def test_a_plugin_without_fault_passes_every_rule() -> None:
    report = check(plugin(terminal_tiles=lambda ctx, locale, point: (TerminalTile("Regal", "/k/shelf"),)))
    assert broken(report) == []
    assert {"registers", "answers", "quick", "no-input-or-output", "german", "migrations"} <= {
        one.rule for one in report.findings
    }


def test_what_the_host_refuses_ends_the_check() -> None:
    made = plugin(staff_entires=entries)
    report = check(made)
    assert broken(report) == ["registers"]
    assert "staff_entires" in found(report, "registers")[0]
    assert len(report.findings) == 1
    assert report.failed[0].remedy


def test_a_hook_that_nobody_marked() -> None:
    assert found(check(plugin(_staff_entries=lambda ctx: ())), "marked") == [
        "staff_entries: has a hook's name, but is not marked with `hookimpl`"
    ]


def by_locale(ctx: Any, locale: str) -> Sequence[TerminalTile]:
    return (TerminalTile({"de": "Regal", "en": "Shelf", "de-x-leicht": "Regal"}[locale], "/k"),)


class Blocking:
    title, href = "Closed", "/staff"

    def count(self, tx: Any) -> int:
        return 0


@pytest.mark.parametrize(
    ("hook", "function", "says"),
    [
        ("terminal_tiles", by_locale, "terminal_tiles: raises KeyError when asked locale='xx': 'xx'"),
        ("staff_entries", lambda ctx: [7], "staff_entries: StaffEntry is wanted, not int"),
        ("staff_tasks", lambda ctx: [Blocking()], "staff_tasks: Blocking.count is not asynchronous"),
        ("texts", lambda: "locale", "texts: Path is wanted, not str"),
    ],
)
def test_an_answer_that_does_not_fit(hook: str, function: Callable[..., Any], says: str) -> None:
    report = check(plugin(**{hook: function}))
    said = found(report, "answers") if "answers" in broken(report) else found(report, "registers")
    assert says in said


def test_a_hook_that_takes_its_time() -> None:
    def staff_entries(ctx: Any) -> Sequence[StaffEntry]:
        until = time.perf_counter() + 0.07
        while time.perf_counter() < until:
            pass
        return ()

    report = check(plugin(staff_entries=staff_entries))
    assert [one.rule for one in report.warned] == ["quick"]
    assert found(report, "quick")[0].startswith("staff_entries: took ")
    assert report.failed == ()


def connects(ctx: Any) -> Sequence[StaffEntry]:
    with socket.socket() as made, pytest.raises(OSError):
        made.connect(("127.0.0.1", 1))
    return ()


def starts_a_program(ctx: Any) -> Sequence[StaffEntry]:
    subprocess.run([sys.executable, "-c", ""], check=True)
    return ()


def sleeps(ctx: Any) -> Sequence[StaffEntry]:
    time.sleep(0.001)
    return ()


def starts_a_thread(ctx: Any) -> Sequence[StaffEntry]:
    threading.Thread(target=int).start()
    return ()


def reads(ctx: Any) -> Sequence[StaffEntry]:
    Path(__file__).read_text()
    return ()


def opens_a_loop(ctx: Any) -> Sequence[StaffEntry]:
    asyncio.run(asyncio.sleep(0))
    return ()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (connects, "staff_entries: socket.connect"),
        (starts_a_program, "staff_entries: subprocess.Popen"),
        (sleeps, "staff_entries: time.sleep"),
        (starts_a_thread, "staff_entries: threading.Thread"),
        (reads, f"staff_entries: reads a file: {Path(__file__).name}"),
        (opens_a_loop, "staff_entries: socket.__new__"),
    ],
)
def test_a_hook_that_reaches_for_something(function: Callable[..., Any], says: str) -> None:
    report = check(plugin(staff_entries=function))
    assert says in found(report, "no-input-or-output")
    assert "no-input-or-output" in broken(report)


def test_a_start_up_hook_may_read_its_own_files_and_write_none(tmp_path: Path) -> None:
    with watched(may_read=Path(__file__).parent) as seen:
        Path(__file__).read_bytes()
        assert seen.sentences == []
        (tmp_path / "cache").write_bytes(b"")
        assert seen.sentences == ["writes a file: cache"]
    Path(__file__).read_bytes()
    assert len(seen.sentences) == 1, "nothing is noted after the block"


def test_the_bytecode_of_what_a_hook_imports_is_nothing_that_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_for_the_first_time.py").write_text("X = 1\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with watched(is_first=True) as seen:
        importlib.import_module("imported_for_the_first_time")
    assert seen.sentences == []


class ShelfError(ServicepunktError):
    citizen = "The shelf is empty."
    next_step = "Please ask a member of staff."


def test_words_without_german(tmp_path: Path) -> None:
    (tmp_path / "shelf.html").write_text('{{ _("Take it") }} {{ _("{count} books", count=1) }} {{ _("Closed") }}')
    made = plugin(
        templates=lambda: tmp_path,
        staff_entries=lambda ctx: (StaffEntry("Books", "/staff/books"),),
        notice_templates=lambda ctx: (NoticeTemplate("a", {"en": "A"}), NoticeTemplate("b", {"de": "B"})),
    )
    made.plugin.__name__ = "shelf"
    ShelfError.__module__ = made.points["servicepunkt"]["shelf"]
    assert set(found(check(made), "german")) == {
        "shelf.html: no German for 'Take it'",
        "shelf.html: no German for '{count} books'",
        "staff_entries: no German for 'Books'",
        "ShelfError: no German for 'The shelf is empty.'",
        "a: the notice has no German text",
        "b: the notice has no English text",
    }


REVISION = """
import sqlalchemy as sa
from servicepunkt.core.db.ddl import tenant_table
revision = "{revision}"
down_revision = None
branch_labels = {labels}
depends_on = "core_0001"
def upgrade():
    tenant_table("shelf", sa.Column("id", sa.Integer, nullable=False), sa.Column("title", sa.Text), key=("id",))
"""


@pytest.fixture
def shelf() -> Any:
    table = tenant_table("shelf", sa.Column("id", sa.Integer), sa.Column("title", sa.Text), key=("id",))
    yield table
    metadata.remove(table)


async def erase(tx: Any, before: Any) -> int:
    return 0


def test_tables_with_their_migration_and_their_end(tmp_path: Path, shelf: sa.Table) -> None:
    (tmp_path / "shelf_0001.py").write_text(REVISION.format(revision="shelf_0001", labels='("shelf",)'))
    made = plugin(
        tables=lambda: (shelf,),
        migrations=lambda: tmp_path,
        retention_rules=lambda ctx: {"shelf.title": Retention(7, erase)},
    )
    assert broken(check(made)) == []


def test_tables_that_lack_something(tmp_path: Path, shelf: sa.Table) -> None:
    text = REVISION.format(revision="book_0001", labels=None).replace(', sa.Column("title", sa.Text)', "")
    (tmp_path / "a.py").write_text(text.replace('"core_0001"', "None"))
    report = check(plugin(tables=lambda: (shelf,), migrations=lambda: tmp_path))
    assert found(report, "retention") == ["shelf: nothing says how long its rows stay"]
    assert set(found(report, "migrations")) == {
        "book_0001: the revision's name does not begin with shelf_",
        "book_0001: the first revision has not the branch label 'shelf'",
        "book_0001: the first revision depends on none of the kernel, whose tables it needs",
        "shelf: the migrations do not make title",
    }


def test_a_table_that_no_migration_makes(shelf: sa.Table) -> None:
    assert found(check(plugin(tables=lambda: (shelf,))), "migrations") == ["shelf: no migration makes this table"]


class Count:
    name = title = "Closed"
    href = "/staff"

    def __init__(self, said: Any) -> None:
        self.said = said

    async def count(self, tx: Any) -> Any:
        return self.said

    async def check(self, tx: Any) -> Any:
        raise LookupError("no row yet")


def test_objects_that_fail_or_answer_nonsense() -> None:
    made = plugin(health_checks=lambda ctx: (Count(0),), staff_tasks=lambda ctx: (Count(None),))
    assert found(check(made), "objects") == [
        "check Closed: raises LookupError: no row yet",
        "task Closed: answers None",
    ]


def test_jobs_of_another_name() -> None:
    async def work(deployment: Any, ctx: Any) -> None: ...

    foreign = job(plugin="core", name="shelf.work")(work)
    assert found(check(plugin(jobs=lambda: (foreign,))), "jobs-off") == [
        ": plugin shelf: the job shelf.work says it is of 'core'"
    ]
    misnamed = job(plugin="shelf", name="work")(work)
    assert found(check(plugin(jobs=lambda: (misnamed,))), "jobs-off") == ["work: a job's name begins with shelf."]


def commands() -> tuple[click.Command, ...]:
    @click.command()
    @click.option("--tenant", "slug", required=True)
    @click.option("--count", required=True, type=click.IntRange(2))
    @click.argument("file", type=click.Path(exists=True))
    def careless(slug: str, count: int, file: str) -> None:
        """Ask nobody."""

    @click.command()
    @click.argument("tenant")
    def careful(tenant: str) -> None:
        """Ask."""
        with deployments.configured() as settings:
            asyncio.run(ask(settings, tenant))

    async def ask(settings: Any, slug: str) -> None:
        async with deployments.running(settings) as deployment:
            await tenant_or_refuse(deployment, slug)

    @click.command()
    @click.option("--tenant", required=True)
    @click.option("--at", required=True, type=click.DateTime())
    def picky(tenant: str, at: Any) -> None:
        """Cannot be tried."""

    @click.command()
    def other() -> None:
        """Name no tenant."""

    return (click.Group("shelf", commands=[careless, careful, other]), picky)


def test_commands_that_do_their_work_where_the_plugin_is_off() -> None:
    careless, picky = found(check(plugin(commands=commands)), "commands-off")
    assert careless == "shelf careless: does its work for a tenant that has the plugin off"
    assert picky.startswith("picky: could not be tried")


# --- which plugin ---------------------------------------------------------------------------------------------


def test_a_plugin_is_found_in_a_folder_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.entry-points.servicepunkt]\nshelf = "shelf_in_folder"\n'
        '[project.entry-points."servicepunkt.boards"]\nwood = "shelf_in_folder:KIND"\n'
        '[project.entry-points.console_scripts]\nshelf = "x:y"\n'
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shelf_in_folder.py").write_text('servicepunkt_api = "1"\n')
    made = candidate(tmp_path)
    assert (made.name, made.package, made.plugin.servicepunkt_api) == ("shelf", "shelf_in_folder", "1")
    assert set(made.points) == {"servicepunkt", "servicepunkt.boards"}


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no plugin 'shelve' is installed"):
        candidate("shelve")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    with pytest.raises(NotFoundError, match="no entry point in the group"):
        candidate(tmp_path)
