"""An operator with a second factor at home in the first town, and one without."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from servicepunkt.core.people import service as people
from servicepunkt.core.people import store as accounts
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from conftest import Town, Visit

    from servicepunkt.core.people.model import Account

PASSWORD = "a long sentence to sign in"
SECRET = base64.b32encode(b"twenty bytes of seed").decode()


class Operators:
    """What tests do as operators."""

    def __init__(self, here: Town) -> None:
        self.here = here

    async def account(self, ctx: TenantContext, login: str, roles: tuple[str, ...], *, totp: bool) -> Account:
        deployment = self.here.deployment
        now = deployment.clock.now()
        async with deployment.database.tenant(ctx) as tx:
            made = await people.create_account(
                tx, at=now, actor="test", login=login, name=login.title(), password=PASSWORD, roles=roles
            )
            if totp:
                await people.enable_totp(deployment, tx, made, SECRET, self.code())
            return await accounts.by_id(tx, made.id) or made

    def code(self) -> str:
        return pyotp.TOTP(SECRET).at(self.here.deployment.clock.now())

    async def sign_in(self, visit: Visit, login: str, prefix: str = "/t/alpha") -> None:
        self.here.deployment.clock.forward(seconds=60)  # a code counts once
        form = {"login": login, "password": PASSWORD, "code": self.code()}
        answer = await visit.submit(f"{prefix}/staff/sign-in", f"{prefix}/staff/sign-in", **form)
        assert answer.status_code == 303, answer.text


@pytest.fixture
async def operators(here: Town) -> Operators:
    return Operators(here)


@pytest.fixture
async def operator(here: Town, operators: Operators) -> AsyncIterator[Visit]:
    """The browser of an operator of the platform who has signed in."""
    await operators.account(here.alpha, "olga", ("operator",), totp=True)
    async with here.client() as visit:
        await operators.sign_in(visit, "olga")
        yield visit


@pytest.fixture
def chain(here: Town) -> Any:
    """The lines of a tenant's audit chain that have one of these actions."""
    from servicepunkt.core.audit import store

    async def lines(ctx: TenantContext, *actions: str) -> list[Any]:
        async with here.deployment.database.tenant(ctx) as tx:
            return [entry async for entry in store.entries(tx) if entry.action in actions]

    return lines
