"""Calling somebody, and answering."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import sqlalchemy as sa

from servicepunkt.core.ids import new_id
from servicepunkt.core.people import service as people
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.testing import FixedClock
from servicepunkt.web.help import service, store
from servicepunkt.web.help.model import HelpCall
from servicepunkt.web.help.pages import topic_of

if TYPE_CHECKING:
    from conftest import Town, Visit


async def the_call(here: Town) -> str:
    (found,) = await service.waiting(here.deployment, here.alpha)
    return str(found.id)


async def test_a_call_goes_from_the_button_to_done(here: Town, terminal: Visit) -> None:
    assert "Soll jemand zu Ihnen kommen?" in (await terminal.get("/t/alpha/k/help")).text
    answer = await terminal.submit("/t/alpha/k/help", "/t/alpha/k/help", topic="/k/theme/energy")
    assert (answer.status_code, answer.headers["location"]) == (303, "/t/alpha/k/help")
    assert "Das Personal weiß Bescheid." in (await terminal.get("/t/alpha/k/help")).text

    async with here.client() as staff:
        await staff.sign_in("guide")
        page = (await staff.get("/t/alpha/staff/help")).text
        assert "terminal at the door" in page
        assert "/k/theme/energy" in page
        path = f"/t/alpha/staff/help/{await the_call(here)}"
        assert (await staff.submit("/t/alpha/staff/help", path, to="coming")).status_code == 303
        assert "Es ist jemand auf dem Weg zu Ihnen." in (await terminal.get("/t/alpha/k/help")).text
        assert (await staff.submit("/t/alpha/staff/help", path, to="closed")).status_code == 303
        assert "Niemand wartet auf Hilfe." in (await staff.get("/t/alpha/staff/help")).text
        again = await staff.submit("/t/alpha/staff/help", path, to="coming")
        assert again.status_code == 409
    assert "Soll jemand zu Ihnen kommen?" in (await terminal.get("/t/alpha/k/help")).text


async def test_pressing_again_makes_no_second_call(here: Town, terminal: Visit) -> None:
    await terminal.submit("/t/alpha/k/help", "/t/alpha/k/help")
    first = await the_call(here)
    token = terminal.client.cookies["sp_csrf"]
    await terminal.client.post("/t/alpha/k/help", data={"_csrf_token": token})
    assert await the_call(here) == first


async def test_a_poll_that_would_show_the_same_gets_nothing(terminal: Visit) -> None:
    await terminal.submit("/t/alpha/k/help", "/t/alpha/k/help")
    page = (await terminal.get("/t/alpha/k/help")).text
    assert 'hx-get="/t/alpha/k/help?seen=open"' in page
    assert (await terminal.get("/t/alpha/k/help?seen=open")).status_code == 204
    assert (await terminal.get("/t/alpha/k/help?seen=coming")).status_code == 200
    assert (await terminal.get("/t/alpha/k/help?seen=" + "x" * 100)).status_code == 422


async def test_a_call_of_another_town_does_not_exist(here: Town, terminal: Visit) -> None:
    await terminal.submit("/t/alpha/k/help", "/t/alpha/k/help")
    async with here.client() as staff:
        await staff.sign_in("guide", prefix="/t/beta")
        assert "Niemand wartet auf Hilfe." in (await staff.get("/t/beta/staff/help")).text
        answer = await staff.submit("/t/beta/staff/help", f"/t/beta/staff/help/{await the_call(here)}", to="coming")
        assert answer.status_code == 404
    assert (await service.waiting(here.deployment, here.alpha))[0].state == "open"


@pytest.mark.parametrize(("values", "status"), [({"to": "open"}, 422), ({}, 422), ({"to": "coming", "x": "y"}, 422)])
async def test_an_answer_that_does_not_fit_is_refused(here: Town, values: dict[str, str], status: int) -> None:
    async with here.client() as staff:
        await staff.sign_in("guide")
        assert (
            await staff.submit("/t/alpha/staff/help", f"/t/alpha/staff/help/{uuid4()}", **values)
        ).status_code == status
        assert (
            await staff.submit("/t/alpha/staff/help", f"/t/alpha/staff/help/{uuid4()}", to="coming")
        ).status_code == 404
        assert (
            await staff.submit("/t/alpha/staff/help", "/t/alpha/staff/help/nonsense", to="coming")
        ).status_code == 404


async def test_staff_of_one_point_answer_its_calls_and_no_others(here: Town, terminal: Visit, password: str) -> None:
    async with here.deployment.database.tenant(here.alpha) as tx:
        await people.create_account(
            tx, at=tx.now(), actor="test", login="hilda", name="Hilda", password=password, roles=("point_staff@hill",)
        )
    await terminal.submit("/t/alpha/k/help", "/t/alpha/k/help", topic="/k/theme/energy")
    path = f"/t/alpha/staff/help/{await the_call(here)}"
    async with here.client() as staff, here.client() as other:
        await staff.sign_in("hilda")
        assert "Servicepunkt am Berg" in (await staff.get("/t/alpha/staff/account")).text
        for page in ("/t/alpha/staff", "/t/alpha/staff/help"):
            shown = await staff.get(page)
            assert (shown.status_code, "terminal at the door" in shown.text) == (200, False)
        assert (await staff.submit("/t/alpha/staff/help", path, to="coming")).status_code == 404
        await other.become_terminal(here.alpha, target="hill")
        await other.submit("/t/alpha/k/help", "/t/alpha/k/help")
        (own,) = await service.waiting(here.deployment, here.alpha, points=frozenset({"hill"}))
        for page in ("/t/alpha/staff", "/t/alpha/staff/help"):
            assert "Servicepunkt am Berg" in (await staff.get(page)).text
        path = f"/t/alpha/staff/help/{own.id}"
        assert (await staff.submit("/t/alpha/staff/help", path, to="coming")).status_code == 303


async def test_only_those_who_answer_calls_see_them(here: Town) -> None:
    async with here.client() as staff:
        await staff.sign_in("clerk")
        assert (await staff.get("/t/alpha/staff/help")).status_code == 403


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        ("/k/service/card", "/k/service/card"),
        ("/k", "/k"),
        ("", "/k"),
        ("/staff/devices", "/k"),
        ("/k/collect/4711", "/k/collect"),
        ("/k/x?name=Meier", "/k/x"),
    ],
)
def test_a_topic_is_a_page_and_nothing_else(path: str, topic: str) -> None:
    assert topic_of(path) == topic


@pytest.mark.parametrize(
    ("referer", "topic"),
    [
        ("http://points.example.org/t/alpha/k/theme/energy", "/k/theme/energy"),
        ("http://[", "/k"),
        ("http://[::1/k/theme/energy", "/k"),
        ("\xff", "/k"),
        ("", "/k"),
    ],
)
async def test_the_topic_is_the_page_that_one_came_from(terminal: Visit, referer: str, topic: str) -> None:
    answer = await terminal.get("/t/alpha/k/help", headers={"referer": referer.encode("latin-1")})
    assert answer.status_code == 200
    assert f'name="topic" value="{topic}"' in answer.text


async def test_closed_calls_are_deleted_after_their_time(here: Town, clock: FixedClock) -> None:
    async with here.deployment.database.tenant(here.alpha) as tx:
        for state in ("closed", "open"):
            now = clock.now()
            call = HelpCall(
                id=new_id(), point="harbour", device=None, topic="/k", state=state, created_at=now, changed_at=now
            )
            await store.insert(tx, call)
    clock.forward(days=91)
    await erase_expired.function(here.deployment, here.alpha)
    async with here.deployment.database.tenant(here.alpha) as tx:
        assert len(await store.waiting(tx)) == 1
        assert await tx.scalar(sa.select(sa.func.count()).where(store.help_call.c.tenant_id == here.alpha.id)) == 1
