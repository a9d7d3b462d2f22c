"""An operator sees a town's pages with its consent alone: what opens them, what ends that, what stays closed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from litestar.handlers import HTTPRouteHandler

from servicepunkt.core.audit import service as audit
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.operators.consents import model, service
from servicepunkt.core.people import store as accounts
from servicepunkt.core.people.model import ROLES
from servicepunkt.web.app import create_litestar
from servicepunkt.web.operators.service import COOKIE, LENT

if TYPE_CHECKING:
    from conftest import Town, Visit

TENANT = "/t/alpha/staff/operator/tenants/beta"
ACT = "/t/alpha/staff/operator/act/beta"
CONSENTS = "/t/beta/staff/consents"
PLACES = {"uuid": str(uuid4()), "int": "1", "str": "card"}


async def give(here: Town, role: str = "editor", *, hours: float = 2, later: float = 0, slug: str = "beta") -> Any:
    ctx, now = getattr(here, slug), here.deployment.clock.now()
    async with here.deployment.database.tenant(ctx) as tx:
        boss = await accounts.by_login(tx, "boss")
    starts = now + timedelta(hours=later)
    return await service.give(
        here.deployment, ctx, by=boss, role=role, reason="look at it", starts_at=starts,
        ends_at=starts + timedelta(hours=hours),
    )  # fmt: skip


async def file(here: Town) -> None:
    """The town's own files, which editors write above."""
    async with here.deployment.database.tenant(here.beta) as tx:
        await importing.put_files(tx, await catalogues.newest(tx), at=tx.now())


async def begin(operator: Visit, consent: Any, act: str = ACT) -> Any:
    return await operator.submit(TENANT, act, consent=str(consent))


async def is_in(operator: Visit) -> bool:
    return (await operator.get("/t/beta/staff")).status_code == 200


async def test_with_a_consent_an_operator_is_in_and_it_is_said_on_every_page(here: Town, operator: Visit) -> None:
    consent = await give(here)
    assert str(consent.id) in (await operator.get(TENANT)).text
    assert not await is_in(operator)
    answer = await begin(operator, consent.id)
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/beta/staff")
    assert "Path=/t/beta;" in answer.headers["set-cookie"]
    for path in ("", "/catalogue", "/answers", "/devices"):
        text = (await operator.get(f"/t/beta/staff{path}")).text
        assert "Olga, Betrieb der Plattform" in text, path
        assert 'action="/t/beta/staff/acting/end"' in text, path
    assert "Olga, Betrieb" not in (await operator.get("/t/alpha/staff")).text
    assert (await operator.get("/t/alpha/staff/operator")).status_code == 200


async def test_the_operator_ends_it(here: Town, operator: Visit, chain: Any) -> None:
    consent = await give(here)
    await begin(operator, consent.id)
    stolen = operator.client.cookies.get(COOKIE)
    assert (await operator.submit("/t/beta/staff", "/t/beta/staff/acting/end")).status_code == 303
    assert not await is_in(operator)
    assert await service.acting(here.deployment, here.beta, stolen) is None
    for ctx in (here.alpha, here.beta):
        lines = await chain(ctx, "operator.begin", "operator.change", "operator.end")
        assert [line.action for line in lines] == ["operator.begin", "operator.end"]
        assert {line.subject for line in lines} == {f"consent:{consent.id}"}
        assert all(re.fullmatch(rf"operator:[0-9a-f-]+/consent:{consent.id}", line.actor) for line in lines)


async def test_signing_out_ends_it_as_well(here: Town, operator: Visit) -> None:
    await begin(operator, (await give(here)).id)
    await operator.submit("/t/beta/staff", "/t/beta/staff/sign-out")
    assert not await is_in(operator)


async def test_taken_back_it_ends_with_the_next_click(here: Town, operator: Visit, chain: Any) -> None:
    consent = await give(here)
    await begin(operator, consent.id)
    assert await is_in(operator)
    async with here.client() as boss:
        await boss.sign_in("boss", "/t/beta")
        answer = await boss.submit(CONSENTS, f"{CONSENTS}/{consent.id}/withdraw")
        assert answer.status_code == 303
        assert "Zurückgenommen" in (await boss.get(CONSENTS)).text
        assert (await boss.submit(CONSENTS, f"{CONSENTS}/{consent.id}/withdraw")).status_code == 403
    assert not await is_in(operator)
    assert (await begin(operator, consent.id)).status_code == 403
    for ctx in (here.alpha, here.beta):
        assert [line.action for line in await chain(ctx, "operator.begin", "operator.end")] == [
            "operator.begin",
            "operator.end",
        ]
    assert len(await chain(here.beta, "consent.give", "consent.withdraw")) == 2


