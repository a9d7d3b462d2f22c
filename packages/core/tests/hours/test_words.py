"""Opening hours as people say them, in German and in English."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.hours.model import Calendar, Osm, state
from servicepunkt.core.hours.words import describe
from servicepunkt.core.texts import Texts

TEXTS = Texts([core_plugin.texts()])
HE = Calendar(subdivision="HE")
SHOP = "Mo-Sa 09:30-20:00; PH off"


def said(hours: str, moment: str, locale: str) -> str:
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
    return describe(state(Osm(hours), HE, at), HE, at, texts=TEXTS, locale=locale)


@pytest.mark.parametrize(
    ("hours", "moment", "german", "english"),
    [
        (SHOP, "2026-11-21T19:40", "Geöffnet bis 20:00 Uhr.", "Open until 8:00 PM."),
        (SHOP, "2026-11-21T08:00", "Geschlossen. Öffnet heute um 09:30 Uhr.", "Closed. Opens today at 9:30 AM."),
        (
            SHOP,
            "2026-11-21T20:00",
            "Geschlossen. Öffnet am Montag, 23. November um 09:30 Uhr.",
            "Closed. Opens on Monday, November 23 at 9:30 AM.",
        ),
        (
            SHOP,
            "2026-06-04T12:00",
            "Geschlossen (Fronleichnam). Öffnet am Freitag, 5. Juni um 09:30 Uhr.",
            "Closed (Fronleichnam). Opens on Friday, June 5 at 9:30 AM.",
        ),
        ("24/7", "2026-11-21T20:00", "Immer geöffnet.", "Always open."),
        ("off", "2026-11-21T20:00", "Geschlossen.", "Closed."),
    ],
)
def test_the_state_is_said_in_plain_words(hours: str, moment: str, german: str, english: str) -> None:
    assert said(hours, moment, "de") == german
    assert said(hours, moment, "en") == english
    assert said(hours, moment, "de-x-leicht") == german
