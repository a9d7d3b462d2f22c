"""Every hook once, by a small plugin of the kind that somebody else would write: a locker in a shop.

A hook exists when its documentation and a test name it; `tests/test_docs.py` finds the tests by their names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import click
import msgspec
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from servicepunkt.core import cli, doors, hookimpl
from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.applications import connectors
from servicepunkt.core.applications.model import ApplicationConnector, ConnectorError, Submission
from servicepunkt.core.catalogue.formats.model import Format
from servicepunkt.core.conformance import Rule
from servicepunkt.core.db import migrate
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.declarations import DeviceKind, StaffEntry, TenantSection, TerminalTile
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.hosts.figures.service import WEEKS, figures
from servicepunkt.core.identification import (
    TEST_PERSON,
    IdentificationListener,
    Identified,
    IdentityProvider,
    IdentityWish,
)
from servicepunkt.core.jobs import build_app, job
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices.model import Notice, NoticeTemplate
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.plugins.new import Pattern, patterns
from servicepunkt.core.protocols import HealthCheck, HostFigure, Retention, StaffTask, TenantApplied
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import RecordingChannel, empty_database, make_tenant, open_deployment

REVISION = '''"""The locker's tables."""

revision = "locker_0001"
down_revision = None
branch_labels = ("locker",)
depends_on = "core_0001"


def upgrade():
    pass
