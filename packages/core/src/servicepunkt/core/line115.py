"""Section [line115] of a tenant file: who answers 115 for this tenant, how much they know, and when. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from servicepunkt.core.hours.model import HoursError, Osm, Whose, parse
from servicepunkt.core.rules import RulesBroken
from servicepunkt.core.tenancy.model import TenantContext

SECTION = "line115"


class Line115(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`coverage`: basic is competence and contacts, full is every question. `hours` (OSM): none where nobody says.

    `operator`: the id of the partner that answers.
    """

    operator: str = ""
    coverage: Literal["none", "basic", "full"] = "basic"
    phone: Annotated[str, Meta(max_length=30)] = "115"
    hours: Annotated[str, Meta(max_length=1000)] = ""

    def __post_init__(self) -> None:
        if self.hours:
            try:
                parse(self.hours)
            except HoursError as error:
                raise RulesBroken([("hours", error.said)]) from None

    @property
    def open(self) -> Osm | None:
        """When somebody answers; None where the file does not say."""
        return Osm(self.hours, Whose("line115")) if self.hours else None


def line115_of(ctx: TenantContext) -> Line115:
    return ctx.section(SECTION, Line115)
