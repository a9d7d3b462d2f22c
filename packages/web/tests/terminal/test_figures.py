"""Fees and durations in figures, in the form of each language."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue.model import Duration, Fee
from servicepunkt.core.texts import Texts
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.terminal.figures import UNITS, Figure, durations, fees


@pytest.fixture(scope="module")
def say() -> Callable[[str], Callable[..., str]]:
    texts = Texts([Path(plugin.__file__).parent / "locale" for plugin in (core_plugin, web_plugin)])
    return lambda locale: partial(texts.translate, locale)


@pytest.mark.parametrize(
    ("fee", "german", "english"),
    [
        (Fee(amount=Decimal("37.5")), "37,50\xa0€", "€37.50"),
        (Fee(amount=Decimal(10), amount_to=Decimal(20)), "10,00\xa0€ bis 20,00\xa0€", "€10.00 to €20.00"),
        (Fee(amount=Decimal(10), amount_to=Decimal("10.00")), "10,00\xa0€", "€10.00"),
        (Fee(amount_to=Decimal(1200)), "bis zu 1.200,00\xa0€", "up to €1,200.00"),
        (Fee(amount=Decimal(5), currency="CHF"), "5,00\xa0CHF", "CHF5.00"),
        (Fee(), "kostenlos", "free of charge"),
        (Fee(amount=Decimal(0)), "0,00\xa0€", "€0.00"),
        (Fee(amount=Decimal(6), prepaid=True), "6,00\xa0€, im Voraus zu zahlen", "€6.00, to be paid in advance"),
    ],
)
def test_an_amount_stands_as_the_language_writes_it(
    say: Callable[[str], Callable[..., str]], fee: Fee, german: str, english: str
) -> None:
    assert [one.said for one in fees([fee], say("de"), "de")] == [german]
    assert [one.said for one in fees([fee], say("en"), "en")] == [english]
    assert [one.said for one in fees([fee], say("de-x-leicht"), "de-x-leicht")] == [german]


@pytest.mark.parametrize(
    ("duration", "german", "english"),
    [
        (Duration(kind="processing", least=3, unit="WOCHE"), "3 Wochen", "3 weeks"),
        (Duration(kind="processing", least=1, unit="MONAT"), "1 Monat", "1 month"),
        (Duration(kind="processing", least=1, most=2, unit="TAG"), "1–2 Tage", "1–2 days"),
        (Duration(kind="processing", least=0, most=2, unit="TAG"), "bis zu 2 Tage", "up to 2 days"),
        (
            Duration(kind="processing", least=5, unit="ARBEITSTAG", most=1, most_unit="MONAT"),
            "5 Arbeitstage bis 1 Monat",
            "5 working days to 1 month",
        ),
        (Duration(kind="deadline", least=1, unit="JAHR"), "Frist: 1 Jahr", "Deadline: 1 year"),
    ],
)
def test_a_duration_stands_in_words(
    say: Callable[[str], Callable[..., str]], duration: Duration, german: str, english: str
) -> None:
    assert [one.said for one in durations([duration], say("de"), "de")] == [german]
    assert [one.said for one in durations([duration], say("en"), "en")] == [english]


def test_every_unit_has_german_words(say: Callable[[str], Callable[..., str]]) -> None:
    for one, several in UNITS.values():
        assert say("de")(one) != one
        assert say("de")(several) != several


def test_a_way_is_named_where_another_one_differs(say: Callable[[str], Callable[..., str]]) -> None:
    express = {"de": "Express"}
    found = fees(
        [
            Fee(amount=Decimal(70), channel="point"),
            Fee(amount=Decimal(65), channel="200"),
            Fee(amount=Decimal(32), text=express, channel="point"),
            Fee(amount=Decimal(32), text=express, channel="200"),
            Fee(),
        ],
        say("en"),
        "en",
    )
    assert found == [
        Figure(said="€70.00", channels=("point",)),
        Figure(said="€65.00", channels=("200",)),
        Figure(said="€32.00", text=express, channels=("point", "200")),
        Figure(said="free of charge"),
    ]
    assert fees([Fee(channel="200")], say("en"), "en") == [Figure(said="free of charge")]
