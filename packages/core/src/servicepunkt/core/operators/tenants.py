"""All tenants as an operator reads them: one statement a page, whatever they are sorted by, paged by their last row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.operators.meters import Used
from servicepunkt.core.operators.store import USED, tenant_count, tenant_usage
from servicepunkt.core.quotas import SECTION, LimitSettings
from servicepunkt.core.tenancy.model import TENANT_STATES
from servicepunkt.core.tenancy.store import tenant
from servicepunkt.core.tenancy.terms import tenant_terms

PAGE = 50
#: How far back an operator looks, in minutes.
SPANS = (5, 60)
State = Literal["", "draft", "rehearsal", "live", "paused", "retired"]
#: Counts by which tenants can be sorted: the tables of which an operator asks how many rows they have.
COUNTED = ("account", "device", "box", "deposit")
TEXTS = ("slug", "name", "state")
SORTS = (*TEXTS, "updated_at", *COUNTED, "waiting", "oldest", *USED)

_jobs = sa.table("procrastinate_jobs", *map(sa.column, ("id", "args", "status", "scheduled_at")))
_events = sa.table("procrastinate_events", *map(sa.column, ("job_id", "type", "at")))


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which tenants, in which order. `after`: what `Page.next` of the page before said."""

    q: str = ""
    state: State = ""
    plugin: str = ""
    sort: str = "slug"
    down: bool = False
    minutes: int = SPANS[0]
    after: str = ""


class TenantSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant: its row, the limits in force with those of them that were settled, how many rows it had when that was
    counted, what waits for it, and what it used in the time asked for. `shares` are of all tenants' requests, seconds
    and refusals, 0.0 to 1.0.
    """

    id: int
    slug: str
    name: str
    state: str
    updated_at: datetime
    plugins: tuple[str, ...]
    paused: bool = False
    slow_requests: float | None = None
    slow_until: datetime | None = None
    limits: LimitSettings = LimitSettings()
    settled: Mapping[str, float | int | None] = {}
    counts: Mapping[str, int] = {}
    counted_at: datetime | None = None
    waiting: int = 0
    oldest: datetime | None = None
    used: Used = msgspec.field(default_factory=Used)
    shares: Mapping[str, float] = {}


class Page(msgspec.Struct, frozen=True):
    """At most `PAGE` tenants; `next` is empty on the last page."""

    tenants: list[TenantSeen]
    next: str


async def page(connection: AsyncConnection, wanted: Wanted, *, now: datetime, size: int = PAGE) -> Page:
    """Raises InvalidInputError for an order or a cursor that there is not."""
    if wanted.sort not in SORTS:
        raise InvalidInputError([("sort", "There is no such order.")])
    rows = _rows(wanted.minutes, now).subquery("rows")
    key, identity = rows.c[wanted.sort], rows.c.id
    query = sa.select(rows).where(*_filters(rows, wanted))
    if wanted.after:
        last, number = _opened(wanted.after, wanted.sort)
        further = key < last if wanted.down else key > last
        query = query.where(sa.or_(further, sa.and_(key == last, identity > number)))
    query = query.order_by(key.desc() if wanted.down else key, identity).limit(size + 1)
    found = [dict(row._mapping) for row in await connection.execute(query)]
    shown = found[:size]
    cursor = _closed(shown[-1][wanted.sort], shown[-1]["id"]) if len(found) > size else ""
    return Page([_seen(row) for row in shown], cursor)


async def one(connection: AsyncConnection, slug: str, *, now: datetime, minutes: int) -> TenantSeen | None:
    """The tenant of this slug, whatever its state."""
    rows = _rows(minutes, now).subquery("rows")
    row = (await connection.execute(sa.select(rows).where(rows.c.slug == slug, rows.c.name != ""))).first()
    return _seen(dict(row._mapping)) if row else None


def _rows(minutes: int, now: datetime) -> sa.Select[Any]:
    """Every tenant with all that is known of it; columns by which one can sort are never NULL."""
    used = (
        sa.select(tenant_usage.c.tenant, *(sa.func.sum(tenant_usage.c[name]).label(name) for name in USED))
        .where(tenant_usage.c.minute > now - timedelta(minutes=minutes))
        .group_by(tenant_usage.c.tenant)
        .cte("used")
    )
    waiting = waiting_jobs(now).cte("waiting")
    paused = sa.func.coalesce(tenant_terms.c.paused, False)
    joined = tenant
    for other in (tenant_terms, tenant_count, used, waiting):
        joined = joined.outerjoin(other, other.c.tenant == tenant.c.id)  # type: ignore[assignment]
    own = (tenant.c.id, tenant.c.slug, tenant.c.name, tenant.c.updated_at, tenant.c.plugins)
    return sa.select(
        *own,
        sa.case((sa.and_(paused, tenant.c.state == "live"), "paused"), else_=tenant.c.state).label("state"),
        tenant.c.settings[SECTION].label("limits"),
        tenant_terms.c.limits.label("settled"),
        paused.label("paused"),
        *(tenant_terms.c[name] for name in ("slow_requests", "slow_until")),
        *(tenant_count.c[name] for name in ("counts", "counted_at")),
        *(_number(tenant_count.c.counts[name].as_integer()).label(name) for name in COUNTED),
        _number(waiting.c.waiting).label("waiting"),
        sa.func.coalesce(waiting.c.oldest, now).label("oldest"),
        *(_number(used.c[name]).label(name) for name in USED),
        *(sa.func.coalesce(sa.select(sa.func.sum(used.c[name])).scalar_subquery(), 0).label(f"all_{name}")
          for name in ("requests", "seconds", "refused")),
    ).select_from(joined)  # fmt: skip


def waiting_jobs(now: datetime) -> sa.Select[Any]:
    """By tenant (its number in `tenant`): how many jobs should have begun, and since when the oldest waits."""
    number = sa.cast(_jobs.c.args.op("->>")("tenant_id"), sa.Integer)
    since = sa.func.coalesce(_jobs.c.scheduled_at, _events.c.at)
    deferred = sa.and_(_events.c.job_id == _jobs.c.id, _events.c.type == sa.literal_column("'deferred'"))
    return (
        sa.select(number.label("tenant"), sa.func.count().label("waiting"), sa.func.min(since).label("oldest"))
        .select_from(_jobs.outerjoin(_events, deferred))
        .where(_jobs.c.status == sa.literal_column("'todo'"))
        .where(sa.or_(_jobs.c.scheduled_at.is_(None), _jobs.c.scheduled_at <= now))
        .group_by(number)
    )


def _number(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.func.coalesce(column, 0)


def _filters(rows: sa.Subquery, wanted: Wanted) -> list[ColumnElement[bool]]:
    found = [rows.c.name != ""]  # of a deleted tenant nothing but its number is left
    if words := wanted.q.strip():
        found.append(sa.or_(*(rows.c[name].icontains(words, autoescape=True) for name in ("slug", "name"))))
    if wanted.state:
        found.append(rows.c.state == wanted.state)
    if wanted.plugin:
        found.append(sa.literal(wanted.plugin) == sa.any_(rows.c.plugins))
    return found


def _seen(row: Mapping[str, Any]) -> TenantSeen:
    limits = msgspec.convert({**(row["limits"] or {}), **(row["settled"] or {})}, LimitSettings)
    used = Used(**{name: type(getattr(Used(), name))(row[name]) for name in USED})
    shares = {
        name: float(row[name]) / float(row[f"all_{name}"]) if row[f"all_{name}"] else 0.0
        for name in ("requests", "seconds", "refused")
    }
    own = {name: row[name] for name in ("id", "slug", "name", "state", "updated_at", "paused", "counted_at")}
    return TenantSeen(
        **own,
        plugins=tuple(row["plugins"]),
        slow_requests=row["slow_requests"],
        slow_until=row["slow_until"],
        limits=limits,
        settled=row["settled"] or {},
        counts=row["counts"] or {},
        waiting=int(row["waiting"]),
        oldest=row["oldest"] if row["waiting"] else None,
        used=used,
        shares=shares,
    )


def _closed(value: Any, number: int) -> str:
    """A cursor: the last row's value and number."""
    plain = float(value) if not isinstance(value, (str, datetime, int)) else value
    return base64.urlsafe_b64encode(msgspec.json.encode([plain, number])).decode().rstrip("=")


def _opened(cursor: str, sort: str) -> tuple[Any, int]:
    kind: Any = str if sort in TEXTS else datetime if sort in ("updated_at", "oldest") else float
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        last, number = msgspec.json.decode(raw, type=tuple[kind, int])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise InvalidInputError([("after", "This page of the list does not exist.")]) from None
    if (isinstance(last, str) and "\0" in last) or not 0 <= number < 2**31:
        raise InvalidInputError([("after", "This page of the list does not exist.")])
    return last, number


def states() -> tuple[str, ...]:
    return tuple(TENANT_STATES)
