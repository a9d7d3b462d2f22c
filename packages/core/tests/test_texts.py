"""Translations: English message ids, German from files, Leichte Sprache where there is some."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.errors import NotFoundError, ServicepunktError
from servicepunkt.core.texts import Texts, spoken_date, spoken_time

BERLIN = ZoneInfo("Europe/Berlin")


def write(folder: Path, language: str, **messages: str) -> Path:
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    body = "".join(f'\nmsgid "{key.replace("_", " ")}"\nmsgstr "{value}"\n' for key, value in messages.items())
    folder.mkdir(exist_ok=True)
    (folder / f"{language}.po").write_text(head + body, "utf-8")
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Texts:
    write(tmp_path / "one", "de", Open="Offen", Until_name="Bis {name} Uhr", Untranslated="")
    write(tmp_path / "one", "de-x-leicht", Open="Es ist auf")
    write(tmp_path / "two", "de", Closed="Zu")
    return Texts([tmp_path / "one", tmp_path / "two", tmp_path / "absent"])


def test_a_text_is_translated_and_english_needs_no_file(texts: Texts) -> None:
    assert texts.translate("de", "Open") == "Offen"
    assert texts.translate("de", "Closed") == "Zu"
    assert texts.translate("en", "Open") == "Open"
    assert texts.translate("tr", "Open") == "Open"
    assert texts.translate("de", "Never seen") == "Never seen"


def test_leichte_sprache_takes_from_german_what_it_does_not_have(texts: Texts) -> None:
    assert texts.translate("de-x-leicht", "Open") == "Es ist auf"
    assert texts.translate("de-x-leicht", "Closed") == "Zu"
    assert texts.translate("de-AT", "Open") == "Offen"


def test_places_are_filled_and_braces_stay_where_there_are_no_values(texts: Texts) -> None:
    assert texts.translate("de", "Until name", name="20") == "Bis 20 Uhr"
    assert texts.translate("en", "Until {name}", name="20") == "Until 20"
    assert texts.translate("en", "A {brace}") == "A {brace}"


def test_an_empty_translation_counts_as_missing(texts: Texts) -> None:
    assert texts.missing("de", ["Open", "Untranslated", "Never seen"]) == ["Untranslated", "Never seen"]
    assert texts.missing("en", ["Open"]) == ["Open"]
    assert texts.languages() == ("en", "de", "de-x-leicht")


def test_an_error_speaks_the_language_of_the_citizen(texts: Texts, tmp_path: Path) -> None:
    assert texts.error("en", NotFoundError()) == (NotFoundError.citizen, NotFoundError.next_step)


def test_every_sentence_of_the_kernels_errors_is_there_in_german() -> None:
    german = Texts([core_plugin.texts()])
    kinds = [ServicepunktError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    ours = [kind for kind in kinds if kind.__module__.startswith("servicepunkt.core.")]
    assert len(ours) > 12
    assert german.missing("de", [sentence for kind in ours for sentence in (kind.citizen, kind.next_step)]) == []


def test_days_and_times_are_said_as_people_say_them() -> None:
    evening = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)
    assert spoken_date(date(2026, 11, 21), "de") == "Samstag, 21. November"
    assert spoken_date(date(2026, 11, 21), "de-x-leicht") == "Samstag, 21. November"
    assert spoken_date(date(2026, 11, 21), "en") == "Saturday, November 21"
    assert spoken_time(evening, "de", BERLIN) == "19:40 Uhr"
    assert spoken_time(evening, "en", BERLIN) == "7:40 PM"
    assert spoken_time(evening.replace(month=7), "de", BERLIN) == "20:40 Uhr"
