"""`tenant check` names everything that is wrong, where it stands, with a code, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from servicepunkt.core import deployment as deployments
from servicepunkt.core import hookimpl
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock
from servicepunkt.core.testing.outage import frozen
from servicepunkt.tenants import files, findings
from servicepunkt.tenants.checking import check
from servicepunkt.tenants.cli import tenant
from servicepunkt.web import plugin as web_plugin

TOWN = """\
schema = 1

[tenant]
slug = "seeburg"
name = "Stadt Seeburg"
ags = "06631001"
subdivision = "HE"
languages = ["de"]
plugins = ["web"]

[line115]
hours = "Mo-Su 00:00-24:00"

[[hosts]]
id = "shop"
name = "Laden"
kind = "shop"
hours = "Mo-Fr 09:00-18:00"
contract = { since = 2026-01-01 }

[[points]]
id = "point"
name.de = "Servicepunkt"
host = "shop"
staffed = "Mo-Fr 09:00-12:00"
help_phone = "115"
address = { street = "Weg 1", postcode = "11111", town = "Seeburg" }

[[partners]]
id = "town"
name = "Stadt"
kind = "authority"
valid_from = 2020-01-01

[[themes]]
id = "home"
name.de = "Wohnen"

[[services]]
id = "move"
name.de = "Umziehen"
themes = ["home"]
competence = "town"

[[offers]]
service = "move"
point = "point"
provider = "town"
can = ["inform"]
non_digital.de = "Im Rathaus"
staffed = true
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Everything that is installed, and no database, on a Monday."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    made = deployments.without_database(settings)
    made.clock = FixedClock(datetime(2026, 11, 23, 9, tzinfo=UTC))
    return made


Wrong = Callable[[str], list[tuple[str, int, str]]]


@pytest.fixture
def wrong(deployment: Deployment, tmp_path: Path) -> Wrong:
    def ask(text: str) -> list[tuple[str, int, str]]:
        (tmp_path / "tenant.toml").write_text(text, "utf-8")
        return [(one.code, one.line, one.path) for one in check(deployment, tmp_path).findings]

    return ask


