"""Section [house] of a tenant file: the spaces of its houses that can be asked for, and how long is kept what. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.catalogue.model import IDENTIFIER, Text
from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.rules import Term, closest, rule
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "house"
Days = Annotated[int, Meta(ge=1, le=3660)]

NO_HOST = rule("SP8121", "there is no {kind} {name!r}", "It has to be the id of one of the hosts.")
NO_SPACE_ID = rule("SP8122", "an id has small letters, digits and hyphens", "Ids stand in addresses of pages.")
SPACE_TWICE = rule("SP8123", "a house has one space of each id", "Give one of the two another id.")


class Space(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a house that can be asked for: a lounge, an area. `equipment`: what is there."""

    id: str
    host: str
    name: Text
    equipment: Text = {}


class HouseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days for which incidents and slots are kept after the last word about them, and numbers of footfall."""

    spaces: tuple[Space, ...] = ()
    incident_days: Days = 180
    slot_days: Days = 365
    footfall_days: Days = 1095

    def spaces_of(self, host_id: str) -> list[Space]:
        return [space for space in self.spaces if space.host == host_id]


def settings_of(ctx: TenantContext) -> HouseSettings:
    return ctx.section(SECTION, HouseSettings)


def mistakes(draft: TenantDraft) -> list[tuple[str, str]]:
    """Spaces of houses that are none, and ids that are none or are there twice."""
    found: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    hosts = [host.id for host in draft.catalogue.hosts]
    for number, space in enumerate(settings_of(draft.ctx).spaces):
        place = f"spaces[{number}]"
        if space.host not in hosts:
            near = closest(space.host, hosts)
            found.append((f"{place}.host", NO_HOST(kind=Term("host"), name=space.host, near=near)))
        if not IDENTIFIER.match(space.id):
            found.append((f"{place}.id", NO_SPACE_ID()))
        if (space.host, space.id) in seen:
            found.append((f"{place}.id", SPACE_TWICE()))
        seen.add((space.host, space.id))
    return found
