"""What the administration of a tenant does with accounts: invite, roles, on and off, a lost password or phone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from servicepunkt.core import quotas
from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ForbiddenError, InvalidInputError, NotFoundError, ServicepunktError
from servicepunkt.core.ids import NIL, new_id
from servicepunkt.core.keys import store as keys
from servicepunkt.core.people import model, service, store
from servicepunkt.core.people.model import PLATFORM_ROLE, Account, SignInError
from servicepunkt.core.tenancy.model import TenantContext

ADMIN = "city_admin"
CODE_LIFETIME = timedelta(days=7)
# 80 bits: sixteen letters and digits.
CODE_BYTES = 10
MAX_LOGIN, MAX_NAME = 200, 200
KEPT_ELSEWHERE = "The roles of this account are kept by the city's provider."
NO_SUCH_UNIT = "There is no such unit any more. Please choose again."
NOT_TO_GIVE = "This role is given by the operator of the platform alone."


class LastAdminError(ServicepunktError):
    """After this nobody could administer the tenant any more."""

    code = "SP7025"
    status = 409
    citizen = "Nobody would be left who administers this service point."
    staff = "This is the last account with the role city_admin that can sign in."
    next_step = "Give this role to somebody else first."


async def invite(
    deployment: Deployment, tx: Transaction, *, actor: str, login: str, name: str, roles: Iterable[str]
) -> tuple[Account, str]:
    """(account, one-time code) for somebody who chooses the password. Raises InvalidInputError and QuotaError."""
    login, name, roles = login.strip().lower(), name.strip(), tuple(dict.fromkeys(roles))
    mistakes = [("roles", sentence) for sentence in await _role_mistakes(tx, roles)]
    mistakes += [] if roles else [("roles", "Choose at least one role.")]
    mistakes += [] if 0 < len(name) <= MAX_NAME else [("name", "Enter a name of at most 200 characters.")]
    await tx.lock("accounts")
    if not 0 < len(login) <= MAX_LOGIN:
        mistakes.append(("login", "Enter a login of at most 200 characters."))
    elif await store.by_login(tx, login) is not None:
        mistakes.append(("login", "This login is taken."))
    if mistakes:
        raise InvalidInputError(mistakes)
    quotas.keep_within(tx.ctx, "accounts", await store.count(tx) + 1)
    code = one_time_code(deployment)
    account = Account(
        id=new_id(),
        login=login,
        name=name,
        password_hash="",
        roles=roles,
        created_at=tx.now(),
        code_hash=digest_of(code),
        code_until=tx.now() + CODE_LIFETIME,
    )
    await store.insert(tx, account)
    await _record(tx, actor, "account.create", account.id, roles=" ".join(roles))
    return account, code


async def new_code(deployment: Deployment, tx: Transaction, account_id: UUID, *, actor: str) -> tuple[Account, str]:
    """(account, one-time code) for another password; the present one is void from now on.

    Raises NotFoundError, ForbiddenError, LastAdminError.
    """
    account = await _to_change(tx, account_id)
    if account.external is not None:
        raise NotFoundError
    await _keep_an_admin(tx, without=account)
    code = one_time_code(deployment)
    until = tx.now() + CODE_LIFETIME
    values = {
        "password_hash": "",
        "code_hash": digest_of(code),
        "code_until": until,
        "failures": 0,
        "locked_until": None,
    }
    await store.update(tx, account.id, **values)
    await _record(tx, actor, "account.code", account.id)
    return msgspec.structs.replace(account, **values), code


async def take_code(deployment: Deployment, ctx: TenantContext, *, login: str, code: str, password: str) -> Account:
    """Choose the first password with a one-time code, which is used up.

    Raises InvalidInputError for the password, SignInError for everything else; wrong codes lock as passwords do.
    """
    login, now = login.strip().lower(), deployment.clock.now()
    if sentences := model.password_mistakes(password, login):
        raise InvalidInputError([("password", sentence) for sentence in sentences])
    async with deployment.database.tenant(ctx) as tx:
        account = await store.by_login(tx, login, lock=True) if service.can_be_stored(login) else None
        right = account is not None and _fits(account, code, now)
        subject = f"account:{account.id if account else NIL}"
        if account is not None and right:
            hashed = await asyncio.to_thread(service.hashed, password)
            values = {"password_hash": hashed, "code_hash": None, "code_until": None}
            await store.update(tx, account.id, **values, failures=0, locked_until=None)
        elif account is not None and not model.is_locked(account, now):
            failures, until = model.after_failure(account.failures, now)
            await store.update(tx, account.id, failures=failures, locked_until=until)
        actor, action = (subject, "account.password") if right else ("anonymous", "account.sign_in_refused")
        await audit.record(tx, at=now, actor=actor, action=action, subject=subject)
    if account is None or not right:
        raise SignInError
    return account


async def set_roles(tx: Transaction, account_id: UUID, roles: Iterable[str], *, actor: str) -> None:
    """Raises InvalidInputError with every mistake, NotFoundError, ForbiddenError, LastAdminError."""
    account, roles = await _to_change(tx, account_id), tuple(dict.fromkeys(roles))
    mistakes = [("roles", sentence) for sentence in await _role_mistakes(tx, roles)]
    mistakes += [("", KEPT_ELSEWHERE)] if account.external is not None else []
    mistakes += [] if roles else [("roles", "Choose at least one role.")]
    if mistakes:
        raise InvalidInputError(mistakes)
    if ADMIN not in roles:
        await _keep_an_admin(tx, without=account)
    await store.update(tx, account.id, roles=roles)
    await _record(tx, actor, "account.roles", account.id, roles=" ".join(roles))


async def switch(tx: Transaction, account_id: UUID, *, active: bool, actor: str) -> None:
    """Switch an account off or on. Raises NotFoundError, ForbiddenError, LastAdminError."""
    account = await _to_change(tx, account_id)
    if not active:
        await _keep_an_admin(tx, without=account)
    await store.update(tx, account.id, active=active, ended_at=None if active else tx.now())
    await _record(tx, actor, "account.on" if active else "account.off", account.id)


async def erase_ended(tx: Transaction, before: datetime) -> int:
    """Erase accounts that were switched off before an instant; the chain names an id that is nobody's then."""
    gone = await store.ended(tx, before)
    for account in gone:
        await keys.erase(tx, account.id)
        await store.delete(tx, account.id)
    return len(gone)


