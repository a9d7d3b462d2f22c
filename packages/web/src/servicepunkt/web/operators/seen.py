"""What an operator reads of tenants: numbers with their units, addresses of other orders and pages. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from servicepunkt.core.operators.tenants import SPANS, State, TenantSeen, Wanted

#: The columns of the list: what one sorts by, and its heading as a message id; numbers begin with the largest.
COLUMNS = (
    ("slug", "Tenant"),
    ("state", "State"),
    ("updated_at", "Applied"),
    ("account", "Accounts"),
    ("device", "Devices"),
    ("box", "Boxes"),
    ("deposit", "Documents"),
    ("waiting", "Waiting jobs"),
    ("failures", "Plugin failures"),
    ("requests", "Requests"),
    ("seconds", "Time"),
    ("refused", "Refused"),
)
USE_COLUMNS = (
    ("slug", "Tenant"),
    ("requests", "Requests"),
    ("seconds", "Time in handlers"),
    ("database_seconds", "Time in the database"),
    ("refused", "Refused"),
    ("jobs", "Jobs"),
    ("failures", "Plugin failures"),
)
STATES: dict[State, str] = {
    "": "All states",
    "draft": "Draft",
    "rehearsal": "Rehearsal",
    "live": "Live",
    "paused": "Paused",
    "retired": "Retired",
}
ASCENDING = ("slug", "name", "state", "oldest")
TERMS = {
    "requests": "Requests a second of all visitors",
    "requests_of_address": "Requests a second of one address",
    "accounts": "Accounts",
    "devices": "Devices",
    "points": "Points",
    "offers": "Offers",
    "records": "Imported records",
}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A heading: its message id, the address that sorts by it, and how the list is sorted by it now, if it is."""

    name: str
    title: str
    href: str
    sorted: str = ""


def columns(wanted: Wanted, kinds: tuple[tuple[str, str], ...]) -> list[Column]:
    return [_column(wanted, name, title) for name, title in kinds]


def _column(wanted: Wanted, name: str, title: str) -> Column:
    now = wanted.sort == name
    down = not wanted.down if now else name not in ASCENDING
    order = ("descending" if wanted.down else "ascending") if now else ""
    return Column(name=name, title=title, href=address(wanted, sort=name, down=down), sorted=order)


def address(wanted: Wanted, **changes: str | int | bool) -> str:
    """The query of the list with these changes; another order or filter begins with the first page."""
    other = msgspec.structs.replace(wanted, **({"after": ""} | changes))
    default = Wanted()
    said = {
        name: int(value) if isinstance(value, bool) else value
        for name in Wanted.__struct_fields__
        if (value := getattr(other, name)) != getattr(default, name)
    }
    return f"?{urlencode(said)}"


def spans(wanted: Wanted) -> list[tuple[int, str, bool]]:
    """(minutes, address, whether that is shown now)."""
    return [(minutes, address(wanted, minutes=minutes), minutes == wanted.minutes) for minutes in SPANS]


def minutes_since(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment) / timedelta(minutes=1)))


def percent(share: float) -> str:
    """'12 %'; with a sign where there is something that is less than one."""
    if not share:
        return ""
    return f"{share * 100:.0f} %" if share >= 0.01 else "< 1 %"


def seconds(value: float) -> str:
    """'0.3 s', '12 s', '4 min'."""
    if value >= 600:
        return f"{value / 60:.0f} min"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s" if value else "0 s"


def is_slow(tenant: TenantSeen, now: datetime) -> bool:
    return tenant.slow_until is not None and now < tenant.slow_until
