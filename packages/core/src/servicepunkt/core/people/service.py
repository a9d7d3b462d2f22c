"""Make accounts and check sign-ins: Argon2id, a second factor by TOTP, a lock that survives restarts."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import argon2
import msgspec
import pyotp

from servicepunkt.core import quotas
from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.errors import InvalidInputError
from servicepunkt.core.ids import NIL, new_id
from servicepunkt.core.metrics import SIGN_INS
from servicepunkt.core.people import model, store
from servicepunkt.core.people.model import Account, SignInError
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from servicepunkt.core.deployment import Deployment

# OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
TOTP_STEP = 30


def hashed(password: str) -> str:
    """Slow on purpose: call it in a thread."""
    return _hasher.hash(password)


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash to verify against when there is no account, so that both answers take the same time."""
    return _hasher.hash("nobody has this password")


async def create_account(
    tx: Transaction, *, at: datetime, actor: str, login: str, name: str, password: str, roles: tuple[str, ...]
) -> Account:
    """Raises InvalidInputError with every mistake, QuotaError when the tenant has as many as it may."""
    await tx.lock("accounts")
    login = login.strip().lower()
    mistakes = [("password", sentence) for sentence in model.password_mistakes(password, login)]
    mistakes += [("roles", sentence) for role in roles for sentence in model.grant_mistakes(role)]
    if not login:
        mistakes.append(("login", "The login is missing."))
    elif await store.by_login(tx, login) is not None:
        mistakes.append(("login", "This login is taken."))
    if mistakes:
        raise InvalidInputError(mistakes)
    quotas.keep_within(tx.ctx, "accounts", await store.count(tx) + 1)
    stored = await asyncio.to_thread(hashed, password)
    account = Account(id=new_id(), login=login, name=name, password_hash=stored, roles=roles, created_at=at)
    await store.insert(tx, account)
    await audit.record(tx, at=at, actor=actor, action="account.create", subject=f"account:{account.id}")
    return account


async def vouched(tx: Transaction, *, at: datetime, key: bytes, name: str, roles: tuple[str, ...]) -> Account | None:
    """The account of a person for whom the tenant's provider vouches under the digest `key`.

    Made at the first time; name and roles are the provider's each time. None for who has no role (any more), or was
    switched off here. Raises QuotaError.
    """
    await tx.lock("accounts")
    found = await store.by_external(tx, key, lock=True)
    if found is None and roles:
        quotas.keep_within(tx.ctx, "accounts", await store.count(tx) + 1)
        login = f"openid-{key.hex()[:12]}"
        found = Account(
            id=new_id(), login=login, name=name or login, password_hash="", roles=roles, created_at=at, external=key
        )
        await store.insert(tx, found)
        await audit.record(tx, at=at, actor="openid", action="account.create", subject=f"account:{found.id}")
    subject = f"account:{found.id if found else NIL}"
    if found is not None and (roles, name or found.name) != (found.roles, found.name):
        if roles != found.roles:
            given = " ".join(roles)
            await audit.record(tx, at=at, actor="openid", action="account.roles", subject=subject, roles=given)
        found = msgspec.structs.replace(found, roles=roles, name=name or found.name)
        await store.update(tx, found.id, roles=found.roles, name=found.name)
    welcome = found is not None and found.active and bool(roles)
    actor, action = (subject, "account.sign_in") if welcome else ("anonymous", "account.sign_in_refused")
    await audit.record(tx, at=at, actor=actor, action=action, subject=subject)
    return found if welcome else None


async def set_password(tx: Transaction, account: Account, password: str, *, at: datetime, actor: str) -> None:
    """Give an account another password. Raises InvalidInputError with every mistake."""
    if sentences := model.password_mistakes(password, account.login):
        raise InvalidInputError([("password", sentence) for sentence in sentences])
    stored = await asyncio.to_thread(hashed, password)
    await store.update(tx, account.id, password_hash=stored)
    await audit.record(tx, at=at, actor=actor, action="account.password", subject=f"account:{account.id}")


async def enable_totp(deployment: Deployment, tx: Transaction, account: Account, secret: str, code: str) -> None:
    """Switch the second factor on after the person has shown a valid code, which counts as used. Raises SignInError."""
    step = _accepted_step(secret, code, now=int(deployment.clock.now().timestamp()), used=account.totp_used)
    if step is None:
        raise SignInError
    raw = base64.b32decode(secret)
    sealed = await deployment.keyring.seal(tx, account.id, raw, field="totp")
    await store.update(tx, account.id, totp=sealed, totp_used=step)
    now = deployment.clock.now()
    await audit.record(
        tx, at=now, actor=f"account:{account.id}", action="account.totp", subject=f"account:{account.id}"
    )


async def sign_in(deployment: Deployment, ctx: TenantContext, *, login: str, password: str, code: str = "") -> Account:
    """The account, or SignInError in the same words and the same time whatever was wrong.

    The failure is counted in its own transaction before the password is verified: pulling the plug gives no free try.
    """
    now = deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        login = login.strip().lower()
        account = await store.by_login(tx, login, lock=True) if can_be_stored(login) else None
        locked = account is None or not model.has_password(account) or model.is_locked(account, now)
        if account is not None and not locked:
            failures, until = model.after_failure(account.failures, now)
            await store.update(tx, account.id, failures=failures, locked_until=until)
    right = await asyncio.to_thread(
        _matches, account.password_hash if account and account.password_hash else _nobody(), password
    )
    async with deployment.database.tenant(ctx) as tx:
        step = await _second_factor(deployment, tx, account, code)
        if account is None or locked or not right or step is None:
            subject = f"account:{account.id if account else NIL}"
            await audit.record(tx, at=now, actor="anonymous", action="account.sign_in_refused", subject=subject)
            account = None
        else:
            await store.update(tx, account.id, failures=0, locked_until=None, totp_used=step)
            subject = f"account:{account.id}"
            await audit.record(tx, at=now, actor=subject, action="account.sign_in", subject=subject)
    SIGN_INS.labels(outcome="accepted" if account else "refused").inc()
    if account is None:
        raise SignInError
    return account


async def _second_factor(deployment: Deployment, tx: Transaction, account: Account | None, code: str) -> int | None:
    """The accepted time step (0 without a second factor), or None. A step counts once: no replay."""
    if account is None:
        return None
    if account.totp is None:
        return 0
    secret = base64.b32encode(await deployment.keyring.unseal(tx, account.id, account.totp, field="totp")).decode()
    now = int(deployment.clock.now().timestamp())
    # Locked until the step is written down: of two sign-ins at the same moment with one code, one is refused.
    fresh = await store.by_id(tx, account.id, lock=True)
    return _accepted_step(secret, code, now=now, used=fresh.totp_used if fresh else account.totp_used)


def _accepted_step(secret: str, code: str, *, now: int, used: int) -> int | None:
    """The 30-second step of a code, one step of drift allowed either way; none that is not newer than `used`."""
    for step in range(now // TOTP_STEP - 1, now // TOTP_STEP + 2):
        if step > used and pyotp.utils.strings_equal(pyotp.TOTP(secret).at(step * TOTP_STEP), code):
            return step
    return None


def _matches(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, UnicodeEncodeError):
        return False


def can_be_stored(text: str) -> bool:
    """PostgreSQL takes neither NUL nor half a character; such a login is unknown like any other."""
    return "\0" not in text and text == text.encode("utf-8", "replace").decode()
