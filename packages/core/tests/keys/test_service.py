"""The keyring: a key for each case below one for each tenant, and values that nobody reads once it is erased."""

from __future__ import annotations

import asyncio
import secrets
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.ids import NIL
from servicepunkt.core.keys import model
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.keys.service import Keyring
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.tenancy.model import TenantContext

CASE, OTHER_CASE = uuid4(), uuid4()


async def seal(deployment: Deployment, ctx: TenantContext, case: UUID = CASE, *, field: str = "phone") -> bytes:
    async with deployment.database.tenant(ctx) as tx:
        return await deployment.keyring.seal(tx, case, b"+4915112345678", field=field)


async def unseal(
    deployment: Deployment, ctx: TenantContext, sealed: bytes, case: UUID = CASE, *, field: str = "phone"
) -> bytes:
    async with deployment.database.tenant(ctx) as tx:
        return await deployment.keyring.unseal(tx, case, sealed, field=field)


async def keys(deployment: Deployment, ctx: TenantContext) -> list[tuple[UUID, str]]:
    async with deployment.database.tenant(ctx) as tx:
        query = sa.select(data_key.c.subject, data_key.c.purpose).where(data_key.c.tenant_id == ctx.id)
        return sorted((row.subject, row.purpose) for row in await tx.execute(query))


async def test_a_field_of_a_case_opens_again(deployment: Deployment, tenant: TenantContext) -> None:
    sealed = await seal(deployment, tenant)
    assert b"49151" not in sealed
    assert await unseal(deployment, tenant, sealed) == b"+4915112345678"


async def test_a_value_moved_to_another_field_case_or_tenant_does_not_open(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    sealed = await seal(deployment, tenant)
    for ctx in (tenant, other):
        await seal(deployment, ctx, OTHER_CASE)
        await seal(deployment, ctx, CASE)
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed, field="name")
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed, OTHER_CASE)
    with pytest.raises(UnreadableError):
        await unseal(deployment, other, sealed)


async def test_a_wrapped_key_moved_to_another_case_does_not_open(deployment: Deployment, tenant: TenantContext) -> None:
    """Whoever can write rows cannot put one case under the key of another, which would outlive it."""
    sealed = await seal(deployment, tenant, CASE)
    await seal(deployment, tenant, OTHER_CASE)
    mine = data_key.c.tenant_id == tenant.id
    async with deployment.database.tenant(tenant) as tx:
        wrapped = await tx.scalar(sa.select(data_key.c.wrapped).where(mine, data_key.c.subject == CASE))
        await tx.execute(sa.update(data_key).where(mine, data_key.c.subject == OTHER_CASE).values(wrapped=wrapped))
    with pytest.raises(UnreadableError):
        await seal(deployment, tenant, OTHER_CASE)
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed, OTHER_CASE)
    assert await unseal(deployment, tenant, sealed, CASE)


async def test_a_tenants_wrapped_keys_moved_to_another_tenant_open_nothing_there(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    """All rows of keys together, as somebody would have to move them: the master key wraps both tenants' alike."""
    sealed = await seal(deployment, tenant)
    await seal(deployment, other)
    async with deployment.database.tenant(tenant) as tx:
        query = sa.select(data_key.c.subject, data_key.c.purpose, data_key.c.wrapped)
        mine = (await tx.execute(query.where(data_key.c.tenant_id == tenant.id))).all()
    async with deployment.database.tenant(other) as tx:
        for subject, purpose, wrapped in mine:
            there = sa.and_(data_key.c.subject == subject, data_key.c.purpose == purpose)
            changed = sa.update(data_key).where(data_key.c.tenant_id == other.id, there).values(wrapped=wrapped)
            assert (await tx.execute(changed)).rowcount == 1
    with pytest.raises(UnreadableError):
        await unseal(deployment, other, sealed)
    with pytest.raises(UnreadableError):  # the tenant's own key, before anything that it has sealed
        async with deployment.database.tenant(other) as tx:
            await deployment.keyring.blind_index(tx, "1", field="phone")


async def test_a_value_is_bound_to_its_tenant_and_not_to_its_key_alone(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    """Where two tenants had the same key by some mistake, a value of one would still not open at the other."""
    keyring = deployment.keyring
    same = bytes(range(32))

    async def shared(tx: Transaction, case: UUID, *, make: bool) -> bytes:
        return same

    keyring._case_key = shared  # type: ignore[method-assign]
    sealed = await seal(deployment, tenant)
    assert await unseal(deployment, tenant, sealed)
    with pytest.raises(UnreadableError):
        await unseal(deployment, other, sealed)


async def test_an_erased_case_cannot_be_read_by_anybody_ever_again(
    deployment: Deployment, tenant: TenantContext
) -> None:
    sealed, kept = await seal(deployment, tenant), await seal(deployment, tenant, OTHER_CASE)
    async with deployment.database.tenant(tenant) as tx:
        await deployment.keyring.erase(tx, CASE)
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed)
    await seal(deployment, tenant)
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed)
    assert await unseal(deployment, tenant, kept, OTHER_CASE)


