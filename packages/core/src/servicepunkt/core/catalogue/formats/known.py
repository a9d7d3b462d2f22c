"""The formats that come with the kernel."""

from __future__ import annotations

from servicepunkt.core.catalogue.formats import areas, cpsv_ap, dldb, hsds, own, schema_org, table

FORMATS = (areas.FORMAT, cpsv_ap.FORMAT, dldb.FORMAT, hsds.FORMAT, own.FORMAT, schema_org.FORMAT, table.FORMAT)
