"""Every hook of the product: one function each, typed, with what it is for, when it is called, and an example.

Two families. *Start-up* hooks are called once for each installed plugin while the process starts; no tenant exists
then, so they take no context. *Tenant* hooks take `ctx: TenantContext` first and are called only for plugins that
the tenant has switched on. All are synchronous; I/O happens in the objects that they return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    import click
    import sqlalchemy

    from servicepunkt.core.applications.model import ApplicationConnector
    from servicepunkt.core.catalogue.formats.model import Format
    from servicepunkt.core.conformance.model import Rule
    from servicepunkt.core.declarations import DeviceKind, StaffEntry, TenantSection, TerminalTile
    from servicepunkt.core.identification import IdentificationListener, Identified, IdentityProvider
    from servicepunkt.core.jobs import Job
    from servicepunkt.core.notices.model import NoticeChannel, NoticeTemplate
    from servicepunkt.core.orders.model import Booking, Sale
    from servicepunkt.core.plugins.new import Pattern
    from servicepunkt.core.protocols import (
        HealthCheck,
        HostFigure,
        NoticeListener,
        Readiness,
        Retention,
        StaffTask,
        TenantApplied,
    )

PROJECT = "servicepunkt"
API_VERSION = "1"

hookspec = pluggy.HookspecMarker(PROJECT)


# --- start-up hooks -------------------------------------------------------------------------------------------


@hookspec
def commands() -> Sequence[click.Command]:
    """Add commands and groups to the `servicepunkt` command line.

    Called once when the command line starts. Since 0.1.

    Example: `return (click.Group("locker", commands=[list_lockers]),)`
    """
    raise NotImplementedError


@hookspec
def migrations() -> Path:
    """Name the folder with the plugin's Alembic revisions (its own branch label in the one history).

    Called by `db upgrade` and `db check`. Since 0.1.

    Example: `return Path(__file__).parent / "migrations"`
    """
    raise NotImplementedError


@hookspec
def tables() -> Sequence[sqlalchemy.Table]:
    """Name the SQLAlchemy tables of the plugin, so that checks can compare them with the database.

    Called by `db check`. Since 0.1.

    Example: `return (store.deposit, store.box)`
    """
    raise NotImplementedError


@hookspec
def jobs() -> Sequence[Job]:
    """Name the background jobs of the plugin (functions decorated with `servicepunkt.core.jobs.job`).

    Called once when a process that defers or runs jobs starts. Since 0.1.

    Example: `return (send_reminder,)`
    """
    raise NotImplementedError


@hookspec
def routes() -> Sequence[Any]:
    """Name the Litestar handlers of the plugin; for tenants that have not enabled it they answer 404.

    Called once when the web application is built. Since 0.1.

    Example: `return (DepositPages, BoxApi)`
    """
    raise NotImplementedError


@hookspec
def templates() -> Path:
    """Name the folder with the plugin's Jinja2 templates; they are addressed as `<plugin>/<file>`.

    Called once when the web application is built. Since 0.1.

    Example: `return Path(__file__).parent / "templates"`
    """
    raise NotImplementedError


@hookspec
def static_files() -> Path:
    """Name the folder with the plugin's own styles, scripts and pictures, served under `/static/<plugin>/`.

    Called once when the web application is built. Since 0.1.

    Example: `return Path(__file__).parent / "static"`
    """
    raise NotImplementedError


@hookspec
def texts() -> Path:
    """Name the folder with the plugin's translations (`<language>.po` files, message ids are English).

    Called once when the process starts. Since 0.1.

    Example: `return Path(__file__).parent / "texts"`
    """
    raise NotImplementedError


@hookspec
def tenant_sections() -> Sequence[TenantSection]:
    """Declare the sections that the plugin reads from a tenant file, each with its msgspec struct.

    Called once when the process starts; the struct is the schema, unknown keys are refused. Since 0.1.

    Example: `return (TenantSection("dokbox", DokboxSettings),)`
    """
    raise NotImplementedError


@hookspec
def device_kinds() -> Sequence[DeviceKind]:
    """Declare kinds of devices that may be enrolled, each with the allow list of calls that its token opens.

    Called once when the web application is built. Since 0.1.

    Example: `return (DeviceKind("box", "DokBox controller", calls=(("POST", "/api/v1/box/events"),)),)`
    """
    raise NotImplementedError


@hookspec
def catalogue_formats() -> Sequence[Format]:
    """Add formats in which catalogues of services are read or written.

    Called when a catalogue is imported or exported. Since 0.1.

    Example: `return (Format(name="townbook", parts=("file",), is_whole=True, read=read),)`
    """
    raise NotImplementedError


@hookspec
def plugin_patterns() -> Sequence[Pattern]:
    """Add kinds of plugins that `plugin new` writes: a folder of files with places for the name.

    Called when a plugin is written. Since 0.1.

    Example: `return (Pattern(kind="locker", about="a locker", then="Open it.", folder=Path("patterns/locker")),)`
    """
    raise NotImplementedError


@hookspec
def conformance_rules() -> Sequence[Rule]:
    """Add rules that `plugin check` asks of every plugin.

    Called when a plugin is checked. Since 0.1.

    Example: `return (Rule(name="doors", wants="doors close", remedy="Close them.", check=open_doors),)`
    """
    raise NotImplementedError


# --- tenant hooks ---------------------------------------------------------------------------------------------


@hookspec
def terminal_tiles(ctx: TenantContext, locale: str, point: str) -> Sequence[TerminalTile]:
    """Add tiles to the start page of a terminal at `point`.

    Called when the start page is rendered. Since 0.1.

    Example: `return (TerminalTile("Collect a document", "/k/collect", icon="box"),)`
    """
    raise NotImplementedError


@hookspec
def staff_entries(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[StaffEntry]:
    """Add entries to the navigation of the staff pages, as far as `permissions` allow.

    Called when a staff page is rendered. Since 0.1.

    Example: `return (StaffEntry("Deposits", "/staff/deposits"),)`
    """
    raise NotImplementedError


@hookspec
def staff_tasks(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[StaffTask]:
    """Count what waits for staff, as far as `permissions` allow, and name the page that lists it.

    Called when the staff start page is rendered. Since 0.1.

    Example: `return (DepositsInTrouble(),)`
    """
    raise NotImplementedError


@hookspec
def notice_channels(ctx: TenantContext) -> Sequence[NoticeChannel]:
    """Offer ways to deliver notices (SMS, mail); the tenant's settings name which of them are used for what.

    Called by the worker before a notice is delivered, and when a tenant file is read. Since 0.1.

    Example: `return (SmtpChannel(host="mail.example.org"),)`
    """
    raise NotImplementedError


@hookspec
def notice_templates(ctx: TenantContext) -> Sequence[NoticeTemplate]:
    """Offer the texts of notices by name and language; they are checked when the tenant is applied.

    Called by the worker and by checks. Since 0.1.

    Example: `return (NoticeTemplate("greeting", {"de": "Guten Tag"}),)`
    """
    raise NotImplementedError


@hookspec
def notice_listeners(ctx: TenantContext) -> Sequence[NoticeListener]:
    """Be told, in the same transaction, when a notice was accepted by a provider, has failed for good, or turned out
    not to have arrived.

    Called after each attempt that settles a notice, and for a receipt that says it did not arrive. Since 0.1.

    Example: `return (DepositNotices(),)`
    """
    raise NotImplementedError


@hookspec
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:
    """Declare stored personal fields, how long each stays and what removes it.

    Called by the daily retention job and by the dossier. Since 0.1.

    Example: `return {"deposit.personal": Retention(days=90, erase=erase_old_deposits)}`
    """
    raise NotImplementedError


@hookspec
def health_checks(ctx: TenantContext) -> Sequence[HealthCheck]:
    """Report what operators should see: name, whether all is well, and a sentence without personal data.

    Called by the staff start page and by `/health/ready` for no tenant. Since 0.1.

    Example: `return (BoxesSeen(),)`
    """
    raise NotImplementedError


@hookspec
def tenant_applied(ctx: TenantContext) -> TenantApplied:
    """Bring the plugin's own rows in line with the tenant file, in the transaction that applies it.

    Called by `tenant apply` after the tenant's row was written. Since 0.1.

    Example: `return SyncBoxes()`
    """
    raise NotImplementedError


@hookspec
def host_figures(ctx: TenantContext) -> Sequence[HostFigure]:
    """Count something at the tenant's points by day; hosts see it by week, without small numbers.

    Called when a host looks at the figures of its house. Since 0.1.

    Example: `return (HandOvers(),)`
    """
    raise NotImplementedError


@hookspec
def go_live_checks(ctx: TenantContext) -> Sequence[Readiness]:
    """Say what has to be so before the tenant goes live.

    Called by `tenant doctor`, and by `tenant apply` before a tenant goes live; what blocks keeps it back. Since 0.1.

    Example: `return (BoxesReady(),)`
    """
    raise NotImplementedError


@hookspec
def retirement_checks(ctx: TenantContext) -> Sequence[Readiness]:
    """Say what has to be so before the tenant ends: nothing of anybody may be left behind.

    Called by `tenant apply` before a tenant is retired, and by `tenant delete`. Since 0.1.

    Example: `return (BoxesEmpty(),)`
    """
    raise NotImplementedError


@hookspec
def sales(ctx: TenantContext) -> Sequence[Sale]:
    """Sell or begin services of the catalogue at the tenant's points: tickets, contracts.

    Called when the page of a service is rendered, and when something is ordered, paid or given up. Since 0.1.

    Example: `return (Tickets(),)`
    """
    raise NotImplementedError


@hookspec
def bookings(ctx: TenantContext) -> Sequence[Booking]:
    """Book services of the catalogue at the tenant's points: dates with seats.

    Called when the page of a service is rendered, and when something is ordered, paid or given up. Since 0.1.

    Example: `return (Tours(),)`
    """
    raise NotImplementedError


@hookspec
def identity_providers(ctx: TenantContext) -> Sequence[IdentityProvider]:
    """Doors by which a person identifies: an ID card, a wallet, an account of the state.

    Called when somebody is asked who they are, and when a result is fetched. Since 0.1.

    Example: `return (CardDoor(), WalletDoor())`
    """
    raise NotImplementedError


@hookspec
def identity_attributes(ctx: TenantContext, identified: Identified) -> Mapping[str, str]:
    """Further values for forms, made of what is known of a person: the parts of a street, a title of one's own.

    Called once after an identification, before the form is shown; what is known without it stays. Since 0.1.

    Example: `return {"salutation": "Frau" if identified.attributes.get("sex") == "F" else ""}`
    """
    raise NotImplementedError


@hookspec
def identification_listeners(ctx: TenantContext) -> Sequence[IdentificationListener]:
    """Who is told that an identification has ended, with its outcome and without any datum of the person.

    Called when one ends. Since 0.1.

    Example: `return (EndTheSession(),)`
    """
    raise NotImplementedError


@hookspec
def application_connectors(ctx: TenantContext) -> Sequence[ApplicationConnector]:
    """Hand submitted applications on to whoever decides: a register, a mailbox of the state, a partner's system.

    Called when an application is forwarded, and when a tenant file is read. Since 0.1.

    Example: `return (Register(),)`
    """
    raise NotImplementedError
