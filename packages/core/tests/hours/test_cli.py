"""`servicepunkt hours`, from the command line to a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import pytest
from click.testing import CliRunner, Result

from servicepunkt.core import cli
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, OtherHours, Point
from servicepunkt.core.catalogue.service import publish
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.hours import cli as hours_cli
from servicepunkt.core.hours.cli import instant
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import empty_database, make_tenant, open_deployment

BERLIN = ZoneInfo("Europe/Berlin")
CATALOGUE = Catalogue(
    hosts=(
        Host(
            id="shop",
            name="Shop",
            kind="shop",
            hours="Mo-Sa 09:30-20:00; PH off",
            exceptions=(
                OtherHours(first=date(2026, 12, 24), hours="09:30-14:00", reason={"de": "Heiligabend"}),
                OtherHours(first=date(2026, 12, 28), last=date(2026, 12, 29), reason={"de": "Inventur"}),
            ),
        ),
    ),
    points=(
        Point(
            id="point",
            name={"de": "Punkt"},
            host="shop",
            address=Address(street="Weg 1", postcode="00000", town="Ort"),
        ),
    ),
)
Run = Callable[..., Result]


@pytest.fixture
def run(
    urls: Urls, plugins: PluginHost, tmp_path: Path, environment: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Tenant alpha has published a catalogue, beta has not."""
    monkeypatch.setenv("COLUMNS", "160")

    async def fill() -> None:
        async with open_deployment(urls, tmp_path, plugins) as deployment:
            alpha = await make_tenant(deployment, urls.owner, "alpha")
            await make_tenant(deployment, urls.owner, "beta")
            async with deployment.database.tenant(alpha) as tx:
                await publish(tx, CATALOGUE, at=deployment.clock.now(), actor="test")

    empty_database(urls.owner)
    asyncio.run(fill())
    return lambda *arguments: CliRunner().invoke(cli.root(plugins), ("hours", *arguments))


def said(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_the_state_is_said_in_words_with_whose_reason(run: Run) -> None:
    assert said(run("alpha/point", "--at", "2026-11-21 19:40")) == ["Geöffnet bis 20:00 Uhr."]
    assert said(run("alpha/point", "--at", "2026-11-21T19:40", "--language", "en")) == ["Open until 8:00 PM."]
    assert said(run("alpha/point", "--at", "2026-06-04 12:00")) == [
        "Geschlossen (Fronleichnam). Öffnet am Freitag, 5. Juni um 09:30 Uhr.",
        "Shop geschlossen: Feiertag Fronleichnam",
    ]
    assert said(run("alpha/point", "--at", "2026-12-28 12:00"))[1] == "Shop geschlossen: Inventur"


def test_days_are_a_table_with_reasons(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours_cli.out, "width", 120)
    table = "\n".join(said(run("alpha/point", "--at", "2026-12-24 12:00", "--days", "6")))
    assert "Punkt: Montag bis Samstag 9.30 bis 20 Uhr, Sonntag geschlossen, an Feiertagen geschlossen" in table
    assert "Donnerstag, 24. Dezember │ 9.30 bis 14 Uhr │ Shop mit anderen Zeiten: Heiligabend" in table
    assert "Freitag, 25. Dezember │ geschlossen │ Shop geschlossen: Feiertag Erster Weihnachtstag" in table
    assert "Dienstag, 29. Dezember │ geschlossen │ Shop geschlossen: Inventur" in table
    assert "30. Dezember" not in table


def test_programs_get_instants_in_utc_and_all_languages(run: Run) -> None:
    answer = json.loads(run("alpha/point", "--at", "2026-06-04 12:00", "--json", "--days", "2").stdout)
    cause = {
        "kind": "holiday",
        "closes": True,
        "whose": {"role": "host", "name": {"": "Shop"}},
        "reason": {"de": "Fronleichnam", "en": "Corpus Christi"},
    }
    assert answer == {
        "at": "2026-06-04T10:00:00Z",
        "open": False,
        "until": "2026-06-05T07:30:00Z",
        "opens": "2026-06-05T07:30:00Z",
        "holiday": "Fronleichnam",
        "because": [cause],
        "days": [
            {
                "date": "2026-06-04",
                "open": [],
                "holiday": {"de": "Fronleichnam", "en": "Corpus Christi"},
                "causes": [cause],
            },
            {
                "date": "2026-06-05",
                "open": [{"start": "2026-06-05T07:30:00Z", "end": "2026-06-05T18:00:00Z"}],
                "holiday": {},
                "causes": [],
            },
        ],
    }
    assert "days" not in json.loads(run("alpha/point", "--json").stdout)


def test_what_does_not_exist_is_refused_with_what_does(run: Run) -> None:
    for place, sentence in [
        ("gamma/point", "known are: alpha, beta"),
        ("alpha/x", "there is no point 'x'; known are: point"),
        ("alpha", "there is no point ''; known are: point"),
        ("beta/point", "nothing has been published yet"),
    ]:
        error = run(place).exception
        assert isinstance(error, NotFoundError)
        assert sentence in error.staff_sentence


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01", "25:00", "1999-12-31 12:00", "2100-01-01"])
def test_a_time_that_is_none_is_wrong_usage(run: Run, at: str) -> None:
    result = run("alpha/point", "--at", at)
    assert result.exit_code == 2
    assert "--at" in result.output


def test_a_time_that_the_clocks_leave_out_or_show_twice_is_said(run: Run) -> None:
    gap = run("alpha/point", "--at", "2026-03-29 02:30", "--json")
    assert "03:30 was taken" in gap.stderr
    assert json.loads(gap.stdout)["at"] == "2026-03-29T01:30:00Z"
    assert "happens twice" in run("alpha/point", "--at", "2026-10-25 02:30").stderr


@pytest.mark.parametrize(
    ("text", "utc", "note"),
    [
        ("2026-06-04 12:00", datetime(2026, 6, 4, 10, tzinfo=UTC), ""),
        ("2026-06-04T12:00+00:00", datetime(2026, 6, 4, 12, tzinfo=UTC), ""),
        ("2026-06-04", datetime(2026, 6, 3, 22, tzinfo=UTC), ""),
        (
            "2026-03-29 02:30",
            datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
            "02:30 does not exist on this day: clocks go forward. 03:30 was taken.",
        ),
        (
            "2026-10-25 02:30",
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            "02:30 happens twice on this day: clocks go back. The first one was taken; "
            "for the second write 2026-10-25T02:30+01:00.",
        ),
        ("2026-10-25T02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), ""),
        ("2026-10-25 03:00", datetime(2026, 10, 25, 2, tzinfo=UTC), ""),
    ],
)
def test_what_somebody_means_by_a_time(text: str, utc: datetime, note: str) -> None:
    assert instant(text, BERLIN) == (utc, note)


def test_a_time_out_of_reach_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="2000 to 2099"):
        instant("0001-01-01", BERLIN)
