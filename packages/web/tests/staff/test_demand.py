"""A tenant that demands a second factor: what is open before one was set up, and what counts as one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyotp
import pytest

from servicepunkt.core.people import store as people
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.passkeys import store as passkeys
from servicepunkt.web.passkeys.model import Passkey
from servicepunkt.web.sessions import model as sessions
from servicepunkt.web.sessions import service as session_service

if TYPE_CHECKING:
    from conftest import Town, Visit

STAFF = "/t/strict/staff"
FACTOR = f"{STAFF}/account/second-factor"
PASSKEYS = f"{STAFF}/account/passkeys"


async def strict(here: Town, **settings: Any) -> Any:
    """A town that demands a second factor."""
    return await here._town("strict", name="Strengen", settings={"people": {"second_factor": "required", **settings}})


async def come_in(here: Town, visit: Visit, ctx: Any, login: str, proof: sessions.Proof | None) -> Any:
    """A session that began so, without the pages of the sign-in."""
    async with here.deployment.database.tenant(ctx) as tx:
        account = await people.by_login(tx, login)
    assert account is not None
    cookie = await session_service.start(here.deployment, ctx, account, proof)
    visit.client.cookies.set("sp_session", cookie, domain="points.example.org", path=f"/t/{ctx.slug}")
    return account


async def give_passkey(here: Town, ctx: Any, account: Any) -> None:
    made = Passkey(
        id=account.id, account=account.id, credential=b"c" * 16, public_key=b"", sign_count=0, name="Phone",
        created_at=here.deployment.clock.now(),
    )  # fmt: skip
    async with here.deployment.database.tenant(ctx) as tx:
        await passkeys.insert(tx, made)


async def test_whoever_has_none_sets_one_up_and_sees_nothing_else(
    here: Town, visit: Visit, clock: FixedClock, password: str
) -> None:
    await strict(here)
    await visit.sign_in(prefix="/t/strict")
    for path in ("", "/devices", "/account", "/accounts", "/help"):
        answer = await visit.get(STAFF + path)
        assert (answer.status_code, answer.headers["location"]) == (303, FACTOR), path
    page = (await visit.get(FACTOR)).text
    assert "nur mit einem zweiten Faktor" in page
    assert 'href="/t/strict/staff/devices"' not in page
    refused = await visit.submit(FACTOR, f"{STAFF}/account/password", current="x")
    assert refused.status_code == 403
    assert "SP7046" in refused.text
    assert (await visit.get(PASSKEYS)).status_code == 200
    begun = await visit.submit(PASSKEYS, f"{PASSKEYS}/begin", name="Phone", password=password)
    assert "data-passkey" in begun.text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', (await visit.get(FACTOR)).text)
    assert secret
    code = pyotp.TOTP(secret[1]).at(clock.now())
    done = await visit.submit(FACTOR, FACTOR, secret=secret[1], password=password, code=code)
    assert done.status_code == 303
    assert 'href="/t/strict/staff/devices"' in (await visit.get(STAFF)).text


async def test_setting_one_up_ends_sessions_that_began_without(
    here: Town, visit: Visit, clock: FixedClock, password: str
) -> None:
    await visit.sign_in()
    page = "/t/alpha/staff/account/second-factor"
    async with here.client() as elsewhere:
        await elsewhere.sign_in()
        secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', (await visit.get(page)).text)
        assert secret
        code = pyotp.TOTP(secret[1]).at(clock.now())
        assert (await visit.submit(page, page, secret=secret[1], password=password, code=code)).status_code == 303
        assert (await visit.get("/t/alpha/staff")).status_code == 200
        assert "sign-in" in (await elsewhere.get("/t/alpha/staff")).headers["location"]


async def test_a_password_alone_sets_up_no_second_one_beside_a_passkey(
    here: Town, visit: Visit, clock: FixedClock, password: str
) -> None:
    ctx = await strict(here)
    account = await come_in(here, visit, ctx, "boss", "password")
    await give_passkey(here, ctx, account)
    page = await visit.get(FACTOR)
    assert "Melden Sie sich ab" in page.text
    assert 'name="secret"' not in page.text
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).at(clock.now())
    answer = await visit.submit(FACTOR, FACTOR, secret=secret, password=password, code=code)
    assert answer.status_code == 403
    answer = await visit.submit(FACTOR, f"{PASSKEYS}/begin", name="Mine", password=password)
    assert answer.status_code == 403
    assert (await visit.get(PASSKEYS)).headers["location"] == FACTOR
    async with here.deployment.database.tenant(ctx) as tx:
        found = await people.by_id(tx, account.id)
    assert found is not None
    assert found.totp is None


@pytest.mark.parametrize(("proof", "status"), [("passkey", 200), ("totp", 200), ("openid", 200), ("password", 303)])
async def test_what_counts(here: Town, visit: Visit, proof: sessions.Proof, status: int) -> None:
    await come_in(here, visit, await strict(here), "boss", proof)
    assert (await visit.get(STAFF)).status_code == status


async def test_a_session_of_the_version_before_counts_by_its_account(here: Town, visit: Visit) -> None:
    ctx = await strict(here)
    account = await come_in(here, visit, ctx, "boss", "totp")
    async with here.deployment.database.tenant(ctx) as tx:
        table = session_service.store.session
        await tx.execute(table.update().where(table.c.tenant_id == tx.tenant_id).values(proof=None))
    assert (await visit.get(STAFF)).status_code == 303
    async with here.deployment.database.tenant(ctx) as tx:
        await people.update(tx, account.id, totp=b"sealed")
    assert (await visit.get(STAFF)).status_code == 200


async def test_it_can_be_demanded_of_some_roles(here: Town, visit: Visit) -> None:
    ctx = await strict(here, second_factor_roles=["city_admin"])
    await come_in(here, visit, ctx, "clerk", "password")
    assert (await visit.get(STAFF)).status_code == 200
    await come_in(here, visit, ctx, "boss", "password")
    assert (await visit.get(STAFF)).status_code == 303


async def test_elsewhere_nothing_is_demanded(visit: Visit) -> None:
    await visit.sign_in()
    assert (await visit.get("/t/alpha/staff")).status_code == 200
