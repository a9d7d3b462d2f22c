"""The catalogue as seen at one place and instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from servicepunkt.core.catalogue.model import Address, Catalogue, Partner, Responsibility, Service
from servicepunkt.core.catalogue.search.index import Found
from servicepunkt.core.catalogue.service import Published
from servicepunkt.core.hours.model import Calendar
from servicepunkt.web.terminal import content
from servicepunkt.web.terminal.content import Sight

SATURDAY = datetime(2026, 11, 21, 18, 40, tzinfo=UTC)


@pytest.fixture
def sight(make_catalogue: Callable[[], Catalogue]) -> Callable[..., Sight]:
    def make(point: str | None = "harbour", at: datetime = SATURDAY, **changes: Any) -> Sight:
        catalogue = msgspec.structs.replace(make_catalogue(), **changes)
        return Sight(
            published=Published(1, "", catalogue, SATURDAY),
            point=catalogue.point(point) if point else None,
            at=at,
            calendar=Calendar("Europe/Berlin", "HE"),
            locale="de",
            describe=lambda state, because: "open" if state.open else " ".join(["closed", *(c.kind for c in because)]),
            clock=lambda instant: f"{instant:%H:%M}",
        )

    return make


def statuses(sight: Sight, theme: str) -> list[tuple[str, str]]:
    found = sight.catalogue.theme(theme)
    assert found
    return [(seen.service.id, seen.status) for seen in content.offers_of_theme(sight, found)]


def test_what_is_possible_comes_first_and_what_has_ended_last(sight: Callable[..., Sight]) -> None:
    assert statuses(sight(), "energy") == [("contract", "now"), ("bonus", "ended")]
    assert statuses(sight(), "mobility") == [("ticket", "later")]
    assert statuses(sight(), "tourism") == [("walk", "upcoming")]
    assert statuses(sight(None), "tourism") == [("tour", "now"), ("walk", "upcoming")]


def test_offers_stand_as_the_editors_wrote_them_a_themes_own_first(
    sight: Callable[..., Sight], make_catalogue: Callable[[], Catalogue]
) -> None:
    def wrote(*ids: str) -> dict[str, Any]:
        """Services and offers in this order; those with `-too` belong to another theme first."""
        kept = make_catalogue()
        model, offer = kept.services[0], kept.offers[0]
        services = [
            msgspec.structs.replace(
                model, id=name, name={"de": name}, themes=("energy", "living") if name.endswith("-too") else ("living",)
            )
            for name in ids
        ]
        offers = [msgspec.structs.replace(offer, service=name, staffed=False) for name in ids]
        return {"services": tuple(services), "offers": tuple(offers)}

    view = sight(**wrote("waste-too", "rent", "a-move", "zoo", "bins-too"))
    assert statuses(view, "living") == [(name, "now") for name in ("rent", "a-move", "zoo", "waste-too", "bins-too")]
    assert statuses(view, "energy") == [("waste-too", "now"), ("bins-too", "now")]


def test_the_last_day_counts_in_the_towns_own_time(sight: Callable[..., Sight]) -> None:
    last_evening = datetime(2026, 6, 30, 21, 30, tzinfo=UTC)
    assert ("bonus", "later") in statuses(sight(at=last_evening), "energy")
    assert ("bonus", "ended") in statuses(sight(at=last_evening.replace(hour=22)), "energy")


def test_an_offer_ends_with_its_provider(sight: Callable[..., Sight], make_catalogue: Callable[[], Catalogue]) -> None:
    partners = tuple(
        msgspec.structs.replace(partner, valid_until=date(2026, 1, 1)) if partner.id == "works" else partner
        for partner in make_catalogue().partners
    )
    assert {status for _, status in statuses(sight(partners=partners), "energy")} == {"ended"}


def test_a_theme_without_an_offer_here_has_no_tile(sight: Callable[..., Sight]) -> None:
    assert [theme.id for theme in content.themes(sight("hill"))] == ["papers", "tourism"]
    everywhere = [theme.id for theme in content.themes(sight(None))]
    assert everywhere == ["energy", "mobility", "living", "papers", "events", "tourism"]


@pytest.mark.parametrize("point", ["harbour", None])
def test_what_holds_only_later_stands_in_no_list_before_its_day(
    sight: Callable[..., Sight], make_catalogue: Callable[[], Catalogue], point: str | None
) -> None:
    kept, later = make_catalogue(), {"valid_from": date(2030, 1, 1)}
    new = Service(id="new", name={"de": "Neues"}, themes=("tourism",), **later)
    moved = [msgspec.structs.replace(one, **later) if one.id == "market" else one for one in kept.services]
    changes = {"services": (*moved, new)}
    before, after = sight(point, **changes), sight(point, at=SATURDAY.replace(year=2030, month=1, day=2), **changes)
    assert content.unoffered(before) == []
    assert content.unoffered(after) == [new]
    assert "events" not in [theme.id for theme in content.themes(before)]
    assert "events" in [theme.id for theme in content.themes(after)]
    assert statuses(before, "events") == []
    assert statuses(after, "events") == [("market", "now")]
    found = [Found(one, 1.0) for one in ("new", "market", "card")]
    assert [one.service.id for one in content.found_here(before, found)] == ["card"]
    assert len(content.found_here(after, found)) == len(content.found_here(before, found, upcoming=True)) == 3


def office(key: str, phone: str = "") -> Partner:
    address = Address(street="Ruppertstraße 19", postcode="80337", town="München")
    return Partner(id=key, name="Bürgerbüro Ruppertstraße", kind="authority", phone=phone, address=address)


def test_a_place_that_two_sources_name_stands_there_once(
    sight: Callable[..., Sight], make_catalogue: Callable[[], Catalogue]
) -> None:
    kept = make_catalogue()
    rules = tuple(Responsibility(service="tour", authority=key, role="contact") for key in ("one", "two", "club"))
    rules = (rules[0], msgspec.structs.replace(rules[1], booking="https://example.org/termin"), rules[2])
    view = sight(partners=(*kept.partners, office("one"), office("two", "089 1")), responsibilities=rules)
    tour = view.catalogue.service("tour")
    assert tour
    first, second = content.contacts(view, tour)
    assert (first.partner.name, first.partner.phone) == ("Bürgerbüro Ruppertstraße", "089 1")
    assert first.rule.booking == "https://example.org/termin"
    assert second.partner.id == "club"


def test_what_is_not_offered_here_says_where_to_go(
    sight: Callable[..., Sight], make_catalogue: Callable[[], Catalogue]
) -> None:
    kept = make_catalogue()
    new = Service(id="new", name={"de": "Neues"}, competence="county")
    rule = Responsibility(service="new", authority="one", role="contact")

    def goes(service: Service, *rules: Responsibility) -> dict[str, str]:
        partners = (*kept.partners, office("one"))
        view = sight(services=(*kept.services, service), partners=partners, responsibilities=rules)
        (found,) = content.found_here(view, [Found(service.id, 1.0)])
        return found.elsewhere

    assert goes(new, rule) == {"": "Bürgerbüro Ruppertstraße, Ruppertstraße 19"}
    assert goes(new) == {"": "Landkreis Nordsee"}
    assert goes(msgspec.structs.replace(new, competence="")) == {}
    (tour,) = content.found_here(sight(), [Found("tour", 1.0)])
    assert tour.elsewhere["de"] == "Servicepunkt am Berg"
    (card,) = content.found_here(sight(), [Found("card", 1.0)])
    assert card.elsewhere == {}


def test_a_point_without_staff_says_nothing_about_them(sight: Callable[..., Sight]) -> None:
    view = sight()
    harbour, hill = (content.point_seen(view, point) for point in view.catalogue.points)
    assert (harbour.open, harbour.staffed, harbour.staffed_until) == (True, True, "18:50")
    assert (hill.open, hill.staffed) == (True, None)


def test_each_way_without_the_internet_is_told_once(sight: Callable[..., Sight]) -> None:
    view = sight(None)
    card = view.catalogue.service("card")
    bonus = view.catalogue.service("bonus")
    assert card
    assert bonus
    assert len(content.non_digital_ways(content.offers_of_service(view, card) * 2)) == 2
    assert content.non_digital_ways(content.offers_of_service(view, bonus)) == []


def test_every_capability_has_words() -> None:
    from servicepunkt.core.catalogue.model import CAPABILITIES

    assert set(content.CAPABILITIES) == set(CAPABILITIES)