async def test_when_it_is_over_or_nobody_clicks_it_is_over(here: Town, operator: Visit) -> None:
    await begin(operator, (await give(here, hours=1)).id)
    here.deployment.clock.forward(minutes=29)
    assert await is_in(operator)
    here.deployment.clock.forward(minutes=30)
    assert not await is_in(operator)
    await give(here, hours=0.4)
    other = await give(here, hours=0.4)
    async with here.client() as again:
        here.deployment.clock.forward(seconds=1)
        again.client.cookies = operator.client.cookies
        assert model.opens(other, uuid4(), here.deployment.clock.now())
        here.deployment.clock.forward(minutes=24)
        assert not model.opens(other, uuid4(), here.deployment.clock.now())


async def test_without_a_consent_that_holds_there_is_no_way(here: Town, operator: Visit, operators: Any) -> None:
    """Forged, of another town, not yet begun, ended: the same words; and nothing is written."""
    later, ended = await give(here, later=2), await give(here, hours=0.5)
    foreign = await give(here, slug="alpha")
    here.deployment.clock.forward(minutes=31)
    await operators.sign_in(operator, "olga")
    for consent in (uuid4(), later.id, ended.id, foreign.id):
        answer = await begin(operator, consent)
        assert answer.status_code == 403, consent
        assert "SP8203" in answer.text
    assert (await begin(operator, foreign.id, "/t/alpha/staff/operator/act/alpha")).status_code == 403, "at home"
    assert (await begin(operator, "nonsense")).status_code == 422
    assert (await begin(operator, uuid4(), "/t/alpha/staff/operator/act/none")).status_code == 404
    for value in ("", "0" * 64, "x" * 64, operator.client.cookies.get("sp_session", path="/t/alpha")):
        assert await service.acting(here.deployment, here.beta, value or "") is None
    assert not await is_in(operator)


async def test_another_operator_cannot_use_it(here: Town, operator: Visit, operators: Any) -> None:
    consent = await give(here)
    await begin(operator, consent.id)
    await operators.account(here.alpha, "otto", ("operator",), totp=True)
    async with here.client() as other:
        await operators.sign_in(other, "otto")
        assert str(consent.id) not in (await other.get(TENANT)).text
        assert (
            await other.submit("/t/alpha/staff/operator/tenants/beta", ACT, consent=str(consent.id))
        ).status_code == 403
        assert not await is_in(other)
    assert await is_in(operator)


async def test_a_session_of_one_town_is_none_in_another(here: Town, operator: Visit) -> None:
    await begin(operator, (await give(here)).id)
    value = operator.client.cookies.get(COOKIE)
    assert await service.acting(here.deployment, here.beta, value) is not None
    assert await service.acting(here.deployment, here.alpha, value) is None


async def test_who_is_no_operator_any_more_is_out(here: Town, operator: Visit) -> None:
    await begin(operator, (await give(here)).id)
    assert await is_in(operator)
    async with here.deployment.database.tenant(here.alpha) as tx:
        olga = await accounts.by_login(tx, "olga")
        await accounts.update(tx, olga.id, roles=("editor",))
    assert not await is_in(operator)
    async with here.deployment.database.tenant(here.alpha) as tx:
        await accounts.update(tx, olga.id, roles=("operator",), active=False)
    assert not await is_in(operator)


async def test_only_the_administration_gives_one(here: Town, visit: Visit, operator: Visit) -> None:
    await visit.sign_in("editor", "/t/beta")
    assert (await visit.get(CONSENTS)).status_code == 403
    await begin(operator, (await give(here)).id)
    assert (await operator.get(CONSENTS)).status_code == 403
    token = re.search(r'name="_csrf_token" value="([^"]+)"', (await operator.get("/t/beta/staff")).text)
    answer = await operator.client.post(CONSENTS, data={"_csrf_token": token[1], "role": "editor"})
    assert (answer.status_code, "SP8204" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"role": "clerk"}, "Diese Rolle kann nicht geliehen werden."),
        ({"role": "city_admin"}, "Diese Rolle kann nicht geliehen werden."),
        ({"ends": "2026-11-22T03:42"}, "spätestens nach acht Stunden"),
        ({"ends": "2026-11-21T19:00"}, "spätestens nach acht Stunden"),
        ({"starts": "2026-11-21T19:00"}, "Sie beginnt jetzt"),
        ({"starts": "2026-13-41T19:00"}, "einen Tag und eine Uhrzeit"),
        ({"reason": ""}, "Begründung"),
    ],
)
async def test_a_consent_that_does_not_fit_is_refused(
    here: Town, visit: Visit, form: dict[str, str], sentence: str
) -> None:
    await visit.sign_in("boss", "/t/beta")
    right = {"role": "editor", "reason": "r", "starts": "2026-11-21T19:41", "ends": "2026-11-21T20:41"}
    answer = await visit.submit(CONSENTS, CONSENTS, **(right | form))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert await service.listed(here.deployment, here.beta) == []
    assert (await visit.submit(CONSENTS, CONSENTS, **right)).status_code == 303
    (made,) = await service.listed(here.deployment, here.beta)
    assert made.ends_at - made.starts_at == timedelta(hours=1)


