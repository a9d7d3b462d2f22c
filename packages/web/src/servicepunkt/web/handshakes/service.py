"""Begin a handshake with a browser, and take it up once."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.handshakes import store
from servicepunkt.web.handshakes.model import LONGEST, Handshake, HandshakeEndedError
from servicepunkt.web.sessions.model import key_of

S = TypeVar("S", bound=msgspec.Struct)


async def begin(deployment: Deployment, ctx: TenantContext, data: msgspec.Struct) -> str:
    """Keep `data` for ten minutes; returns what the browser's cookie holds."""
    cookie, now = deployment.randomness(32).hex(), deployment.clock.now()
    kind, content = type(data).__name__, msgspec.json.encode(data)
    made = Handshake(key=key_of(cookie), kind=kind, data=content, until=now + LONGEST)
    async with deployment.database.tenant(ctx) as tx:
        await store.delete_older(tx, now)
        await store.insert(tx, made)
    return cookie


async def take(deployment: Deployment, ctx: TenantContext, cookie: str, kind: type[S]) -> S:
    """What was kept, which nobody gets a second time. Raises HandshakeEndedError."""
    async with deployment.database.tenant(ctx) as tx:
        found = await store.take(tx, key_of(cookie), kind.__name__) if len(cookie) == 64 else None
    if found is None or found.until < deployment.clock.now():
        raise HandshakeEndedError
    return msgspec.json.decode(found.data, type=kind)
