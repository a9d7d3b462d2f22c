"""The centre with the online ID, on one embedded PostgreSQL; two towns with readers, a form and an eID service."""

from __future__ import annotations

import re
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from httpx import ASGITransport, AsyncClient, Response

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, Partner, Point, Service
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment
from servicepunkt.eid import plugin as eid_plugin
from servicepunkt.eid.service import client
from servicepunkt.eid.service.client import EidService
from servicepunkt.eid.service.soap import Signer
from servicepunkt.eid.sessions import services
from servicepunkt.eid.testing.eid_server import EidServer
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.testing import alive

PASSWORD = "a long sentence to sign in"
BASE = "http://points.example.org"
LINK = re.compile(r'href="http://127\.0\.0\.1:24727/eID-Client\?tcTokenURL=([^"]+)"')
TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')
SERVICE = {
    "url": "https://service.invalid/soap",
    "server_address": "https://service.invalid/paos",
    "certificate": "file:eid.pem",
    "key": "file:eid.key",
    "trusted": "file:service.pem",
    "address": "https://town.example.org",
}
READERS = [
    {"id": "reader-north", "point": "north", "local_url": "http://localhost:8630"},
    {"id": "reader-south", "point": "south", "local_url": "http://localhost:8631"},
]


def both(german: str, english: str) -> dict[str, str]:
    return {"de": german, "en": english}


FORM = {
    "service": "certificate",
    "level": 3,
    "purpose": both("Für Ihr Führungszeugnis.", "For your certificate of conduct."),
    "consent": both("Ich bin einverstanden.", "I agree."),
    "then": both("Es kommt mit der Post.", "It comes by post."),
    "connector": "folder",
    "fields": [
        {"name": "family", "label": both("Nachname", "Family name"), "from": "family_names", "locked": True},
        {"name": "address", "label": both("Anschrift", "Address"), "kind": "longtext", "from": "address"},
    ],
}
SETTINGS: dict[str, Any] = {
    "eid": {"readers": READERS, "service": SERVICE, "help_phone": "0123 115"},
    "applications": {"folder": "file:inbox", "forms": [FORM]},
}


def catalogue() -> Catalogue:
    address = Address(street="Kai 1", postcode="12345", town="Seeburg")
    return Catalogue(
        hosts=(Host(id="store", name="Kaufhaus", kind="department_store", hours="Mo-Sa 09:30-20:00; PH off"),),
        points=tuple(
            Point(id=name, name=both(name, name), host="store", address=address) for name in ("north", "south")
        ),
        partners=(Partner(id="town", name="Stadt Seeburg", kind="authority"),),
        services=(
            Service(id="certificate", name=both("Führungszeugnis", "Certificate of conduct"), competence="town"),
        ),
        offers=tuple(
            Offer(
                service="certificate", point=name, provider="town", can=("apply",), non_digital=both("Amt.", "Office.")
            )
            for name in ("north", "south")
        ),
    )


class Listener:
    """The plugin that is told of every end."""

    servicepunkt_api = "1"

    def __init__(self) -> None:
        self.told: list[tuple[UUID, str]] = []

    async def closed(self, tx: Transaction, key: UUID, outcome: str) -> None:
        self.told.append((key, outcome))

    @hookimpl
    def identification_listeners(self, ctx: TenantContext) -> tuple[Listener]:
        return (self,)


LISTENER = Listener()


@pytest.fixture
def listener() -> Listener:
    LISTENER.told.clear()
    return LISTENER


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(web_plugin, "web")
    host.register(eid_plugin, "eid")
    host.register(LISTENER, "listener")
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
async def town(deployment: Deployment, urls: Urls) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "alpha", plugins=["web", "eid", "listener"], settings=SETTINGS)


@pytest.fixture
async def other(deployment: Deployment, urls: Urls, town: TenantContext) -> TenantContext:
    return await make_tenant(deployment, urls.owner, "beta", plugins=["web", "eid", "listener"], settings=SETTINGS)


# --- an eID service ----------------------------------------------------------------------------------------------


def signer(name: str, now: datetime) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    lives = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))
    return Signer(lives.sign(key, hashes.SHA256()), key)


