"""What the kernel itself brings to the house: it is a plugin like any other, and always on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.catalogue.store import catalogue_revision
from servicepunkt.core.declarations import TenantSection
from servicepunkt.core.jobs import Job
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.notices.service import NoticeSettings, deliver
from servicepunkt.core.notices.store import notice
from servicepunkt.core.people.store import account
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.store import tenant

servicepunkt_api = "1"
HERE = Path(__file__).parent


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.core.commands import COMMANDS

    return COMMANDS


@hookimpl
def migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def tables() -> Sequence[Any]:
    return (tenant, account, audit_entry, catalogue_revision, data_key, notice)


@hookimpl
def jobs() -> Sequence[Job]:
    return (deliver, erase_expired)


@hookimpl
def texts() -> Path:
    return HERE / "locale"


@hookimpl
def tenant_sections() -> Sequence[TenantSection]:
    return (TenantSection("notices", NoticeSettings),)
