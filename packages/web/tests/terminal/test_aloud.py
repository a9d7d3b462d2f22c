"""What is read out of a service and of a checklist."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue.checklist import conditions
from servicepunkt.core.catalogue.model import Catalogue, Service
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.hours.model import Calendar
from servicepunkt.core.texts import Texts
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.speech import Passage
from servicepunkt.web.terminal.aloud import asked_too, passages
from servicepunkt.web.terminal.checklist import Wording, checklist, sheet
from servicepunkt.web.terminal.content import Sight

SATURDAY = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


@pytest.fixture(scope="module")
def texts() -> Texts:
    return Texts([Path(plugin.__file__).parent / "locale" for plugin in (core_plugin, web_plugin)])


@pytest.fixture
def said(make_catalogue: Callable[[], Catalogue], texts: Texts) -> Callable[..., list[Passage]]:
    def say(
        locale: str = "de", chosen: tuple[int, ...] = (), *, whole: bool = False, **changes: object
    ) -> list[Passage]:
        catalogue = make_catalogue()
        card = catalogue.service("card")
        assert card
        card = msgspec.structs.replace(card, **changes)
        sight = Sight(
            published=Published(1, "", catalogue, SATURDAY),
            point=catalogue.point("harbour"),
            at=SATURDAY,
            calendar=Calendar("Europe/Berlin", "HE"),
            locale=locale,
            describe=lambda state, because: "",
            clock=str,
        )
        found = checklist(sight, card, chosen, texts)
        made = sheet(found, sight, texts, issuer="Seeburg", address="https://example.org")
        return passages(made, asked_too(card, Wording(texts, locale)) if whole else [])

    return say


def card_of(catalogue: Catalogue) -> Service:
    found = catalogue.service("card")
    assert found
    return found


def test_a_service_is_told_from_its_name_to_where_it_is(said: Callable[..., list[Passage]]) -> None:
    assert [one.text for one in said(whole=True)] == [
        "Personalausweis",
        "Der Ausweis für Deutsche ab 16 Jahren.",
        "Das bringen Sie mit:",
        "Ein biometrisches Foto",
        "nur unter 16 Jahren: Zustimmung der Eltern",
        "Das kostet es:",
        "37,00 Euro",
        "So lange dauert es:",
        "Etwa drei Wochen",
        "Wo und wann:",
        "Servicepunkt am Hafen",
        "Kai 1, 12345 Seeburg",
        "Montag bis Freitag 10 bis 18 Uhr, Samstag 10 bis 19.50 Uhr, Sonntag geschlossen, an Feiertagen geschlossen",
        "Sie brauchen einen Termin.",
        "Ohne Internet:",
        "Kommen Sie ins Bürgerbüro, Markt 1.",
    ]


def test_a_checklist_says_what_belongs_to_the_answers(
    said: Callable[..., list[Passage]], make_catalogue: Callable[[], Catalogue]
) -> None:
    (one,) = conditions(card_of(make_catalogue()))
    assert "Zustimmung der Eltern" not in [passage.text for passage in said()]
    told = [passage.text for passage in said(chosen=(one.number,))]
    assert told[2:6] == [
        "Das bringen Sie mit:",
        "Für Sie gilt: nur unter 16 Jahren",
        "Ein biometrisches Foto",
        "Zustimmung der Eltern",
    ]


def test_what_is_not_translated_is_said_in_its_own_language(said: Callable[..., list[Passage]]) -> None:
    found = said("en", fee={"de": "<p>37 Euro</p><ul><li>bar</li></ul>"})
    assert Passage("en", "What it costs:") in found
    assert Passage("de", "37 Euro") in found
    assert Passage("de", "bar") in found
