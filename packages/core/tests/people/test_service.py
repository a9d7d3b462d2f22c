"""Sign-in: one refusal for everything that is wrong, a lock that survives restarts, a code that counts once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import argon2
import pyotp
import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.keys import store as keys
from servicepunkt.core.people import service, store
from servicepunkt.core.people.administration import switch
from servicepunkt.core.people.model import Account, SignInError
from servicepunkt.core.people.service import create_account, enable_totp, set_password, sign_in
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, open_deployment

PASSWORD = "correct horse battery"
SECRET = pyotp.random_base32()


class CountingHasher(argon2.PasswordHasher):
    """Argon2 with less memory, so that a hundred sign-ins take a second; counts what it verifies."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, *arguments: Any) -> Any:
        self.verified += 1
        return super().verify(*arguments)


@pytest.fixture(autouse=True)
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    cheap = CountingHasher()
    monkeypatch.setattr(service, "_hasher", cheap)
    service._nobody.cache_clear()
    return cheap


@pytest.fixture
async def anna(deployment: Deployment, tenant: TenantContext) -> Account:
    return await make(deployment, tenant, "anna")


async def make(deployment: Deployment, ctx: TenantContext, login: str, **values: Any) -> Account:
    async with deployment.database.tenant(ctx) as tx:
        given = {"name": "Anna A.", "password": PASSWORD, "roles": ("clerk",), **values}
        return await create_account(tx, at=deployment.clock.now(), actor="test", login=login, **given)


async def read(deployment: Deployment, ctx: TenantContext, account: Account) -> Account:
    async with deployment.database.tenant(ctx) as tx:
        found = await store.by_id(tx, account.id)
    assert found is not None
    return found


async def refused(deployment: Deployment, ctx: TenantContext, **values: str) -> tuple[object, ...]:
    """Everything that somebody outside can tell about a refusal."""
    with pytest.raises(SignInError) as caught:
        await sign_in(deployment, ctx, **{"login": "anna", "password": "wrong password!", **values})
    error = caught.value
    return type(error), str(error), error.staff_sentence, error.details, error.__cause__, error.__context__


async def fail(deployment: Deployment, ctx: TenantContext, times: int) -> None:
    for _ in range(times):
        await refused(deployment, ctx)


# --- accounts -------------------------------------------------------------------------------------------------


