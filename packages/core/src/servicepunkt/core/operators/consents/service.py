"""Give a consent and take it back; begin, keep up and end an operator's session by it, with a line in both chains.

The lines stand in the chain of the tenant that is looked at and in that of the operators' own, in one transaction.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from servicepunkt.core.audit import service as audit
from servicepunkt.core.ids import new_id
from servicepunkt.core.operators.consents import model, store
from servicepunkt.core.operators.consents.model import Acting, Consent, ConsentError, OperatorSession
from servicepunkt.core.people import model as people
from servicepunkt.core.people import store as accounts
from servicepunkt.core.people.model import Account
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

COOKIE_BYTES = 32
OPERATE = "tenants.manage"


def key_of(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


async def home(deployment: Deployment) -> TenantContext:
    """The operators' own tenant. Raises ConsentError where there is none."""
    slug = deployment.settings.operator_tenant
    found = await deployment.directory.by_slug(slug) if slug else None
    if found is None:
        raise ConsentError
    return found


async def give(
    deployment: Deployment,
    ctx: TenantContext,
    *,
    by: Account,
    role: str,
    reason: str,
    starts_at: datetime,
    ends_at: datetime,
) -> Consent:
    """Raises InvalidInputError with every mistake."""
    now = deployment.clock.now()
    model.check(role, reason, starts_at, ends_at, now=now)
    new = Consent(
        id=new_id(), role=role, reason=reason.strip(), granted_by=by.id, granted_at=now,
        starts_at=max(starts_at, now), ends_at=ends_at,
    )  # fmt: skip
    async with deployment.database.tenant(ctx) as tx:
        await store.insert(tx, new)
        subject, until = f"consent:{new.id}", ends_at.isoformat()
        actor = f"account:{by.id}"
        await audit.record(tx, at=now, actor=actor, action="consent.give", subject=subject, role=role, until=until)
    return new


async def withdraw(deployment: Deployment, ctx: TenantContext, consent_id: UUID, *, by: Account) -> None:
    """From now on it opens nothing, and the session that stands on it is over. Raises ConsentError."""
    now, subject = deployment.clock.now(), f"consent:{consent_id}"
    said = {"actor": f"account:{by.id}", "subject": subject}
    async with deployment.database.platform("withdraw a consent") as connection:
        async with deployment.database.within(connection, ctx) as tx:
            found = await store.find(tx, consent_id, lock=True)
            if found is None or model.state(found, now) not in ("planned", "open"):
                raise ConsentError
            await store.update(tx, consent_id, withdrawn_at=now)
            ended = await store.delete_of(tx, consent_id)
            await audit.record(tx, at=now, action="consent.withdraw", **said)
        if ended:
            await _tell_both(deployment, connection, ctx, at=now, action="operator.end", reason="withdrawn", **said)


async def listed(deployment: Deployment, ctx: TenantContext) -> list[Consent]:
    """The newest first."""
    async with deployment.database.tenant(ctx) as tx:
        return await store.newest(tx)


async def begin(deployment: Deployment, ctx: TenantContext, consent_id: UUID, operator: Account) -> str:
    """A session of an operator in the tenant `ctx`; what its cookie holds. Raises ConsentError.

    The first operator who begins is the only one to whom the consent is open from then on.
    """
    now, cookie = deployment.clock.now(), deployment.randomness(COOKIE_BYTES).hex()
    async with deployment.database.platform("look at a tenant with its consent") as connection:
        async with deployment.database.within(connection, ctx) as tx:
            found = await store.find(tx, consent_id, lock=True)
            if found is None or not model.opens(found, operator.id, now):
                raise ConsentError
            await store.update(tx, consent_id, operator=operator.id)
            await store.delete_of(tx, consent_id)
            session = OperatorSession(
                key=key_of(cookie), consent=consent_id, operator=operator.id, started_at=now, seen_at=now
            )
            await store.insert_session(tx, session)
        acting = Acting(consent=found, session=session, name=operator.name)
        await _tell(deployment, connection, ctx, acting, at=now, action="operator.begin", role=found.role)
    return cookie


async def acting(deployment: Deployment, ctx: TenantContext, cookie: str) -> Acting | None:
    """Who acts with this cookie; None when the consent, the session or the operator's own rights are over."""
    if len(cookie) != 2 * COOKIE_BYTES:
        return None
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        session = await store.find_session(tx, key_of(cookie))
        consent = await store.find(tx, session.consent) if session else None
        if session is None or consent is None or not model.is_alive(session, now):
            return None
        if not model.opens(consent, session.operator, now):
            return None
        await store.touch(tx, session.key, now)
    async with deployment.database.tenant(await home(deployment)) as tx:
        account = await accounts.by_id(tx, session.operator)
    if account is None or not account.active or OPERATE not in people.permissions(account.roles):
        return None
    return Acting(consent=consent, session=session, name=account.name)


async def changed(deployment: Deployment, ctx: TenantContext, who: Acting, *, what: str) -> None:
    """An operator is about to change something: `what` is the verb and the route's template."""
    async with deployment.database.platform("write down what an operator changes") as connection:
        now = deployment.clock.now()
        await _tell(deployment, connection, ctx, who, at=now, action="operator.change", what=what)


async def end(deployment: Deployment, ctx: TenantContext, who: Acting) -> None:
    """The operator leaves; the consent stays for as long as it was given."""
    async with deployment.database.platform("leave a tenant") as connection:
        async with deployment.database.within(connection, ctx) as tx:
            await store.delete_session(tx, who.session.key)
        await _tell(deployment, connection, ctx, who, at=deployment.clock.now(), action="operator.end")


async def _tell(
    deployment: Deployment,
    connection: AsyncConnection,
    ctx: TenantContext,
    who: Acting,
    *,
    at: datetime,
    action: str,
    **details: str,
) -> None:
    subject = f"consent:{who.consent.id}"
    await _tell_both(deployment, connection, ctx, at=at, actor=who.actor, action=action, subject=subject, **details)


async def _tell_both(
    deployment: Deployment,
    connection: AsyncConnection,
    ctx: TenantContext,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    **details: str,
) -> None:
    """The looked-at tenant's chain first, always: two writers never wait for each other."""
    for chain in (ctx, await home(deployment)):
        async with deployment.database.within(connection, chain) as tx:
            line = {"actor": actor, "action": action, "subject": subject, **details}
            await audit.record(tx, at=at, tenant=f"tenant:{ctx.id}", **line)
