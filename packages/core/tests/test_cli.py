"""The root of the command line: commands of all plugins in one tree, refusals in sentences, three exit codes."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner
from rich.console import Console

from servicepunkt.core import cli
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.errors import InvalidInputError, NotFoundError
from servicepunkt.core.plugins import PluginError, PluginHost

pytestmark = pytest.mark.usefixtures("environment", "logged")


def tree(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from tree(child, f"{path} {name}".strip())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(ended.value.code or 0)


def test_the_kernel_brings_its_commands(plugins: PluginHost) -> None:
    assert [path for path, _ in tree(cli.root(plugins))] == [
        "",
        "worker",
        "db",
        "db upgrade",
        "db check",
        "db distribute",
        "audit",
        "audit export",
        "audit verify",
        "plugin",
        "plugin list",
        "plugin check",
        "plugin new",
        *("backup", "backup take", "backup follow", "backup rehearse", "restore"),
        "catalogue",
        *(
            f"catalogue {name}"
            for name in (
                "fetch",
                "fetch services",
                "fetch feed",
                "search",
                "import",
                "export",
                "formats",
                "sources",
                "share",
                "national",
                "runs",
                "report",
                "publish",
                "revisions",
                "rollback",
            )
        ),
        "hours",
        *("host", "host footfall", "host footfall import"),
        *("operator", "operator tenants", "operator health"),
    ]


def test_every_command_and_every_option_has_help(plugins: PluginHost) -> None:
    for path, command in tree(cli.root(plugins)):
        assert command.help, path
        result = CliRunner().invoke(cli.root(plugins), [*path.split(), "--help"])
        assert (result.exit_code, result.exception) == (0, None), path
        assert command.help.splitlines()[0].split()[0] in result.output
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help or parameter.show_default, f"{path} {parameter.opts}"


def test_a_plugin_adds_commands_and_adds_to_groups(make_host: Any) -> None:
    @click.command()
    def locker() -> None:
        """Open nothing."""

    def commands() -> Any:
        return (locker, click.Group("db", commands=[click.Command("vacuum", help="Clean.")]))

    found = [path for path, _ in tree(cli.root(make_host(demo={"commands": commands})))]
    assert {"locker", "db vacuum", "db upgrade", "db check"} <= set(found)


@pytest.mark.parametrize(
    "command",
    [
        click.Command("worker"),
        click.Command("db"),
        click.Group("hours"),
        click.Group("db", commands=[click.Command("check")]),
    ],
    ids=["command", "command for a group", "group for a command", "within a group"],
)
def test_two_commands_of_one_name_are_a_fault_of_the_installation(make_host: Any, command: click.Command) -> None:
    with pytest.raises(PluginError, match=r"demo.*(worker|db|hours|check)"):
        cli.root(make_host(demo={"commands": lambda: (command,)}))


def test_building_the_tree_twice_changes_nothing(make_host: Any) -> None:
    host = make_host(demo={"commands": lambda: (click.Group("db", commands=[click.Command("vacuum")]),)})
    assert [path for path, _ in tree(cli.root(host))] == [path for path, _ in tree(cli.root(host))]
    assert "db vacuum" not in [path for path, _ in tree(cli.root(make_host()))]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["db"],
        ["db", "fly"],
        ["worker", "--concurrency", "0"],
        ["worker", "--concurrency", "many"],
        ["audit", "export"],
        ["audit", "verify"],
        ["audit", "verify", "/does/not/exist"],
        ["audit", "verify", "/"],
        ["hours"],
        ["hours", "alpha/point", "--unknown"],
        ["plugin", "list", "--tenant"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two_and_says_how_it_is_used(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert re.search("^(Usage: servicepunkt|Error: Option)", capsys.readouterr().err)


def test_help_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert "audit" in capsys.readouterr().out


def test_a_refusal_ends_with_one_and_says_code_reason_and_next_step(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("SERVICEPUNKT_DATABSE_URL", "x")
    assert run("db", "check") == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "SP0012" in said.err
    assert "SERVICEPUNKT_DATABSE_URL" in said.err
    assert "Correct the settings and start again." in said.err
    assert "Traceback" not in said.err


def test_every_mistake_of_bad_input_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cli.refuse(InvalidInputError([("a.toml: [x]", "is missing"), ("b", "has [red] in it")]))
    said = capsys.readouterr().err
    assert "SP0002" in said
    assert "a.toml: [x]: is missing" in said
    assert "b: has [red] in it" in said


def test_what_a_refusal_says_may_hold_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    cli.refuse(NotFoundError("there is no [bold]"))
    assert "there is no [bold]" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "expected"), [("ERROR", logging.ERROR), ("INFO", logging.WARNING)])
def test_the_log_level_of_the_settings_holds(environment: pytest.MonkeyPatch, level: str, expected: int) -> None:
    environment.setenv("SERVICEPUNKT_LOG_LEVEL", level)
    run("--help")
    assert logging.getLogger().level == expected


def test_the_command_line_can_be_started_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "servicepunkt.core", "--help"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: servicepunkt ")


def test_a_database_without_tables_is_named(urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(conninfo(urls.owner).replace("servicepunkt_owner", "postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS empty")
        connection.execute("CREATE DATABASE empty OWNER servicepunkt_owner")
    monkeypatch.setenv("SERVICEPUNKT_DATABASE_URL", urls.application.replace("/servicepunkt?", "/empty?"))
    monkeypatch.setenv("SERVICEPUNKT_HOME", str(tmp_path))
    said = io.StringIO()
    monkeypatch.setattr(cli, "errors", Console(file=said, width=200))
    with pytest.raises(SystemExit) as ended:
        cli.main(["catalogue", "sources", "alpha"])
    assert ended.value.code == 1
    assert "servicepunkt db upgrade" in said.getvalue()