async def reset_second_factor(tx: Transaction, account_id: UUID, *, actor: str) -> None:
    """For somebody who has lost the phone. Raises NotFoundError, ForbiddenError."""
    account = await _to_change(tx, account_id)
    await store.update(tx, account.id, totp=None)
    await _record(tx, actor, "account.totp_reset", account.id)


async def unlock(tx: Transaction, account_id: UUID, *, actor: str) -> None:
    """End the lock after wrong passwords. Raises NotFoundError, ForbiddenError."""
    account = await _to_change(tx, account_id)
    await store.update(tx, account.id, failures=0, locked_until=None)
    await _record(tx, actor, "account.unlock", account.id)


def is_platforms(account: Account) -> bool:
    """Whether this is an account of the platform's, which a city's administration does not touch."""
    return PLATFORM_ROLE in account.roles


async def _role_mistakes(tx: Transaction, roles: Iterable[str]) -> list[str]:
    known = model.known_units(await catalogue.newest(tx)) if any("@" in role for role in roles) else {}
    return [sentence for role in roles for sentence in _grant_mistakes(role, known)]


def _grant_mistakes(role: str, known: Mapping[str, Collection[str]]) -> list[str]:
    if role == PLATFORM_ROLE:
        return [NOT_TO_GIVE]
    grant = model.Grant.parse(role)
    if mistakes := model.grant_mistakes(role):
        return mistakes
    return [NO_SUCH_UNIT] if grant.unit and grant.unit not in known[model.UNIT_ROLES[grant.role]] else []


async def _to_change(tx: Transaction, account_id: UUID) -> Account:
    # Under this lock, so that two who take each other's role at the same moment do it one after the other.
    await tx.lock("accounts")
    account = await store.by_id(tx, account_id, lock=True)
    if account is None:
        raise NotFoundError
    if is_platforms(account):
        raise ForbiddenError
    return account


async def _keep_an_admin(tx: Transaction, *, without: Account) -> None:
    """Raises LastAdminError."""
    if not _administers(without):
        return
    if not any(_administers(one) for one in await store.all_accounts(tx) if one.id != without.id):
        raise LastAdminError


def _administers(account: Account) -> bool:
    return account.active and ADMIN in account.roles and bool(account.password_hash or account.external)


def _fits(account: Account, code: str, now: Any) -> bool:
    if account.code_hash is None or account.code_until is None or not account.active:
        return False
    fresh = now <= account.code_until and not model.is_locked(account, now)
    return hmac.compare_digest(account.code_hash, digest_of(code)) and fresh


def one_time_code(deployment: Deployment) -> str:
    """80 bits as letters and digits that are easy to type."""
    return base64.b32encode(deployment.randomness(CODE_BYTES)).decode()


def digest_of(code: str) -> bytes:
    """How a code is kept; spaces and the size of letters do not count."""
    plain = "".join(one for one in code.upper() if one.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()


async def _record(tx: Transaction, actor: str, action: str, account_id: UUID, **details: str) -> None:
    await audit.record(tx, at=tx.now(), actor=actor, action=action, subject=f"account:{account_id}", **details)