def test_a_small_town_is_in_order(wrong: Wrong) -> None:
    assert wrong(TOWN) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("schema = 1", "schema = 2", "SP1011", "schema"),
        ('name = "Stadt Seeburg"', "", "SP1013", "tenant"),
        ('slug = "seeburg"', 'slug = "See Burg"', "SP1030", "tenant.slug"),
        ('languages = ["de"]', 'languages = ["en"]', "SP1031", "tenant.locale"),
        ('languages = ["de"]', 'languages = ["de", "german!"]', "SP1032", "tenant.languages"),
        ('languages = ["de"]', 'languages = ["de"]\nzone = "Europe/Berln"', "SP1033", "tenant.zone"),
        ('subdivision = "HE"', 'subdivision = "HX"', "SP1034", "tenant.subdivision"),
        ('ags = "06631001"', 'ags = "6631001"', "SP1035", "tenant.ags"),
        ('ags = "06631001"', 'ags = "12065144"', "SP1036", "tenant.ags"),
        ('ags = "06631001"', 'ags = "06631999"', "SP1037", "tenant.ags"),
        ('plugins = ["web"]', 'plugins = ["web"]\nhosts = ["https://x"]', "SP1038", "tenant.hosts"),
        ('plugins = ["web"]', 'plugins = ["wep"]', "SP1040", "tenant.plugins[0]"),
        ('plugins = ["web"]', 'plugins = ["web", "web"]', "SP1042", "tenant.plugins"),
        ("[line115]", "[dokbox]\n[line115]", "SP1041", "dokbox"),
        ("[line115]", '[web]\nsmtp_password = "x"\n[line115]', "SP1043", "web.smtp_password"),
        ("[line115]", "[limits]\npoints = 0\n[line115]", "SP1191", "limits.points"),
        ("[line115]", "[terminl]\n[line115]", "SP1022", "terminl"),
        ('hours = "Mo-Su 00:00-24:00"', 'hours = "Mo-Su"\ncoverage = "ful"', "SP1014", "line115.coverage"),
        ('hours = "Mo-Su 00:00-24:00"', 'hours = "Mo 25:00"', "SP2132", "line115.hours"),
        ('hours = "Mo-Su 00:00-24:00"', 'hours = "Mo-Fr 09:00-17:00"', "SP1053", "points[0]"),
        ("staffed = true", 'staffed = true\nhours = "Su 10:00-12:00"', "SP1051", "offers[0]"),
        ('staffed = "Mo-Fr 09:00-12:00"', 'staffed = "Su 10:00-12:00"', "SP1052", "points[0].staffed"),
        ('themes = ["home"]', "", "SP1054", "services[0]"),
        ('themes = ["home"]', "", "SP1064", "themes[0]"),
        ('competence = "town"', "", "SP1055", "services[0]"),
        ('non_digital.de = "Im Rathaus"', 'non_digital.en = "Town hall"', "SP1056", "offers[0].non_digital"),
        ('languages = ["de"]', 'languages = ["de", "en"]', "SP1057", "services[0].name"),
        ("since = 2026-01-01", "since = 2026-01-01, until = 2027-01-31", "SP1058", "hosts[0].contract"),
        ("since = 2026-01-01", "since = 2026-01-01, until = 2026-10-31", "SP1059", "hosts[0].contract"),
        ("since = 2026-01-01", "since = 2026-01-01, until = 2025-12-31", "SP1060", "hosts[0].contract"),
        ("valid_from = 2020-01-01", "valid_until = 2026-10-31", "SP1061", "offers[0].provider"),
        ("valid_from = 2020-01-01", "valid_from = 2020-01-01\nvalid_until = 2019-01-01", "SP1060",
         "partners[0].valid_until"),
        ('staffed = "Mo-Fr 09:00-12:00"', "", "SP1062", "offers[0].staffed"),
        ('point = "point"\n', 'point = "pont"\n', "SP2103", "offers[0].point"),
        ('point = "point"\n', 'point = "pont"\n', "SP1063", "points[0]"),
        ('help_phone = "115"', "", "SP1065", "points[0]"),
        ('kind = "shop"', 'kind = "shopp"', "SP1014", "hosts[0].kind"),
        ('name = "Laden"', "name = 5", "SP1015", "hosts[0].name"),
        ('name = "Laden"', 'nam = "Laden"', "SP1012", "hosts[0].nam"),
    ],
)  # fmt: skip
def test_every_rule_is_named_where_it_is_broken(wrong: Wrong, old: str, new: str, code: str, path: str) -> None:
    assert old in TOWN
    changed = TOWN.replace(old, new, 1)
    found = wrong(changed)
    assert (code, path) in [(found_code, found_path) for found_code, _, found_path in found]
    last = path.rpartition(".")[2]
    for number, line in enumerate(changed.split("\n"), start=1):
        if line.startswith(f"{last} = ") and line in new.split("\n"):
            assert (code, number, path) in found


def test_what_follows_from_a_mistake_is_not_named(wrong: Wrong) -> None:
    """The host cannot be read: that the point has none, and the offer is never possible, would only confuse."""
    assert [code for code, _, _ in wrong(TOWN.replace('kind = "shop"', 'kind = "x"'))] == ["SP1014"]
    broken = TOWN.replace('id = "town"', 'id = = "town"')
    assert [code for code, _, _ in wrong(broken)] == ["SP1006"]


def test_many_mistakes_in_one_run(wrong: Wrong) -> None:
    text = TOWN.replace('"HE"', '"XX"').replace('"web"', '"wep"').replace("staffed = true", "staffd = true")
    text = text.replace('hours = "Mo-Fr 09:00-18:00"', 'hours = "Mo 25:00"')
    assert [code for code, _, _ in wrong(text)] == ["SP1034", "SP1040", "SP2132", "SP1012"]


@pytest.mark.parametrize("pack", sorted(files.installed_packs()))
def test_the_packs_are_in_order(deployment: Deployment, pack: str) -> None:
    checked = check(deployment, files.folder_of(pack))
    assert checked.errors == []
    assert checked.file is not None
    # 115 is closed in the evening, and no door is installed by which people could identify at a terminal.
    assert {one.code for one in checked.findings} <= {"SP1053", "SP8273"}


HOUSE = """
[house]
slot_days = 0
[[house.spaces]]
id = "first"
host = "shopp"
name.de = "Fläche"
[[house.spaces]]
id = "second"
host = "shop"
name.de = "Lounge"
colour = "red"
[[house.spaces]]
id = "Third One"
host = "shop"
name.de = "Ecke"
"""