class Bought:
    """The eID service of both towns, in this process. `is_down`: nobody answers; `forged`: somebody else signs."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self.town, self.service, self.stranger = (signer(name, clock.now()) for name in ("town", "service", "stranger"))
        self.server = EidServer(signer=self.service, client=self.town.certificate, now=clock.now)
        self.is_down = self.is_forged = False
        self.asked = 0
        #: Who answers a question, as bytes.
        self.answer_with = self.server.answer
        #: Called when a question has arrived, before it is answered.
        self.meanwhile: Any = None

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.is_down:
            raise httpx.ConnectError("down")
        self.server._signer = self.stranger if self.is_forged else self.service
        status, body = self.answer_with(request.content)
        return httpx.Response(status, content=body)

    def connect(self, deployment: Deployment, ctx: TenantContext, wanted: Any) -> EidService:
        settings = client.ServiceSettings(
            url=wanted.url, tls=ssl.create_default_context(), signer=self.town, trusted=self.service.certificate
        )
        return EidService(settings, now=self._clock.now, transport=httpx.MockTransport(self.answer))

    @property
    def session(self) -> str:
        """The newest one."""
        return list(self.server.sessions)[-1]


@pytest.fixture
def bought(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> Bought:
    made = Bought(clock)
    monkeypatch.setattr(services, "connected", made.connect)
    return made


# --- people and devices ------------------------------------------------------------------------------------------


class Visit:
    """A browser: follows nothing by itself, and sends the token of the page that it last saw."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **options: Any) -> Response:
        return await self.client.get(path, **options)

    async def submit(self, page: str, action: str, /, **fields: str) -> Response:
        found = TOKEN.search((await self.get(page)).text)
        assert found, f"{page} holds no form"
        return await self.client.post(action, data={"_csrf_token": found[1], **fields})

    async def sign_in(self, login: str) -> Response:
        path = "/t/alpha/staff/sign-in"
        return await self.submit(path, path, login=login, password=PASSWORD)


class House:
    """Both towns with their pages, and whoever uses them."""

    def __init__(
        self, deployment: Deployment, owner: str, alpha: TenantContext, beta: TenantContext, bought: Bought
    ) -> None:
        self._owner = owner
        self.deployment, self.alpha, self.beta, self.bought = deployment, alpha, beta, bought
        self.app = create_app(deployment)

    async def at(self, origin: str, server_address: str) -> TenantContext:
        """The first town with another public address, and an eID server that is attached to its pages."""
        service = {**SERVICE, "address": f"{origin}/t/alpha", "server_address": server_address, "channel": "attached"}
        settings = {**SETTINGS, "eid": {**SETTINGS["eid"], "service": service}}
        return await make_tenant(
            self.deployment, self._owner, "alpha", plugins=["web", "eid", "listener"], settings=settings
        )

    @staticmethod
    def link_in(page: str) -> str:
        """The address of the TcToken in the link to an AusweisApp."""
        found = LINK.search(page)
        assert found
        return parse_qs(f"x={found[1]}")["x"][0]

    @asynccontextmanager
    async def browser(self, app: Any = None) -> AsyncIterator[Visit]:
        transport = ASGITransport(app or self.app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url=BASE) as client:
            yield Visit(client)

    async def token(self, ctx: TenantContext, kind: str, target: str) -> str:
        _, code = await devices.announce(self.deployment, ctx, actor="test", kind=kind, target=target, label=target)
        _, token = await devices.enrol(self.deployment, ctx, code=code)
        return token

    @asynccontextmanager
    async def terminal(self, ctx: TenantContext, point: str = "north") -> AsyncIterator[Visit]:
        async with self.browser() as found:
            found.client.cookies.set("sp_device", await self.token(ctx, "terminal", point))
            yield found

    @asynccontextmanager
    async def reader(self, ctx: TenantContext, name: str = "reader-north") -> AsyncIterator[Visit]:
        token = await self.token(ctx, "reader", name)
        async with self.browser() as found:
            found.client.headers["authorization"] = f"Bearer {token}"
            yield found


@pytest.fixture
async def house(
    deployment: Deployment, urls: Urls, town: TenantContext, other: TenantContext, bought: Bought
) -> AsyncIterator[House]:
    now = deployment.clock.now()
    for ctx in (town, other):
        async with deployment.database.tenant(ctx) as tx:
            await catalogue_service.publish(tx, catalogue(), at=now, actor="test")
            for login, role in (("clerk", "clerk"), ("guide", "point_staff@north"), ("editor", "editor")):
                await people.create_account(
                    tx, at=now, actor="test", login=login, name=login, password=PASSWORD, roles=(role,)
                )
    made = House(deployment, urls.owner, town, other, bought)
    async with alive(made.app):
        yield made


@pytest.fixture
async def terminal(house: House) -> AsyncIterator[Visit]:
    """A terminal of the first town, at its northern point."""
    async with house.terminal(house.alpha) as found:
        yield found


@pytest.fixture
async def reader(house: House) -> AsyncIterator[Visit]:
    """The reader there."""
    async with house.reader(house.alpha) as found:
        yield found


@pytest.fixture
def sections() -> dict[str, Any]:
    """What both tenant files say."""
    return SETTINGS


@pytest.fixture
def make_catalogue() -> Callable[[], Catalogue]:
    return catalogue


@pytest.fixture(scope="session")
def make_service() -> type[Bought]:
    return Bought


@pytest.fixture(scope="module")
def town_of() -> tuple[dict[str, Any], Catalogue]:
    """What a tenant file says, and the catalogue."""
    return SETTINGS, catalogue()
