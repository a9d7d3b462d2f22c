"""Start, find and end sessions."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import store as people
from servicepunkt.core.people.links import store as links
from servicepunkt.core.people.model import Account
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web.sessions import model, store
from servicepunkt.web.sessions.model import Proof, Session, Visitor

TOUCH_AFTER = timedelta(seconds=30)


async def start(deployment: Deployment, ctx: TenantContext, account: Account, proof: Proof | None = None) -> str:
    """A new session; returns what the cookie holds. A fresh name for every sign-in: no session is carried over.

    `proof` is left out after a password, with the code of a second factor where the account has one.
    """
    now = deployment.clock.now()
    made = Session(key=b"", account=account.id, started_at=now, seen_at=now, proof=proof or model.proof_of(account))
    return await keep(deployment, ctx, made)


async def keep(deployment: Deployment, ctx: TenantContext, made: Session) -> str:
    """Keep a session under a fresh key; returns what the cookie holds."""
    cookie = deployment.randomness(32).hex()
    async with deployment.database.tenant(ctx) as tx:
        await store.delete_older(tx, made.seen_at - model.LONGEST)
        await store.insert(tx, msgspec.structs.replace(made, key=model.key_of(cookie)))
    return cookie


async def visitor(deployment: Deployment, ctx: TenantContext, cookie: str) -> Visitor | None:
    """Who the cookie belongs to, or None when the session has ended or the account was switched off."""
    if len(cookie) != 64:
        return None
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        found = await store.find(tx, model.key_of(cookie))
        if found is None or not model.is_alive(found, now):
            return None
        if found.link is not None and not await links.sides(tx.connection, found.link):
            return None
        account = await people.by_id(tx, found.account)
        if account is None or not account.active:
            return None
        if now - found.seen_at > TOUCH_AFTER:
            await store.touch(tx, found.key, now)
    return Visitor(account=account, session=found)


async def end(deployment: Deployment, ctx: TenantContext, cookie: str) -> None:
    async with deployment.database.tenant(ctx) as tx:
        await store.delete(tx, model.key_of(cookie))
