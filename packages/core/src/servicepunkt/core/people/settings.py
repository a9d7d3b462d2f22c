"""Section [people] of a tenant file: whether those who work here have to show a second factor. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from servicepunkt.core.declarations import TenantDraft
from servicepunkt.core.people.model import PLATFORM_ROLE, ROLES, Grant
from servicepunkt.core.rules import Broken, closest, rule
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "people"
NO_ROLE = rule("SP1331", "{role!r} is no role; known are {known}")
NOTHING_DEMANDED = rule(
    "SP1332", "roles are named, but a second factor is not required", 'Write second_factor = "required", or no roles.'
)


class PeopleSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`second_factor`: whether people have to show one at sign-in. `second_factor_roles`: those with one of these
    roles, also for one unit; without it everybody.
    """

    second_factor: Literal["optional", "required"] = "optional"
    second_factor_roles: tuple[str, ...] = ()


def demands_second_factor(ctx: TenantContext, roles: tuple[str, ...]) -> bool:
    """Whether somebody with these roles sees nothing here without a second factor."""
    settings = ctx.section(SECTION, PeopleSettings)
    held = {Grant.parse(role).role for role in roles}
    named = not settings.second_factor_roles or bool(held.intersection(settings.second_factor_roles))
    return settings.second_factor == "required" and named


def mistakes(draft: TenantDraft) -> Iterator[tuple[str, Broken]]:
    """What a schema cannot see, as (place within the section, broken rule)."""
    settings, known = draft.ctx.section(SECTION, PeopleSettings), ROLES.keys() - {PLATFORM_ROLE}
    for role in settings.second_factor_roles:
        if role not in known:
            yield "second_factor_roles", NO_ROLE(role=role, known=", ".join(sorted(known)), near=closest(role, known))
    if settings.second_factor_roles and settings.second_factor == "optional":
        yield "second_factor_roles", NOTHING_DEMANDED()
