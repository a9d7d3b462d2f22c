"""What the online ID brings to the house: its command, the pages of a card reader, its words, and the doors by which
people identify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from servicepunkt.core.declarations import DeviceKind, StaffEntry, TenantSection, TerminalTile
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
def templates() -> Path:
    return HERE / "templates"


@hookimpl
def static_files() -> Path:
    return HERE / "static"


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
    from servicepunkt.eid.sessions import api, pages, staff, wallet_api, wallet_pages

    return (*api.HANDLERS, *pages.HANDLERS, *staff.HANDLERS, *wallet_api.HANDLERS, *wallet_pages.HANDLERS)


@hookimpl
def identity_providers(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.eid.sessions.card import CardDoor
    from servicepunkt.eid.sessions.wallet import WalletDoor

    settings = settings_of(ctx)
    card = (CardDoor(),) if settings.service else ()
    return (*card, WalletDoor(settings.wallet.level)) if settings.wallet else card


@hookimpl
def go_live_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.eid.ready import CardReady, WalletReady

    return (CardReady(ctx), WalletReady(ctx))


@hookimpl
def tenant_sections() -> Sequence[TenantSection]:
    return (TenantSection(SECTION, EidSettings, check=mistakes),)


@hookimpl
def device_kinds() -> Sequence[DeviceKind]:
    return (READER,)


@hookimpl
def terminal_tiles(ctx: TenantContext, locale: str, point: str) -> Sequence[TerminalTile]:
    title, text = {"de": ("Online-Ausweis", "PIN setzen, prüfen, üben")}.get(
        locale.partition("-")[0], ("Online ID", "Set your PIN, check, practise")
    )
    return [TerminalTile(title, "/k/eid", icon="id", text=text, order=20)] if settings_of(ctx).readers_at(point) else []


@hookimpl
def staff_entries(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[StaffEntry]:
    is_shown = settings_of(ctx).readers and "readers.read" in permissions
    return (StaffEntry("Card reader", "/staff/eid", order=18),) if is_shown else ()


@hookimpl
def health_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.eid.sessions.readers import ReadersSeen

    return [ReadersSeen(one) for one in settings_of(ctx).readers]


@hookimpl
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:  # noqa: ARG001 - the same for every tenant
    from servicepunkt.eid.sessions.store import erase_old

    return {"eid_session": Retention(1, erase_old)}
