"""What the online ID brings to the house: its command, its words, and identifications at the centre."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from servicepunkt.core.declarations import DeviceKind, TenantSection
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.protocols import Retention
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.eid.settings import SECTION, EidSettings, mistakes, settings_of

servicepunkt_api = "1"
HERE = Path(__file__).parent

READER = DeviceKind(
    "reader",
    "Card reader",
    calls=(("GET", "/api/v1/eid/config"), ("POST", "/api/v1/eid/claim"), ("POST", "/api/v1/eid/ended")),
)


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.eid.cli import eid

    return (eid,)


@hookimpl
def texts() -> Path:
    return HERE / "locale"


@hookimpl
def migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def tables() -> Sequence[Any]:
    from servicepunkt.eid.sessions.store import TABLES

    return TABLES


@hookimpl
def jobs() -> Sequence[Any]:
    from servicepunkt.eid.sessions.service import JOBS

    return JOBS


@hookimpl
def routes() -> Sequence[Any]:
    from servicepunkt.eid.sessions import wallet_api, wallet_pages

    return (*wallet_api.HANDLERS, *wallet_pages.HANDLERS)


@hookimpl
def templates() -> Path:
    return HERE / "templates"


@hookimpl
def static_files() -> Path:
    return HERE / "static"


@hookimpl
def identity_providers(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.eid.sessions.wallet import WalletDoor

    wallet = settings_of(ctx).wallet
    return () if wallet is None else (WalletDoor(wallet.level),)


@hookimpl
def go_live_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.eid.sessions.ready import WalletReady

    return (WalletReady(ctx),)


@hookimpl
def tenant_sections() -> Sequence[TenantSection]:
    return (TenantSection(SECTION, EidSettings, check=mistakes),)


@hookimpl
def device_kinds() -> Sequence[DeviceKind]:
    return (READER,)


@hookimpl
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:  # noqa: ARG001 - the same for every tenant
    from servicepunkt.eid.sessions.store import erase_old

    return {"eid_session": Retention(1, erase_old)}
