"""The centre with the shell and the box, on one embedded PostgreSQL; two tenants with boxes of the same name."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from httpx import AsyncClient, Response

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Point
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.notices import service as notices
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.people import service as people
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import (
    FixedClock,
    RecordingChannel,
    database_server,
    empty_database,
    make_tenant,
    open_deployment,
)
from servicepunkt.dokbox import configuration, intake, service, store, wire
from servicepunkt.dokbox import plugin as dokbox_plugin
from servicepunkt.dokbox.configuration import SyncBoxes
from servicepunkt.dokbox.controller import link
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.wire import SentEntry
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.server import serving
from servicepunkt.web.sessions import service as sessions

SETTINGS = DokboxSettings(
    boxes=(
        BoxSettings(
            id="box-1",
            point="point-1",
            name={"de": "DokBox", "en": "DokBox"},
            compartments=16,
            rows_by_reach=(7, 6),
            low_rows=(8,),
        ),
    ),
    documents=(
        DocumentPolicy(
            type="passport",
            name={"de": "Reisepass", "en": "Passport"},
            steps=("phone", "code", "open", "removal", "close"),
        ),
        DocumentPolicy(
            type="card",
            name={"de": "Ausweis", "en": "Card"},
            steps=("phone", "code", "birth_date", "staff_check", "open", "removal", "close"),
            reminders=(3, 12),
            extension_days=7,
            four_eyes=True,
        ),
        DocumentPolicy(
            type="letter",
            name={"de": "Urkunde", "en": "Certificate"},
            steps=("pickup_number", "code", "fresh_code", "open", "removal", "close"),
            channel="email",
            check_digit=True,
            hold_days=7,
        ),
    ),
    counter={"de": "Rathaus, Zimmer 1", "en": "Town hall, room 1"},
)
CATALOGUE = Catalogue(
    hosts=(Host(id="host", name="Shop", kind="shop", hours="Mo-Sa 08:00-20:00"),),
    points=(
        Point(
            id="point-1",
            name={"de": "Punkt", "en": "Point"},
            host="host",
            address=Address(street="Weg 1", postcode="00000", town="Ort"),
        ),
    ),
)
PHONE = "0151 12345678"
TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    for plugin, name in ((core_plugin, "core"), (web_plugin, "web"), (dokbox_plugin, "dokbox")):
        host.register(plugin, name)
    host.freeze()
    return host


@pytest.fixture(scope="session")
def urls(plugins: PluginHost) -> Iterator[Urls]:
    # Not below pytest's folder: PostgreSQL runs as a user of its own, who may not enter there.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, database_server(Path(home), plugins) as found:
        yield found


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def deployment(urls: Urls, plugins: PluginHost, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins, clock=clock) as made:
        yield made


@pytest.fixture
def section() -> DokboxSettings:
    """What the tenants' files say in [dokbox]."""
    return SETTINGS


@pytest.fixture
def enabled() -> list[str]:
    """The plugins of the tenants."""
    return ["web", "dokbox"]


@pytest.fixture
def make(
    deployment: Deployment, urls: Urls, section: DokboxSettings, enabled: list[str]
) -> Callable[[str], Awaitable[TenantContext]]:
    return partial(with_boxes, deployment, urls, section, enabled)


async def with_boxes(
    deployment: Deployment, urls: Urls, section: DokboxSettings, enabled: list[str], slug: str
) -> TenantContext:
    settings = {"dokbox": msgspec.to_builtins(section)}
    ctx = await make_tenant(deployment, urls.owner, slug, settings=settings, plugins=enabled)
    async with deployment.database.tenant(ctx) as tx:
        await catalogue.publish(tx, CATALOGUE, at=deployment.clock.now(), actor="test")
        await SyncBoxes().applied(tx)
    return ctx


@pytest.fixture
async def tenant(make: Callable[[str], Awaitable[TenantContext]]) -> TenantContext:
    return await make("alpha")


@pytest.fixture
async def other(make: Callable[[str], Awaitable[TenantContext]], tenant: TenantContext) -> TenantContext:
    assert tenant
    return await make("beta")


@pytest.fixture
async def token(deployment: Deployment, tenant: TenantContext, bench: Bench) -> str:
    return await enrol(deployment, tenant, bench)


async def enrol(deployment: Deployment, ctx: TenantContext, bench: Any) -> str:
    """Enrol the bench's box; returns its token."""
    _, code = await devices.announce(deployment, ctx, actor="test", kind="box", target="box-1", label="Box")
    _, made = await devices.enrol(deployment, ctx, code=code, kind="box", public_key=bench.vault.public_key)
    return made


CLERK = "account:test"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> RecordingChannel:
    made = RecordingChannel("phone")
    monkeypatch.setattr(notices, "builtin_channels", lambda _: (made,))
    return made