async def test_reading_makes_no_key(deployment: Deployment, tenant: TenantContext) -> None:
    sealed = await seal(deployment, tenant)
    with pytest.raises(UnreadableError):
        await unseal(deployment, tenant, sealed, OTHER_CASE)
    assert await keys(deployment, tenant) == sorted([(NIL, "tenant"), (CASE, "case")])


async def test_the_tenants_own_keys_are_not_erased_like_those_of_a_case(
    deployment: Deployment, tenant: TenantContext
) -> None:
    sealed = await seal(deployment, tenant)
    with pytest.raises(ValueError, match="with the tenant"):
        async with deployment.database.tenant(tenant) as tx:
            await deployment.keyring.erase(tx, NIL)
    assert await unseal(deployment, tenant, sealed)


async def test_another_master_key_opens_nothing(deployment: Deployment, tenant: TenantContext) -> None:
    sealed = await seal(deployment, tenant)
    stranger = Keyring(bytes(32), secrets.token_bytes)
    with pytest.raises(UnreadableError):
        async with deployment.database.tenant(tenant) as tx:
            await stranger.unseal(tx, CASE, sealed, field="phone")


async def test_a_blind_index_finds_equal_values_of_one_field_of_one_tenant(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    found = []
    for ctx, field, value in (
        (tenant, "phone", "1"),
        (tenant, "phone", "2"),
        (tenant, "name", "1"),
        (other, "phone", "1"),
    ):
        async with deployment.database.tenant(ctx) as tx:
            index = await deployment.keyring.blind_index(tx, value, field=field)
            assert index == await deployment.keyring.blind_index(tx, value, field=field)
            found.append(index)
    assert len(set(found)) == 4
    assert {len(index) for index in found} == {32}


async def test_ten_first_uses_at_once_make_one_key_each(deployment: Deployment, tenant: TenantContext) -> None:
    async def first_use() -> tuple[bytes, bytes]:
        async with deployment.database.tenant(tenant) as tx:
            sealed = await deployment.keyring.seal(tx, CASE, b"secret", field="phone")
            return sealed, await deployment.keyring.notice_public_key(tx)

    made = await asyncio.gather(*(first_use() for _ in range(10)))
    assert await keys(deployment, tenant) == sorted([(NIL, "notice"), (NIL, "tenant"), (CASE, "case")])
    assert len({public for _, public in made}) == 1
    for sealed, _ in made:
        assert await unseal(deployment, tenant, sealed) == b"secret"


async def test_a_secret_for_the_notice_worker_opens_there_in_its_context_alone(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    async with deployment.database.tenant(tenant) as tx:
        public = await deployment.keyring.notice_public_key(tx)
        sealed = model.seal_to(public, b"482913", context="deposit:1")
        assert await deployment.keyring.open_for_notice(tx, sealed, context="deposit:1") == b"482913"
        with pytest.raises(UnreadableError):
            await deployment.keyring.open_for_notice(tx, sealed, context="deposit:2")
    async with deployment.database.tenant(other) as tx:
        assert await deployment.keyring.notice_public_key(tx) != public
        with pytest.raises(UnreadableError):
            await deployment.keyring.open_for_notice(tx, sealed, context="deposit:1")


async def test_what_a_tenants_centre_says_is_signed_with_a_key_of_its_own(
    deployment: Deployment, tenant: TenantContext, other: TenantContext
) -> None:
    publics, signatures = [], []
    for ctx in (tenant, tenant, other):
        async with deployment.database.tenant(ctx) as tx:
            publics.append(await deployment.keyring.signing_public_key(tx))
            signatures.append(await deployment.keyring.sign(tx, b"said"))
    assert publics[0] == publics[1] != publics[2]
    Ed25519PublicKey.from_public_bytes(publics[0]).verify(signatures[1], b"said")
    for public, message in ((publics[2], b"said"), (publics[0], b"not said")):
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public).verify(signatures[0], message)
