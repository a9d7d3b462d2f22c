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
POSTCODE = re.compile(r"^\d{5}\Z")
MOST_SUCCESSORS = 20

Role = Literal["decides", "accepts", "contact"]


class Area(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A municipality, association, district or Land. `successor`: what it has become, by key, when it ended."""

    ars: str
    name: str
    postcodes: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    successor: str = ""


class Responsibility(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is responsible for a service in an area. `caveat`: what has to be asked before this holds, by language.

    `role`: who decides, who takes applications in for whom decides, or whom to ask. `area`: digits of an ARS, none for
    the whole country.
    """

    service: str
    authority: str
    area: str = ""
    role: Role = "decides"
    caveat: dict[str, str] = {}


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

    def nearest(role: Role) -> tuple[Level | None, tuple[Responsibility, ...]]:
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


def mistakes(
    areas: Iterable[Area], responsibilities: Iterable[Responsibility], *, services: set[str], authorities: set[str]
) -> list[tuple[str, str]]:
    """Every key, postcode and reference that does not hold, as (place, sentence)."""
    areas, found = list(areas), []
    keys = [area.ars for area in areas]
    successors = {area.ars: area.successor for area in areas}
    for area in areas:
        place = f"areas.{area.ars}"
        if level_of(area.ars) is None or not area.ars:
            found.append((place, "a key has 2, 5, 9 or 12 digits, as text"))
        if keys.count(area.ars) > 1:
            found.append((place, "this key is used twice"))
        if not all(POSTCODE.match(one) for one in area.postcodes):
            found.append((f"{place}.postcodes", "a postcode has five digits, as text"))
        if area.postcodes and level_of(area.ars) != "municipality":
            found.append((f"{place}.postcodes", "postcodes belong to municipalities"))
        if area.successor and area.successor not in keys:
            found.append((f"{place}.successor", f"there is no area {area.successor!r}"))
        if area.successor and area.valid_until is None:
            found.append((f"{place}.valid_until", "an area with a successor says when it ended"))
        if _is_in_a_circle(area.ars, successors):
            found.append((f"{place}.successor", "the successors lead back to this area"))
    for number, one in enumerate(responsibilities):
        place = f"responsibilities[{number}] ({one.service})"
        if one.service not in services:
            found.append((f"{place}.service", f"there is no service {one.service!r}"))
        if one.authority not in authorities:
            found.append((f"{place}.authority", f"there is no partner {one.authority!r}"))
        if level_of(one.area) is None:
            found.append((f"{place}.area", "an area is the first 0, 2, 5, 9 or all 12 digits of a key, as text"))
    return found


def _is_in_a_circle(ars: str, successors: Mapping[str, str]) -> bool:
    seen, at = set(), ars
    while (at := successors.get(at, "")) and at not in seen:
        if at == ars:
            return True
        seen.add(at)
    return False
