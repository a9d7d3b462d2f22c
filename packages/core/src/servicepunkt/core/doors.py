"""Doors by which people identify, and who is told when one closes: other people's code. Whatever goes wrong in them is
named, and no words of it go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import structlog

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.identification import Identified, IdentityProvider, IdentityWish
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

log = structlog.get_logger("servicepunkt.doors")
SECONDS = 10.0
LISTENERS = "identification_listeners"
Outcome = Literal["identified", "cancelled", "refused", "expired"]
#: A door with the plugin that brings it.
Door = tuple[str, IdentityProvider]


class DoorFailedError(ServicepunktError):
    """A provider of identities raised or answered wrongly."""

    code = "SP8253"
    status = 503
    citizen = "Identifying is not possible now."
    staff = "The plugin that identifies has a fault."
    next_step = "Please choose another way, or ask here at the counter."


def doors(deployment: Deployment, ctx: TenantContext, level: int) -> dict[str, Door]:
    """By its name each door that reaches the level; of two with one name the first."""
    found: dict[str, Door] = {}
    for answer in deployment.plugins.collect(ctx, "identity_providers"):
        for one in answer.value:
            if one.level >= level:
                found.setdefault(one.name, (answer.plugin, one))
    return found


async def begin(deployment: Deployment, tx: Transaction, door: Door, wish: IdentityWish) -> str:
    """The path at which the person goes on. Raises DoorFailedError."""
    plugin, provider = door
    path: str = await _asked(deployment, tx, plugin, lambda: provider.begin(deployment, tx, wish), str)
    return path


async def take(deployment: Deployment, tx: Transaction, door: Door, key: UUID) -> Identified | None:
    """What came of it, once. Raises DoorFailedError."""
    plugin, provider = door
    found: Identified | None = await _asked(
        deployment, tx, plugin, lambda: provider.take(deployment, tx, key), (Identified, type(None))
    )
    return found


async def forget(deployment: Deployment, tx: Transaction, door: Door, key: UUID) -> None:
    """End what was begun under a key. A door that fails holds nobody up."""
    plugin, provider = door
    with suppress(DoorFailedError):
        async with tx.connection.begin_nested():
            await _asked(deployment, tx, plugin, lambda: provider.forget(deployment, tx, key), type(None))


async def _asked(
    deployment: Deployment, tx: Transaction, plugin: str, ask: Callable[[], Awaitable[Any]], kind: Any
) -> Any:
    try:
        async with asyncio.timeout(SECONDS):
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


async def closed(deployment: Deployment, tx: Transaction, key: UUID, outcome: Outcome) -> None:
    """Tell every listener; a door calls it when an identification has ended. One that fails undoes what it did."""
    for answer in deployment.plugins.collect(tx.ctx, LISTENERS):
        for listener in answer.value:
            try:
                async with asyncio.timeout(SECONDS), tx.connection.begin_nested():
                    await listener.closed(tx, key, outcome)
            except (Exception, SystemExit) as error:
                log.error("listener_failed", plugin=answer.plugin, hook=LISTENERS, exc_info=error)
                deployment.plugins.failures.note(
                    tx.tenant_id, answer.plugin, LISTENERS, "failed", error=type(error).__name__
                )
