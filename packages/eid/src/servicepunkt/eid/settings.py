"""Section [eid] of a tenant file: readers, the eID service that the town buys, the wallet's certificate. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.tenancy.model import TenantContext

SECTION = "eid"


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card reader with its controller. `local_url`: where the controller's pages are, as the terminal's browser
    calls them; the controller says it itself when it is enrolled."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    point: str
    local_url: Annotated[str, Meta(max_length=200)] = ""


class EidSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`help_phone`: whom to call for a lost PIN or card, as it is shown."""

    readers: tuple[ReaderSettings, ...] = ()
    help_phone: Annotated[str, Meta(max_length=40)] = ""

    def reader(self, reader_id: str) -> ReaderSettings | None:
        return next((one for one in self.readers if one.id == reader_id), None)


def settings_of(ctx: TenantContext) -> EidSettings:
    return ctx.section(SECTION, EidSettings)
