"""Mutants: every lock between tenants is taken away, one at a time, and a test has to notice.

A pytest plugin. While the product is imported, each lock is compiled together with what stands there without it, and a
switch says which of the two counts. One pass over the tests notes which test comes by which lock; then, for each lock,
it is taken away and the quickest of those tests run until one fails.

    python -m pytest -p isolation.mutants --mutants 20 --seed 1 packages/core/tests/people ...
"""

from __future__ import annotations

import ast
import random
import signal
import sys
from collections import defaultdict
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import msgspec
import pytest

from isolation.survivors import explanation

SWITCH, GATE = "_mutant_is_on", "_mutant_gate"
PACKAGES = tuple(f"servicepunkt.{name}." for name in ("core", "web", "dokbox", "eid", "tenants"))
#: Functions whose refusals are locks: modules with the names of functions, all of them where none is named.
REFUSALS: dict[str, tuple[str, ...]] = {
    "servicepunkt.core.db.guard": (),
    "servicepunkt.core.jobs": ("run",),
    "servicepunkt.core.tenancy.service": ("_readable",),
    "servicepunkt.web.access": (),
    "servicepunkt.web.devices.service": ("recognise", "enrol"),
    "servicepunkt.web.sessions.service": ("visitor",),
    "servicepunkt.web.tenancy": ("_resolve",),
}
GUARDS = frozenset({"permission", "device"})
SECONDS = 60
NOBODY = -1
#: As many tests as are tried for one mutant, the quickest first.
MOST_TESTS = 25


class Mutant(msgspec.Struct, frozen=True):
    """One lock. `kind`: filter (a statement's predicate), key (the tenant in a key or value), refusal, or gate."""

    kind: str
    module: str
    line: int
    source: str

    def __str__(self) -> str:
        return f"{self.kind} {self.module.removeprefix('servicepunkt.')}:{self.line} {self.source}"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`outcome`: caught, survived, or unreached (no test comes by)."""

    mutant: Mutant
    outcome: str
    test: str = ""
    tried: int = 0


class Board:
    """Which mutants there are, which is on, and which test came by which."""

    def __init__(self) -> None:
        self.mutants: list[Mutant] = []
        self.on = NOBODY
        self.test = ""
        self.tests: dict[int, set[str]] = defaultdict(set)

    def is_on(self, number: int) -> bool:
        """What the switch in the compiled source asks."""
        self.tests[number].add(self.test)
        return number == self.on

    def gate(self, number: int, guard: Any) -> Any:
        """A route's guard that lets everybody pass while its mutant is on."""

        async def guarded(connection: Any, handler: Any) -> None:
            if not self.is_on(number):
                await guard(connection, handler)

        guarded.rule = guard.rule  # type: ignore[attr-defined]
        return guarded


board = Board()
is_on, gate = board.is_on, board.gate


