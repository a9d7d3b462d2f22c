"""Staff pages: the form for one after the other, what the box has not answered, what needs somebody, the boxes."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import store as people
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock
from servicepunkt.dokbox import model, store
from servicepunkt.dokbox.health import TROUBLE_WORDS
from servicepunkt.dokbox.wire import OPENING_TTL_SECONDS

if TYPE_CHECKING:
    from conftest import Clerk, Wire
    from httpx import Response

NEW = "/deposits/new"
FORM = {"document_number": "C01X00T47", "phone": "0151 12345678", "kind": "passport", "box": "box-1", "locale": "de"}
ORDER = "Auftrag: Fach öffnen"


def said(answer: Response) -> str:
    """What stands on the page, with its characters as they are read."""
    assert answer.status_code in (200, 422), answer.status_code
    return html.unescape(answer.text)


def seen(page: str) -> str:
    """What the page says of itself when it asks again."""
    found = re.search(r'hx-get="/t/alpha/staff(/deposits/[^"]+\?seen=\w+)"', page)
    assert found
    return found[1]


def focused(page: str) -> list[str]:
    return re.findall(r'id="([\w-]+)"[^>]*\bautofocus', page)


async def announced(clerk: Clerk, **changed: str) -> str:
    """The id of a new deposit."""
    answer = await clerk.submit(NEW, NEW, **{**FORM, **changed})
    assert answer.status_code == 303, answer.text
    where: str = answer.headers["location"]
    assert where.startswith("/t/alpha/staff/deposits/new/")
    return where.rpartition("/")[2]


async def change(line: Wire, deposit: str, **values: str) -> None:
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_deposit(tx, UUID(deposit), **values)


async def waiting(line: Wire) -> list[str]:
    """What the box would be told now."""
    async with line.deployment.database.tenant(line.ctx) as tx:
        return [found.command.kind for found in await store.waiting_commands(tx, "box-1")]


async def note(line: Wire, *events: tuple[str, int | None, dict[str, int]]) -> None:
    """Entries of the box's journal that move no deposit."""
    async with line.deployment.database.tenant(line.ctx) as tx:
        after = await tx.scalar(
            sa.select(sa.func.coalesce(sa.func.max(store.box_event.c.seq), 0)).where(
                store.box_event.c.tenant_id == tx.tenant_id
            )
        )
        rows = [
            {
                "tenant_id": tx.tenant_id,
                "box": "box-1",
                "seq": after + number,
                "at": tx.now(),
                "event": event,
                "deposit": "",
                "compartment": compartment,
                "state": "",
                "data": data,
                "previous": model.GENESIS,
                "hash": "",
                "received_at": tx.now(),
            }
            for number, (event, compartment, data) in enumerate(events, 1)
        ]
        await tx.execute(sa.insert(store.box_event), rows)


# --- one deposit after the other --------------------------------------------------------------------------------


async def test_a_number_alone_is_no_mistake_but_goes_on_to_the_telephone(clerk: Clerk, line: Wire) -> None:
    assert focused(said(await clerk.get(NEW))) == ["document_number"]
    answer = await clerk.submit(NEW, NEW, **{**FORM, "phone": " "})
    page = said(answer)
    assert answer.status_code == 200
    assert "kern-alert" not in page
    assert 'value="C01X00T47"' in page
    assert focused(page) == ["phone"]
    assert await waiting(line) == []


