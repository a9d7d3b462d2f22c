"""Section [dokbox] of a tenant file: the boxes, the document types, and to which countries codes are sent."""

from __future__ import annotations

from servicepunkt.dokbox.model import MAX_ATTEMPTS, DocumentPolicy, Settings


class BoxSettings(Settings, frozen=True, kw_only=True):
    """One box. `rows_by_reach` lists the rows from 1 (top), the best reachable first."""

    id: str
    point: str
    name: dict[str, str]
    compartments: int
    rows: int = 8
    rows_by_reach: tuple[int, ...] = ()
    local_url: str = ""


class DokboxSettings(Settings, frozen=True, kw_only=True):
    boxes: tuple[BoxSettings, ...] = ()
    documents: tuple[DocumentPolicy, ...] = ()
    countries: tuple[str, ...] = ("DE",)
    max_attempts: int = MAX_ATTEMPTS
    retention_days: int = 90

    def box(self, box_id: str) -> BoxSettings | None:
        return next((box for box in self.boxes if box.id == box_id), None)

    def document(self, kind: str) -> DocumentPolicy | None:
        return next((policy for policy in self.documents if policy.type == kind), None)
