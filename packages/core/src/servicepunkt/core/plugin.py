"""What the kernel itself brings to the house: it is a plugin like any other, and always on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from servicepunkt.core import line115, quotas
from servicepunkt.core.applications import service as applications
from servicepunkt.core.applications import settings as application_settings
from servicepunkt.core.applications import store as application_store
from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.catalogue.editing.publishing import publish_due
from servicepunkt.core.catalogue.editing.store import catalogue_edit, delete_ended
from servicepunkt.core.catalogue.formats.known import FORMATS
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.catalogue.links import catalogue_link, check_links
from servicepunkt.core.catalogue.search.misses import delete_misses, search_miss
from servicepunkt.core.catalogue.settings import CatalogueSettings
from servicepunkt.core.catalogue.sources.national import TABLES as NATIONAL_TABLES
from servicepunkt.core.catalogue.sources.store import TABLES as SOURCE_TABLES
from servicepunkt.core.catalogue.store import catalogue_revision
from servicepunkt.core.declarations import TenantDraft, TenantSection
from servicepunkt.core.hosts import settings as house
from servicepunkt.core.hosts.footfall import store as footfall_store
from servicepunkt.core.hosts.hours.store import host_hours
from servicepunkt.core.hosts.incidents import store as incident_store
from servicepunkt.core.hosts.space import store as space_store
from servicepunkt.core.jobs import Job
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.notices import sight
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.notices.provider_store import delete_attempts, notice_attempt, provider_weight
from servicepunkt.core.notices.ready import MessagesReady
from servicepunkt.core.notices.receipts import take_later
from servicepunkt.core.notices.service import deliver
from servicepunkt.core.notices.settings import NoticeSettings, mistakes
from servicepunkt.core.openid import settings as openid
from servicepunkt.core.openid.ready import ProviderReady
from servicepunkt.core.operators import store as operators
from servicepunkt.core.operators.consents import store as consents
from servicepunkt.core.operators.service import count
from servicepunkt.core.orders import service as orders
from servicepunkt.core.orders import store as order_store
from servicepunkt.core.people import settings as people
from servicepunkt.core.people.administration import erase_ended
from servicepunkt.core.people.links import store as account_links
from servicepunkt.core.people.ready import PeopleReady
from servicepunkt.core.people.store import account
from servicepunkt.core.plugins import hookimpl
from servicepunkt.core.plugins.store import delete_failures, plugin_failure
from servicepunkt.core.protocols import Retention
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.tenancy.store import tenant
from servicepunkt.core.tenancy.terms import tenant_terms

if TYPE_CHECKING:
    from servicepunkt.core.conformance.model import Rule
    from servicepunkt.core.plugins.new import Pattern

servicepunkt_api = "1"
HERE = Path(__file__).parent


@hookimpl
def commands() -> Sequence[click.Command]:
    from servicepunkt.core.backup.cli import COMMANDS as BACKUP
    from servicepunkt.core.catalogue.cli import catalogue
    from servicepunkt.core.commands import COMMANDS
    from servicepunkt.core.hosts.cli import host
    from servicepunkt.core.hours.cli import hours_command
    from servicepunkt.core.operators.cli import operator
    from servicepunkt.core.plugins.cli import plugin

    return (*COMMANDS, plugin, *BACKUP, catalogue, hours_command, host, operator)


@hookimpl
def catalogue_formats() -> Sequence[Format]:
    return FORMATS


@hookimpl
def plugin_patterns() -> Sequence[Pattern]:
    from servicepunkt.core.plugins.new import OWN

    return OWN


@hookimpl
def conformance_rules() -> Sequence[Rule]:
    from servicepunkt.core.conformance import data, orders, rules, words

    return (*rules.RULES, *words.RULES, *data.RULES, *orders.RULES)


@hookimpl
def migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def tables() -> Sequence[Any]:
    own = (
        tenant,
        account,
        audit_entry,
        catalogue_revision,
        data_key,
        notice_store.notice,
        notice_attempt,
        provider_weight,
    )
    more = (application_store.application, search_miss, catalogue_edit, catalogue_link, plugin_failure)
    houses = (host_hours, incident_store.host_incident, *space_store.TABLES, footfall_store.host_footfall)
    platform = (tenant_terms, *operators.TABLES, *consents.TABLES, *account_links.TABLES)
    return (*own, *SOURCE_TABLES, *NATIONAL_TABLES, *order_store.TABLES, *more, *houses, *platform)


@hookimpl
def jobs() -> Sequence[Job]:
    return (
        deliver,
        take_later,
        erase_expired,
        publish_due,
        check_links,
        orders.expire,
        orders.tell,
        count,
        *applications.JOBS,
    )


@hookimpl
def texts() -> Path:
    return HERE / "locale"


@hookimpl
def tenant_sections() -> Sequence[TenantSection]:
    return (
        TenantSection("notices", NoticeSettings, check=_notice_mistakes),
        TenantSection("catalogue", CatalogueSettings),
        TenantSection(line115.SECTION, line115.Line115),
        TenantSection(house.SECTION, house.HouseSettings, check=house.mistakes),
        TenantSection(
            application_settings.SECTION,
            application_settings.ApplicationSettings,
            check=application_settings.mistakes,
        ),
        TenantSection(quotas.SECTION, quotas.LimitSettings, check=quotas.mistakes),
        TenantSection(openid.SECTION, openid.OpenIdSettings, check=openid.mistakes),
        TenantSection(people.SECTION, people.PeopleSettings, check=lambda draft: list(people.mistakes(draft))),
    )


@hookimpl
def health_checks(ctx: TenantContext) -> Sequence[Any]:
    return [sight.ProviderWell(name) for name in sight.shared_providers(ctx.section("notices", NoticeSettings))]


@hookimpl
def retention_rules(ctx: TenantContext) -> Mapping[str, Retention]:
    """Who works here no longer is named for a year, and a message that nothing else erases stays for one.

    Attempts name nobody; a receipt comes within days, and a statistic of a month is enough.
    Edits name accounts of editors; those that no longer hold are kept for as long as somebody may ask who wrote them.
    Consents say for two years who was let in, and why; sessions by them end within hours.
    Orders name nobody either; staff can look one up for as long as somebody may come with its reference.
    An application says itself when its content is erased: so many days after it was forwarded as its form says, and a
    draft after minutes. What is left names nobody; staff can look its reference up for a year.
    Incidents and slots name nobody either, but people have written them: how long they stay says the tenant file.
    """
    kept = house.settings_of(ctx)
    return {
        "account": Retention(365, erase_ended),
        "notice": Retention(365, notice_store.delete_older),
        "notice_attempt": Retention(30, delete_attempts),
        "search_miss": Retention(180, delete_misses),
        "catalogue_edit": Retention(730, delete_ended),
        "plugin_failure": Retention(7, delete_failures),
        "application.content": Retention(0, application_store.erase_due),
        "application": Retention(365, application_store.delete_closed),
        "partner_order": Retention(90, order_store.delete_ended),
        "partner_stock": Retention(1, order_store.delete_past),
        "host_incident": Retention(kept.incident_days, incident_store.delete_old),
        "host_slot": Retention(kept.slot_days, space_store.delete_past),
        "host_footfall": Retention(kept.footfall_days, footfall_store.delete_old),
        "operator_consent": Retention(730, consents.delete_ended),
        "operator_session": Retention(1, consents.delete_older),
    }


@hookimpl
def host_figures(ctx: TenantContext) -> Sequence[Any]:  # noqa: ARG001
    return (order_store.OrdersPlaced(),)


def _notice_mistakes(draft: TenantDraft) -> list[tuple[str, str]]:
    others = {(channel.name, channel.kind) for channel in draft.plugins.flat(draft.ctx, "notice_channels")}
    settings = draft.ctx.section("notices", NoticeSettings)
    return mistakes(settings, slug=draft.ctx.slug, others=others, state=draft.ctx.state)


@hookimpl
def go_live_checks(ctx: TenantContext) -> Sequence[Any]:
    return (PeopleReady(), ProviderReady(ctx), MessagesReady(ctx))
