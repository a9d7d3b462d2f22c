"""What the shell brings to the house: sign-in, devices, terminal and staff pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicepunkt.core.declarations import DeviceKind, StaffEntry, TenantSection
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.protocols import Retention
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.web import theme
from servicepunkt.web.devices.model import TERMINAL
from servicepunkt.web.devices.store import device
from servicepunkt.web.handshakes.store import handshake
from servicepunkt.web.help.store import help_call
from servicepunkt.web.passkeys.store import passkey
from servicepunkt.web.sessions.store import session
from servicepunkt.web.settings import TerminalSettings, WebSettings

if TYPE_CHECKING:
    import click

    from servicepunkt.core.conformance import Rule
    from servicepunkt.core.plugins.new import Pattern

servicepunkt_api = "1"
HERE = Path(__file__).parent


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.web.cli import device

    return (device,)


@hookimpl
def plugin_patterns() -> Sequence[Pattern]:
    from servicepunkt.core.plugins.new import Pattern

    return (
        Pattern(
            kind="partner",
            about="a partner with a tile and a page on terminals, a page for staff and a section of the tenant file",
            then="Pages are in `pages.py` and `templates/`; whatever a person reads has its German in `locale/de.po`.",
            folder=HERE / "patterns" / "partner",
            needs=("servicepunkt-web",),
        ),
        Pattern(
            kind="tile",
            about="a tile on the start page of terminals",
            then="The section of its name in the tenant file says where it leads and at which points it is shown.",
            folder=HERE / "patterns" / "tile",
            needs=("servicepunkt-web",),
        ),
    )


@hookimpl
def conformance_rules() -> Sequence[Rule]:
    from servicepunkt.web.conformance import RULES

    return RULES


@hookimpl
def migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def tables() -> Sequence[Any]:
    return (session, handshake, passkey, device, help_call)


@hookimpl
def routes() -> Sequence[Any]:
    from servicepunkt.web import branding
    from servicepunkt.web.applications import pages as application_pages
    from servicepunkt.web.applications import staff as application_staff
    from servicepunkt.web.catalogue import answers
    from servicepunkt.web.catalogue import api as catalogue_api
    from servicepunkt.web.catalogue import pages as catalogue_pages
    from servicepunkt.web.devices import api as device_api
    from servicepunkt.web.devices import pages as device_pages
    from servicepunkt.web.editors import changes, missing, revisions, sources
    from servicepunkt.web.editors import pages as editor_pages
    from servicepunkt.web.help import pages as help_pages
    from servicepunkt.web.hosts import figures as host_figure_pages
    from servicepunkt.web.hosts import hours as host_hours
    from servicepunkt.web.hosts import incidents as host_incidents
    from servicepunkt.web.hosts import space as host_spaces
    from servicepunkt.web.hosts import today as host_today
    from servicepunkt.web.links import pages as link_pages
    from servicepunkt.web.notices import api as notice_api
    from servicepunkt.web.notices import pages as notice_pages
    from servicepunkt.web.operators import consents as consent_pages
    from servicepunkt.web.operators import pages as operator_pages
    from servicepunkt.web.operators import tenant as operator_tenant
    from servicepunkt.web.orders import pages as order_pages
    from servicepunkt.web.orders import staff as order_staff
    from servicepunkt.web.passkeys import pages as passkey_pages
    from servicepunkt.web.staff import accounts, openid
    from servicepunkt.web.staff import pages as staff_pages
    from servicepunkt.web.terminal import aloud, take_along
    from servicepunkt.web.terminal import competence as competence_pages
    from servicepunkt.web.terminal import hours as hours_pages
    from servicepunkt.web.terminal import pages as terminal_pages
    from servicepunkt.web.terminal import search as search_pages

    return (
        *branding.HANDLERS,
        *catalogue_api.HANDLERS,
        *catalogue_pages.HANDLERS,
        *answers.HANDLERS,
        *device_api.HANDLERS,
        *device_pages.HANDLERS,
        *editor_pages.HANDLERS,
        *changes.HANDLERS,
        *revisions.HANDLERS,
        *sources.HANDLERS,
        *missing.HANDLERS,
        *help_pages.HANDLERS,
        *host_today.HANDLERS,
        *host_hours.HANDLERS,
        *host_incidents.HANDLERS,
        *host_spaces.HANDLERS,
        *host_figure_pages.HANDLERS,
        *notice_api.HANDLERS,
        *notice_pages.HANDLERS,
        *application_pages.HANDLERS,
        *application_staff.HANDLERS,
        *order_pages.HANDLERS,
        *order_staff.HANDLERS,
        *staff_pages.HANDLERS,
        *operator_pages.HANDLERS,
        *operator_tenant.HANDLERS,
        *consent_pages.HANDLERS,
        *openid.HANDLERS,
        *accounts.HANDLERS,
        *passkey_pages.HANDLERS,
        *link_pages.HANDLERS,
        *terminal_pages.HANDLERS,
        *search_pages.HANDLERS,
        *competence_pages.HANDLERS,
        *hours_pages.HANDLERS,
        *take_along.HANDLERS,
        *aloud.HANDLERS,
    )


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
def tenant_sections() -> Sequence[TenantSection]:
    return (
        TenantSection("web", WebSettings),
        TenantSection("terminal", TerminalSettings),
        TenantSection(theme.SECTION, theme.ThemeSettings, check=lambda draft: list(theme.mistakes(draft))),
    )


@hookimpl
def device_kinds() -> Sequence[DeviceKind]:
    return (TERMINAL,)


@hookimpl
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:  # noqa: ARG001
    """Help calls name nobody; they are kept for as long as somebody may ask how often help was wanted.

    Sessions and handshakes that ended are deleted when somebody signs in, and at night where nobody does.
    """
    from servicepunkt.web.handshakes.store import delete_older as delete_handshakes
    from servicepunkt.web.help.store import delete_closed
    from servicepunkt.web.sessions.store import delete_older

    return {
        "help_call": Retention(90, delete_closed),
        "session": Retention(1, delete_older),
        "handshake": Retention(1, delete_handshakes),
    }


@hookimpl
def host_figures(ctx: TenantContext) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.web.help.store import HelpCalls

    return (HelpCalls(),)


@hookimpl
def go_live_checks(ctx: TenantContext) -> Sequence[Any]:
    from servicepunkt.web.ready import PagesReady, SignInReady

    return (PagesReady(ctx), SignInReady())


@hookimpl
def staff_entries(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[StaffEntry]:  # noqa: ARG001
    from servicepunkt.web.applications.staff import PERMISSION as APPLICATIONS_PERMISSION
    from servicepunkt.web.applications.tasks import HREF as APPLICATIONS
    from servicepunkt.web.editors.tasks import HREF as CATALOGUE
    from servicepunkt.web.hosts.house import HREF as HOUSE
    from servicepunkt.web.hosts.incidents import STAFF as INCIDENTS
    from servicepunkt.web.hosts.space import STAFF as SPACES
    from servicepunkt.web.notices.tasks import HREF
    from servicepunkt.web.orders.staff import HREF as ORDERS
    from servicepunkt.web.orders.staff import PERMISSION
    from servicepunkt.web.staff.accounts import HREF as ACCOUNTS
    from servicepunkt.web.staff.accounts import PERMISSION as ACCOUNTS_PERMISSION

    entries = [StaffEntry("Overview", "/staff", order=0)]
    if "help.answer" in permissions:
        entries.append(StaffEntry("Help calls", "/staff/help", order=20))
    if PERMISSION in permissions:
        entries.append(StaffEntry("Orders", ORDERS, order=30))
    if APPLICATIONS_PERMISSION in permissions:
        entries.append(StaffEntry("Applications", APPLICATIONS, order=35))
    if "host.read" in permissions:
        entries.append(StaffEntry("House", HOUSE, order=5))
    if "incidents.answer" in permissions:
        entries.append(StaffEntry("Incidents", INCIDENTS, order=40))
    if "space.ask" in permissions:
        entries.append(StaffEntry("Spaces", SPACES, order=45))
    if "catalogue.read" in permissions:
        entries.append(StaffEntry("Answers", "/staff/answers", order=10))
        entries.append(StaffEntry("Catalogue", CATALOGUE, order=60))
    if "catalogue.edit" in permissions:
        entries.append(StaffEntry("Not found", "/staff/catalogue/misses", order=65))
    if "notices.read" in permissions:
        entries.append(StaffEntry("Messages", HREF, order=70))
    if "devices.manage" in permissions:
        entries.append(StaffEntry("Devices", "/staff/devices", order=80))
    if ACCOUNTS_PERMISSION in permissions:
        entries.append(StaffEntry("Accounts", ACCOUNTS, order=85))
    return entries


@hookimpl
def staff_tasks(ctx: TenantContext, permissions: frozenset[str]) -> Sequence[Any]:  # noqa: ARG001
    from servicepunkt.web.applications.staff import PERMISSION
    from servicepunkt.web.applications.tasks import ApplicationsFailed
    from servicepunkt.web.editors.tasks import TASKS
    from servicepunkt.web.notices.tasks import NoticesWithoutLuck

    found: list[Any] = [NoticesWithoutLuck()] if "notices.read" in permissions else []
    if PERMISSION in permissions:
        found.append(ApplicationsFailed())
    return [*found, *(TASKS if "catalogue.edit" in permissions else ())]
