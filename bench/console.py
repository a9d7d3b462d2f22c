"""The operators' list of eleven thousand tenants: a page in several orders, beside the sum of the same use alone.

Every tenant was busy in every minute of the last hour in two processes, which is more than happens; a tenth has a job
that waits. No page can be faster than reading the use of which it tells.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import timedelta

import _report as report
import psycopg
import sqlalchemy as sa
from _centre import Centre, centre

from servicepunkt.core import deployment as deployments
from servicepunkt.core.operators import service
from servicepunkt.core.operators.store import tenant_usage
from servicepunkt.core.operators.tenants import SPANS, Wanted

TENANTS = 11_000
ORDERS = ("slug", "updated_at", "deposit", "waiting", "seconds")
SUM = "sum of the use alone"

FILL = (
    """INSERT INTO tenant SELECT 1000 + n, 'town-' || n, 'Town ' || n, 'live', '{}', '{web}', 'de', '{de}',
       'Europe/Berlin', 'HE', '{}', n, now() - n * interval '1 second' FROM generate_series(1, %(count)s) n""",
    """INSERT INTO tenant_count SELECT 1000 + n, jsonb_build_object('account', n %% 50, 'deposit', n %% 700), now()
       FROM generate_series(1, %(count)s) n""",
    """INSERT INTO tenant_usage SELECT now() - m * interval '1 minute', 1000 + n, p, n %% 100, n * 0.001, 0.1, 0, 1, 0
       FROM unnest(ARRAY[gen_random_uuid(), gen_random_uuid()]) p, generate_series(0, 59) m,
       generate_series(1, %(count)s) n""",
    """INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
       SELECT 'default', 'x', jsonb_build_object('tenant_id', 1000 + n * 10), now() - n * interval '1 second'
       FROM generate_series(1, %(count)s / 10) n""",
    "VACUUM ANALYZE",
)


def measure(options: report.Options) -> report.Result:
    with centre() as made:
        fill(made)
        taken = asyncio.run(rounds(made, options.runs))
    return tables(taken)


def fill(made: Centre) -> None:
    with psycopg.connect(made.superuser, autocommit=True) as connection:
        for statement in FILL:
            connection.execute(statement, {"count": TENANTS} if "%" in statement else None)
    report.say(f"{TENANTS} tenants are there")


async def rounds(made: Centre, runs: int) -> dict[tuple[str, int], list[float]]:
    """Milliseconds by what was asked and how many minutes back."""
    taken: dict[tuple[str, int], list[float]] = defaultdict(list)
    async with deployments.running(made.settings) as deployment:
        for number in range(runs + 1):
            for minutes in SPANS:
                since = deployment.clock.now() - timedelta(minutes=minutes)
                started = time.perf_counter()
                async with deployment.database.platform("bench") as connection:
                    query = sa.select(sa.func.sum(tenant_usage.c.seconds)).where(tenant_usage.c.minute > since)
                    of_each = query.group_by(tenant_usage.c.tenant).subquery()
                    await connection.scalar(sa.select(sa.func.count()).select_from(of_each))
                found = {SUM: time.perf_counter() - started}
                for order in ORDERS:
                    started = time.perf_counter()
                    await service.page(deployment, Wanted(sort=order, down=True, minutes=minutes))
                    found[order] = time.perf_counter() - started
                if number:  # the first round warms up
                    for name, seconds in found.items():
                        taken[name, minutes].append(1000 * seconds)
    return taken


def tables(taken: dict[tuple[str, int], list[float]]) -> report.Result:
    middle = {key: report.median(values) for key, values in taken.items()}
    rows = [
        [
            name if name == SUM else f"page by {name}",
            *(f"{report.spread(taken[name, minutes])} ms" for minutes in SPANS),
            *("" if name == SUM else f"{middle[name, minutes] / middle[SUM, minutes]:.1f}" for minutes in SPANS),
        ]
        for name in (SUM, *ORDERS)
    ]
    columns = [
        "what",
        *(f"{minutes} minutes" for minutes in SPANS),
        *(f"ratio, {minutes} minutes" for minutes in SPANS),
    ]
    note = f"{TENANTS * 2:,} rows of use a minute. Median (min to max); the ratio is to the sum alone."
    figures = {f"{name}, {minutes} minutes, ms": value for (name, minutes), value in middle.items()}
    return report.Result([report.Table(f"A page of {TENANTS:,} tenants", columns, rows, note)], figures)


if __name__ == "__main__":
    report.main("console", measure, runs=7)