async def test_after_a_deposit_the_form_is_back_with_the_compartment_and_undo(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    page = said(await clerk.get(f"{NEW}/{deposit}"))
    assert focused(page) == ["document_number"]
    assert "C01X00T47" not in page
    assert "12345678" not in page.replace("zum Beispiel 0151 12345678", "")
    assert "Auftrag: Fach reservieren" in page
    assert "Rückgängig" in page, "also before the box has answered"
    assert (await clerk.get(seen(page))).status_code == 204
    await line.both()
    page = said(await clerk.get(seen(page)))
    assert re.search(r"Fach <strong>7</strong>", page)
    assert f'href="/t/alpha/staff/deposits/{deposit}"' in page
    answer = await clerk.submit(f"{NEW}/{deposit}", f"/deposits/{deposit}/cancel", back="new")
    assert answer.headers["location"] == f"/t/alpha/staff/deposits/new/{deposit}"
    await line.both()
    page = said(await clerk.get(f"{NEW}/{deposit}"))
    assert "abgebrochen" in page
    assert "Rückgängig" not in page


async def test_the_next_form_keeps_kind_and_box_but_not_the_citizens_language(clerk: Clerk, line: Wire) -> None:
    page = said(await clerk.get(f"{NEW}/{await announced(clerk, locale='en')}"))
    assert re.findall(r'value="([\w-]+)"[^>]* checked', page) == ["passport", "box-1", "de"]


async def test_mistakes_are_german_and_what_was_typed_stays(clerk: Clerk, line: Wire) -> None:
    answer = await clerk.submit(NEW, NEW, **FORM, foo="1")
    assert answer.status_code == 422
    page = said(answer)
    assert "Das Formular enthält etwas, das dort nicht hingehört." in page
    assert "unknown field" not in page
    assert 'value="C01X00T47"' in page
    assert 'value="0151 12345678"' in page


@pytest.mark.parametrize("show", ["x" * 30, "%01", ""])
async def test_an_unknown_filter_shows_what_is_to_be_loaded(clerk: Clerk, show: str) -> None:
    page = said(await clerk.get(f"/deposits?show={show}"))
    assert re.search(r'show=open" aria-current="page"', page)


async def test_a_compartment_that_is_no_number_is_told_in_german(clerk: Clerk, line: Wire) -> None:
    answer = await clerk.submit("/boxes", "/boxes/box-1/return", compartment="seven")
    assert "Wählen Sie ein Fach." in said(answer)


# --- the box does not answer ------------------------------------------------------------------------------------


async def test_a_page_that_shows_the_same_answers_nothing(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await line.both()
    page = said(await clerk.get(f"/deposits/{deposit}"))
    assert (await clerk.get(seen(page))).status_code == 204
    await change(line, deposit, alert="not_opened")
    assert "Bitte prüfen Sie das Schloss." in said(await clerk.get(seen(page)))


async def test_what_the_box_has_not_answered_is_not_asked_twice(clerk: Clerk, line: Wire, clock: FixedClock) -> None:
    deposit = await announced(clerk)
    await line.both()
    here, action = f"/deposits/{deposit}", f"/deposits/{deposit}/open_for_load"
    assert (await clerk.submit(here, action)).status_code == 303
    page = said(await clerk.get(here))
    assert ORDER in page
    assert re.search(r'id="do-open_for_load" aria-disabled="true"', page)
    assert "kern-alert" not in page, "a box needs a moment"
    assert (await clerk.submit(here, action)).status_code == 303
    assert await waiting(line) == ["open_for_load"]
    clock.forward(seconds=6)
    page = said(await clerk.get(here))
    assert "Die Box antwortet gerade nicht; der Auftrag gilt bis 19:41:30." in page
    assert "Zuletzt gemeldet: 19:40:00" in page
    clock.forward(seconds=OPENING_TTL_SECONDS)
    page = said(await clerk.get(here))
    assert "der Auftrag ist um 19:41:30 verfallen und öffnet nichts mehr." in page
    assert ORDER not in page
    await clerk.submit(here, action)
    assert await waiting(line) == ["open_for_load", "open_for_load"]


async def test_when_the_box_answers_order_and_warning_go(clerk: Clerk, line: Wire, clock: FixedClock) -> None:
    deposit = await announced(clerk)
    clock.forward(seconds=6)
    assert "der Auftrag wird ausgeführt, sobald sie wieder da ist." in said(await clerk.get(f"/deposits/{deposit}"))
    await line.both()
    await line.down()
    page = said(await clerk.get(f"/deposits/{deposit}"))
    assert "Auftrag:" not in page
    assert "kern-alert" not in page
    clock.forward(minutes=3)
    assert "Die Box ist gerade nicht erreichbar" in said(await clerk.get(f"/deposits/{deposit}"))


# --- what needs somebody ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "needs"),
    [
        ({"state": "blocked"}, True),
        ({"state": "locked_out"}, True),
        ({"state": "expired"}, True),
        ({"state": "notified", "alert": "declined_pin_letter"}, True),
        ({"state": "notified"}, False),
        ({"state": "refused", "alert": "full"}, False),
    ],
)
async def test_the_overview_counts_what_needs_somebody(
    clerk: Clerk, line: Wire, changed: dict[str, str], needs: bool
) -> None:
    deposit = await announced(clerk)
    await change(line, deposit, **changed)
    overview = said(await clerk.get(""))
    task = re.search(
        r'href="/t/alpha/staff(/deposits\?show=attention)">Einlagen zu klären</a></span>\s*<span[^>]*>1<', overview
    )
    assert (task is not None) == needs
    assert ("Nichts wartet auf Sie." in overview) != needs
    listed = said(await clerk.get("/deposits?show=attention"))
    assert (deposit in listed) == needs
    assert ("Eine Einlage ist zu klären." in said(await clerk.get("/boxes"))) == needs


async def test_another_tenants_deposits_are_not_counted(
    clerk: Clerk, line: Wire, deployment: Deployment, other: TenantContext
) -> None:
    await change(line, await announced(clerk), state="blocked")
    for ctx, count in ((line.ctx, 1), (other, 0)):
        async with deployment.database.tenant(ctx) as tx:
            assert await store.count_needing_staff(tx) == count


# --- boxes ------------------------------------------------------------------------------------------------------


async def test_a_box_shows_its_state_and_its_compartments(clerk: Clerk, line: Wire, clock: FixedClock) -> None:
    assert "Die Box ist noch nicht angemeldet." in said(await clerk.get("/boxes"))
    await announced(clerk)
    await line.both()
    await line.down()
    await note(line, ("compartment_out", 3, {}), ("started", None, {}))
    page = said(await clerk.get("/boxes"))
    assert "Die Box antwortet." in page
    figures = re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]+)</dd>", page)
    assert figures == [
        ("freie Fächer", "14"),
        ("belegt, von 16", "1"),
        ("Aufträge warten auf die Box", "0"),
        ("zuletzt gemeldet", "19:40 Uhr"),
    ]
    assert re.search(r"Vorfall:</strong> Fach außer Betrieb", page)
    assert re.search(r"<td>Box gestartet</td>", page), "to start is no incident"
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_box(tx, "box-1", disputed=2)
    assert "Die Box meldet, was nicht sein kann" in said(await clerk.get("/boxes"))
    clock.forward(minutes=3)
    assert "Nicht erreichbar seit 19:40 Uhr" in said(await clerk.get("/boxes"))