class Wire:
    """Carries commands down and entries up, as the link does, without HTTP."""

    def __init__(self, deployment: Deployment, ctx: TenantContext, bench: Bench) -> None:
        self.deployment, self.ctx, self.bench = deployment, ctx, bench

    async def enrol(self, bench: Bench) -> str:
        """Another computer for the box; returns its token."""
        return await enrol(self.deployment, self.ctx, bench)

    async def down(self) -> None:
        published = await CatalogueReader(self.deployment.database).current(self.ctx)
        self.bench.controller.configure(await configuration.config_for(self.deployment, self.ctx, "box-1", published))
        after = self.bench.controller.ledger.box.command
        for command in await intake.commands_for(self.deployment, self.ctx, "box-1", after=after):
            await self.bench.controller.handle(command)

    @staticmethod
    def calling(address: str, token: str) -> AsyncClient:
        """What a box calls the centre with."""
        return AsyncClient(base_url=address, headers={"authorization": f"Bearer {token}"})

    def entries(self, after: int = 0) -> list[SentEntry]:
        journal = self.bench.journal
        return [
            SentEntry(entry=entry, sealed=(journal.envelope(entry.seq) or b"").hex())
            for entry in journal.entries(after=after, limit=100)
        ]

    async def announce(self, **changed: Any) -> DepositRow:
        """A clerk announces a passport, or what `changed` says."""
        return await self.announce_for(self.ctx, **changed)

    async def announce_for(self, ctx: TenantContext, **changed: Any) -> DepositRow:
        usual = {"box": "box-1", "kind": "passport", "document_number": "C01X00T47", "phone": PHONE, "locale": "de"}
        wanted = service.Announcement(**{**usual, **changed})
        return await service.announce(self.deployment, ctx, actor=CLERK, wanted=wanted)

    async def fresh(self, row: DepositRow) -> DepositRow:
        async with self.deployment.database.tenant(self.ctx) as tx:
            found = await store.find_deposit(tx, row.id)
        assert found is not None
        return found

    async def loaded(self, row: DepositRow, *, actor: str = CLERK) -> int:
        """Carry a deposit to STORED; returns its compartment."""
        await self.both()
        await service.request(self.deployment, self.ctx, actor=actor, deposit_id=row.id, kind="open_for_load")
        await self.both()
        compartment = (await self.fresh(row)).compartment
        assert compartment is not None
        await self.bench.opened(compartment)
        await self.bench.close(compartment, item=True)
        await self.up()
        return compartment

    async def told(self, **changed: Any) -> DepositRow:
        """A passport in the box, or what `changed` says, of which the citizen was told."""
        row = await self.announce(**changed)
        await self.loaded(row)
        await self.deliver(row)
        await self.both()
        return await self.fresh(row)

    @staticmethod
    def code_in(channel: RecordingChannel, number: str = "") -> str:
        """The code of the newest message that holds one, of those to `number` if it is named."""
        texts = [message.text for message in channel.messages if number in ("", message.recipient)]
        return next(found.group() for text in reversed(texts) if (found := re.search(r"\b\d{6,9}\b", text)))

    async def deliver(self, row: DepositRow) -> None:
        """Send what was not sent yet."""
        async with self.deployment.database.tenant(self.ctx) as tx:
            waiting = [notice for notice in await notice_store.of_case(tx, row.id) if notice.state != "sent"]
        for notice in waiting:
            await notices.deliver.function(self.deployment, self.ctx, notice_id=str(notice.id))

    async def up(self) -> wire.Acknowledged:
        async with self.deployment.database.tenant(self.ctx) as tx:
            row = await store.find_box(tx, "box-1")
        assert row is not None
        return await intake.ingest(self.deployment, self.ctx, "box-1", self.entries(row.acknowledged))

    async def both(self) -> None:
        await self.down()
        await self.up()


@pytest.fixture
async def address(deployment: Deployment) -> AsyncIterator[str]:
    """Where the centre of tenant alpha answers."""
    async with serving(create_app(deployment), host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}/t/alpha"


@pytest.fixture(autouse=True)
def answers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for commands that nobody gives."""
    monkeypatch.setattr(link, "WAIT_SECONDS", 0)


@pytest.fixture
def line(deployment: Deployment, tenant: TenantContext, bench: Bench, token: str) -> Wire:
    assert token
    return Wire(deployment, tenant, bench)


class Clerk:
    """A person at the staff pages, signed in; `cookie` is the session for a browser."""

    def __init__(self, client: AsyncClient, cookie: str) -> None:
        self.client, self.cookie = client, cookie

    async def get(self, path: str) -> Response:
        return await self.client.get(path)

    async def submit(self, page: str, action: str, /, **fields: str) -> Response:
        """Load `page`, then send a form to `action` with the token that stands there."""
        found = TOKEN.search((await self.get(page)).text)
        assert found, f"{page} holds no form"
        return await self.client.post(action, data={"_csrf_token": found[1], **fields})


@pytest.fixture
async def session(deployment: Deployment, tenant: TenantContext) -> str:
    """The session of somebody who may look after deposits and boxes."""
    now = deployment.clock.now()
    async with deployment.database.tenant(tenant) as tx:
        account = await people.create_account(
            tx, at=now, actor="test", login="clerk", name="Clerk", password="a long sentence", roles=("clerk",)
        )
    return await sessions.start(deployment, tenant, account)


@pytest.fixture
async def clerk(deployment: Deployment, session: str) -> AsyncIterator[Clerk]:
    """Somebody at `/t/alpha`; redirects are not followed."""
    async with serving(create_app(deployment), host="127.0.0.1", port=0) as port:
        where = f"http://127.0.0.1:{port}/t/alpha/staff"
        async with AsyncClient(base_url=where, cookies={"sp_session": session}) as client:
            yield Clerk(client, session)
