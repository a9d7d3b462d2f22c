"""What operators ask: alive, ready, metrics. None of it has a tenant, none of it is for the open internet."""

from __future__ import annotations

import asyncio
from typing import Any

import prometheus_client
import psycopg
import sqlalchemy as sa
from litestar import Request, Response, get

from servicepunkt.core.db.migrate import at_head
from servicepunkt.core.deployment import Deployment

OPEN = {"public": True, "exclude_from_csrf": True}


@get("/health/live", opt=OPEN, include_in_schema=False)
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/health/ready", opt=OPEN, include_in_schema=False)
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The database answers and has the tables that this version needs.

    Plugins that went wrong in this process within a day are named with how often; that is no reason to stop it.
    """
    deployment: Deployment = request.app.state["deployment"]
    try:
        async with deployment.database.platform("readiness") as connection:
            await connection.execute(sa.text("SELECT 1"))
        current = await asyncio.to_thread(at_head, deployment.settings.database_url, deployment.plugins)
    except (sa.exc.SQLAlchemyError, psycopg.Error):
        return Response({"status": "database unreachable"}, status_code=503)
    said = {"status": "ok" if current else "database behind", "plugins": failing(deployment)}
    return Response(said, status_code=200 if current else 503)


def failing(deployment: Deployment) -> dict[str, dict[str, int]]:
    """How often hooks failed and were slow, by plugin, of all tenants together."""
    found: dict[str, dict[str, int]] = {}
    for one in deployment.plugins.failures.lately():
        of_plugin = found.setdefault(one.plugin, {"failed": 0, "slow": 0})
        of_plugin[one.fault] += one.count
    return found


@get("/metrics", opt=OPEN, include_in_schema=False, sync_to_thread=False)
def metrics() -> Response[bytes]:
    """Prometheus text; the reverse proxy keeps it inside."""
    return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)