def test_what_is_lent_is_listed_and_holds_nothing_of_citizens() -> None:
    lent = {role: ROLES[role] & model.PERMISSIONS for role in model.ROLES}
    assert lent == {
        "editor": {"staff.enter", "catalogue.read", "catalogue.edit"},
        "point_staff": {"staff.enter", "health.read"},
        "auditor": {"staff.enter", "audit.read"},
    }
    closed = ("deposits.", "notices.", "accounts.", "consents.", "devices.", "orders.", "help.", "boxes.", "host.")
    assert not [name for name in model.PERMISSIONS if name.startswith(closed)]


#: What an editor's consent shows, written down once more: a route that is opened has to be opened here, too.
SHOWN = {
    "/staff",
    "/staff/answers",
    "/staff/answers/{service_id}",
    "/staff/catalogue",
    "/staff/catalogue/changes",
    "/staff/catalogue/links",
    "/staff/catalogue/publish",
    "/staff/catalogue/questions",
    "/staff/catalogue/revisions",
    "/staff/catalogue/revisions/{revision}/restore",
    "/staff/catalogue/services/{service_id}",
    "/staff/catalogue/sources",
    "/staff/catalogue/sources/runs/{run}",
    "/staff/catalogue/translations",
}


async def test_route_by_route(here: Town, operator: Visit, chain: Any) -> None:
    """Every route that asks for a permission, of every plugin: shown, or refused before anything is looked up."""
    await begin(operator, (await give(here)).id)
    await file(here)
    shown, refused = set(), 0
    token = re.search(r'name="_csrf_token" value="([^"]+)"', (await operator.get("/t/beta/staff")).text)
    for route in create_litestar(here.deployment).routes:
        for handler in getattr(route, "route_handlers", []):
            rules = [rule for guard in handler.resolve_guards() if (rule := getattr(guard, "rule", ""))]
            if not isinstance(handler, HTTPRouteHandler) or not any(rule.startswith("permission") for rule in rules):
                continue
            path = "/t/beta" + re.sub(r"{\w+:(\w+)}", lambda place: PLACES[place[1]], route.path)
            if "GET" in handler.http_methods:
                answer = await operator.get(path)
                shown |= {route.path_format} if answer.status_code == 200 else set()
            elif route.path_format not in LENT:
                answer = await operator.client.post(path, data={"_csrf_token": token[1]})
            if route.path_format not in LENT:
                assert answer.status_code == 403, (route.path, answer.status_code)
                assert "SP8204" in answer.text, route.path
                refused += 1
    assert shown == SHOWN
    assert refused > 15
    assert await chain(here.beta, "operator.change") == []


async def test_each_change_is_told_in_both_chains(here: Town, operator: Visit, chain: Any) -> None:
    consent = await give(here)
    await begin(operator, consent.id)
    await file(here)
    page = "/t/beta/staff/catalogue/services/card/edit"
    marks = re.findall(r'name="(mark-[^"]+)" value="([^"]*)"', (await operator.get(f"{page}?field=summary")).text)
    said = {**dict(marks), "field": "summary", "text-de": "Ein neuer Satz.", "text-en": "A sentence.", "do": "draft"}
    answer = await operator.submit(f"{page}?field=summary", page, **said)
    assert answer.status_code == 303, answer.text
    for ctx in (here.alpha, here.beta):
        (line,) = await chain(ctx, "operator.change")
        assert line.details["what"] == "POST /staff/catalogue/services/{service_id}/edit", answer.text
        assert line.details["tenant"] == f"tenant:{here.beta.id}"
        assert line.actor.endswith(f"/consent:{consent.id}")
        async with here.deployment.database.tenant(ctx) as tx:
            lines = [one async for one in audit.export(tx)]
        assert audit.verify_export(lines).faults == []
