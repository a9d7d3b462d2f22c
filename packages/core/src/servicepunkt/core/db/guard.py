"""The guard of every statement: a tenant table is touched only with the predicate of the transaction's tenant.

It listens below sessions and connections alike, so ORM, Core, bulk and `connection.execute()` all pass it. Row-level
security is the second lock behind it: security rests on both, and speed on this one, because a query that carries
its tenant gets a plan of its own (measured: without the predicate p95 was thirty times worse).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, event
from sqlalchemy.engine import Connection
from sqlalchemy.engine.base import Engine
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.dml import Delete, Insert, Update
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, ColumnElement, TextClause
from sqlalchemy.sql.operators import eq
from sqlalchemy.sql.selectable import Alias, Select

from servicepunkt.core.db.schema import TENANT
from servicepunkt.core.errors import NoTenantError, TenantMismatchError

TENANT_OPTION = "servicepunkt_tenant"
PLATFORM_OPTION = "servicepunkt_platform"


def install(engine: Engine) -> None:
    """Put the guard before every statement of `engine`."""
    event.listen(engine, "before_execute", _before_execute)


def _before_execute(
    connection: Connection,
    statement: Any,
    many: list[Mapping[str, Any]],
    single: Mapping[str, Any],
    options: Mapping[str, Any],
) -> None:
    merged = {**connection.get_execution_options(), **options}
    if merged.get(PLATFORM_OPTION):
        return
    tenant = merged.get(TENANT_OPTION)
    if tenant is None:
        raise NoTenantError
    if isinstance(statement, TextClause) or not isinstance(statement, ClauseElement):
        raise TenantMismatchError("textual SQL is only for the platform's own work")
    check(statement, tenant, [*many, *([single] if single else [])])


# Which of a statement's bound values have to be the tenant, by the statement's shape (SQLAlchemy's own cache key,
# which holds everything but the values). Working that out costs more than most statements; a shape is judged once.
_verdicts: dict[Any, tuple[int, ...]] = {}
MAX_VERDICTS = 5000


def check(statement: ClauseElement, tenant: int, parameters: list[Mapping[str, Any]]) -> None:
    """Raise TenantMismatchError unless every tenant table in `statement` is bound to `tenant`."""
    # What an INSERT writes is in its values, also inside a CTE: such a shape is judged anew each time.
    inserts = any(isinstance(part, Insert) for part in visitors.iterate(statement))
    key = None if inserts else statement._generate_cache_key()
    if key is not None and (places := _verdicts.get(key.key)) is not None:
        for place in places:
            _check_value(key.bindparams[place], tenant, parameters)
        return
    bound = _bound_values(statement, tenant, parameters)
    if key is None:
        return
    places = tuple(i for i, known in enumerate(key.bindparams) if any(known is value for value in bound))
    if len(places) == len({id(value) for value in bound}) and len(_verdicts) < MAX_VERDICTS:
        _verdicts[key.key] = places


def _bound_values(
    statement: ClauseElement, tenant: int, parameters: list[Mapping[str, Any]]
) -> list[BindParameter[Any]]:
    """The values by which the statement is bound to `tenant`. Raises TenantMismatchError."""
    bound: list[BindParameter[Any]] = []
    for part in visitors.iterate(statement):
        if isinstance(part, Select):
            froms = part.get_final_froms()
            bound += _check_predicates(froms, _conditions(part, froms), tenant, parameters)
        elif isinstance(part, (Update, Delete)):
            bound += _check_predicates([part.table], _criteria(part._where_criteria), tenant, parameters)
        elif isinstance(part, Insert):
            _check_insert(part, tenant, parameters)
    return bound


def _table(source: Any) -> Table | None:
    while isinstance(source, Alias):
        source = source.element
    return source if isinstance(source, Table) and source.info.get("tenant") else None


def _conditions(select: Select[Any], froms: Sequence[Any]) -> list[ColumnElement[Any]]:
    conditions = _criteria(select._where_criteria)
    for source in froms:
        for part in visitors.iterate(source):
            if (onclause := getattr(part, "onclause", None)) is not None:
                conditions += _criteria((onclause,))
    return conditions


def _criteria(criteria: tuple[Any, ...]) -> list[ColumnElement[Any]]:
    """The conjuncts: what stands below an OR or a NOT does not bind the tenant."""
    found: list[ColumnElement[Any]] = []
    for criterion in criteria:
        operator = getattr(criterion, "operator", None)
        if getattr(operator, "__name__", "") == "and_":
            found += _criteria(tuple(criterion.clauses))
        else:
            found.append(criterion)
    return found


def _check_predicates(
    froms: Sequence[Any], conditions: list[ColumnElement[Any]], tenant: int, parameters: list[Mapping[str, Any]]
) -> list[BindParameter[Any]]:
    """The values that bind the tables of `froms`. Raises TenantMismatchError."""
    bound: set[Any] = set()
    values: list[BindParameter[Any]] = []
    links: list[tuple[Any, Any]] = []
    for condition in conditions:
        if not (isinstance(condition, BinaryExpression) and condition.operator is eq):
            continue
        left, right = condition.left, condition.right
        if getattr(left, "key", None) == TENANT and isinstance(right, BindParameter):
            _check_value(right, tenant, parameters)
            values.append(right)
            bound.add(left.table)
        elif getattr(left, "key", None) == TENANT and getattr(right, "key", None) == TENANT:
            links.append((getattr(left, "table", None), getattr(right, "table", None)))
    for _ in links:
        for left_table, right_table in links:
            if left_table in bound or right_table in bound:
                bound |= {left_table, right_table}
    for source in (part for entry in froms for part in _direct(entry)):
        if _table(source) is not None and source not in bound:
            raise TenantMismatchError(f"the statement does not bind {_table(source)} to its tenant")
    return values


def _direct(source: Any) -> Iterator[Any]:
    """The tables and aliases that a FROM entry names itself; what stands inside a subquery is checked there."""
    left, right = getattr(source, "left", None), getattr(source, "right", None)
    if left is not None and right is not None and hasattr(source, "onclause"):
        yield from _direct(left)
        yield from _direct(right)
    else:
        yield source


def _check_value(bind: BindParameter[Any], tenant: int, parameters: list[Mapping[str, Any]]) -> None:
    values = [row[bind.key] for row in parameters if bind.key in row] or [bind.effective_value]
    if any(value != tenant for value in values):
        raise TenantMismatchError("the statement names another tenant")


def _check_insert(insert: Insert, tenant: int, parameters: list[Mapping[str, Any]]) -> None:
    if _table(insert.table) is None:
        return
    rows: list[Mapping[str, Any]] = [_named(insert._values.items())] if insert._values else []
    for group in insert._multi_values:
        rows += [
            _named(row.items() if isinstance(row, Mapping) else zip(_columns(insert), row, strict=False))
            for row in group
        ]
    if insert.select is not None:
        raise TenantMismatchError("INSERT from SELECT does not show its tenant")
    rows = rows or parameters
    for row in rows or [{}]:
        value = row.get(TENANT)
        if isinstance(value, BindParameter):
            value = value.effective_value
        if value != tenant:
            raise TenantMismatchError("the inserted row is not of this tenant")


def _named(values: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {column if isinstance(column, str) else column.key: value for column, value in values}


def _columns(insert: Insert) -> list[str]:
    return [column.key for column in insert.table.columns]
