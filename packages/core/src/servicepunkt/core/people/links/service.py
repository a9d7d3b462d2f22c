"""Link accounts by a code, end a link, switch by a ticket; with a line in both chains, each by its own account's id.

No chain says which the other tenant is: both name the link, which is also the actor of what the other side did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.metrics import SIGN_INS
from servicepunkt.core.people import administration, model
from servicepunkt.core.people import store as accounts
from servicepunkt.core.people.links import store
from servicepunkt.core.people.links.model import (
    CODE_LIFETIME,
    TICKET_LIFETIME,
    LinkCode,
    LinkCodeError,
    LinkSide,
    StrongerSignInError,
    SwitchError,
    SwitchTicket,
)
from servicepunkt.core.people.model import Account
from servicepunkt.core.people.settings import demands_second_factor
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

TICKET_BYTES = 32
STRONG = ("totp", "passkey")


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


async def make_code(deployment: Deployment, ctx: TenantContext, account: Account) -> str:
    """A one-time code for ten minutes, in place of the one before. The caller has seen a password or a passkey."""
    code, now = administration.one_time_code(deployment), deployment.clock.now()
    made = LinkCode(key=administration.digest_of(code), tenant=ctx.id, account=account.id, until=now + CODE_LIFETIME)
    async with deployment.database.platform("make a code for linking accounts") as connection:
        await store.put_code(connection, made, now)
        await _tell(deployment, connection, ctx, account.id, "account.link_code", at=now)
    return code


async def take_code(deployment: Deployment, ctx: TenantContext, account: Account, code: str) -> None:
    """Link this account with the one for which the code was made. Raises LinkCodeError.

    Wrong ones count as wrong passwords do, and lock the account in the same way.
    """
    now, key = deployment.clock.now(), administration.digest_of(code)
    async with deployment.database.platform("link accounts") as connection:
        async with deployment.database.within(connection, ctx) as tx:
            mine = await accounts.by_id(tx, account.id, lock=True)
        locked = mine is None or model.is_locked(mine, now)
        found = None if locked else await store.take_code(connection, key)
        linked = found is not None and await _link(deployment, connection, ctx, account, found, at=now)
        if not linked and mine is not None and not locked:
            failures, until = model.after_failure(mine.failures, now)
            async with deployment.database.within(connection, ctx) as tx:
                await accounts.update(tx, mine.id, failures=failures, locked_until=until)
        if not linked:
            await _tell(deployment, connection, ctx, account.id, "account.link_refused", at=now)
    if not linked:
        raise LinkCodeError


async def _link(
    deployment: Deployment, connection: AsyncConnection, ctx: TenantContext, account: Account, found: LinkCode, *,
    at: datetime,
) -> bool:  # fmt: skip
    there = await deployment.directory.by_id(found.tenant)
    if there is None or there.id == ctx.id or found.until < at:
        return False
    if any(one.tenant == there.id for one in await store.of_account(connection, ctx.id, account.id)):
        return False
    async with deployment.database.within(connection, there) as tx:
        other = await accounts.by_id(tx, found.account)
    if other is None or not _may_enter(other):
        return False
    link = new_id()
    await store.put(
        connection,
        [
            LinkSide(link=link, tenant=ctx.id, account=account.id),
            LinkSide(link=link, tenant=there.id, account=other.id),
        ],
    )
    await _tell_both(deployment, connection, link, "account.link", by=(ctx, f"account:{account.id}"), at=at)
    return True


async def others(deployment: Deployment, ctx: TenantContext, account: UUID) -> list[tuple[UUID, TenantContext]]:
    """(link, tenant) of each other tenant to which this person can switch, for that person's own eyes."""
    async with deployment.database.platform("show a person the own tenants") as connection:
        found = await store.of_account(connection, ctx.id, account)
    served = [(one.link, await deployment.directory.by_id(one.tenant)) for one in found]
    return [(link, there) for link, there in served if there is not None]


async def end(deployment: Deployment, ctx: TenantContext, account: UUID, link: UUID) -> None:
    """From now on nobody switches by it, and sessions that began by it are over. Raises NotFoundError."""
    async with deployment.database.platform("end a link of accounts") as connection:
        if not any(one.link == link for one in await store.of_account(connection, ctx.id, account)):
            raise NotFoundError
        await _end(deployment, connection, link, by=(ctx, f"account:{account}"))