async def test_an_account_is_made_with_a_hash_and_no_password(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    found = await read(deployment, tenant, anna)
    assert found == anna
    assert PASSWORD not in str(found)
    assert found.password_hash.startswith("$argon2id$")


def test_passwords_are_hashed_with_the_recommended_effort() -> None:
    """OWASP's minimum for Argon2id: 19 MiB, two passes, one lane. Read from the source, as the tests use less."""
    source = Path(service.__file__).read_text("utf-8")
    assert "PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)" in source


async def test_a_bad_account_is_refused_with_every_mistake_and_nothing_is_written(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await make(deployment, tenant, " ANNA ", password="anna", roles=("clerk", "mayor"))
    assert [place for place, _ in caught.value.mistakes] == ["password", "password", "roles", "login"]
    with pytest.raises(InvalidInputError, match="The login is missing"):
        await make(deployment, tenant, "  ")
    async with deployment.database.tenant(tenant) as tx:
        assert [account.login for account in await store.all_accounts(tx)] == ["anna"]


async def test_the_same_login_may_exist_at_another_tenant_and_opens_nothing_here(
    deployment: Deployment, tenant: TenantContext, other: TenantContext, anna: Account
) -> None:
    theirs = await make(deployment, other, "anna", password="another password")
    assert (await sign_in(deployment, other, login="anna", password="another password")).id == theirs.id
    await refused(deployment, tenant, password="another password")


async def test_another_password_replaces_the_old_one(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    async with deployment.database.tenant(tenant) as tx:
        with pytest.raises(InvalidInputError):
            await set_password(tx, anna, "short", at=deployment.clock.now(), actor="test")
        await set_password(tx, anna, "a new password", at=deployment.clock.now(), actor="test")
    await refused(deployment, tenant, password=PASSWORD)
    assert await sign_in(deployment, tenant, login="anna", password="a new password")


# --- sign-in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["anna", " Anna ", "ANNA"])
async def test_the_right_password_opens(
    deployment: Deployment, tenant: TenantContext, anna: Account, login: str
) -> None:
    assert (await sign_in(deployment, tenant, login=login, password=PASSWORD)).id == anna.id


async def test_wrong_unknown_locked_inactive_and_without_code_are_one_refusal(
    deployment: Deployment, tenant: TenantContext, anna: Account, hasher: CountingHasher
) -> None:
    """The same words, and one password verified in each case, so that the time is the same too."""
    idle = await make(deployment, tenant, "idle")
    coded = await make(deployment, tenant, "coded")
    locked = await make(deployment, tenant, "locked")
    async with deployment.database.tenant(tenant) as tx:
        await store.update(tx, idle.id, active=False)
        await enable_totp(deployment, tx, coded, SECRET, pyotp.TOTP(SECRET).at(deployment.clock.now()))
        await store.update(tx, locked.id, locked_until=deployment.clock.now() + timedelta(minutes=1))
    before = hasher.verified
    answers = [
        await refused(deployment, tenant, login="anna", password="wrong password!"),
        await refused(deployment, tenant, login="nobody", password=PASSWORD),
        await refused(deployment, tenant, login="", password=PASSWORD),
        await refused(deployment, tenant, login="idle", password=PASSWORD),
        await refused(deployment, tenant, login="locked", password=PASSWORD),
        await refused(deployment, tenant, login="coded", password=PASSWORD),
        await refused(deployment, tenant, login="coded", password=PASSWORD, code="000000"),
    ]
    assert len(set(map(str, answers))) == 1
    assert hasher.verified - before == len(answers)


@pytest.mark.parametrize("login", ["a\0b", "\0", "\ud800", "%", "' OR 1=1 --", "a" * 5000, "анна"])
async def test_whatever_is_typed_as_a_login_the_refusal_is_the_same(
    deployment: Deployment, tenant: TenantContext, anna: Account, login: str
) -> None:
    assert await refused(deployment, tenant, login=login) == await refused(deployment, tenant)
    assert await refused(deployment, tenant, password=login + "\udfff") == await refused(deployment, tenant)


async def test_every_attempt_is_audited_without_what_was_typed(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    await refused(deployment, tenant)
    await refused(deployment, tenant, login="my secret typed into the wrong field")
    await sign_in(deployment, tenant, login="anna", password=PASSWORD)
    async with deployment.database.tenant(tenant) as tx:
        entries = [entry async for entry in audit.entries(tx)]
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("account.create", "test"),
        ("account.sign_in_refused", "anonymous"),
        ("account.sign_in_refused", "anonymous"),
        ("account.sign_in", f"account:{anna.id}"),
    ]
    assert "secret" not in str(entries)
    assert "anna" not in str(entries)


# --- the lock -------------------------------------------------------------------------------------------------


async def test_the_fifth_failure_locks_and_the_lock_doubles(
    deployment: Deployment, tenant: TenantContext, anna: Account, clock: FixedClock
) -> None:
    await fail(deployment, tenant, 4)
    assert (await read(deployment, tenant, anna)).locked_until is None
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        await refused(deployment, tenant)
        assert (await read(deployment, tenant, anna)).locked_until == clock.now() + timedelta(minutes=minutes)
        clock.forward(minutes=minutes, seconds=-1)
        await refused(deployment, tenant, password=PASSWORD)
        clock.forward(seconds=1)
    assert await sign_in(deployment, tenant, login="anna", password=PASSWORD)


async def test_attempts_during_a_lock_do_not_make_it_longer(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    await fail(deployment, tenant, 5)
    locked = await read(deployment, tenant, anna)
    await fail(deployment, tenant, 20)
    assert await read(deployment, tenant, anna) == locked


async def test_a_restart_forgets_no_failure(
    deployment: Deployment, tenant: TenantContext, anna: Account, urls: Urls, plugins: PluginHost, tmp_path: Path
) -> None:
    await fail(deployment, tenant, 4)
    async with open_deployment(urls, tmp_path, plugins) as restarted:
        await fail(restarted, tenant, 1)
        await refused(restarted, tenant, password=PASSWORD)


async def test_the_right_password_forgets_earlier_failures(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    await fail(deployment, tenant, 4)
    await sign_in(deployment, tenant, login="anna", password=PASSWORD)
    assert (await read(deployment, tenant, anna)).failures == 0
    await fail(deployment, tenant, 4)
    assert await sign_in(deployment, tenant, login="anna", password=PASSWORD)


async def test_a_failure_is_counted_before_the_password_is_verified(
    deployment: Deployment, tenant: TenantContext, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever pulls the plug while the hash is computed has had no free try."""

    def unplugged(*_: object) -> bool:
        raise SystemError("the plug was pulled")

    monkeypatch.setattr(service, "_matches", unplugged)
    for _ in range(5):
        with pytest.raises(SystemError):
            await sign_in(deployment, tenant, login="anna", password=PASSWORD)
    found = await read(deployment, tenant, anna)
    assert found.failures == 5
    assert found.locked_until is not None


async def test_guesses_made_at_once_are_all_counted(
    deployment: Deployment, tenant: TenantContext, anna: Account, hasher: CountingHasher
) -> None:
    await asyncio.gather(*(refused(deployment, tenant) for _ in range(12)))
    found = await read(deployment, tenant, anna)
    assert found.failures == 5
    assert found.locked_until is not None


# --- the second factor ----------------------------------------------------------------------------------------


@pytest.fixture
async def coded(deployment: Deployment, tenant: TenantContext, anna: Account, clock: FixedClock) -> Account:
    async with deployment.database.tenant(tenant) as tx:
        await enable_totp(deployment, tx, anna, SECRET, code_at(clock))
    clock.forward(minutes=5)
    return anna


async def test_the_code_that_switched_it_on_opens_nothing(
    deployment: Deployment, tenant: TenantContext, anna: Account, clock: FixedClock
) -> None:
    async with deployment.database.tenant(tenant) as tx:
        await enable_totp(deployment, tx, anna, SECRET, code_at(clock))
    with pytest.raises(SignInError):
        await sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code_at(clock))


def code_at(clock: FixedClock, steps: int = 0) -> str:
    return pyotp.TOTP(SECRET).at(clock.now() + timedelta(seconds=30 * steps))


async def test_the_second_factor_is_switched_on_only_with_a_valid_code(
    deployment: Deployment, tenant: TenantContext, anna: Account
) -> None:
    with pytest.raises(SignInError):
        async with deployment.database.tenant(tenant) as tx:
            await enable_totp(deployment, tx, anna, SECRET, "000000")
    assert (await read(deployment, tenant, anna)).totp is None


async def test_the_secret_is_sealed(deployment: Deployment, tenant: TenantContext, coded: Account) -> None:
    import base64

    sealed = (await read(deployment, tenant, coded)).totp
    assert sealed is not None
    assert base64.b32decode(SECRET) not in sealed


async def test_a_code_counts_once(
    deployment: Deployment, tenant: TenantContext, coded: Account, clock: FixedClock
) -> None:
    code = code_at(clock)
    assert await sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code)
    await refused(deployment, tenant, password=PASSWORD, code=code)
    clock.forward(seconds=30)
    await refused(deployment, tenant, password=PASSWORD, code=code)
    assert await sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code_at(clock))


async def test_a_code_used_twice_at_the_same_moment_opens_once(
    deployment: Deployment, tenant: TenantContext, coded: Account, clock: FixedClock
) -> None:
    tries = [sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code_at(clock)) for _ in range(4)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Account", *["SignInError"] * 3]


@pytest.mark.parametrize(("steps", "opens"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_a_clock_may_be_one_step_off(
    deployment: Deployment, tenant: TenantContext, coded: Account, clock: FixedClock, steps: int, opens: bool
) -> None:
    code = code_at(clock, steps)
    if opens:
        assert await sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code)
    else:
        await refused(deployment, tenant, password=PASSWORD, code=code)


async def test_an_older_code_is_refused_after_a_newer_one(
    deployment: Deployment, tenant: TenantContext, coded: Account, clock: FixedClock
) -> None:
    assert await sign_in(deployment, tenant, login="anna", password=PASSWORD, code=code_at(clock, 1))
    await refused(deployment, tenant, password=PASSWORD, code=code_at(clock))


async def test_the_right_code_does_not_make_up_for_a_wrong_password(
    deployment: Deployment, tenant: TenantContext, coded: Account, clock: FixedClock
) -> None:
    await refused(deployment, tenant, code=code_at(clock))


@pytest.mark.parametrize("code", ["", "000000", "ä", "\0", "1" * 1000, " "])
async def test_whatever_is_typed_as_a_code_the_refusal_is_the_same(
    deployment: Deployment, tenant: TenantContext, coded: Account, code: str
) -> None:
    await refused(deployment, tenant, password=PASSWORD, code=code)


# --- who works here no longer ---------------------------------------------------------------------------------


async def test_a_year_after_it_was_switched_off_an_account_and_its_secret_are_gone(
    deployment: Deployment, tenant: TenantContext, coded: Account
) -> None:
    (rule,) = [
        answer.value["account"]
        for answer in deployment.plugins.collect(tenant, "retention_rules")
        if "account" in answer.value
    ]
    assert rule.days == 365
    stays = await make(deployment, tenant, "stays")
    async with deployment.database.tenant(tenant) as tx:
        await switch(tx, coded.id, active=False, actor="test")
        await switch(tx, stays.id, active=False, actor="test")
        await switch(tx, stays.id, active=True, actor="test")
        assert await rule.erase(tx, tx.now()) == 0
        assert await rule.erase(tx, tx.now() + timedelta(seconds=1)) == 1
        assert await store.by_id(tx, coded.id) is None
        assert await keys.find(tx, coded.id, "case") is None
        assert await store.by_id(tx, stays.id) is not None
