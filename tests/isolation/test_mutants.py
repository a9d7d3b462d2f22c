"""Locks that are taken away are noticed: some of them here, all of them with `nox -s mutants`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isolation import mutants
from isolation.mutants import GATE, SWITCH, Board

ROOT = Path(__file__).resolve().parents[2]
#: Quick tests that come by locks of each kind.
QUICK = ("packages/core/tests/keys/test_service.py", "packages/core/tests/audit/test_service.py")
SAMPLE, SEED = 6, 20261122


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    made = Board()
    monkeypatch.setattr(mutants, "board", made)
    return made


def run(board: Board, source: str, module: str = "servicepunkt.web.access") -> dict[str, object]:
    """The names that a module with switches defines."""
    tree = ast.fix_missing_locations(mutants._Locks(module).visit(ast.parse(source)))
    names: dict[str, object] = {SWITCH: board.is_on, GATE: board.gate}
    exec(compile(tree, "source", "exec"), names)
    return names


def test_a_predicate_falls_away(board: Board) -> None:
    names = run(board, "def of(table, tx):\n    return [table.c.tenant_id == tx.tenant_id]")

    class Row:
        tenant_id = 7

    class Table:
        c = Row

    assert names["of"](Table, Row) == [True]  # type: ignore[operator]
    board.on = 0
    assert str(names["of"](Table, Row)[0]) == "true"  # type: ignore[operator]
    assert [one.kind for one in board.mutants] == ["filter"]


def test_the_tenant_in_a_key_becomes_nobody(board: Board) -> None:
    names = run(board, "def key(tx, ctx):\n    return (tx.tenant_id, ctx.id)")

    class Both:
        id, tenant_id = 5, 7

    assert names["key"](Both, Both) == (7, 5)  # type: ignore[operator]
    board.on = 1
    assert names["key"](Both, Both) == (7, 0)  # type: ignore[operator]


def test_a_refusal_goes_on(board: Board) -> None:
    names = run(board, "def gate(bad):\n    if bad:\n        raise LookupError\n    return 'in'")
    with pytest.raises(LookupError):
        names["gate"](True)  # type: ignore[operator]
    board.on = 0
    assert names["gate"](True) == "in"  # type: ignore[operator]


async def test_a_route_loses_its_guard(board: Board) -> None:
    class Access:
        @staticmethod
        def permission(name: str) -> object:
            async def guard(connection: object, handler: object) -> None:
                raise LookupError

            guard.rule = name  # type: ignore[attr-defined]
            return guard

    source = "def guards(access):\n    return [access.permission('deposits.read')]"
    (guard,) = run(board, source)["guards"](Access)  # type: ignore[operator]
    assert guard.rule == "deposits.read"
    with pytest.raises(LookupError):
        await guard(None, None)
    board.on = 0
    await guard(None, None)


def test_some_locks_are_taken_away_and_every_one_is_missed() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "isolation.mutants"]
    command += ["--mutants", str(SAMPLE), "--seed", str(SEED), *QUICK]
    path = os.pathsep.join(part for part in (str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")) if part)
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert f"mutants: {SAMPLE} of " in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout
    assert f"'caught': {SAMPLE}" in done.stdout
