"""The accounts of a town and its administration: in, other roles, out; and what nobody can do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.people import service as people_service
from servicepunkt.core.people import store as people
from servicepunkt.core.people.model import Account

if TYPE_CHECKING:
    from conftest import Town, Visit

ACCOUNTS = "/t/alpha/staff/accounts"
FIRST = "/t/alpha/staff/first"
CODE = re.compile(r'<p class="sp-code">([A-Z2-7 ]+)</p>')
CHOSEN = "quite another sentence"


async def account(here: Town, login: str) -> Account:
    async with here.deployment.database.tenant(here.alpha) as tx:
        found = await people.by_login(tx, login)
    assert found is not None
    return found


async def path(here: Town, login: str) -> str:
    return f"{ACCOUNTS}/{(await account(here, login)).id}"


@pytest.fixture
async def boss(visit: Visit) -> Visit:
    await visit.sign_in("boss")
    return visit


async def invited(boss: Visit, **fields: str) -> str:
    """The code of somebody new."""
    form = {"name": "Nora Neu", "login": "Nora", "role-clerk": "on", **fields}
    answer = await boss.submit(f"{ACCOUNTS}/new", ACCOUNTS, **form)
    found = CODE.search(answer.text)
    assert found, answer.text
    return found[1]


async def choose(visit: Visit, code: str, login: str = "nora", password: str = CHOSEN) -> Any:
    return await visit.submit(FIRST, FIRST, login=login, code=code, password=password, again=password)


async def test_somebody_new_chooses_a_password_with_the_code(here: Town, boss: Visit) -> None:
    code = await invited(boss, **{"role-point_staff@hill": "on"})
    page = (await boss.get(ACCOUNTS)).text
    assert "Nora Neu" in page
    assert "Personal am Punkt: Servicepunkt am Berg" in page or "Servicepunkt am Berg" in page
    assert "Wartet auf das erste Passwort" in page
    async with here.client() as nora:
        assert (await choose(nora, code.lower())).status_code == 303
        signed = await nora.submit("/t/alpha/staff/sign-in", "/t/alpha/staff/sign-in", login="nora", password=CHOSEN)
        assert signed.status_code == 303
        assert (await nora.get("/t/alpha/staff/help")).status_code == 200
        assert (await choose(nora, code, password="a third sentence of mine")).status_code == 403, "it is used up"
    assert (await account(here, "nora")).roles == ("clerk", "point_staff@hill")


async def test_a_code_is_one_accounts_and_lasts_a_week(here: Town, boss: Visit) -> None:
    code = await invited(boss)
    async with here.client() as other:
        for login in ("boss", "nobody", "nora\0"):
            assert (await choose(other, code, login=login)).status_code in (403, 422)
        assert (await choose(other, code[:-1] + "A")).status_code == 403
        here.deployment.clock.forward(days=8)
        assert (await choose(other, code)).status_code == 403
    assert (await account(here, "nora")).password_hash == ""


async def test_wrong_codes_lock(here: Town, boss: Visit) -> None:
    code = await invited(boss)
    async with here.client() as other:
        for _ in range(5):
            assert (await choose(other, "AAAA")).status_code == 403
        assert (await choose(other, code)).status_code == 403
        assert "Gesperrt" in (await boss.get(ACCOUNTS)).text
        assert (await boss.submit(ACCOUNTS, await path(here, "nora"), act="unlock")).status_code == 303
        assert (await choose(other, code)).status_code == 303


async def test_an_invited_account_has_no_password(here: Town, boss: Visit) -> None:
    await invited(boss)
    async with here.client() as other:
        for password in ("nobody has this password", " "):
            form = {"login": "nora", "password": password}
            answer = await other.submit("/t/alpha/staff/sign-in", "/t/alpha/staff/sign-in", **form)
            assert answer.status_code == 403


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"login": "boss"}, "Dieser Anmeldename ist vergeben."),
        ({"name": " "}, "Geben Sie einen Namen"),
        ({"login": ""}, "Geben Sie einen Anmeldenamen"),
        ({"role-operator": "on"}, "Diese Rolle vergibt allein der Betreiber"),
        ({"role-king": "on"}, "There is no role"),
        ({"role-clerk@hill": "on"}, "is not for a unit"),
    ],
)
async def test_what_does_not_fit_makes_no_account(
    here: Town, boss: Visit, fields: dict[str, str], sentence: str
) -> None:
    form = {"name": "Nora", "login": "nora", "role-clerk": "on", **fields}
    refused = await boss.submit(f"{ACCOUNTS}/new", ACCOUNTS, **form)
    assert (refused.status_code, sentence in refused.text) == (422, True)
    async with here.deployment.database.tenant(here.alpha) as tx:
        assert await people.by_login(tx, "nora") is None


async def test_who_is_switched_off_is_out_at_once(here: Town, boss: Visit) -> None:
    async with here.client() as clerk:
        await clerk.sign_in("clerk")
        assert (await clerk.get("/t/alpha/staff")).status_code == 200
        assert (await boss.submit(ACCOUNTS, await path(here, "clerk"), act="off")).status_code == 303
        assert (await clerk.get("/t/alpha/staff")).status_code == 303
        assert (await clerk.sign_in("clerk")).status_code == 403
        assert (await boss.submit(ACCOUNTS, await path(here, "clerk"), act="on")).status_code == 303
        assert (await clerk.get("/t/alpha/staff")).status_code == 303, "the old session stays ended"
        assert (await clerk.sign_in("clerk")).status_code == 303


async def test_roles_hold_from_the_next_click(here: Town, boss: Visit) -> None:
    async with here.client() as clerk:
        await clerk.sign_in("clerk")
        assert (await clerk.get("/t/alpha/staff/help")).status_code == 403
        given = await boss.submit(ACCOUNTS, f"{await path(here, 'clerk')}/roles", **{"role-point_staff@hill": "on"})
        assert given.status_code == 303
        assert (await clerk.get("/t/alpha/staff/help")).status_code == 200
    for wrong in ({}, {"role-operator": "on"}, {"role-clerk": "on", "role-nothing": "on"}):
        assert (await boss.submit(ACCOUNTS, f"{await path(here, 'clerk')}/roles", **wrong)).status_code == 422
    assert (await account(here, "clerk")).roles == ("point_staff@hill",)


async def test_a_lost_phone_and_a_forgotten_password(here: Town, boss: Visit) -> None:
    found = await account(here, "clerk")
    async with here.deployment.database.tenant(here.alpha) as tx:
        await people.update(tx, found.id, totp=b"sealed")
    async with here.client() as clerk:
        await boss.submit(ACCOUNTS, await path(here, "clerk"), act="second_factor")
        assert (await account(here, "clerk")).totp is None
        assert (await clerk.sign_in("clerk")).status_code == 303
        answer = await boss.submit(ACCOUNTS, await path(here, "clerk"), act="code")
        found_code = CODE.search(answer.text)
        assert found_code
        assert (await clerk.get("/t/alpha/staff")).status_code == 303, "every session has ended"
        assert (await clerk.sign_in("clerk")).status_code == 403
        assert (await choose(clerk, found_code[1], login="clerk")).status_code == 303


@pytest.mark.parametrize("fields", [{"act": "off"}, {"act": "code"}, {"role-clerk": "on"}])
async def test_the_last_one_who_administers_stays(here: Town, boss: Visit, fields: dict[str, str]) -> None:
    more = "" if "act" in fields else "/roles"
    await invited(boss, **{"role-city_admin": "on"})  # has no password yet, so does not count
    refused = await boss.submit(ACCOUNTS, (await path(here, "boss")) + more, **fields)
    assert (refused.status_code, "Niemand bliebe" in refused.text) == (409, True)
    assert (await account(here, "boss")).roles[0] == "city_admin"
    await boss.submit(ACCOUNTS, f"{await path(here, 'clerk')}/roles", **{"role-city_admin": "on"})
    assert (await boss.submit(ACCOUNTS, (await path(here, "boss")) + more, **fields)).status_code in (200, 303)


async def test_an_operators_account_is_not_the_citys(here: Town, boss: Visit) -> None:
    async with here.deployment.database.tenant(here.alpha) as tx:
        await people_service.create_account(
            tx, at=tx.now(), actor="t", login="op", name="Op", password=CHOSEN, roles=("operator", "city_admin")
        )
    for fields in ({"act": "off"}, {"act": "code"}, {"act": "second_factor"}, {"act": "unlock"}):
        assert (await boss.submit(ACCOUNTS, await path(here, "op"), **fields)).status_code == 403
    assert (await boss.submit(ACCOUNTS, f"{await path(here, 'op')}/roles", **{"role-clerk": "on"})).status_code == 403
    page = (await boss.get(await path(here, "op"))).text
    assert "Betreiber der Plattform" in page
    assert '<form method="post" action="/t/alpha/staff/accounts/' not in page


@pytest.mark.parametrize("login", ["clerk", "guide", "editor"])
async def test_nobody_else_gets_there(here: Town, login: str) -> None:
    async with here.client() as other:
        await other.sign_in(login)
        for page in (ACCOUNTS, f"{ACCOUNTS}/new", await path(here, "boss")):
            assert (await other.get(page)).status_code == 403


async def test_the_chain_says_who_did_what(here: Town, boss: Visit) -> None:
    await invited(boss)
    await boss.submit(ACCOUNTS, await path(here, "nora"), act="off")
    async with here.deployment.database.tenant(here.alpha) as tx:
        entries = [entry async for entry in audit.entries(tx)]
    actor = f"account:{(await account(here, 'boss')).id}"
    assert [(one.action, one.actor) for one in entries[-2:]] == [("account.create", actor), ("account.off", actor)]
    assert "Nora" not in repr(entries)


async def test_a_role_is_given_for_a_unit_that_is_there(here: Town, boss: Visit) -> None:
    answer = await boss.submit(f"{ACCOUNTS}/new", ACCOUNTS, login="nora", name="Nora", **{"role-host@nowhere": "on"})
    assert (answer.status_code, "gibt es nicht mehr" in answer.text) == (422, True)
    async with here.deployment.database.tenant(here.alpha) as tx:
        assert await people.by_login(tx, "nora") is None
