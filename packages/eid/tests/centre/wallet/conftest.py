"""Two towns whose forms ask for the wallet, served by the applications of two processes on one database; wallets."""

from __future__ import annotations

import asyncio
import html
import itertools
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from httpx import ASGITransport, AsyncClient, Response

from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, Partner, Point, Service, Theme
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, empty_database, make_tenant, open_deployment
from servicepunkt.eid.sessions import party, service, store
from servicepunkt.eid.sessions.wallet import Kept
from servicepunkt.eid.testing.wallet import FakeIssuer, FakeWallet, Http, Request, fake_client_certificate
from servicepunkt.eid.wallet.verifier import PresentationSession
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.testing import alive

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC = "https://points.example.org"
POINT = "harbour"
TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')


def both(german: str, english: str) -> dict[str, str]:
    return {"de": german, "en": english}


FORM: dict[str, Any] = {
    "service": "record",
    "level": 3,
    "purpose": both("Die Stadt braucht das für das Führungszeugnis.", "The town needs this for the certificate."),
    "consent": both("Ich bin einverstanden.", "I agree."),
    "then": both("In zwei Wochen kommt Post.", "A letter comes in two weeks."),
    "connector": "email",
    "fields": [
        {"name": "family", "label": both("Nachname", "Family name"), "from": "family_names", "locked": True},
        {"name": "given", "label": both("Vornamen", "Given names"), "from": "given_names", "locked": True},
        {"name": "born", "label": both("Geburtsdatum", "Date of birth"), "kind": "date", "from": "date_of_birth"},
        {
            "name": "address",
            "label": both("Anschrift", "Address"),
            "kind": "longtext",
            "from": "address",
            "required": False,
        },
    ],
}
WALLET = {"certificate": "file:wallet.pem", "key": "file:wallet-key.pem", "trust": "file:issuers.pem"}


def catalogue(name: str) -> Catalogue:
    return Catalogue(
        hosts=(Host(id="store", name="Kaufhaus", kind="department_store", hours="24/7"),),
        points=(
            Point(
                id=POINT,
                name=both("Servicepunkt am Hafen", "Service point at the harbour"),
                host="store",
                address=Address(street="Kai 1", postcode="12345", town=name),
            ),
        ),
        partners=(Partner(id="town", name=f"Stadt {name}", kind="authority"),),
        themes=(Theme(id="papers", name=both("Dokumente", "Papers"), intro=both("Anträge", "Apply")),),
        services=(
            Service(
                id="record",
                name=both("Führungszeugnis", "Certificate of conduct"),
                themes=("papers",),
                competence="town",
                summary=both("Für Beruf und Ehrenamt.", "For work and voluntary work."),
            ),
        ),
        offers=(
            Offer(
                service="record",
                point=POINT,
                provider="town",
                can=("inform", "apply"),
                non_digital=both("Im Bürgerbüro.", "At the office."),
            ),
        ),
    )


def write_party(home: Path, slug: str, issuer: FakeIssuer, clock: FixedClock, **other: Any) -> None:
    """What `WALLET` refers to."""
    folder = home / "secrets" / slug
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = fake_client_certificate(now=clock.now(), **other)
    (folder / "wallet.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "wallet-key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "issuers.pem").write_bytes(issuer.certificate.public_bytes(Encoding.PEM))


class RefusedError(Exception):
    """What a wallet is answered that is not 200."""

    def __init__(self, answer: Response) -> None:
        self.status = answer.status_code
        self.said = answer.json() if answer.headers["content-type"].startswith("application/json") else {}
        super().__init__(f"{self.status} {self.said}")

    @property
    def code(self) -> str:
        return str(self.said.get("code", ""))


class Hand:
    """A person with a browser; odd pages come from one process, even ones from the other."""

    def __init__(self, towns: Towns, slug: str) -> None:
        self.towns, self.prefix = towns, f"/t/{slug}"
        self._cookies: dict[str, str] = {}
        self._turn = 0

    async def ask(self, verb: str, path: str, **options: Any) -> Response:
        self._turn += 1
        async with self.towns.client(self._turn % 2) as client:
            client.cookies.update(self._cookies)
            path = path.removeprefix(PUBLIC).removeprefix(self.prefix)
            answer = await client.request(verb, self.prefix + path, **options)
            self._cookies.update(answer.cookies)
            return answer

    async def get(self, path: str, **options: Any) -> Response:
        return await self.ask("GET", path, **options)

    async def submit(self, page: str, action: str, /, **fields: str) -> Response:
        found = TOKEN.search((await self.get(page)).text)
        assert found, page
        return await self.ask("POST", action, data={"_csrf_token": found[1], **fields})

    def become_terminal(self, token: str) -> None:
        self._cookies["sp_device"] = token

    def drop(self, cookie: str) -> None:
        del self._cookies[cookie]

    async def begin(self, place: str = "/k") -> str:
        """Chooses the wallet for the form. The path of the page that waits."""
        answer = await self.submit(f"{place}/apply/record", f"{place}/apply/record", door="wallet")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"]).removeprefix(self.prefix)


