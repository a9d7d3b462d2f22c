"""How tables are declared: a tenant table leads with `tenant_id` in its key and is registered for the guard."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table
from sqlalchemy.types import DateTime

TENANT = "tenant_id"
APPLICATION_ROLE = "servicepunkt_app"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = DateTime(timezone=True)


def tenant_table(name: str, *parts: Any, key: tuple[str, ...], kept: str = "") -> Table:
    """A table whose rows belong to one tenant; its primary key is (tenant_id, *key).

    Foreign keys between tenant tables, indexes and unique constraints must lead with tenant_id too; the catalogue
    test says so for every table. `kept` says why no retention rule names the table; such rows hold nothing of a person
    that outlives its purpose.
    """
    return Table(
        name,
        metadata,
        Column(TENANT, Integer, ForeignKey("tenant.id"), nullable=False),
        *parts,
        PrimaryKeyConstraint(TENANT, *key),
        info={"tenant": True, "kept": kept},
    )


def platform_table(name: str, *parts: Any) -> Table:
    """A table of the deployment itself: the tenant directory and national reference data."""
    return Table(name, metadata, *parts, info={"tenant": False})
