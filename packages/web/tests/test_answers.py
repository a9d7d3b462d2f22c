"""The answer card of agents: two clicks from the words of a caller to the documents, the hours and who decides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from servicepunkt.core.catalogue import service
from servicepunkt.core.catalogue.model import Area, Catalogue, Partner, Responsibility

if TYPE_CHECKING:
    from conftest import Town, Visit

ANSWERS = "/t/alpha/staff/answers"
AREAS = (
    Area(ars="010010000000", name="Seeburg", postcodes=("24000", "24001"), home=True),
    Area(ars="010600001001", name="Hinterland", postcodes=("24001",)),
)


@pytest.fixture
async def agent(
    here: Town, make_catalogue: Callable[..., Catalogue], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Visit]:
    """Somebody who answers calls, in a town with areas and a service for staff alone."""
    monkeypatch.setattr(service, "FRESH_SECONDS", 0.0)
    made = make_catalogue(here.alpha.name)
    hidden = [msgspec.structs.replace(one, visibility="staff") if one.id == "tour" else one for one in made.services]
    changed = msgspec.structs.replace(
        made,
        services=tuple(hidden),
        partners=(*made.partners, Partner(id="district", name="Kreis Hinterland", kind="authority", phone="04321 1")),
        areas=AREAS,
        responsibilities=(
            Responsibility(service="card", authority="district", area="01060", caveat={"de": "Nur mit Termin."}),
        ),
    )
    async with here.deployment.database.tenant(here.alpha) as tx:
        await service.publish(tx, changed, at=tx.now(), actor="test")
    async with here.client() as found:
        await found.sign_in("agent")
        yield found


async def test_two_clicks_from_the_words_to_the_answer(agent: Visit) -> None:
    found = (await agent.get(ANSWERS, params={"q": "perso"})).text
    assert "/staff/answers/card" in found
    card = (await agent.get(f"{ANSWERS}/card")).text
    for said in ("Ein biometrisches Foto", "In dieser Stadt: ", "Kommen Sie ins Bürgerbüro, Markt 1."):
        assert said in card


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("Hinterland", "Kreis Hinterland"),
        ("24000", "Stadt Seeburg"),
        ("24001", "In welcher Gemeinde wohnen Sie?"),
        ("Atlantis", "Dieser Ort ist nicht bekannt."),
        ("<script>alert(1)</script>", "Dieser Ort ist nicht bekannt."),
    ],
)
async def test_who_decides_for_the_caller(agent: Visit, place: str, said: str) -> None:
    text = (await agent.get(f"{ANSWERS}/card", params={"place": place})).text
    assert said in text
    assert "<script>alert" not in text


async def test_citizens_get_the_same_answer(agent: Visit, visit: Visit) -> None:
    page = "/t/alpha/service/card/authority"
    assert "Kreis Hinterland" in (await visit.get(page, params={"place": "hinterland"})).text
    assert "Nur mit Termin." in (await visit.get(page, params={"place": "010600001001"})).text
    assert "Hinterland</a>" in (await visit.get(page, params={"place": "24001"})).text
    assert "rufen Sie die 115 an" in (await visit.get(page, params={"place": "Atlantis"})).text
    assert (
        "rufen Sie die 115 an"
        in (await visit.get("/t/alpha/service/contract/authority", params={"place": "Hinterland"})).text
    )
    assert (await visit.get("/t/alpha/service/none/authority")).status_code == 404


async def test_what_is_for_staff_is_found_by_staff(agent: Visit, visit: Visit) -> None:
    found = (await agent.get(ANSWERS, params={"q": "Bergführung"})).text
    assert "/staff/answers/tour" in found
    assert "Nur für Personal" in found
    assert "/service/tour" not in (await visit.get("/t/alpha/search", params={"q": "Bergführung"})).text
    assert (await visit.get("/t/alpha/service/tour/authority")).status_code == 404


async def test_only_who_may_read_it(here: Town) -> None:
    async with here.client() as guide:
        await guide.sign_in("guide")
        assert (await guide.get(ANSWERS)).status_code == 403
        assert (await guide.get(f"{ANSWERS}/card")).status_code == 403


async def test_a_service_that_is_none(agent: Visit) -> None:
    assert (await agent.get(f"{ANSWERS}/none")).status_code == 404
    assert "Nichts gefunden" in (await agent.get(ANSWERS, params={"q": "xqzwkj"})).text