@pytest.mark.parametrize("trouble", sorted(TROUBLE_WORDS))
async def test_staff_read_why_a_box_hands_nothing_out(clerk: Clerk, line: Wire, trouble: str) -> None:
    await line.both()
    assert "versagt" not in said(await clerk.get("/boxes"))
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_box(tx, "box-1", troubles=[trouble], vault="tpm")
    page = said(await clerk.get("/boxes"))
    assert "Sie gibt nichts aus" in page
    assert "sp-state--wrong" in page
    assert TROUBLE_WORDS[trouble] not in page, "it is said in German"


@pytest.mark.parametrize(("vault", "warned"), [("file", True), ("tpm", False), ("centre", False), ("", False)])
async def test_staff_read_that_keys_lie_in_files(clerk: Clerk, line: Wire, vault: str, warned: bool) -> None:
    await line.both()
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_box(tx, "box-1", vault=vault)
    assert ("Die Schlüssel dieser Box liegen in Dateien" in said(await clerk.get("/boxes"))) == warned


async def test_a_box_that_lets_orders_wait_does_not_answer(clerk: Clerk, line: Wire, clock: FixedClock) -> None:
    await line.both()
    await announced(clerk)
    clock.forward(seconds=6)
    assert "Nicht erreichbar seit" in said(await clerk.get("/boxes"))


