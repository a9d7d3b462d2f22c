"""Who decides for this citizen: areas by the official municipality key, and who is responsible in them. Pure.

The key (Amtlicher Regionalschlüssel, ARS) has twelve digits: two of the Land, one of the region, two of the district,
four of the association, three of the municipality. An area is named by as many of them as it has, so that what it lies
in can be read off its key. The eight-digit municipality key (AGS) is an ARS without the association; the way back needs
a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal

import msgspec

from servicepunkt.core.catalogue.model import Area, Catalogue, Responsibility

Level = Literal["federation", "land", "district", "association", "municipality"]
#: From the nearest to the farthest: how many digits of the key an area of this level has.
LEVELS: tuple[tuple[Level, int], ...] = (
    ("municipality", 12),
    ("association", 9),
    ("district", 5),
    ("land", 2),
    ("federation", 0),
)
_DIGITS: Mapping[int, Level] = {digits: level for level, digits in LEVELS}
MOST_SUCCESSORS = 20


class Competence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known for one citizen. `decides` is empty when nobody is known: then 115 is asked, nothing is guessed.

    Several that decide at one level are all given: somebody has to ask which of them it is.
    """

    level: Level | None
    decides: tuple[Responsibility, ...] = ()
    accepts: tuple[Responsibility, ...] = ()
    contacts: tuple[Responsibility, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.decides)

    @property
    def is_certain(self) -> bool:
        """One authority, and nothing has to be asked before."""
        return len({one.authority for one in self.decides}) == 1 and not any(one.caveat for one in self.decides)


def level_of(ars: str) -> Level | None:
    """The level of an area by its key, or None for something that is no key."""
    return _DIGITS.get(len(ars)) if re.fullmatch(r"\d*", ars, re.ASCII) else None


def ags_of(ars: str) -> str:
    """The eight-digit key of a municipality. Raises ValueError."""
    if level_of(ars) != "municipality":
        raise ValueError(f"{ars!r} is no key of a municipality: it has 12 digits")
    return ars[:5] + ars[9:]


def surroundings(ars: str) -> tuple[tuple[Level, str], ...]:
    """The area and everything that it lies in, the nearest first, the federation last. Raises ValueError."""
    if level_of(ars) is None:
        raise ValueError(f"{ars!r} is no key of an area: it has 2, 5, 9 or 12 digits")
    return tuple((level, ars[:digits]) for level, digits in LEVELS if digits <= len(ars))


def resolve(responsibilities: Iterable[Responsibility], service: str, ars: str) -> Competence:
    """Who is responsible for a service where a citizen lives: the nearest level that is known. Raises ValueError."""
    known = [one for one in responsibilities if one.service == service]

    def nearest(role: str) -> tuple[Level | None, tuple[Responsibility, ...]]:
        for level, prefix in surroundings(ars):
            if found := tuple(one for one in known if one.role == role and one.area == prefix):
                return level, found
        return None, ()

    level, decides = nearest("decides")
    return Competence(level=level, decides=decides, accepts=nearest("accepts")[1], contacts=nearest("contact")[1])


class Areas:
    """The areas that are known, by key and by postcode."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._by_key = {area.ars: area for area in areas}
        self._by_postcode: dict[str, list[Area]] = {}
        for area in self._by_key.values():
            for postcode in area.postcodes:
                self._by_postcode.setdefault(postcode, []).append(area)

    def find(self, ars: str, *, day: date) -> Area | None:
        """The area of a key, or what it has become by `day`; None for one that is not known."""
        area = self._by_key.get(ars)
        for _ in range(MOST_SUCCESSORS):
            if area is None or area.valid_until is None or day <= area.valid_until or not area.successor:
                return area
            area = self._by_key.get(area.successor)
        return None

    def at(self, postcode: str, *, day: date) -> list[Area]:
        """The municipalities in which a postcode lies: one, several of which somebody has to choose, or none."""
        today = (self.find(area.ars, day=day) for area in self._by_postcode.get(postcode.strip(), ()))
        found = {area.ars: area for area in today if area is not None}
        return sorted(found.values(), key=lambda area: area.name)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a place and a service: the municipalities that may be meant, and for one of them who decides.
    `is_meant`: what was said names them, and does not only begin like them."""

    places: tuple[Area, ...]
    is_meant: bool = True
    area: Area | None = None
    competence: Competence | None = None


def known_responsibilities(catalogue: Catalogue) -> list[Responsibility]:
    """Those that are written down; and at home who decides by the service itself, where nothing else is written."""
    home = [area.ars for area in catalogue.areas if area.home]
    written = {(one.service, one.area) for one in catalogue.responsibilities if one.role == "decides"}
    return [
        *catalogue.responsibilities,
        *(
            Responsibility(service=service.id, authority=service.competence, area=ars)
            for service in catalogue.services
            for ars in home
            if service.competence and (service.id, ars) not in written
        ),
    ]


def places(catalogue: Catalogue, said: str, *, day: date) -> tuple[list[Area], bool]:
    """The municipalities that somebody may mean by a postcode, a key or a name, and whether that is what was said.

    A beginning of a name is not: beside Niestetal there may be a Nieste that is not known here.
    """
    said = " ".join(said.split()).casefold()
    areas = Areas(catalogue.areas)
    towns = [area for area in catalogue.areas if level_of(area.ars) == "municipality"]
    if with_postcode := re.fullmatch(r"([0-9]{5})(?: (.+))?", said, re.ASCII):
        postcode, name = with_postcode.groups()
        found = areas.at(postcode, day=day)
        return [area for area in found if name in (None, area.name.casefold())] or found, True
    if said.isdecimal():
        meant = [area for area in towns if said in (area.ars, ags_of(area.ars))]
    else:
        meant = [area for area in towns if said and area.name.casefold() == said]
    begun = [area for area in towns if len(said) > 2 and area.name.casefold().startswith(said)]
    today = (areas.find(area.ars, day=day) for area in meant or begun)
    found = sorted({area.ars: area for area in today if area is not None}.values(), key=lambda area: area.name)
    return found, bool(meant)


def answer(catalogue: Catalogue, service: str, said: str, *, day: date) -> Answer:
    """Who is responsible for a service where somebody lives. Of several municipalities one has to be chosen first, and
    one that was not named in full has to be confirmed."""
    found, is_meant = places(catalogue, said, day=day)
    if len(found) != 1 or not is_meant:
        return Answer(places=tuple(found), is_meant=is_meant)
    area = found[0]
    decided = resolve(known_responsibilities(catalogue), service, area.ars)
    return Answer(places=(area,), area=area, competence=decided)
