"""The own second factor and the own password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyotp
import pytest

from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Visit

ACCOUNT = "/t/alpha/staff/account"
FACTOR = "/t/alpha/staff/account/second-factor"
PASSWORD = "/t/alpha/staff/account/password"
NEW = "another long sentence"


async def set_up_second_factor(visit: Visit, clock: FixedClock, password: str) -> str:
    page = (await visit.get(FACTOR)).text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)[1]
    code = pyotp.TOTP(secret).at(clock.now())
    token = visit.client.cookies["sp_csrf"]
    form = {"_csrf_token": token, "secret": secret, "password": password, "code": code}
    answer = await visit.client.post(FACTOR, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, ACCOUNT)
    return secret


async def test_a_second_factor_is_needed_from_then_on(visit: Visit, clock: FixedClock, password: str) -> None:
    await visit.sign_in()
    secret = await set_up_second_factor(visit, clock, password)
    assert "Er ist eingerichtet." in (await visit.get(ACCOUNT)).text
    assert (await visit.get(FACTOR)).headers["location"] == ACCOUNT, "it cannot be exchanged by oneself"
    assert (await visit.sign_in()).status_code == 403
    clock.forward(minutes=5)
    page = "/t/alpha/staff/sign-in"
    code = pyotp.TOTP(secret).at(clock.now())
    assert (await visit.submit(page, page, login="boss", password=password, code=code)).status_code == 303
    again = await visit.submit(page, page, login="boss", password=password, code=code)
    assert again.status_code == 403, "a code counts once"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"password": "wrong"}, 403),
        ({"code": "000000"}, 403),
        ({"code": "12"}, 422),
        ({"code": "\u0661\u0662\u0663\u0664\u0665\u0666"}, 422),
        ({"secret": "short"}, 422),
        ({"secret": "1" * 32}, 422),
    ],
)
async def test_a_second_factor_is_not_set_up_by_mistake(
    visit: Visit, clock: FixedClock, password: str, change: dict[str, str], status: int
) -> None:
    await visit.sign_in()
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).at(clock.now())
    answer = await visit.submit(FACTOR, FACTOR, **{"secret": secret, "password": password, "code": code, **change})
    assert answer.status_code == status
    assert "Er ist eingerichtet." not in (await visit.get(ACCOUNT)).text


async def test_a_new_password_ends_all_other_sessions(visit: Visit, password: str) -> None:
    await visit.sign_in()
    before = visit.client.cookies["sp_session"]
    answer = await visit.submit(ACCOUNT, PASSWORD, current=password, password=NEW, again=NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, ACCOUNT)
    assert (await visit.get(ACCOUNT)).status_code == 200, "the own session goes on under a new name"
    assert (await visit.get(ACCOUNT, headers={"cookie": f"sp_session={before}"})).status_code == 303
    assert (await visit.sign_in()).status_code == 403
    page = "/t/alpha/staff/sign-in"
    assert (await visit.submit(page, page, login="boss", password=NEW)).status_code == 303


@pytest.mark.parametrize(
    ("values", "status", "sentence"),
    [
        ({"current": "wrong", "password": NEW, "again": NEW}, 403, "Das Passwort oder der Code stimmt nicht."),
        ({"current": "{}", "password": "short", "again": "short"}, 422, "Das Passwort braucht mindestens 12 Zeichen."),
        ({"current": "{}", "password": NEW, "again": NEW + "x"}, 422, "Die beiden neuen Passwörter sind verschieden."),
        ({"current": "{}", "password": "x boss " * 3, "again": "x boss " * 3}, 422, "darf den Anmeldenamen nicht"),
        ({"current": "{}"}, 422, "Geben Sie das neue Passwort noch einmal ein."),
    ],
)
async def test_a_password_is_not_changed_by_mistake(
    visit: Visit, password: str, values: dict[str, str], status: int, sentence: str
) -> None:
    await visit.sign_in()
    given = {name: password if value == "{}" else value for name, value in values.items()}
    answer = await visit.submit(ACCOUNT, PASSWORD, **given)
    assert answer.status_code == status
    assert sentence in answer.text
    assert (await visit.sign_in()).status_code == 303
