"""Ordering at a terminal and on the web, and what staff do with it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from httpx import Response

from servicepunkt.core.orders import service
from servicepunkt.core.orders.model import Order
from servicepunkt.core.people import service as people
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.devices.attempts import MOST

if TYPE_CHECKING:
    from conftest import Town, Visit

CHOOSE = "/t/alpha/k/service/contract/order"
CHECK = f"{CHOOSE}/check?item-month=2&item-dog=1"
STALL = "/t/alpha/k/service/market/order"
HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">')
WEB = "/t/alpha/service/market/order/harbour"


async def send(visit: Visit, check: str, action: str) -> Response:
    """Press the button of the page on which one looks once more."""
    page = (await visit.get(check)).text
    form = page[page.index(f'<form method="post" action="{action}">') :]
    return await visit.client.post(action, data=dict(HIDDEN.findall(form[: form.index("</form>")])))


async def orders(here: Town) -> list[Order]:
    return await service.of_today(here.deployment, here.alpha)


# --- the way of an order --------------------------------------------------------------------------------------


async def test_the_page_of_a_service_leads_to_what_is_sold(terminal: Visit) -> None:
    page = (await terminal.get("/t/alpha/k/service/contract")).text
    assert f'href="{CHOOSE}"><span class="kern-label">Kaufen</span>' in page
    page = (await terminal.get("/t/alpha/k/service/market")).text
    assert f'href="{STALL}"><span class="kern-label">Buchen</span>' in page
    assert "/order" not in (await terminal.get("/t/alpha/k/service/card")).text


async def test_something_is_chosen_looked_at_and_ordered(here: Town, terminal: Visit) -> None:
    page = (await terminal.get(CHOOSE)).text
    assert "Monatskarte" in page
    assert "49,90\xa0€" in page
    page = (await terminal.get(CHECK)).text
    assert "Ist das richtig?" in page
    assert "Zusammen: 104,80\xa0€" in page
    assert await orders(here) == []
    answer = await send(terminal, CHECK, CHOOSE)
    (order,) = await orders(here)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/t/alpha/k/order/{order.id}")
    assert {one.item: one.count for one in order.chosen} == {"month": 2, "dog": 1}
    page = (await terminal.get(answer.headers["location"])).text
    assert order.reference in page
    assert "Bitte bezahlen Sie am Schalter bis Samstag, 21. November, 21:40 Uhr." in page
    assert "In all" not in page
    terminal.client.cookies.set("sp_language", "en")
    assert (
        "Please pay at the counter until Saturday, November 21, 9:40 PM."
        in (await terminal.get(answer.headers["location"])).text
    )


async def test_pressing_twice_is_one_order(here: Town, terminal: Visit) -> None:
    page = (await terminal.get(CHECK)).text
    form = dict(HIDDEN.findall(page[page.index(f'action="{CHOOSE}"') :][:1500]))
    first, second = [await terminal.client.post(CHOOSE, data=form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert len(await orders(here)) == 1
    other = await terminal.client.post(CHOOSE, data={**form, "item-dog": "0"})
    assert other.status_code == 409


async def test_of_two_terminals_one_gets_the_last_place(here: Town, terminal: Visit) -> None:
    async with here.client() as second:
        await second.become_terminal(here.alpha)
        check = f"{STALL}/check?date=stall-0"
        found = await asyncio.gather(*(send(visit, check, STALL) for visit in (terminal, second)))
        assert min(answer.status_code for answer in found) == 303
        assert {answer.status_code for answer in found} <= {303, 409, 422}
        assert len(await orders(here)) == 1
        late = await second.get(check)
        assert late.status_code == 422
        assert "So viele sind nicht möglich." in late.text
        assert "stall-0" not in (await second.get(STALL)).text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "Bitte wählen Sie etwas aus."),
        ("?item-month=0", "Bitte wählen Sie etwas aus."),
        ("?item-month=99", "So viele sind nicht möglich."),
        ("?item-gone=1", "Das gibt es nicht mehr."),
        ("?date=../../etc", "Das gibt es nicht mehr."),
        ("?item-month=-1&item-month=%F0%9F%98%80", "Bitte wählen Sie etwas aus."),
    ],
)
async def test_what_cannot_be_chosen_is_said_above_the_form(terminal: Visit, query: str, says: str) -> None:
    answer = await terminal.get(f"{CHOOSE}/check{query}")
    assert answer.status_code == 422
    assert says in answer.text
    assert "Monatskarte" in answer.text


async def test_a_form_without_a_key_orders_nothing(here: Town, terminal: Visit) -> None:
    for key in ("", "7", str(uuid4())[:-1]):
        answer = await terminal.submit(CHOOSE, CHOOSE, key=key, **{"item-month": "1"})
        assert answer.status_code == 422
    assert await orders(here) == []


async def test_on_the_web_dates_are_booked_and_cards_are_not_sold_at_night(
    here: Town, visit: Visit, clock: FixedClock
) -> None:
    clock.forward(hours=3)
    assert f'href="{WEB}"' in (await visit.get("/t/alpha/service/market")).text
    assert "/order" not in (await visit.get("/t/alpha/service/contract")).text
    assert (await visit.get("/t/alpha/service/contract/order/harbour")).status_code == 404
    answer = await send(visit, f"{WEB}/check?date=stall-1", WEB)
    (order,) = await orders(here)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/t/alpha/order/{order.id}")
    page = (await visit.get(answer.headers["location"])).text
    assert order.reference in page
    assert "Das ist kostenlos." in page


async def test_nobody_takes_everything_by_pressing_again_and_again(visit: Visit) -> None:
    found = [(await visit.submit(WEB, WEB, key=str(uuid4()))).status_code for _ in range(MOST + 1)]
    assert found == [422] * MOST + [429]


async def test_a_receipt_is_printed_where_there_is_a_printer(here: Town, terminal: Visit) -> None:
    location = (await send(terminal, CHECK, CHOOSE)).headers["location"]
    answer = await terminal.get(f"{location}/receipt")
    has_printer = "/receipt" in (await terminal.get(location)).text
    assert answer.status_code == (200 if has_printer else 404)
    if has_printer:
        assert (await orders(here))[0].reference in answer.text


# --- partners that go wrong, towns that have them off ---------------------------------------------------------


def fails() -> Any:
    raise RuntimeError("canary")


@pytest.mark.parametrize("act", [fails, lambda: 7, lambda: asyncio.sleep(8)], ids=["raises", "answers 7", "hangs"])
async def test_a_partner_that_goes_wrong_says_ask_here(terminal: Visit, shop: Any, act: Any) -> None:
    shop.ticket.act = act
    answer = await terminal.get(CHOOSE)
    assert answer.status_code == 503
    assert "Das ist gerade nicht möglich." in answer.text
    assert "Bitte fragen Sie hier am Schalter." in answer.text
    assert "canary" not in answer.text
    assert (await terminal.get(STALL)).status_code == 200
    assert (await terminal.get("/t/alpha/k/service/contract")).status_code == 200


async def test_a_town_without_the_plugin_sells_nothing(here: Town, terminal: Visit) -> None:
    location = (await send(terminal, CHECK, CHOOSE)).headers["location"]
    await here._town("gamma", plugins=["web"])
    async with here.client() as visit:
        assert "/order" not in (await visit.get("/t/gamma/service/market")).text
        assert (await visit.get("/t/gamma/service/market/order/harbour")).status_code == 404
        for slug in ("beta", "gamma"):
            assert (await visit.get(location.replace("/alpha/k/", f"/{slug}/"))).status_code == 404


# --- staff ----------------------------------------------------------------------------------------------------


async def test_staff_find_an_order_and_mark_it_paid(here: Town, terminal: Visit) -> None:
    location = (await send(terminal, CHECK, CHOOSE)).headers["location"]
    (order,) = await orders(here)
    async with here.client() as staff:
        await staff.sign_in("guide")
        assert "Bestellungen" in (await staff.get("/t/alpha/staff")).text
        assert order.reference in (await staff.get("/t/alpha/staff/orders")).text
        found = (await staff.get(f"/t/alpha/staff/orders?reference={order.reference.lower()}")).text
        assert f"Bezahlt: {order.reference}" in found
        assert "keine Bestellung" in (await staff.get("/t/alpha/staff/orders?reference=2222-2222")).text
        path = f"/t/alpha/staff/orders/{order.id}"
        assert (await staff.submit("/t/alpha/staff/orders", path, to="draft")).status_code == 422
        assert (await staff.submit("/t/alpha/staff/orders", path, to="paid_at_counter")).status_code == 303
        assert (await staff.submit("/t/alpha/staff", path, to="cancelled")).status_code == 409
    assert "Diese Bestellung ist bezahlt." in (await terminal.get(location)).text


async def test_staff_cancel_a_booking_and_the_place_is_free_again(here: Town, terminal: Visit) -> None:
    location = (await send(terminal, f"{STALL}/check?date=stall-0", STALL)).headers["location"]
    (order,) = await orders(here)
    async with here.client() as staff:
        await staff.sign_in("guide")
        page = (await staff.get("/t/alpha/staff/orders")).text
        assert f"Bezahlt: {order.reference}" not in page
        path = f"/t/alpha/staff/orders/{order.id}"
        assert (await staff.submit("/t/alpha/staff/orders", path, to="cancelled")).status_code == 303
    assert "Diese Bestellung gilt nicht mehr." in (await terminal.get(location)).text
    assert "stall-0" in (await terminal.get(STALL)).text


async def test_staff_of_one_point_settle_its_orders_and_no_others(here: Town, terminal: Visit) -> None:
    await send(terminal, CHECK, CHOOSE)
    (order,) = await orders(here)
    path = f"/t/alpha/staff/orders/{order.id}"
    password = "a long sentence to sign in"
    async with here.deployment.database.tenant(here.alpha) as tx:
        for login in ("harbour", "hill"):
            roles = (f"point_staff@{login}",)
            await people.create_account(
                tx,
                at=tx.now(),
                actor="test",
                login=login,
                name=login,
                password=password,
                roles=roles,
            )
    async with here.client() as staff:
        await staff.sign_in("hill")
        for page in ("/t/alpha/staff/orders", f"/t/alpha/staff/orders?reference={order.reference}"):
            assert f"Bezahlt: {order.reference}" not in (await staff.get(page)).text
        for to in ("paid_at_counter", "cancelled"):
            assert (await staff.submit("/t/alpha/staff/orders", path, to=to)).status_code == 404
        await staff.submit("/t/alpha/staff", "/t/alpha/staff/sign-out")
        await staff.sign_in("harbour")
        assert order.reference in (await staff.get("/t/alpha/staff/orders")).text
        assert (await staff.submit("/t/alpha/staff/orders", path, to="paid_at_counter")).status_code == 303


@pytest.mark.parametrize("login", ["clerk", "editor", "agent"])
async def test_who_does_not_settle_orders_sees_none(here: Town, login: str) -> None:
    async with here.client() as staff:
        await staff.sign_in(login)
        assert (await staff.get("/t/alpha/staff/orders")).status_code == 403
