"""A new town's file is in order from the first moment, whichever town it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from servicepunkt.core import deployment as deployments
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, NotFoundError
from servicepunkt.core.settings import Settings
from servicepunkt.tenants import areas, starting
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.cli.tenant import tenant

SMALL = "09473159"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return deployments.without_database(Settings(home=tmp_path_factory.mktemp("home")))


def one_of_each() -> list[areas.Area]:
    """A municipality for each Land and each kind of district."""
    found = {}
    for area in areas.municipalities().values():
        district = areas.district_of(area)
        found.setdefault((area.land, district.kind if district else "", area.kind), area)
    return list(found.values())


def test_the_list_of_areas() -> None:
    assert len(areas.municipalities()) == 11_299
    assert {area.land for area in areas.areas().values()} == set(areas.LANDS.values())
    rheine = areas.find("Rheine")[0]
    assert (rheine.ags, rheine.land, rheine.ars) == ("05566076", "NW", "055660076076")
    assert [area.name for area in areas.find("Wuerzburgg")][:1] == ["Würzburg"]
    assert areas.find("") == []


@pytest.mark.parametrize("area", one_of_each(), ids=lambda area: f"{area.land}-{area.ags}")
def test_every_kind_of_town_is_in_order(deployment: Deployment, tmp_path: Path, area: areas.Area) -> None:
    starting.write(tmp_path / "town", area, {}, str)
    checked = check(deployment, tmp_path / "town")
    assert checked.errors == []
    assert checked.file is not None
    assert {one.code for one in checked.findings} <= {"SP1053", "SP1067"}


def test_a_town_that_is_a_district_decides_itself(tmp_path: Path) -> None:
    own, other = areas.municipalities()["06412000"], areas.municipalities()[SMALL]
    assert starting.values_of(own, {})["decides"] == "town"
    assert starting.values_of(other, {})["decides"] == "district"


def test_names_that_would_break_a_file_are_written_as_texts(deployment: Deployment, tmp_path: Path) -> None:
    nasty = {"host_name": 'Haus "Zur Post" \\ """ {{ x }} \u2028', "phone": "030 1'2"}
    starting.write(tmp_path / "town", areas.municipalities()[SMALL], nasty, str)
    read = tomllib.loads((tmp_path / "town" / "tenant.toml").read_text("utf-8"))
    assert read["hosts"][0]["name"] == nasty["host_name"]
    assert check(deployment, tmp_path / "town").errors == []


def test_without_a_box_nothing_is_collected(deployment: Deployment, tmp_path: Path) -> None:
    starting.write(tmp_path / "town", areas.municipalities()[SMALL], {"compartments": "0"}, str)
    checked = check(deployment, tmp_path / "town")
    assert checked.file is not None
    assert "dokbox" not in checked.file.sections
    assert not any("collect" in offer.can for offer in checked.file.catalogue.offers)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConflictError):
        starting.write(tmp_path, areas.municipalities()[SMALL], {}, str)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["Neustadt", "Nirgendwohausen", "Berli"])
def test_a_name_that_is_not_one_towns_is_asked_back(name: str) -> None:
    with pytest.raises(NotFoundError, match="which town"):
        starting.town_of(name)


def test_the_questions_are_asked_until_an_answer_fits(tmp_path: Path) -> None:
    answers = ["Rheine", "Laden", "shopp", "shop", "Mo 25:00", "Mo-Fr 09:00-18:00", *[""] * 9, "lots", "0"]
    ran = CliRunner().invoke(
        tenant, ["new", str(tmp_path / "town"), "--language", "de"], input="\n".join(answers) + "\n"
    )
    assert ran.exit_code == 0, ran.output
    assert "Stadt Rheine, 05566076, Kreis Steinfurt" in ran.output
    assert "Das ist keine der Arten." in ran.output
    assert "Fehler: 0." in ran.output
    read = tomllib.loads((tmp_path / "town" / "tenant.toml").read_text("utf-8"))
    assert (read["tenant"]["slug"], read["hosts"][0]["name"]) == ("rheine", "Laden")


def test_an_answer_that_is_given_and_does_not_fit_is_refused(tmp_path: Path) -> None:
    options = ["new", str(tmp_path / "town"), "--town", "Rheine", "--usual", "--answer", "host_kind=kiosk"]
    assert CliRunner().invoke(tenant, options).exit_code == 2
    assert not (tmp_path / "town").exists()


def test_slugs() -> None:
    assert starting.slug_of("Hohe Börde") == "hohe-boerde"
    assert starting.slug_of("Neustadt a.d. Donau") == "neustadt-a-d-donau"
    assert starting.slug_of("???") == "town"