async def test_out_of_service_is_known_over_any_number_of_events(line: Wire) -> None:
    await line.both()
    much = [("compartment_in" if n % 2 else "compartment_out", 4, {}) for n in range(2500)]
    await note(line, ("compartment_out", 9, {}), ("compartment_out", 3, {}), *much, ("compartment_in", 9, {}))
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert await store.out_of_service(tx, "box-1") == [3]


async def test_a_fault_lasts_until_the_opposite_is_heard_or_the_box_starts_anew(line: Wire) -> None:
    await line.both()

    async def faults() -> list[str]:
        async with line.deployment.database.tenant(line.ctx) as tx:
            return await store.lasting_faults(tx, "box-1")

    assert await faults() == []
    await note(line, ("bus_lost", None, {"line": 0}), ("bus_lost", None, {"line": 1}), ("bus_found", None, {"line": 0}))
    assert await faults() == ["bus_lost"]
    await note(line, ("bus_found", None, {"line": 1}), ("board_silent", None, {"line": 1, "board": 2}))
    assert await faults() == ["board_silent"]
    await note(line, ("board_back", None, {"line": 1, "board": 3}))
    assert await faults() == ["board_silent"], "that was another board"
    await note(line, ("started", None, {}))
    assert await faults() == []
    await note(line, ("distrusted", None, {}), ("started", None, {}))
    assert await faults() == ["distrusted"]


# --- care -------------------------------------------------------------------------------------------------------


async def test_a_wrong_correction_comes_back_with_every_reason(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await line.both()
    here = f"/deposits/{deposit}/correct"
    assert "Nummer oder Adresse berichtigen" in said(await clerk.get(here))
    answer = await clerk.submit(here, here, phone="110")
    assert answer.status_code == 422
    assert 'value="110"' in answer.text


async def test_a_correction_is_an_order_to_the_box(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await line.both()
    here = f"/deposits/{deposit}/correct"
    await clerk.submit(here, here, phone="0151 87654321")
    assert (await waiting(line))[-1] == "new_person"


async def test_a_locked_deposit_offers_the_call_and_a_wrong_caller_is_told_nothing(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await change(line, deposit, state="locked_out")
    assert 'id="do-lift"' in (await clerk.get(f"/deposits/{deposit}")).text
    here = f"/deposits/{deposit}/lift"
    answer = await clerk.submit(here, here, phone="0151 00000000")
    assert answer.status_code == 422
    assert "Die Angaben passen nicht zu dieser Einlage." in said(answer)
    assert "12345678" not in answer.text


async def test_contents_inventory_and_emptying(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await line.both()
    await line.down()
    await change(line, deposit, state="expired")
    here = "/boxes/box-1/contents"
    assert "Fach 7 öffnen" in said(await clerk.get(here))
    await clerk.submit(here, "/boxes/box-1/closing", closing="yes")
    assert "Sie wird geleert und nimmt nichts an." in said(await clerk.get(here))
    await clerk.submit(here, "/boxes/box-1/inventory")
    assert (await waiting(line))[-1] == "inventory"


async def test_the_overdue_are_listed(clerk: Clerk, line: Wire) -> None:
    deposit = await announced(clerk)
    await change(line, deposit, state="expired")
    assert deposit in (await clerk.get("/deposits?show=overdue")).text
    await change(line, deposit, state="returned")
    assert deposit not in (await clerk.get("/deposits?show=overdue")).text


@pytest.mark.parametrize(("point", "theirs"), [("point-1", True), ("point-2", False)])
async def test_staff_of_a_point_see_its_boxes_and_who_waits_there(
    clerk: Clerk, line: Wire, point: str, theirs: bool
) -> None:
    deposit = await announced(clerk)
    await change(line, deposit, state="presented", alert=store.STAFF_WANTED)
    async with line.deployment.database.tenant(line.ctx) as tx:
        account = await people.by_login(tx, "clerk")
        assert account is not None
        await people.update(tx, account.id, roles=(f"point_staff@{point}",))
    assert ("DokBox" in said(await clerk.get("/boxes"))) == theirs
    assert (deposit in said(await clerk.get("/attest"))) == theirs
    answer = await clerk.submit("/account", f"/attest/{deposit}", answer="yes", call="1")
    assert (answer.status_code == 404) == (not theirs)
