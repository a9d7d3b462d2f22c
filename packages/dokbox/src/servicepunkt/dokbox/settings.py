"""Section [dokbox] of a tenant file: the boxes, the document types, and to which countries codes are sent."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.dokbox.model import MAX_ATTEMPTS
from servicepunkt.dokbox.policy import DocumentPolicy, LocalText, Settings

SECTION = "dokbox"


class BoxSettings(Settings, frozen=True, kw_only=True):
    """One box. `rows_by_reach` lists the rows from 1 (top), the most convenient first.

    `low_rows` can be reached from a wheelchair; they are kept free for those who need them.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}\Z")]
    point: str
    name: dict[str, str]
    compartments: Annotated[int, Meta(ge=1, le=480)]
    rows: Annotated[int, Meta(ge=1, le=40)] = 8
    rows_by_reach: tuple[int, ...] = ()
    low_rows: tuple[int, ...] = ()
    local_url: str = ""


class DokboxSettings(Settings, frozen=True, kw_only=True):
    """The section. `counter` says in each language where a document lies that is no longer in a box."""

    boxes: tuple[BoxSettings, ...] = ()
    documents: tuple[DocumentPolicy, ...] = ()
    counter: LocalText = msgspec.field(default_factory=dict)
    countries: tuple[str, ...] = ("DE",)
    max_attempts: Annotated[int, Meta(ge=3, le=10)] = MAX_ATTEMPTS
    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 90

    def box(self, box_id: str) -> BoxSettings | None:
        return next((box for box in self.boxes if box.id == box_id), None)

    def document(self, kind: str) -> DocumentPolicy | None:
        return next((policy for policy in self.documents if policy.type == kind), None)


def settings_of(ctx: TenantContext) -> DokboxSettings:
    """The tenant's section, checked when its file was read."""
    return ctx.section(SECTION, DokboxSettings)
