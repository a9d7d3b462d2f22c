"""The formats that come with the kernel."""

from __future__ import annotations

from servicepunkt.core.catalogue.formats import areas, cpsv_ap, dldb, hsds, leika, own, pvog, schema_org, table, xzufi

FORMATS = (
    areas.FORMAT,
    cpsv_ap.FORMAT,
    dldb.FORMAT,
    hsds.FORMAT,
    leika.FORMAT,
    own.FORMAT,
    pvog.FEED,
    pvog.SEARCH,
    schema_org.FORMAT,
    table.FORMAT,
    xzufi.FORMAT,
)
