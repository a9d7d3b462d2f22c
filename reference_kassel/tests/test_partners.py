"""Kassel's partners: written with the public API alone, on in Kassel and nowhere else, each with an offer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from servicepunkt.core.catalogue.model import Catalogue, is_current
from servicepunkt.core.deployment import Deployment, without_database
from servicepunkt.core.orders.asking import Partner, partner_of
from servicepunkt.core.orders.model import HOOKS
from servicepunkt.core.settings import Settings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import files, service

ROOT = Path(__file__).resolve().parent.parent
PARTNERS = sorted(path.parent for path in ROOT.glob("partners/*/pyproject.toml"))
PUBLIC = {"servicepunkt.core", "servicepunkt.core.orders.listed", "servicepunkt.core.orders.model"} | {
    "servicepunkt.core.tenancy.model"
}
TODAY = date(2026, 11, 21)
Towns = dict[str, tuple[TenantContext, Catalogue]]


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return without_database(Settings())


@pytest.fixture(scope="module")
def towns(deployment: Deployment) -> Towns:
    """The context and the catalogue of each tenant file that is installed."""
    found = {}
    for number, slug in enumerate(("kassel", "hohen-neuendorf"), 1):
        file = service.load(deployment, files.folder_of(slug))
        ctx = TenantContext(
            id=number, slug=slug, name=slug, plugins=frozenset(file.tenant.plugins), subdivision=file.tenant.subdivision
        )
        found[slug] = ctx, file.catalogue
    return found


def imports(folder: Path) -> Iterator[str]:
    for path in folder.glob("src/**/*.py"):
        yield from re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("folder", PARTNERS, ids=lambda path: path.name)
def test_a_partner_is_written_with_what_is_public(folder: Path) -> None:
    own = {name for name in imports(folder) if name.startswith("servicepunkt")}
    assert own
    assert own <= PUBLIC


@pytest.mark.parametrize("folder", PARTNERS, ids=lambda path: path.name)
def test_a_partner_is_small_and_says_what_is_invented(folder: Path) -> None:
    (plugin,) = folder.glob("src/*/plugin.py")
    assert len(plugin.read_text("utf-8").splitlines()) <= 100
    assert "\n## What is invented\n" in (folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize("folder", PARTNERS, ids=lambda path: path.name)
def test_a_partner_is_on_in_kassel_alone(folder: Path, towns: Towns) -> None:
    (name,) = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["servicepunkt"]
    assert name in {point.name for point in entry_points(group="servicepunkt")}
    assert [slug for slug, (ctx, _) in towns.items() if ctx.allows(name)] == ["kassel"]


def sold(deployment: Deployment, town: tuple[TenantContext, Catalogue], day: date) -> dict[str, Partner]:
    ctx, catalogue = town
    pairs = [(service, offer) for service in catalogue.services for offer in catalogue.offers_of(service.id)]
    current = [offer for service, offer in pairs if is_current(catalogue, service, offer, day)]
    found = {offer.service: partner_of(deployment, ctx, offer) for offer in current}
    return {name: partner for name, partner in found.items() if partner}


def test_each_plugin_has_its_offer(deployment: Deployment, towns: Towns) -> None:
    assert {name: one.plugin for name, one in sold(deployment, towns["kassel"], TODAY).items()} == {
        "e-mobilitaet-beratung": "kassel_e_mobility",
        "sperrmuell": "kassel_bulky_waste",
        "stadtfuehrung": "kassel_tours",
        "stromvertrag": "kassel_electricity",
        "wasserzaehler": "kassel_water",
        "wohnungsangebote": "kassel_housing",
    }


def test_tram_tickets_were_sold_until_the_partner_left(deployment: Deployment, towns: Towns) -> None:
    for day, is_sold in ((date(2022, 7, 1), True), (date(2024, 3, 31), True), (date(2024, 4, 1), False)):
        assert ("strassenbahnticket" in sold(deployment, towns["kassel"], day)) is is_sold


def test_the_other_town_sells_nothing(deployment: Deployment, towns: Towns) -> None:
    assert sold(deployment, towns["hohen-neuendorf"], TODAY) == {}
    ctx, _ = towns["hohen-neuendorf"]
    for offer in towns["kassel"][1].offers:
        assert partner_of(deployment, ctx, offer) is None


async def test_whatever_is_offered_can_be_chosen(deployment: Deployment, towns: Towns) -> None:
    at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    for partner in sold(deployment, towns["kassel"], TODAY).values():
        choices = await partner.offering.choices(at)
        assert choices
        if partner.hook == HOOKS["book"]:
            assert all(one.at and one.at > at for one in choices)