class _Locks(ast.NodeTransformer):
    """Compiles a switch into each lock of a module."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._functions: list[str] = []

    def _number(self, kind: str, node: ast.AST) -> ast.Constant:
        said = ast.unparse(node).replace("\n", " ")[:100]
        board.mutants.append(Mutant(kind, self._module, getattr(node, "lineno", 0), said))
        return ast.Constant(len(board.mutants) - 1)

    def _switch(self, kind: str, node: ast.AST) -> ast.expr:
        return ast.Call(ast.Name(SWITCH, ast.Load()), [self._number(kind, node)], [])

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.AST) -> ast.AST:
        self._functions.append(node.name)  # type: ignore[attr-defined]
        visited = self.generic_visit(node)
        self._functions.pop()
        return visited

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if is_filter(node):
            true = ast.parse("__import__('sqlalchemy').true()", mode="eval").body
            return ast.IfExp(self._switch("filter", node), true, node)
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if is_tenant(node) and self._functions and self._functions[-1] != "tenant_id":
            return ast.IfExp(self._switch("key", node), ast.Constant(0), node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in GUARDS and ast.unparse(called.value) == "access":
            return ast.Call(ast.Name(GATE, ast.Load()), [self._number("gate", node), node], [])
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return self._refusal(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        refuses = node.value is None or ast.unparse(node.value) in ("None", "(None, '')")
        return self._refusal(node) if refuses else self.generic_visit(node)

    def _refusal(self, node: ast.stmt) -> ast.AST:
        names = REFUSALS.get(self._module)
        if names is None or not self._functions or (names and self._functions[-1] not in names):
            return self.generic_visit(node)
        return ast.If(self._switch("refusal", node), [ast.Pass()], [node])


def is_filter(node: ast.Compare) -> bool:
    """`table.c.tenant_id == tx.tenant_id`, however the table is called."""
    return (
        isinstance(node.left, ast.Attribute)
        and node.left.attr == "tenant_id"
        and isinstance(node.ops[0], ast.Eq)
        and is_tenant(node.comparators[0])
    )


def is_tenant(node: ast.AST) -> bool:
    """`tx.tenant_id`, `ctx.id`, `tx.ctx.id`."""
    return isinstance(node, ast.Attribute) and (
        (node.attr == "tenant_id" and ast.unparse(node.value) == "tx")
        or (node.attr == "id" and ast.unparse(node.value).endswith("ctx"))
    )


class _Loader(SourceFileLoader):
    """Compiles a module with its switches; what lies compiled beside it has none."""

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.parse(self.get_data(self.path), self.path)
        tree = _Locks(fullname).visit(tree)
        first = 1 + max((n for n, part in enumerate(tree.body) if _leads(part)), default=-1)
        tree.body[first:first] = ast.parse(f"from isolation.mutants import is_on as {SWITCH}, gate as {GATE}").body
        return compile(ast.fix_missing_locations(tree), self.path, "exec", dont_inherit=True)


def _leads(part: ast.stmt) -> bool:
    """What has to stand first: the docstring, and imports from the future."""
    is_docstring = isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
    return is_docstring or (isinstance(part, ast.ImportFrom) and part.module == "__future__")


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(PACKAGES) or ".migrations" in fullname or ".alembic" in fullname:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin)
        return spec


# --- the plugin -----------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", type=int, default=0, help="how many, drawn by the seed; 0 for all")
    parser.addoption("--mutant-module", default="", help="only those of modules that begin so")
    parser.addoption("--seed", type=int, default=1)
    parser.addoption(
        "--mutant-report",
        default="",
        help="a file for the results, a line of JSON each; what it has is not tried again",
    )
    sys.meta_path.insert(0, _Finder())


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """First every test, then the mutants; the session fails when a test fails, or a mutant lives."""
    items, seconds, failed = session.items, dict[str, float](), list[str]()
    for number, item in enumerate(items):
        ok, took = _run(item, items[number + 1] if number + 1 < len(items) else item)
        seconds[item.nodeid] = took
        failed += [] if ok else [item.nodeid]
    results = []
    for number in _drawn(session):
        results.append(_judge(session, number, seconds, failed))
        _keep(session, results[-1])
    _tell(session, results, failed)
    living = [one for one in results if one.outcome != "caught"]
    session.testsfailed = len([one for one in living if not explanation(one.mutant.module, one.mutant.source)])
    return True


def _drawn(session: pytest.Session) -> list[int]:
    wanted, known = session.config.getoption("--mutants"), _caught_before(session)
    module = session.config.getoption("--mutant-module")
    numbers = [n for n, one in enumerate(board.mutants) if one not in known and one.module.startswith(module)]
    if not wanted:
        return numbers
    # A sample is drawn from what these tests come by: which tests are given says what is to be looked at.
    reached = [number for number in numbers if board.tests[number] and not _is_explained(number)]
    return sorted(random.Random(session.config.getoption("--seed")).sample(reached, min(wanted, len(reached))))


def _caught_before(session: pytest.Session) -> set[Mutant]:
    """What an earlier run with the same file has caught."""
    path = Path(session.config.getoption("--mutant-report") or ".")
    lines = path.read_bytes().splitlines() if path.is_file() else []
    results = [msgspec.json.decode(line, type=Result) for line in lines]
    return {one.mutant for one in results if one.outcome == "caught"}


def _is_explained(number: int) -> bool:
    return bool(explanation(board.mutants[number].module, board.mutants[number].source))


def _judge(session: pytest.Session, number: int, seconds: dict[str, float], failed: list[str]) -> Result:
    mutant, by_name = board.mutants[number], {item.nodeid: item for item in session.items}
    coming_by = sorted(board.tests[number] & (by_name.keys() - set(failed)), key=lambda name: seconds[name])
    outcome = "survived" if coming_by else "unreached"
    for tried, name in enumerate(coming_by[:MOST_TESTS], start=1):
        # A test that fails when it merely runs again has noticed nothing.
        if not _passes(by_name[name], number) and _passes(by_name[name], NOBODY):
            return Result(mutant=mutant, outcome="caught", test=name, tried=tried)
    return Result(mutant=mutant, outcome=outcome, tried=len(coming_by))


class _Beside:
    """Any other test of the same module: what the test itself has set up is torn down before it, and nothing else."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def listchain(self) -> list[Any]:
        return self._item.listchain()[:-1]


def _passes(item: pytest.Item, number: int) -> bool:
    from servicepunkt.core.db import guard

    board.on = number
    guard._verdicts.clear()  # what it has judged with the lock it would not judge again
    try:
        return _run(item, _Beside(item))[0]
    finally:
        guard._verdicts.clear()
        board.on = NOBODY


def _run(item: pytest.Item, following: Any) -> tuple[bool, float]:
    """Whether the test passed, and its seconds. What the session and the module have set up stays for the next one."""
    from _pytest.runner import runtestprotocol

    board.test = item.nodeid
    if hasattr(item, "_initrequest"):
        item._initrequest()
    previous = signal.signal(signal.SIGALRM, _stop)
    signal.alarm(SECONDS if board.on > NOBODY else 0)
    try:
        reports = runtestprotocol(item, log=False, nextitem=following)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return not any(report.failed for report in reports), sum(report.duration for report in reports)


def _stop(number: int, frame: object) -> None:
    raise TimeoutError("a test under a mutant does not end")


def _tell(session: pytest.Session, results: list[Result], failed: list[str]) -> None:
    counts = defaultdict[str, int](int)
    for one in results:
        counts[one.outcome] += 1
        if one.outcome != "caught":
            print(f"\n{one.outcome}: {one.mutant} ({one.tried} tests)", end="")
    print(f"\nmutants: {len(results)} of {len(board.mutants)}, {dict(counts)}")
    if failed:
        print(f"failed without any mutant, and left out: {failed}")


def _keep(session: pytest.Session, result: Result) -> None:
    """At once: whoever ends a long run keeps what it has found."""
    if path := session.config.getoption("--mutant-report"):
        with Path(path).open("ab") as file:
            file.write(msgspec.json.encode(result) + b"\n")
