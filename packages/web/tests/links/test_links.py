"""A person with accounts in two towns: linked by a code, switched by a ticket, ended from either side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import store as audit
from servicepunkt.core.people import store as accounts
from servicepunkt.core.people.links import service, store
from servicepunkt.core.people.settings import SECTION, PeopleSettings
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Town, Visit

    from servicepunkt.core.people.model import Account
    from servicepunkt.core.tenancy.model import TenantContext

A, B = "/t/alpha/staff", "/t/beta/staff"
LINKS = "/account/links"
CODE = re.compile(r'<p class="sp-secret">([A-Z2-7 ]+)</p>')
TICKET = re.compile(r'action="([^"]+)" class="sp-form" data-switch>\s*<input type="hidden" name="ticket" value="(\w+)"')
SWITCHES = re.compile(r'action="(/t/\w+/staff/switch/[^"]+)"')


async def account_of(here: Town, ctx: TenantContext, login: str) -> Account:
    async with here.deployment.database.tenant(ctx) as tx:
        found = await accounts.by_login(tx, login)
    assert found is not None
    return found


async def make_code(visit: Visit, password: str, at: str = A) -> str:
    answer = await visit.submit(at + LINKS, f"{at}{LINKS}/code", password=password)
    found = CODE.search(answer.text)
    assert found, answer.text
    return found[1]


async def link(here: Town, visit: Visit, password: str, login: str = "clerk") -> None:
    """The clerk of the first town is the `login` of the second one."""
    await visit.sign_in("clerk")
    code = await make_code(visit, password)
    async with here.client() as there:
        await there.sign_in(login, "/t/beta")
        answer = await there.submit(B + LINKS, B + LINKS, link_code=code.lower(), password=password)
        assert answer.status_code == 303, answer.text


async def to_beta(visit: Visit) -> tuple[str, str]:
    """(where the ticket goes, the ticket)."""
    found = SWITCHES.search((await visit.get(A)).text)
    assert found, "the bar shows no other tenant"
    answer = await visit.submit(A, found[1])
    assert answer.status_code == 200, answer.text
    form = TICKET.search(answer.text)
    assert form, answer.text
    return form[1], form[2]


async def test_a_person_switches_without_signing_in_again(here: Town, visit: Visit, password: str) -> None:
    await link(here, visit, password)
    assert "Bergstadt" in (await visit.get(A)).text
    action, ticket = await to_beta(visit)
    assert action == "/t/beta/staff/switch"
    assert "sign-in" in (await visit.get(B)).headers["location"]
    answer = await visit.client.post(action, data={"ticket": ticket})
    assert answer.status_code == 200, answer.text
    page = (await visit.get(B)).text
    assert "Clerk" in page
    assert "Seeburg" in page, "and back again"
    again = await visit.client.post(action, data={"ticket": ticket})
    assert (again.status_code, "SP7042" in again.text) == (403, True)


async def test_a_ticket_is_one_browsers_and_ends(here: Town, visit: Visit, clock: FixedClock, password: str) -> None:
    await link(here, visit, password)
    action, ticket = await to_beta(visit)
    async with here.client() as thief:
        assert (await thief.client.post(action, data={"ticket": ticket})).status_code == 403
    assert (await visit.client.post(action, data={"ticket": ticket})).status_code == 403, "it was shown once"
    action, ticket = await to_beta(visit)
    clock.forward(seconds=31)
    visit.client.cookies.set("sp_switch", visit.client.cookies.get("sp_switch") or "", path="/")
    assert (await visit.client.post(action, data={"ticket": ticket})).status_code == 403
    action, ticket = await to_beta(visit)
    elsewhere = await visit.client.post("/t/alpha/staff/switch", data={"ticket": ticket})
    assert elsewhere.status_code == 403, "it is for the other tenant"


async def test_across_hosts_the_browser_says_where_it_comes_from(here: Town, password: str) -> None:
    gamma = await here._town("gamma", name="Talheim", hosts=["gamma.example.org"])
    alpha, other = await account_of(here, here.alpha, "clerk"), await account_of(here, gamma, "guide")
    code = await service.make_code(here.deployment, here.alpha, alpha)
    await service.take_code(here.deployment, gamma, other, code)
    async with here.client("http://alpha.example.org") as mine, here.client("http://gamma.example.org") as there:
        await mine.submit("/staff/sign-in", "/staff/sign-in", login="clerk", password=password)
        for origin, status in (("http://evil.example.org", 403), ("null", 403), ("", 200)):
            bar = re.search(r'action="(/staff/switch/[^"]+)"', (await mine.get("/staff")).text)
            assert bar
            page = await mine.submit("/staff", bar[1])
            form = TICKET.search(page.text)
            assert form
            port = form[1].removeprefix("http://gamma.example.org").removesuffix("/staff/switch")
            assert f"http://gamma.example.org{port}" in page.headers["content-security-policy"]
            assert page.headers["referrer-policy"] == "strict-origin", "otherwise the browser says nothing"
            said = {"origin": origin or f"http://alpha.example.org{port}"}
            answer = await there.client.post("/staff/switch", data={"ticket": form[2]}, headers=said)
            assert answer.status_code == status, answer.text
        assert "Guide" in (await there.get("/staff")).text


@pytest.mark.parametrize("side", ["alpha", "beta"])
async def test_an_end_on_either_side_ends_sessions_at_once(here: Town, visit: Visit, password: str, side: str) -> None:
    await link(here, visit, password)
    action, ticket = await to_beta(visit)
    await visit.client.post(action, data={"ticket": ticket})
    _, waiting = await to_beta(visit)
    ctx = getattr(here, side)
    mine = await account_of(here, ctx, "clerk")
    ((number, _),) = await service.others(here.deployment, ctx, mine.id)
    page = f"/t/{side}/staff{LINKS}"
    assert (await visit.submit(page, f"{page}/{number}/remove")).status_code == 303
    assert "sign-in" in (await visit.get(B)).headers["location"]
    assert "Bergstadt" not in (await visit.get(A)).text
    assert (await visit.client.post(action, data={"ticket": waiting})).status_code == 403


async def test_a_code_counts_once_for_ten_minutes_elsewhere(
    here: Town, visit: Visit, clock: FixedClock, password: str
) -> None:
    await visit.sign_in("clerk")
    code = await make_code(visit, password)
    own = await visit.submit(A + LINKS, A + LINKS, link_code=code, password=password)
    assert (own.status_code, "nicht angenommen" in own.text) == (403, True)
    async with here.client() as there:
        await there.sign_in("clerk", "/t/beta")
        for wait in (0, 601):
            code = await make_code(visit, password) if wait else code
            clock.forward(seconds=wait)
            answer = await there.submit(B + LINKS, B + LINKS, link_code=code, password=password)
            assert answer.status_code == 403, "used up by the wrong tenant, and over"


async def test_two_accounts_are_linked_once(here: Town, visit: Visit, password: str) -> None:
    await link(here, visit, password)
    code = await make_code(visit, password)
    async with here.client() as there:
        await there.sign_in("clerk", "/t/beta")
        answer = await there.submit(B + LINKS, B + LINKS, link_code=code, password=password)
        assert (answer.status_code, "nicht angenommen" in answer.text) == (403, True)
    alpha = await account_of(here, here.alpha, "clerk")
    assert len(await service.others(here.deployment, here.alpha, alpha.id)) == 1


async def test_wrong_codes_lock_as_wrong_passwords_do(here: Town) -> None:
    alpha, beta = await account_of(here, here.alpha, "clerk"), await account_of(here, here.beta, "clerk")
    for _ in range(5):
        with pytest.raises(service.LinkCodeError):
            await service.take_code(here.deployment, here.beta, beta, "WRONG")
    code = await service.make_code(here.deployment, here.alpha, alpha)
    with pytest.raises(service.LinkCodeError):
        await service.take_code(here.deployment, here.beta, beta, code)
    assert await service.others(here.deployment, here.beta, beta.id) == []


async def test_a_session_alone_links_nothing(visit: Visit) -> None:
    await visit.sign_in("clerk")
    answer = await visit.submit(A + LINKS, f"{A}{LINKS}/code")
    assert (answer.status_code, "SP7043" in answer.text) == (403, True)
    answer = await visit.submit(A + LINKS, f"{A}{LINKS}/code", password="wrong")
    assert answer.status_code == 403


async def linked(here: Town) -> tuple[Account, Account, Any]:
    alpha, beta = await account_of(here, here.alpha, "clerk"), await account_of(here, here.beta, "clerk")
    code = await service.make_code(here.deployment, here.alpha, alpha)
    await service.take_code(here.deployment, here.beta, beta, code)
    ((number, _),) = await service.others(here.deployment, here.alpha, alpha.id)
    return alpha, beta, number


@pytest.mark.parametrize("change", [{"active": False}, {"roles": ()}])
async def test_who_may_not_enter_there_does_not(here: Town, change: dict[str, Any]) -> None:
    alpha, beta, number = await linked(here)
    now = here.deployment.clock.now()
    ticket = await service.begin_switch(
        here.deployment, here.alpha, alpha, number, browser=b"b", proof="password", began_at=now
    )
    async with here.deployment.database.tenant(here.beta) as tx:
        await accounts.update(tx, beta.id, **change)
    with pytest.raises(service.SwitchError):
        await service.finish_switch(here.deployment, here.beta, ticket, {b"b"})


async def test_the_other_tenants_rule_for_second_factors_holds(here: Town) -> None:
    strict = await here._town("strict", settings={SECTION: {"second_factor": "required"}})
    assert isinstance(strict.settings[SECTION], PeopleSettings)
    alpha, there = await account_of(here, here.alpha, "clerk"), await account_of(here, strict, "clerk")
    code = await service.make_code(here.deployment, here.alpha, alpha)
    await service.take_code(here.deployment, strict, there, code)
    ((number, _),) = await service.others(here.deployment, here.alpha, alpha.id)
    now = here.deployment.clock.now()
    for proof in ("password", "openid"):
        with pytest.raises(service.StrongerSignInError):
            await service.begin_switch(
                here.deployment, here.alpha, alpha, number, browser=b"b", proof=proof, began_at=now
            )
    ticket = await service.begin_switch(
        here.deployment, here.alpha, alpha, number, browser=b"b", proof="passkey", began_at=now
    )
    account, _ = await service.finish_switch(here.deployment, strict, ticket, {b"b"})
    assert account.id == there.id


@pytest.mark.parametrize("act", ["code", "second_factor"])
async def test_whoever_gets_an_account_from_an_administrator_gets_no_other_tenant_with_it(
    here: Town, visit: Visit, act: str
) -> None:
    alpha, beta, _ = await linked(here)
    await visit.sign_in()
    page = f"{A}/accounts/{alpha.id}"
    assert (await visit.submit(page, page, act=act)).status_code in (200, 303)
    assert await service.others(here.deployment, here.alpha, alpha.id) == []
    assert await service.others(here.deployment, here.beta, beta.id) == []


async def test_both_chains_tell_by_their_own_ids_and_name_no_other_tenant(here: Town) -> None:
    alpha, beta, number = await linked(here)
    await service.end(here.deployment, here.beta, beta.id, number)
    for ctx, own, other in ((here.alpha, alpha, beta), (here.beta, beta, alpha)):
        async with here.deployment.database.tenant(ctx) as tx:
            found = [one async for one in audit.entries(tx)]
        told = [(one.action, one.actor) for one in found if one.action in ("account.link", "account.unlink")]
        by = f"link:{number}" if ctx is here.alpha else f"account:{beta.id}"
        assert told == [("account.link", by), ("account.unlink", by)]
        said = " ".join(map(repr, found))
        assert str(own.id) in said
        assert str(other.id) not in said


async def test_the_application_may_not_change_a_link_and_the_tables_hold_no_name(here: Town) -> None:
    await linked(here)
    for table in store.TABLES:
        with pytest.raises(sa.exc.ProgrammingError):
            async with here.deployment.database.platform("test") as connection:
                await connection.execute(sa.update(table).values(tenant=1))
        assert not {"name", "login"} & set(table.c.keys())


async def test_a_tenant_that_is_deleted_leaves_no_link_behind(here: Town) -> None:
    alpha, beta, _ = await linked(here)
    await service.make_code(here.deployment, here.beta, beta)
    async with here.deployment.database.platform("test") as connection:
        await store.forget(connection, here.beta.id)
        for table in store.TABLES:
            assert (await connection.execute(sa.select(table))).all() == [], table.name
    assert await service.others(here.deployment, here.alpha, alpha.id) == []