def test_a_section_in_which_something_is_wrong_is_looked_at_as_far_as_it_can_be(wrong: Wrong) -> None:
    found = wrong(TOWN + HOUSE)
    assert sorted(code for code, _, _ in found) == ["SP1012", "SP1016", "SP8121", "SP8122"]
    at = {code: place for code, place, _ in found}
    above = (TOWN + HOUSE).partition('id = "Third')[0]
    assert at["SP8122"] == above.count("\n") + 1, "the third, as written"


def test_a_space_of_a_house_that_cannot_be_read_is_no_mistake(wrong: Wrong) -> None:
    text = TOWN.replace('kind = "shop"', 'kind = "x"') + HOUSE.replace("shopp", "shop").replace("Third One", "third")
    assert sorted(code for code, _, _ in wrong(text)) == ["SP1012", "SP1014", "SP1016"]


@pytest.mark.parametrize(("old", "new", "code"), [
    ('name = "Laden"', 'name = "La\\u0000den"', "SP1024"),
    ('name = "Laden"', 'name = "La\\u0085den"', "SP1024"),
    ('themes = ["home"]', 'themes = ["home"]\nfees = [{ amount = nan }]', "SP1015"),
    ('themes = ["home"]', 'themes = ["home"]\nfees = [{ amount = "-Infinity" }]', "SP1015"),
])  # fmt: skip
def test_what_no_database_and_no_map_takes(wrong: Wrong, old: str, new: str, code: str) -> None:
    assert [found for found, _, _ in wrong(TOWN.replace(old, new))] == [code]


def test_a_mark_of_the_order_of_bytes_is_no_mistake(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(TOWN, "utf-8-sig")
    assert check(deployment, tmp_path).findings == []


def test_a_file_in_place_of_a_folder_is_named(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(TOWN, "utf-8")
    (tmp_path / "texts").write_text("", "utf-8")
    assert [(one.code, one.file) for one in check(deployment, tmp_path).findings] == [("SP1008", "texts")]


def test_the_command_for_people_and_programs(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(TOWN.replace('"shop"\nhours', '"shopp"\nhours'), "utf-8")
    said = CliRunner().invoke(tenant, ["check", str(tmp_path), "--language", "de"])
    assert said.exit_code == 1
    assert "tenant.toml:17:1" in said.output
    assert "Meinten Sie shop?" in said.output
    as_json = CliRunner().invoke(tenant, ["check", str(tmp_path), "--json", "--language", "en"])
    [found] = json.loads(as_json.output)["findings"]
    assert (found["code"], found["line"], found["near"]) == ("SP1014", 17, "shop")
    assert found["sentence"].startswith("'shopp' is none of")
    sarif = json.loads(CliRunner().invoke(tenant, ["check", str(tmp_path), "--format", "sarif"]).output)
    [result] = sarif["runs"][0]["results"]
    assert result["ruleId"] == "SP1014"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 17, "startColumn": 1}


def test_warnings_refuse_only_who_is_strict(tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(TOWN.replace("Mo-Su 00:00-24:00", "Mo-Fr 09:00-17:00"), "utf-8")
    assert CliRunner().invoke(tenant, ["check", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(tenant, ["check", str(tmp_path), "--strict"]).exit_code == 1


def test_a_finding_says_where_it_is() -> None:
    one = findings.Finding("SP1", "error", "tenant.toml", 3, 1, "hosts[0]", "x")
    assert one.where == "tenant.toml:3:1 hosts[0]"


class Hoarder:
    """A plugin that stores something for ever and does not say why."""

    servicepunkt_api = "1"

    @hookimpl
    def tables(self) -> list[sa.Table]:
        return [sa.Table("hoard", sa.MetaData(), info={"tenant": True, "kept": ""})]


def test_a_plugin_that_never_erases_what_it_stores_is_named(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "tenant.toml").write_text(TOWN.replace('["web"]', '["web", "hoarder"]'), "utf-8")
    hoarding = deployments.without_database(deployment.settings)
    hoarding.clock, hoarding.plugins = deployment.clock, frozen(web=web_plugin, hoarder=Hoarder())
    (found,) = check(hoarding, tmp_path).findings
    assert (found.code, found.path) == ("SP1066", "tenant.plugins[1]")
    assert "hoard" in found.sentence
