"""Section [catalogue] of a tenant file. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from servicepunkt.core.catalogue.search.synonyms import read
from servicepunkt.core.tenancy.model import TenantContext


class CatalogueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where texts come from, and how editors work.

    `national`: shared sources of the federation and of Lands that lie below the tenant's services. `four_eyes`: nobody
    approves what he wrote himself. `links_a_run`: how many links are tried at most each week, none for 0. `synonyms`:
    words of this town for the search, lines as in search/lists/synonyms.de.txt ("perle > stadtplan").
    """

    national: tuple[str, ...] = ()

    four_eyes: bool = False
    links_a_run: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 500
    synonyms: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=300)], ...], msgspec.Meta(max_length=2000)] = ()

    def __post_init__(self) -> None:
        # A line that cannot be read is a mistake in the file, not a fault of the search.
        read("\n".join(" ".join(line.split()) for line in self.synonyms))


def settings_of(ctx: TenantContext) -> CatalogueSettings:
    """What the tenant file says of its catalogue."""
    return ctx.section("catalogue", CatalogueSettings)
