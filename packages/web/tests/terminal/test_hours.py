"""The page of a point's opening hours, at a terminal and on the web."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Catalogue, OtherHours
from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Town, Visit


def rows(text: str) -> list[list[list[str]]]:
    """The tables of a page, as rows of cells."""
    found = []
    for body in re.findall(r"<tbody.*?</tbody>", text, re.DOTALL):
        cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body.split("</tr>")[:-1]]
        found.append([[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells])
    return found


async def test_a_terminal_says_when_its_own_point_is_open(terminal: Visit) -> None:
    answer = await terminal.get("/t/alpha/k/hours")
    assert answer.status_code == 200
    text = answer.text
    assert "Montag bis Samstag 9.30 bis 20 Uhr, Sonntag geschlossen, an Feiertagen geschlossen" in text
    assert "Persönliche Hilfe: Montag bis Freitag 10 bis 18 Uhr, Samstag 10 bis 19.50 Uhr" in text
    assert "Geöffnet bis 20:00 Uhr." in text
    unusual, days = rows(text)
    assert unusual[0] == [
        "Freitag, 25. Dezember",
        "geschlossen",
        "Kaufhaus am Hafen geschlossen: Feiertag Erster Weihnachtstag",
    ]
    assert [row[0] for row in unusual[1:]] == ["Samstag, 26. Dezember", "Freitag, 1. Januar"]
    assert len(days) == 28
    assert days[0] == ["Samstag, 21. November", "9.30 bis 20 Uhr", ""]
    assert days[1] == ["Sonntag, 22. November", "geschlossen", "Ruhetag"]


async def test_the_start_pages_lead_to_the_hours(terminal: Visit) -> None:
    assert 'href="/t/alpha/k/hours"' in (await terminal.get("/t/alpha/k")).text
    public = (await terminal.get("/t/alpha/")).text
    assert 'href="/t/alpha/hours/harbour"' in public
    assert 'href="/t/alpha/hours/hill"' in public


async def test_the_web_has_a_page_for_each_point(visit: Visit) -> None:
    text = (await visit.get("/t/alpha/hours/hill", headers={"cookie": "sp_language=en"})).text
    assert "Service point on the hill" in text
    assert "Monday to Saturday 9:30 AM to 8 PM, Sunday closed, closed on public holidays" in text
    assert "Kaufhaus am Hafen closed: public holiday Christmas Day" in text
    assert "Personal help" not in text
    assert (await visit.get("/t/alpha/hours/nowhere")).status_code == 404


async def test_the_terminal_page_is_for_terminals(visit: Visit) -> None:
    assert (await visit.get("/t/alpha/k/hours")).status_code != 200


@pytest.fixture
async def closure(here: Town, make_catalogue: Callable[[str], Catalogue]) -> None:
    """The point closes for stocktaking, and the store opens on a Sunday."""
    found = make_catalogue(here.alpha.name)
    stocktaking = OtherHours(
        first=date(2026, 11, 23), last=date(2026, 11, 24), reason={"de": "Inventur", "en": "Stock"}
    )
    sunday = OtherHours(first=date(2026, 11, 29), hours="13:00-18:00", reason={"de": "Verkaufsoffener Sonntag"})
    hosts = tuple(msgspec.structs.replace(host, exceptions=(sunday,)) for host in found.hosts)
    points = tuple(msgspec.structs.replace(point, exceptions=(stocktaking,)) for point in found.points)
    changed = msgspec.structs.replace(found, hosts=hosts, points=points)
    async with here.deployment.database.tenant(here.alpha) as tx:
        await catalogue_service.publish(tx, changed, at=here.deployment.clock.now(), actor="test")


@pytest.mark.usefixtures("closure")
async def test_closures_and_special_sundays_are_told_with_whose_they_are(terminal: Visit, clock: FixedClock) -> None:
    clock.instant = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    text = (await terminal.get("/t/alpha/k/hours")).text
    assert "Geschlossen (Inventur). Öffnet am Mittwoch, 25. November um 09:30 Uhr." in text
    assert rows(text)[0][:3] == [
        ["Montag, 23. November", "geschlossen", "Servicepunkt am Hafen geschlossen: Inventur"],
        ["Dienstag, 24. November", "geschlossen", "Servicepunkt am Hafen geschlossen: Inventur"],
        ["Sonntag, 29. November", "13 bis 18 Uhr", "Kaufhaus am Hafen mit anderen Zeiten: Verkaufsoffener Sonntag"],
    ]
    assert "Geschlossen (Inventur)." in (await terminal.get("/t/alpha/k")).text


async def test_weeks_without_anything_unusual_say_so(terminal: Visit, clock: FixedClock) -> None:
    clock.instant = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
    text = (await terminal.get("/t/alpha/k/hours")).text
    assert "In den nächsten 60 Tagen gibt es keinen Feiertag und keine Schließung." in text
    assert len(rows(text)) == 1
