"""The console: who gets in, what it says of each tenant, what is settled there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.operators import service, store
from servicepunkt.core.operators.meters import Used
from servicepunkt.core.operators.store import Process
from servicepunkt.core.quotas import SECTION, LimitSettings
from servicepunkt.core.testing import make_tenant

if TYPE_CHECKING:
    from conftest import Town, Visit

CONSOLE = "/t/alpha/staff/operator"
PAGES = ("", "/use", "/health", "/tenants/beta")


@pytest.mark.parametrize("path", PAGES)
async def test_an_operator_sees_it(operator: Visit, path: str) -> None:
    answer = await operator.get(CONSOLE + path)
    assert answer.status_code == 200, answer.text
    assert 'href="/t/alpha/staff/operator" aria-current="page"' in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_nobody_else_does(here: Town, operators: Any, path: str) -> None:
    await operators.account(here.alpha, "weak", ("operator",), totp=False)
    await operators.account(here.beta, "other", ("operator",), totp=True)
    async with here.client() as visit:
        assert "/staff/sign-in" in (await visit.get(CONSOLE + path)).headers["location"]
        await visit.sign_in("boss")
        assert (await visit.get(CONSOLE + path)).status_code == 403
        assert "/staff/operator" not in (await visit.get("/t/alpha/staff")).text
    async with here.client() as visit:
        await visit.sign_in("weak")
        answer = await visit.get(CONSOLE + path)
        assert answer.status_code == 403
        assert "SP8201" in answer.text
    async with here.client() as visit:
        await operators.sign_in(visit, "other", "/t/beta")
        answer = await visit.get(f"/t/beta/staff/operator{path}")
        assert answer.status_code == 404
        assert "/staff/operator" not in (await visit.get("/t/beta/staff")).text


async def test_elsewhere_the_pages_do_not_exist_whatever_the_verb(here: Town, visit: Visit) -> None:
    for verb in ("GET", "POST", "DELETE", "OPTIONS"):
        for path in (*PAGES, "/tenants/beta/pause", "/act/beta"):
            answer = await visit.client.request(verb, f"/t/beta/staff/operator{path}")
            assert answer.status_code == 404, (verb, path)


async def use(here: Town, tenant: int, **used: Any) -> None:
    """What another process wrote of a tenant a moment ago."""
    now = here.deployment.clock.now()
    me = Process(id=service.new_id(), kind="serve", version="1", started_at=now, seen_at=now)
    async with here.deployment.database.platform("test") as connection:
        await store.add_usage(connection, now.replace(second=0, microsecond=0), me.id, {tenant: Used(**used)})


def rows(answer: Any) -> list[str]:
    """The names in the list, from top to bottom."""
    assert answer.status_code == 200, answer.text
    return re.findall(r'<th class="kern-table__header" scope="row"><a[^>]*>([^<]*)</a>', answer.text)


async def test_the_list_is_sorted_and_filtered_by_links_and_forms(here: Town, operator: Visit) -> None:
    await use(here, here.beta.id, requests=90, seconds=9.0, refused=3)
    await use(here, here.alpha.id, requests=10, seconds=1.0)
    answer = await operator.get(f"{CONSOLE}?sort=requests&down=1")
    page = answer.text
    assert rows(answer) == ["Bergstadt", "Seeburg"]
    assert "90 %" in page
    assert 'aria-sort="descending"' in page
    assert rows(await operator.get(f"{CONSOLE}?sort=requests")) == ["Seeburg", "Bergstadt"]
    assert rows(await operator.get(f"{CONSOLE}?q=berg&state=rehearsal&plugin=web")) == ["Bergstadt"]
    assert rows(await operator.get(f"{CONSOLE}?state=live")) == []
    assert rows(await operator.get(f"{CONSOLE}?q=%25")) == []
    assert (await operator.get(f"{CONSOLE}?sort=settings")).status_code == 422
    assert (await operator.get(f"{CONSOLE}?after=W10")).status_code == 422


async def test_use_of_all_processes_together_and_only_of_late(here: Town, operator: Visit) -> None:
    for _ in range(3):
        await use(here, here.beta.id, requests=10, jobs=2)
    assert (await service.one(here.deployment, "beta", minutes=5)).used.requests == 30
    here.deployment.clock.forward(minutes=6)
    assert (await service.one(here.deployment, "beta", minutes=5)).used.requests == 0
    assert (await service.one(here.deployment, "beta", minutes=60)).used.jobs == 6
    assert "Bergstadt" in (await operator.get(f"{CONSOLE}/use?sort=jobs&down=1&minutes=60")).text


async def test_requests_are_counted_for_the_tenant_that_answered(here: Town, visit: Visit) -> None:
    here.deployment.meters.take()
    for _ in range(3):
        assert (await visit.get("/t/beta/")).status_code == 200
    used = here.deployment.meters.take()
    assert list(used) == [here.beta.id]
    assert used[here.beta.id].requests == 3
    assert 0 < used[here.beta.id].database_seconds < used[here.beta.id].seconds
    assert used[here.beta.id].refused == 0


async def settle(operator: Visit, action: str, **form: str) -> Any:
    page = f"{CONSOLE}/tenants/beta"
    return await operator.submit(page, f"{page}/{action}", **form)


async def test_limits_stand_above_the_file_with_a_line_in_the_chain(here: Town, operator: Visit, chain: Any) -> None:
    assert (await settle(operator, "limits", accounts="7", requests="2,5", reason="as agreed")).status_code == 303
    found = await here.deployment.directory.by_slug("beta")
    assert found.section(SECTION, LimitSettings).accounts == 7
    assert found.section(SECTION, LimitSettings).requests == 2.5
    assert found.section(SECTION, LimitSettings).devices == 500
    (line,) = await chain(here.beta, "operator.limits")
    assert line.details == {"reason": "as agreed", "accounts": 7, "requests": "2.5"}
    (own,) = await chain(here.alpha, "operator.limits")
    assert (own.actor, own.subject) == (line.actor, line.subject)


@pytest.mark.parametrize(
    ("action", "form", "sentence"),
    [
        ("limits", {"accounts": "7"}, "Begründung"),
        ("limits", {"accounts": "x", "reason": "r"}, "Zahl"),
        ("limits", {"accounts": "7.5", "reason": "r"}, "Zahl"),
        ("slow", {"slow_requests": "0", "reason": "r"}, "Zahl"),
        ("pause", {"reason": " "}, "Begründung"),
    ],
)
async def test_what_does_not_fit_is_said_and_changes_nothing(
    here: Town, urls: Any, operator: Visit, chain: Any, action: str, form: dict[str, str], sentence: str
) -> None:
    await make_tenant(here.deployment, urls.owner, "beta", name="Bergstadt", state="live")
    before = await here.deployment.directory.by_slug("beta")
    answer = await settle(operator, action, **form)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert await here.deployment.directory.by_slug("beta") == before
    assert await chain(here.beta, "operator.limits", "operator.slow", "operator.pause") == []


async def test_a_pause_closes_pages_and_its_end_opens_them(
    here: Town, urls: Any, operator: Visit, visit: Visit, chain: Any
) -> None:
    assert (await settle(operator, "pause", reason="r")).status_code == 409, "it is in rehearsal"
    await make_tenant(here.deployment, urls.owner, "beta", name="Bergstadt", state="live")
    assert (await settle(operator, "pause", reason="they asked")).status_code == 303
    assert (await visit.get("/t/beta/")).status_code == 503
    assert (await settle(operator, "pause", reason="again")).status_code == 409
    # A file that is applied by the town does not end it.
    await make_tenant(here.deployment, urls.owner, "beta", name="Bergstadt", state="live")
    assert (await visit.get("/t/beta/")).status_code == 503
    assert (await settle(operator, "resume", reason="they asked")).status_code == 303
    assert (await visit.get("/t/beta/")).status_code == 200
    lines = await chain(here.beta, "operator.pause", "operator.resume")
    assert [line.action for line in lines] == ["operator.pause", "operator.resume"]
    assert all(line.details == {"reason": "they asked"} for line in lines)


async def test_a_tenant_is_calmed_down_for_an_hour_and_no_longer(
    here: Town, operator: Visit, visit: Visit, chain: Any
) -> None:
    async def answers() -> list[int]:
        return [(await visit.get("/t/beta/")).status_code for _ in range(12)]

    assert (await settle(operator, "slow", slow_requests="0.1", reason="flood")).status_code == 303
    here.deployment.meters.take()
    found = await answers()
    assert found == [200] + [429] * 11
    assert here.deployment.meters.take()[here.beta.id].refused == 11
    assert (await visit.get("/t/alpha/")).status_code == 200
    here.deployment.clock.forward(minutes=59)
    assert 429 in await answers()
    here.deployment.clock.forward(minutes=1)
    assert await answers() == [200] * 12
    (line,) = await chain(here.beta, "operator.slow")
    assert line.details == {"reason": "flood", "requests": "0.1"}


async def test_the_rows_of_a_tenant_are_counted_and_not_shown(here: Town, operator: Visit) -> None:
    assert (await settle(operator, "count")).status_code == 303
    found = await service.one(here.deployment, "beta")
    assert found.counts["account"] == 5
    assert found.counts["audit_entry"] >= 5
    text = (await operator.get(f"{CONSOLE}/tenants/beta")).text
    assert "<dt>account</dt><dd>5</dd>" in text
    assert "Boss" not in text


async def test_processes_are_there_until_they_are_silent(here: Town, operator: Visit) -> None:
    assert "Seiten" in (await operator.get(f"{CONSOLE}/health")).text
    here.deployment.clock.forward(minutes=4)
    assert "since" not in (await operator.get(f"{CONSOLE}/health")).text
    async with here.deployment.database.platform("test") as connection:
        assert len(await store.processes(connection, here.deployment.clock.now() - timedelta(hours=1))) == 1


async def test_a_passkey_opens_it_and_a_password_without_the_code_does_not(here: Town, operators: Any) -> None:
    from servicepunkt.web.sessions import service as sessions

    account = await operators.account(here.alpha, "keys", ("operator",), totp=False)
    for proof, status in (("passkey", 200), ("password", 403), ("openid", 403)):
        cookie = await sessions.start(here.deployment, here.alpha, account, proof)
        async with here.client() as visit:
            assert (await visit.get(CONSOLE, headers={"cookie": f"sp_session={cookie}"})).status_code == status, proof