'''
GERMAN = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Locker"\nmsgstr "Schließfach"\n'


class LockerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    doors: int = 4


@click.group()
def locker() -> None:
    """Lockers."""


@job(plugin="locker", name="locker.remind")
async def remind(deployment: Deployment, ctx: TenantContext, **ids: str) -> None:
    """Say nothing."""


class Doors:
    """What the locker does when it is asked: each object does the I/O that its hook must not do."""

    name = "locker"
    title = "Doors that jam"
    href = "/staff/lockers"

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.erased_before: list[datetime] = []
        self.applied_to: list[str] = []
        self.channel = RecordingChannel("locker")

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        self.told.append(accepted)

    async def undelivered(self, tx: Transaction, notice: Notice) -> None:
        self.told.append(False)

    async def erase(self, tx: Transaction, before: datetime) -> int:
        self.erased_before.append(before)
        return 0

    async def check(self, tx: Transaction) -> tuple[bool, str]:
        return True, f"{tx.ctx.section('locker', LockerSettings).doors} doors are shut."

    async def count(self, tx: Transaction) -> int:
        return tx.ctx.section("locker", LockerSettings).doors - 7

    async def per_day(self, tx: Transaction, since: datetime, until: datetime) -> dict[tuple[str, date], int]:
        return {("north", since.date()): tx.ctx.section("locker", LockerSettings).doors, ("south", until.date()): 7}

    async def applied(self, tx: Transaction) -> None:
        self.applied_to.append(tx.ctx.slug)

    text = "With the key of the locker"
    level = 1

    async def begin(self, deployment: Deployment, tx: Transaction, wish: IdentityWish) -> str:
        self.wished = wish
        return f"{wish.return_path}?key={wish.key}"

    async def take(self, deployment: Deployment, tx: Transaction, key: UUID) -> Identified | None:
        known = {name: TEST_PERSON[name] for name in self.wished.required}
        return Identified(provider=self.name, level=1, at=tx.now(), proof="door 7", attributes=known)

    async def forget(self, deployment: Deployment, tx: Transaction, key: UUID) -> None:
        """Nothing is kept."""

    async def send(self, application: Submission) -> str:
        return f"door-{application.reference}"

    async def closed(self, tx: Transaction, key: UUID, outcome: str) -> None:
        self.told.append(outcome == "identified")


class Locker:
    """The plugin."""

    servicepunkt_api = "1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.doors = Doors()
        self.table = sa.Table("locker", sa.MetaData(), sa.Column("tenant_id", sa.Integer))

    @hookimpl
    def commands(self) -> Sequence[click.Command]:
        return (locker,)

    @hookimpl
    def migrations(self) -> Path:
        return self.folder / "migrations"

    @hookimpl
    def tables(self) -> Sequence[Any]:
        return (self.table,)

    @hookimpl
    def jobs(self) -> Sequence[Any]:
        return (remind,)

    @hookimpl
    def routes(self) -> Sequence[Any]:
        return (SimpleNamespace(path="/k/locker"),)

    @hookimpl
    def templates(self) -> Path:
        return self.folder / "templates"

    @hookimpl
    def static_files(self) -> Path:
        return self.folder / "static"

    @hookimpl
    def texts(self) -> Path:
        return self.folder / "texts"

    @hookimpl
    def tenant_sections(self) -> Sequence[TenantSection]:
        return (TenantSection("locker", LockerSettings),)

    @hookimpl
    def device_kinds(self) -> Sequence[DeviceKind]:
        return (DeviceKind("locker", "Locker", calls=(("POST", "/api/v1/locker/events"),)),)

    @hookimpl
    def catalogue_formats(self) -> Sequence[Format]:
        return (Format(name="locker-list", parts=("file",), is_whole=True),)

    @hookimpl
    def plugin_patterns(self) -> Sequence[Pattern]:
        return (Pattern(kind="door", about="a door", then="Open it.", folder=self.folder),)

    @hookimpl
    def conformance_rules(self) -> Sequence[Rule]:
        return (Rule(name="doors", wants="doors close", remedy="Close them.", check=lambda bench: []),)

    @hookimpl
    def terminal_tiles(self, ctx: TenantContext, locale: str, point: str) -> Sequence[TerminalTile]:
        return (TerminalTile(f"Locker at {point} ({locale})", f"/k/locker/{ctx.slug}"),)

    @hookimpl
    def staff_entries(self, permissions: frozenset[str]) -> Sequence[StaffEntry]:
        return (StaffEntry("Lockers", "/staff/lockers"),) if "boxes.read" in permissions else ()

    @hookimpl
    def staff_tasks(self, permissions: frozenset[str]) -> Sequence[StaffTask]:
        return (self.doors,) if "boxes.read" in permissions else ()

    @hookimpl
    def notice_channels(self, ctx: TenantContext) -> Sequence[RecordingChannel]:
        return (self.doors.channel,)

    @hookimpl
    def notice_templates(self) -> Sequence[NoticeTemplate]:
        return (NoticeTemplate("locker-open", {"de": "{tenant}: Das Fach ist offen."}),)

    @hookimpl
    def notice_listeners(self) -> Sequence[Doors]:
        return (self.doors,)

    @hookimpl
    def retention_rules(self) -> Mapping[str, Retention]:
        return {"locker.phone": Retention(7, self.doors.erase)}

    @hookimpl
    def health_checks(self) -> Sequence[HealthCheck]:
        return (self.doors,)

    @hookimpl
    def host_figures(self) -> Sequence[HostFigure]:
        return (self.doors,)

    @hookimpl
    def tenant_applied(self) -> TenantApplied:
        return self.doors

    @hookimpl
    def application_connectors(self) -> Sequence[ApplicationConnector]:
        return (self.doors,)

    @hookimpl
    def identity_providers(self) -> Sequence[IdentityProvider]:
        return (self.doors,)

    @hookimpl
    def identity_attributes(self, identified: Identified) -> Mapping[str, str]:
        return {"greeting": f"Guten Tag {identified.attributes.get('family_names', '')}"}

    @hookimpl
    def identification_listeners(self) -> Sequence[IdentificationListener]:
        return (self.doors,)


@pytest.fixture
def plugin(tmp_path: Path) -> Locker:
    for name in ("migrations", "templates", "static", "texts"):
        (tmp_path / name).mkdir()
    (tmp_path / "migrations" / "locker_0001.py").write_text(REVISION, "utf-8")
    (tmp_path / "texts" / "de.po").write_text(GERMAN, "utf-8")
    return Locker(tmp_path)


@pytest.fixture
def host(plugin: Locker) -> PluginHost:
    made = PluginHost()
    made.register(core_plugin, "core")
    made.register(plugin, "locker")
    made.freeze()
    return made


@pytest.fixture
async def running(urls: Urls, host: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, host) as made:
        yield made


@pytest.fixture
async def on(running: Deployment, urls: Urls) -> TenantContext:
    settings = {"locker": {"doors": 9}, "notices": {"sms": "locker"}}
    return await make_tenant(running, urls.owner, "on", plugins=["locker"], settings=settings)


@pytest.fixture
async def off(running: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(running, urls.owner, "off", plugins=[])


def said(host: PluginHost, hook: str) -> Any:
    """What the locker answers to a start-up hook."""
    (answer,) = [answer.value for answer in host.startup(hook) if answer.plugin == "locker"]
    return answer


# --- start-up hooks -------------------------------------------------------------------------------------------


def test_hook_commands(host: PluginHost) -> None:
    assert "locker" in cli.root(host).commands


def test_hook_migrations(host: PluginHost, urls: Urls) -> None:
    script = ScriptDirectory.from_config(migrate.config(urls.owner, host))
    assert "locker_0001" in script.get_heads()
    assert not migrate.at_head(urls.application, host)


def test_hook_tables(host: PluginHost, plugin: Locker) -> None:
    assert said(host, "tables") == (plugin.table,)


async def test_hook_jobs(running: Deployment) -> None:
    assert "locker.remind" in build_app(running).tasks


def test_hook_routes(host: PluginHost) -> None:
    assert [handler.path for handler in said(host, "routes")] == ["/k/locker"]


def test_hook_templates(host: PluginHost, plugin: Locker) -> None:
    assert said(host, "templates") == plugin.folder / "templates"


def test_hook_static_files(host: PluginHost, plugin: Locker) -> None:
    assert said(host, "static_files") == plugin.folder / "static"


async def test_hook_texts(running: Deployment) -> None:
    assert running.texts.translate("de", "Locker") == "Schließfach"


async def test_hook_tenant_sections(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    assert on.section("locker", LockerSettings) == LockerSettings(doors=9)
    assert "locker" not in off.settings


def test_hook_device_kinds(host: PluginHost) -> None:
    (kind,) = said(host, "device_kinds")
    assert (kind.name, kind.calls, kind.needs_public_key) == ("locker", (("POST", "/api/v1/locker/events"),), False)


def test_hook_catalogue_formats(host: PluginHost) -> None:
    (found,) = said(host, "catalogue_formats")
    assert (found.name, found.is_whole) == ("locker-list", True)


def test_hook_plugin_patterns(host: PluginHost, plugin: Locker) -> None:
    assert patterns(host)["door"].folder == plugin.folder


def test_hook_conformance_rules(host: PluginHost) -> None:
    assert [rule.name for rule in said(host, "conformance_rules")] == ["doors"]


# --- tenant hooks: for the tenant that has the plugin, and for no other ---------------------------------------


async def test_hook_terminal_tiles(host: PluginHost, on: TenantContext, off: TenantContext) -> None:
    (tile,) = host.flat(on, "terminal_tiles", locale="de", point="north")
    assert (tile.title, tile.href) == ("Locker at north (de)", "/k/locker/on")
    assert host.flat(off, "terminal_tiles", locale="de", point="north") == []


async def test_hook_staff_entries(host: PluginHost, on: TenantContext, off: TenantContext) -> None:
    (entry,) = host.flat(on, "staff_entries", permissions=frozenset({"boxes.read"}))
    assert entry.title == "Lockers"
    assert host.flat(on, "staff_entries", permissions=frozenset()) == []
    assert host.flat(off, "staff_entries", permissions=frozenset({"boxes.read"})) == []


async def test_hook_staff_tasks(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    (task,) = running.plugins.flat(on, "staff_tasks", permissions=frozenset({"boxes.read"}))
    assert (task.title, task.href) == ("Doors that jam", "/staff/lockers")
    async with running.database.tenant(on) as tx:
        assert await task.count(tx) == 2
    assert running.plugins.flat(on, "staff_tasks", permissions=frozenset()) == []
    assert running.plugins.flat(off, "staff_tasks", permissions=frozenset({"boxes.read"})) == []


async def test_hook_host_figures(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    """What the plugin counts comes as a table of weeks that are over, without the week that has begun."""
    titles = {one.title: one.table for one in await figures(running, on, ("north", "south"))}
    table = titles["Doors that jam"]
    assert table is not None
    assert (table.rows[-1].cells, len(table.rows)) == ((9, None), WEEKS)
    assert table.rows[0].cells == (None, None)
    assert "Doors that jam" not in [one.title for one in await figures(running, off, ("north",))]


async def test_hook_notice_channels(running: Deployment, plugin: Locker, on: TenantContext, off: TenantContext) -> None:
    async with running.database.tenant(on) as tx:
        assert await notices.channels_for(running, tx, "sms") == (plugin.doors.channel,)
    async with running.database.tenant(off) as tx:
        assert [channel.name for channel in await notices.channels_for(running, tx, "sms")] == ["phone"]


async def test_hook_notice_templates(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    assert notices.template_for(running, on, "locker-open").texts["de"].endswith("offen.")
    assert running.plugins.flat(off, "notice_templates") == []


async def test_hook_notice_listeners(running: Deployment, plugin: Locker, on: TenantContext) -> None:
    async with running.database.tenant(on) as tx:
        notice = await notices.create(
            tx,
            running.keyring,
            at=running.clock.now(),
            case=uuid4(),
            kind="sms",
            recipient="+4915228817386",
            template="locker-open",
            locale="de",
            params={"tenant": "On"},
        )
    await notices.deliver.function(running, on, notice_id=str(notice.id))
    assert [message.text for message in plugin.doors.channel.messages] == ["On: Das Fach ist offen."]
    assert plugin.doors.told == [True]


async def test_hook_retention_rules(running: Deployment, plugin: Locker, on: TenantContext, off: TenantContext) -> None:
    for ctx in (on, off):
        await erase_expired.function(running, ctx)
    assert len(plugin.doors.erased_before) == 1


async def test_hook_health_checks(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    (check,) = running.plugins.flat(on, "health_checks")
    async with running.database.tenant(on) as tx:
        assert await check.check(tx) == (True, "9 doors are shut.")
    assert running.plugins.flat(off, "health_checks") == []


async def test_hook_tenant_applied(running: Deployment, plugin: Locker, on: TenantContext) -> None:
    async with running.database.tenant(on) as tx:
        for answer in running.plugins.collect(on, "tenant_applied"):
            await answer.value.applied(tx)
    assert plugin.doors.applied_to == ["on"]


async def test_hook_identity_providers(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    (door,) = running.plugins.flat(on, "identity_providers")
    wish = IdentityWish(key=uuid4(), purpose={"de": "Für das Fach"}, required=("family_names",), return_path="/back")
    async with running.database.tenant(on) as tx:
        assert await door.begin(running, tx, wish) == f"/back?key={wish.key}"
        found = await door.take(running, tx, wish.key)
    assert (found.level, found.attributes) == (1, {"family_names": "Mustermann"})
    assert "Mustermann" not in repr(found)
    assert running.plugins.flat(off, "identity_providers") == []


async def test_hook_identity_attributes(host: PluginHost, on: TenantContext, off: TenantContext) -> None:
    person = Identified(
        provider="locker", level=1, at=datetime(2026, 11, 21, tzinfo=UTC), proof="", attributes=TEST_PERSON
    )
    (answer,) = host.collect(on, "identity_attributes", identified=person)
    assert answer.value == {"greeting": "Guten Tag Mustermann"}
    assert host.collect(off, "identity_attributes", identified=person) == []


async def test_hook_identification_listeners(
    running: Deployment, plugin: Locker, on: TenantContext, off: TenantContext
) -> None:
    async with running.database.tenant(on) as tx:
        await doors.closed(running, tx, uuid4(), "cancelled")
        assert plugin.doors.told == [False]
        plugin.doors.told = None  # type: ignore[assignment]  # the listener fails, and the door's work stands
        await doors.closed(running, tx, uuid4(), "cancelled")
    assert [one.hook for one in running.plugins.failures.lately(on.id)] == ["identification_listeners"]
    assert running.plugins.flat(off, "identification_listeners") == []


async def test_hook_application_connectors(running: Deployment, on: TenantContext, off: TenantContext) -> None:
    sent = Submission(
        id=uuid4(),
        tenant="on",
        reference="2222-2222",
        service="locker",
        title="Schließfach",
        point="north",
        place="terminal",
        language="de",
        submitted_at=running.clock.now(),
        consent="",
        person=None,
        answers=(),
    )
    assert await connectors.send(running, on, "locker", sent) == "door-2222-2222"
    with pytest.raises(ConnectorError):
        await connectors.send(running, off, "locker", sent)