class Towns:
    def __init__(self, deployments: list[Deployment], issuer: FakeIssuer, clock: FixedClock) -> None:
        self.deployments, self.issuer, self.clock = deployments, issuer, clock
        self.apps = [create_app(one) for one in deployments]
        self.ctx: dict[str, TenantContext] = {}

    @asynccontextmanager
    async def client(self, number: int = 0) -> AsyncIterator[AsyncClient]:
        transport = ASGITransport(self.apps[number], raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url=PUBLIC) as client:
            yield client

    async def found(self, owner: str, slug: str, wallet: Mapping[str, Any] | None = WALLET) -> None:
        home = self.deployments[0].settings.home
        write_party(home, slug, self.issuer, self.clock, host="points.example.org")
        settings: dict[str, Any] = {"applications": {"forms": [FORM], "email": "office@example.org"}}
        if wallet is not None:
            settings["eid"] = {"wallet": dict(wallet)}
        ctx = await make_tenant(self.deployments[0], owner, slug, plugins=["web", "eid", "listener"], settings=settings)
        async with self.deployments[0].database.tenant(ctx) as tx:
            await catalogue_service.publish(tx, catalogue(ctx.name), at=tx.now(), actor="test")
        self.ctx[slug] = ctx

    async def terminal(self, slug: str = "alpha") -> Hand:
        hand = Hand(self, slug)
        hand.become_terminal(await self.terminal_token(slug))
        return hand

    async def terminal_token(self, slug: str = "alpha") -> str:
        deployment, ctx = self.deployments[0], self.ctx[slug]
        _, code = await devices.announce(
            deployment, ctx, actor="test", kind="terminal", target=POINT, label="at the door"
        )
        _, token = await devices.enrol(deployment, ctx, code=code)
        return token

    def browser(self, slug: str = "alpha") -> Hand:
        return Hand(self, slug)

    async def row(self, path: str, slug: str = "alpha") -> Any:
        """The row behind a page; None where there is none."""
        async with self.deployments[0].database.tenant(self.ctx[slug]) as tx:
            return await store.by_id(tx, UUID(path.rpartition("/")[2]))

    async def code(self, path: str, slug: str = "alpha") -> str:
        """What a camera reads on the page."""
        deployment, ctx = self.deployments[0], self.ctx[slug]
        async with deployment.database.tenant(ctx) as tx:
            own = await store.by_id(tx, UUID(path.rpartition("/")[2]))
            assert own is not None
            kept = await service.kept(deployment, tx, own, Kept)
        return PresentationSession(party.verifier_of(deployment, ctx), kept.session).qr

    def wire(self) -> Http:
        """The way of a wallet, for a thread: each call to the other process."""
        loop, turns = asyncio.get_running_loop(), itertools.cycle((0, 1))

        async def ask(method: str, url: str, body: bytes | None) -> bytes:
            headers = {} if body is None else {"content-type": "application/x-www-form-urlencoded"}
            async with self.client(next(turns)) as client:
                answer = await client.request(method, url, content=body, headers=headers)
            assert "set-cookie" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"
            if answer.status_code != 200:
                raise RefusedError(answer)
            return answer.content

        return lambda method, url, body: asyncio.run_coroutine_threadsafe(ask(method, url, body), loop).result(30)

    async def scan(self, wallet: FakeWallet, code: str) -> Request:
        return await asyncio.to_thread(wallet.scan, code, self.wire())

    async def fetch(self, wallet: FakeWallet, code: str) -> Request:
        return await asyncio.to_thread(wallet.fetch, code, self.wire())

    async def send(self, address: str, body: bytes) -> dict[str, Any]:
        answer = await asyncio.to_thread(self.wire(), "POST", address, body)
        return dict(msgspec.json.decode(answer, type=dict[str, Any]))

    def wallet(self, **settings: Any) -> FakeWallet:
        return FakeWallet(self.issuer, now=self.clock.now(), **settings)


@pytest.fixture(scope="session")
def issuer() -> FakeIssuer:
    return FakeIssuer(now=FixedClock().now())


@pytest.fixture
def fetched(issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status lists come from the test's authority, each time anew."""
    issuer.revoked.clear()
    party._verifier.cache_clear()
    monkeypatch.setattr(party, "fetch", issuer.fetch)


@pytest.fixture
async def towns(
    urls: Urls, plugins: PluginHost, clock: FixedClock, tmp_path: Path, issuer: FakeIssuer, fetched: None
) -> AsyncIterator[Towns]:
    empty_database(urls.owner)
    async with AsyncExitStack() as stack:

        async def process() -> Deployment:
            opened = open_deployment(urls, tmp_path, plugins, clock=clock, public_url=PUBLIC)
            return await stack.enter_async_context(opened)

        made = Towns([await process(), await process()], issuer, clock)
        await made.found(urls.owner, "alpha")
        await made.found(urls.owner, "beta")
        made.deployments[1].directory.forget()
        for app in made.apps:
            await stack.enter_async_context(alive(app))
        yield made
    shutil.rmtree(tmp_path / "secrets")


@pytest.fixture(scope="session")
def make_towns() -> Callable[..., Towns]:
    return Towns


@pytest.fixture(scope="session")
def refused() -> type[RefusedError]:
    return RefusedError


@pytest.fixture(scope="session")
def link_of() -> Callable[[str], str]:
    """The link that opens a wallet on the same device, from the page's text."""

    def find(page: str) -> str:
        found = re.search(r'href="(openid4vp:[^"]+)"', page)
        assert found
        return html.unescape(found[1])

    return find


@pytest.fixture(scope="session", name="write_party")
def how_to_write_a_party() -> Callable[..., None]:
    return write_party


@pytest.fixture
def form() -> dict[str, Any]:
    return FORM
