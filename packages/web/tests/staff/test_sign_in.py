"""Sign-in, sign-out, and what the overview shows to whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from servicepunkt.core.people import store as people
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Town, Visit

SIGN_IN = "/t/alpha/staff/sign-in"


async def test_sign_in_sets_a_cookie_of_the_town_and_goes_on(visit: Visit, password: str) -> None:
    answer = await visit.submit(SIGN_IN, SIGN_IN, login=" Boss ", password=password, code="", next="/staff/devices")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/staff/devices")
    cookie = answer.headers["set-cookie"].lower()
    for part in ("sp_session=", "httponly", "samesite=strict", "path=/t/alpha"):
        assert part in cookie
    assert "max-age" not in cookie


async def test_without_a_session_a_page_leads_to_the_sign_in_and_back(visit: Visit, password: str) -> None:
    answer = await visit.get("/t/alpha/staff/devices")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/staff/sign-in?next=/staff/devices")
    page = await visit.get(answer.headers["location"])
    assert 'name="next" value="/staff/devices"' in page.text


async def test_the_page_to_go_back_to_is_written_so_that_nothing_of_it_is_lost(visit: Visit) -> None:
    answer = await visit.get("/t/alpha/staff/devices/%3Fx%26next=%2F%2Fevil/revoke")
    assert answer.status_code == 404
    answer = await visit.get("/t/alpha/staff", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "SP7002")


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil", "", "/t/beta/staff"])
async def test_after_the_sign_in_nobody_is_sent_elsewhere(visit: Visit, password: str, target: str) -> None:
    answer = await visit.submit(SIGN_IN, SIGN_IN, login="boss", password=password, next=target)
    assert answer.headers["location"] == "/t/alpha/staff"


@pytest.mark.parametrize(("login", "secret"), [("boss", "wrong"), ("nobody", "wrong"), ("boss' OR 1=1 --", "x")])
async def test_every_failure_has_the_same_words(visit: Visit, login: str, secret: str) -> None:
    answer = await visit.submit(SIGN_IN, SIGN_IN, login=login, password=secret)
    assert answer.status_code == 403
    assert "Die Anmeldung ist fehlgeschlagen." in answer.text
    assert "sp_session" not in answer.headers.get("set-cookie", "")


async def test_an_account_is_locked_after_five_failures_and_opens_again(
    visit: Visit, clock: FixedClock, password: str
) -> None:
    for _ in range(5):
        await visit.submit(SIGN_IN, SIGN_IN, login="boss", password="wrong")
    assert (await visit.sign_in()).status_code == 403
    clock.forward(minutes=2)
    assert (await visit.sign_in()).status_code == 303


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"login": "boss"},
        {"login": "boss", "password": ""},
        {"login": "boss", "password": "x", "code": "12"},
        {"login": "boss", "password": "x" * 300},
        {"login": "boss", "password": "x", "roles": "operator"},
        {"login": "bo\0ss", "password": "x"},
    ],
)
async def test_a_form_that_does_not_fit_shows_the_mistakes(visit: Visit, values: dict[str, str]) -> None:
    answer = await visit.submit(SIGN_IN, SIGN_IN, **values)
    assert answer.status_code == 422
    assert "Etwas an Ihren Angaben passt nicht." in answer.text


async def test_sign_out_ends_the_session_at_the_server(visit: Visit) -> None:
    await visit.sign_in()
    session = visit.client.cookies["sp_session"]
    answer = await visit.submit("/t/alpha/staff", "/t/alpha/staff/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, SIGN_IN)
    assert "sp_session" not in visit.client.cookies
    assert (await visit.get("/t/alpha/staff", headers={"cookie": f"sp_session={session}"})).status_code == 303


async def test_a_session_of_another_town_opens_nothing(visit: Visit) -> None:
    await visit.sign_in()
    session = visit.client.cookies["sp_session"]
    assert (await visit.get("/t/alpha/staff")).status_code == 200
    answer = await visit.get("/t/beta/staff", headers={"cookie": f"sp_session={session}"})
    assert answer.headers["location"].startswith("/t/beta/staff/sign-in")


async def test_a_session_ends_when_nobody_uses_it_or_the_account_is_switched_off(
    here: Town, visit: Visit, clock: FixedClock
) -> None:
    await visit.sign_in()
    clock.forward(minutes=29)
    assert (await visit.get("/t/alpha/staff")).status_code == 200
    clock.forward(minutes=31)
    assert (await visit.get("/t/alpha/staff")).status_code == 303
    await visit.sign_in()
    async with here.deployment.database.tenant(here.alpha) as tx:
        await people.update(tx, (await people.by_login(tx, "boss")).id, active=False)
    assert (await visit.get("/t/alpha/staff")).status_code == 303


async def test_the_overview_shows_each_what_concerns_them(here: Town, visit: Visit) -> None:
    await visit.sign_in()
    text = (await visit.get("/t/alpha/staff")).text
    for words in ("Niemand wartet auf Hilfe.", "0 Geräte melden sich.", "All is well.", "09:30 Uhr bis 20:00 Uhr"):
        assert words in text
    assert "Diese Prüfung konnte nicht durchgeführt werden." in text, "a broken check is a finding"
    assert re.search(r'href="/t/alpha/staff/account">Letters to open</a></span>\s*<span class="[^"]*">3</span>', text)
    assert "Uncounted" in text, "what cannot be counted is not hidden"
    assert "Done already" not in text
    async with here.client() as clerk:
        await clerk.sign_in("clerk")
        text = (await clerk.get("/t/alpha/staff")).text
        assert "Heute geöffnet" in text
        assert "Niemand wartet" not in text
        assert "Prüfungen" not in text
        assert "Nichts wartet auf Sie." in text


async def test_on_a_holiday_the_overview_says_closed_and_why(visit: Visit, clock: FixedClock) -> None:
    from datetime import UTC, datetime

    clock.instant = datetime(2026, 12, 25, 11, 0, tzinfo=UTC)
    await visit.sign_in()
    text = (await visit.get("/t/alpha/staff")).text
    assert "Geschlossen" in text
    assert "Erster Weihnachtstag" in text
