"""Doors and connectors are other people's code: whatever goes wrong in them is named, and no words of it go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import structlog

from servicepunkt.core.applications.connectors import connector_named
from servicepunkt.core.applications.model import RECEIPT, ConnectorError, DoorFailedError, Submission
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.identification import Identified, IdentityProvider, IdentityWish
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.applications")
CONNECTOR_SECONDS = 60.0
DOOR_SECONDS = 10.0
T = TypeVar("T")


def doors(deployment: Deployment, ctx: TenantContext, level: int) -> dict[str, tuple[str, IdentityProvider]]:
    """By its name each door that reaches the level, with the plugin that brings it; of two with one name the first."""
    found: dict[str, tuple[str, IdentityProvider]] = {}
    for answer in deployment.plugins.collect(ctx, "identity_providers"):
        for one in answer.value:
            if one.level >= level:
                found.setdefault(one.name, (answer.plugin, one))
    return found


async def begin(deployment: Deployment, tx: Transaction, door: tuple[str, IdentityProvider], wish: IdentityWish) -> str:
    """The path at which the person goes on. Raises DoorFailedError."""
    path: str = await _asked(deployment, tx, door[0], lambda: door[1].begin(tx, wish), str)
    return path


async def take(
    deployment: Deployment, tx: Transaction, door: tuple[str, IdentityProvider], key: UUID
) -> Identified | None:
    """Raises DoorFailedError."""
    found: Identified | None = await _asked(
        deployment, tx, door[0], lambda: door[1].take(tx, key), (Identified, type(None))
    )
    return found


async def _asked(
    deployment: Deployment, tx: Transaction, plugin: str, ask: Callable[[], Awaitable[Any]], kind: Any
) -> Any:
    try:
        async with asyncio.timeout(DOOR_SECONDS):
            answer = await ask()
        if not isinstance(answer, kind):
            raise TypeError(type(answer).__name__)
        return answer
    except (Exception, SystemExit) as error:
        log.error("door_failed", plugin=plugin, hook="identity_providers", exc_info=error)
        deployment.plugins.failures.note(
            tx.tenant_id, plugin, "identity_providers", "failed", error=type(error).__name__
        )
        # Not chained: what it says may quote somebody.
        raise DoorFailedError from None


def known_of(deployment: Deployment, ctx: TenantContext, identified: Identified) -> Mapping[str, str]:
    """What is known of a person, with what plugins make of it; they change nothing of what is known without them."""
    made: dict[str, str] = {}
    for answer in deployment.plugins.collect(ctx, "identity_attributes", identified=identified):
        made |= answer.value
    return {**made, **identified.attributes}


async def send(deployment: Deployment, ctx: TenantContext, name: str, application: Submission) -> str:
    """The receiver's reference. Raises ConnectorError, whatever the connector raises."""
    try:
        async with asyncio.timeout(CONNECTOR_SECONDS):
            receipt = await connector_named(deployment, ctx, name).send(application)
    except ConnectorError as error:
        log.warning("connector_failed", channel=name, reason=error.staff_sentence)
        raise
    except (Exception, SystemExit) as error:
        log.error("connector_failed", channel=name, hook="application_connectors", exc_info=error)
        raise ConnectorError from None
    if not isinstance(receipt, str) or not RECEIPT.fullmatch(receipt):
        raise ConnectorError("the receiver's reference is none")
    return receipt