async def end_all(
    deployment: Deployment, connection: AsyncConnection, ctx: TenantContext, account: UUID, *, actor: str
) -> None:
    """The account gets another password or loses its second factor by somebody else's hand: that one must not come on
    from here to the person's other tenants.
    """
    for one in await store.of_account(connection, ctx.id, account):
        await _end(deployment, connection, one.link, by=(ctx, actor))


async def _end(
    deployment: Deployment, connection: AsyncConnection, link: UUID, *, by: tuple[TenantContext, str]
) -> None:
    await _tell_both(deployment, connection, link, "account.unlink", by=by, at=deployment.clock.now())
    await store.delete(connection, link)


async def begin_switch(
    deployment: Deployment,
    ctx: TenantContext,
    account: Account,
    link: UUID,
    *,
    browser: bytes,
    proof: str,
    began_at: datetime,
) -> str:
    """A ticket for the other tenant of this link. Raises NotFoundError, StrongerSignInError."""
    now, ticket = deployment.clock.now(), deployment.randomness(TICKET_BYTES).hex()
    async with deployment.database.platform("switch to another tenant") as connection:
        side = next((one for one in await store.of_account(connection, ctx.id, account.id) if one.link == link), None)
        there = await deployment.directory.by_id(side.tenant) if side else None
        if side is None or there is None:
            raise NotFoundError
        async with deployment.database.within(connection, there) as tx:
            other = await accounts.by_id(tx, side.account)
        if other is not None and not _is_met(there, other, proof):
            raise StrongerSignInError
        made = SwitchTicket(
            key=digest_of(ticket), link=link, tenant=there.id, account=side.account, browser=browser, proof=proof,
            began_at=began_at, until=now + TICKET_LIFETIME,
        )  # fmt: skip
        await store.put_ticket(connection, made, now)
        await _tell(deployment, connection, ctx, account.id, "account.switch", at=now, link=str(link))
    return ticket


async def finish_switch(
    deployment: Deployment, ctx: TenantContext, ticket: str, shown: Collection[bytes]
) -> tuple[Account, SwitchTicket]:
    """Who comes in by this ticket, from a browser that has shown one of these digests. Raises SwitchError.

    A ticket that was shown is used up, whatever was wrong with the rest.
    """
    now = deployment.clock.now()
    async with deployment.database.platform("arrive from another tenant") as connection:
        found = await store.take_ticket(connection, digest_of(ticket))
        account = await _arrived(deployment, connection, ctx, found, shown, now)
        if found is not None and account is not None:
            await _tell(deployment, connection, ctx, account.id, "account.sign_in", at=now, link=str(found.link))
    SIGN_INS.labels(outcome="accepted" if account else "refused").inc()
    if found is None or account is None:
        raise SwitchError
    return account, found


async def _arrived(
    deployment: Deployment,
    connection: AsyncConnection,
    ctx: TenantContext,
    found: SwitchTicket | None,
    shown: Collection[bytes],
    now: datetime,
) -> Account | None:
    if found is None or found.tenant != ctx.id or found.until < now or found.browser not in shown:
        return None
    if not await store.sides(connection, found.link):
        return None
    async with deployment.database.within(connection, ctx) as tx:
        account = await accounts.by_id(tx, found.account)
    right = account is not None and _may_enter(account) and _is_met(ctx, account, found.proof)
    return account if right else None


def _may_enter(account: Account) -> bool:
    return account.active and model.ENTER in model.permissions(account.roles)


def _is_met(ctx: TenantContext, account: Account, proof: str) -> bool:
    return proof in STRONG or not demands_second_factor(ctx, account.roles)


async def _tell_both(
    deployment: Deployment,
    connection: AsyncConnection,
    link: UUID,
    action: str,
    *,
    by: tuple[TenantContext, str],
    at: datetime,
) -> None:
    """The chain of the lower tenant first, always: two writers never wait for each other."""
    ctx, actor = by
    for one in await store.sides(connection, link):
        there = ctx if one.tenant == ctx.id else await deployment.directory.by_id(one.tenant)
        if there is not None:
            said = actor if there is ctx else f"link:{link}"
            await _tell(deployment, connection, there, one.account, action, at=at, actor=said, link=str(link))


async def _tell(
    deployment: Deployment,
    connection: AsyncConnection,
    ctx: TenantContext,
    account: UUID,
    action: str,
    *,
    at: datetime,
    actor: str = "",
    **details: str,
) -> None:
    subject = f"account:{account}"
    async with deployment.database.within(connection, ctx) as tx:
        await audit.record(tx, at=at, actor=actor or subject, action=action, subject=subject, **details)
