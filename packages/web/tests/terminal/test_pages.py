"""Start, theme and service: at a terminal and on the web."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from servicepunkt.core.testing import FixedClock

if TYPE_CHECKING:
    from conftest import Town, Visit


async def test_the_start_page_has_the_plugins_tiles_first_then_the_themes_in_order(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k")).text
    names = ["Dokument abholen", "Energie", "Mobilität", "Wohnen", "Ausweise und Dokumente", "Veranstaltungen"]
    places = [text.index(f">{name}<") for name in names]
    assert places == sorted(places)
    assert 'href="/t/alpha/k/theme/energy"' in text


async def test_the_start_page_says_until_when_it_is_open_and_staffed(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k")).text
    assert "Geöffnet bis 20:00 Uhr." in text
    assert "Persönliche Hilfe bis 19:50 Uhr." in text


async def test_the_start_page_says_when_it_opens_next(terminal: Visit, clock: FixedClock) -> None:
    clock.instant = datetime(2026, 12, 25, 11, 0, tzinfo=UTC)
    text = (await terminal.get("/t/alpha/k")).text
    assert "Geschlossen (Erster Weihnachtstag). Öffnet am Montag, 28. Dezember um 09:30 Uhr." in text
    assert "Im Moment ist niemand zur Hilfe da." in text


async def test_a_theme_shows_what_can_be_done_and_ended_offers_apart_and_without_a_link(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k/theme/energy")).text
    assert "Beraten" in text
    assert "Kaufen" in text
    assert "Jetzt möglich. Geöffnet bis 20:00 Uhr." in text
    assert "Wird nicht mehr angeboten." in text
    assert "Der Bonus endete am 30. Juni 2026." in text
    assert "/service/contract" in text
    assert "/service/bonus" not in text


async def test_an_offer_with_hours_of_its_own_is_not_possible_outside_of_them(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k/theme/mobility")).text
    assert "Jetzt nicht möglich. Geschlossen. Öffnet am Montag, 23. November um 10:00 Uhr." in text


async def test_a_terminal_shows_only_what_its_own_point_offers(terminal: Visit) -> None:
    assert "Bergführung" not in (await terminal.get("/t/alpha/k/theme/tourism")).text
    assert "Bergführung" in (await terminal.get("/t/alpha/theme/tourism")).text
    assert "Wird noch nicht angeboten." in (await terminal.get("/t/alpha/k/theme/tourism")).text


async def test_a_service_says_everything_in_the_words_of_the_catalogue(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k/service/card")).text
    for words in (
        "Das können Sie hier tun",
        "Informieren",
        "Beantragen",
        "Abholen",
        "Ein biometrisches Foto",
        "nur unter 16 Jahren",
        "37,00 Euro",
        "Etwa drei Wochen",
        "Wer entscheidet",
        "§ 9 PAuswG",
        "Kommen Sie ins Bürgerbüro, Markt 1.",
        "Angeboten von: Stadt Seeburg",
        'src="data:image/svg+xml',
    ):
        assert words in text
    assert text.index("Beantragen") < text.index("Angeboten von"), "the provider comes second"


async def test_what_is_only_taken_in_here_says_for_whom(terminal: Visit) -> None:
    assert (
        "Wird hier entgegengenommen für: Landkreis Nordsee." in (await terminal.get("/t/alpha/k/service/moving")).text
    )


async def test_an_ended_service_is_never_offered(terminal: Visit) -> None:
    for place in ("/t/alpha/k", "/t/alpha"):
        text = (await terminal.get(f"{place}/service/bonus")).text
        assert "Der Bonus endete am 30. Juni 2026." in text
        assert "Das können Sie hier tun" not in text
        assert "Jetzt möglich" not in text


async def test_a_service_of_another_point_says_where_it_is_offered(terminal: Visit) -> None:
    text = (await terminal.get("/t/alpha/k/service/tour")).text
    assert "Das wird hier nicht angeboten." in text
    assert "Servicepunkt am Berg" in text


async def test_a_text_without_a_translation_says_which_language_it_is(terminal: Visit) -> None:
    await terminal.submit("/t/alpha/k", "/t/alpha/language", language="en", next="/k")
    text = (await terminal.get("/t/alpha/k/theme/mobility")).text
    assert '<html lang="en"' in text
    assert '<span lang="de">Monatskarte</span>' in text


NOTE = "Some of this is only in German."


@pytest.mark.parametrize("place", ["", "/k"])
async def test_a_text_in_another_language_is_announced_once_in_the_readers_own(terminal: Visit, place: str) -> None:
    english = {"cookie": f"sp_language=en; sp_device={terminal.client.cookies['sp_device']}"}
    for path, noted in (
        ("/theme/mobility", 1),
        ("/service/ticket", 1),
        ("/service/ticket/checklist", 1),
        ("/search?q=Monatskarte", 1),
        ("/service/ticket/authority", 1),
        ("/theme/papers", 0),
        ("/service/card", 0),
        ("", 0),
    ):
        text = (await terminal.get(f"/t/alpha{place}{path}", headers=english)).text
        assert text.count(NOTE) == noted, path
        if noted:
            assert text.index(NOTE) < text.index('<span lang="de">Monatskarte</span>'), path
    found = (await terminal.get(f"/t/alpha{place}/search?q=Monatskarte", headers=english)).text
    assert NOTE in found[found.index('id="found"') :], "what is searched for while somebody types brings its own note"
    assert "nur auf" not in (await terminal.get(f"/t/alpha{place}/service/ticket")).text


async def test_no_link_of_a_terminal_leaves_the_house(terminal: Visit) -> None:
    assert "https://example.org" not in (await terminal.get("/t/alpha/k/service/contract")).text
    assert 'href="https://example.org/strom"' in (await terminal.get("/t/alpha/service/contract")).text


@pytest.mark.parametrize("path", ["/theme/none", "/service/none", "/k/theme/none", "/k/service/none", "/none"])
async def test_what_does_not_exist_is_a_page_with_a_way_back(terminal: Visit, path: str) -> None:
    answer = await terminal.get(f"/t/alpha{path}")
    assert answer.status_code == 404
    assert "Diese Seite gibt es nicht." in answer.text
    assert "Zurück zum Start" in answer.text


async def test_a_terminal_page_needs_an_enrolled_terminal(visit: Visit) -> None:
    for path in ("/k", "/k/theme/energy", "/k/service/card", "/k/help"):
        answer = await visit.get(f"/t/alpha{path}")
        assert answer.status_code == 403
        assert "Dieses Gerät ist nicht angemeldet." in answer.text


async def test_a_terminal_of_another_town_is_refused(here: Town, visit: Visit) -> None:
    token = await here.terminal_token(here.beta)
    answer = await visit.get("/t/alpha/k", headers={"cookie": f"sp_device={token}"})
    assert answer.status_code == 403
    assert (await visit.get("/t/beta/k", headers={"cookie": f"sp_device={token}"})).status_code == 200


async def test_a_terminal_whose_point_is_gone_says_that_it_is_not_ready(here: Town, visit: Visit) -> None:
    await visit.become_terminal(here.alpha)
    token = await here.terminal_token(here.alpha, target="hill")
    good = {"cookie": f"sp_device={token}"}
    assert (await visit.get("/t/alpha/k", headers=good)).status_code == 200
    token = await here.terminal_token(here.alpha, target="elsewhere")
    answer = await visit.get("/t/alpha/k", headers={"cookie": f"sp_device={token}"})
    assert answer.status_code == 503
    assert "Dieses Terminal ist noch nicht bereit." in answer.text


async def test_every_link_and_form_of_a_page_stays_below_the_prefix(terminal: Visit) -> None:
    import re

    await terminal.sign_in()
    for path in ("", "/theme/energy", "/service/card", "/k", "/k/service/card", "/k/help", "/staff", "/staff/devices"):
        text = (await terminal.get(f"/t/alpha{path}")).text
        for address in re.findall(r'(?:href|action|hx-get)="(/[^"]*)"', text):
            assert address.startswith(("/t/alpha", "/static/")), (path, address)


async def test_a_town_is_found_by_its_host_name_too(here: Town) -> None:
    async with here.client(base_url="http://alpha.example.org") as visit:
        answer = await visit.get("/service/card")
        assert answer.status_code == 200
        assert "Seeburg" in answer.text
        assert 'href="/theme/papers"' in answer.text


async def test_ending_deletes_everything_but_the_terminal_itself(terminal: Visit) -> None:
    await terminal.submit("/t/alpha/k", "/t/alpha/language", language="en", next="/k")
    await terminal.submit("/t/alpha/k", "/t/alpha/view", view="large", next="/k")
    await terminal.sign_in()
    session = terminal.client.cookies["sp_session"]
    terminal.client.cookies.set("left_behind", "somebody", domain="points.example.org", path="/t/alpha")
    answer = await terminal.submit("/t/alpha/k", "/t/alpha/k/end")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/t/alpha/k"
    assert "cookies" not in answer.headers["clear-site-data"]
    assert set(terminal.client.cookies) == {"sp_device"}
    start = await terminal.get("/t/alpha/k")
    assert "Was möchten Sie erledigen?" in start.text
    assert "data-large" not in start.text
    again = await terminal.get("/t/alpha/staff", headers={"cookie": f"sp_session={session}"})
    assert again.status_code == 303, "the session ended at the server too"


async def test_only_a_touched_start_page_has_something_to_forget(terminal: Visit) -> None:
    assert 'data-idle="0"' in (await terminal.get("/t/alpha/k")).text
    await terminal.submit("/t/alpha/k", "/t/alpha/view", view="contrast", next="/k")
    assert 'data-idle="60"' in (await terminal.get("/t/alpha/k")).text
    assert 'data-idle="60"' in (await terminal.get("/t/alpha/k/theme/energy")).text


async def test_strange_cookie_names_do_no_harm_at_the_end(terminal: Visit) -> None:
    token = terminal.client.cookies["sp_csrf"]
    device = terminal.client.cookies["sp_device"]
    cookie = f'sp_csrf={token}; sp_device={device}; a[b]=1; =x; "q"=2; {"n" * 300}=3'
    answer = await terminal.client.post("/t/alpha/k/end", data={"_csrf_token": token}, headers={"cookie": cookie})
    assert answer.status_code == 303
