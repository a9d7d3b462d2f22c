"""The simulated desk with the real client: a card that comes and goes, and what the eID service knows afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from litestar.testing import AsyncTestClient

from servicepunkt.eid.errors import EidError
from servicepunkt.eid.sdk.client import SdkClient
from servicepunkt.eid.sdk.errors import CardTakenError, EndedError
from servicepunkt.eid.sdk.steps import Notice, Occasion
from servicepunkt.eid.service.client import EidService, ServiceSettings
from servicepunkt.eid.service.model import NotYetError, Session, UnreachableError, UseId
from servicepunkt.eid.simulator import certificates
from servicepunkt.eid.simulator.ausweisapp import SimulatedAusweisApp
from servicepunkt.eid.simulator.pages import create_desk
from servicepunkt.eid.simulator.service import SimulatedService
from servicepunkt.eid.testing.ausweisapp import FakeCard
from servicepunkt.eid.testing.eid_server import EidServer
from servicepunkt.eid.testing.paos.messages import tc_token
from servicepunkt.eid.testing.person import CAN, PIN
from servicepunkt.eid.testing.screen import Person

WANTED = UseId(
    operations={"FamilyNames": "REQUIRED", "PlaceOfResidence": "ALLOWED", "AgeVerification": "REQUIRED"}, age=18
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    certificates.prepare(tmp_path / "secrets", tmp_path / "home")
    return tmp_path


@pytest.fixture
def service(home: Path) -> Iterator[SimulatedService]:
    server = EidServer(
        signer=certificates.signer(home / "home" / certificates.SERVICE, home / "home" / certificates.SERVICE_KEY),
        client=x509.load_pem_x509_certificate((home / "secrets" / certificates.TOWN).read_bytes()),
        now=lambda: datetime.now(UTC),
    )
    context = certificates.server_context(home / "secrets", home / "home")
    with SimulatedService(server, context, 0) as running:
        yield running


@pytest.fixture
async def town(home: Path, service: SimulatedService) -> AsyncIterator[EidService]:
    secrets = home / "secrets"
    tls = ssl.create_default_context(cafile=str(secrets / certificates.SERVICE))
    tls.load_cert_chain(secrets / certificates.TOWN, secrets / certificates.TOWN_KEY)
    settings = ServiceSettings(
        url=service.address,
        tls=tls,
        signer=certificates.signer(secrets / certificates.TOWN, secrets / certificates.TOWN_KEY),
        trusted=x509.load_pem_x509_certificate((secrets / certificates.SERVICE).read_bytes()),
    )
    async with EidService(settings) as client:
        yield client


@contextlib.contextmanager
def token_of(session: Session) -> Iterator[str]:
    """The address of a TcToken."""
    own = "https://localhost/"
    body = tc_token(server=own, session=session.psk_id, refresh=own, error=own)

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{web.server_address[1]}/token"
        finally:
            web.shutdown()
            thread.join()


@pytest.fixture
async def app(service: SimulatedService) -> AsyncIterator[SimulatedAusweisApp]:
    async with SimulatedAusweisApp(service.fetch, port=0) as running:
        yield running


class Watcher(Person):
    """Does something when it is told something."""

    def __init__(self, *numbers: str, when: Occasion, do: object) -> None:
        super().__init__(*numbers, rights=("Address",))
        self._when, self._do, self.done = when, do, False

    def show(self, notice: Notice) -> None:
        super().show(notice)
        late = notice.occasion is Occasion.PROGRESS and (notice.progress or 0) >= 60
        if not self.done and notice.occasion is self._when and (late or self._when is not Occasion.PROGRESS):
            self.done = True
            self._task = asyncio.get_running_loop().create_task(self._do())  # type: ignore[operator]


async def test_a_card_is_laid_on_when_it_is_asked_for(town: EidService, app: SimulatedAusweisApp) -> None:
    session = await town.open(WANTED)
    person = Watcher("111111", PIN, when=Occasion.INSERT_CARD, do=lambda: app.lay_on(FakeCard(pin=PIN, can=CAN)))
    with token_of(session) as address:
        with pytest.raises(NotYetError):
            await town.ask(session)
        async with SdkClient(app.url) as client:
            await client.identify(address, ui=person)
    (request,) = person.requests
    assert (request.required, request.optional) == (("FamilyName", "AgeVerification"), ("Address",))
    found = await town.ask(session)
    assert found.attributes.held() == ("family_names", "address")
    assert found.answers.old_enough is True


async def test_what_was_deselected_is_not_there(town: EidService, app: SimulatedAusweisApp) -> None:
    await app.lay_on(FakeCard(pin=PIN))
    session = await town.open(WANTED)
    with token_of(session) as address:
        async with SdkClient(app.url) as client:
            await client.identify(address, ui=Person(PIN, rights=()))
    assert (await town.ask(session)).attributes.held() == ("family_names",)


async def test_taken_away_while_it_is_read(town: EidService, app: SimulatedAusweisApp) -> None:
    await app.lay_on(FakeCard(pin=PIN))
    session = await town.open(WANTED)
    person = Watcher(PIN, when=Occasion.PROGRESS, do=app.take_off)
    with token_of(session) as address:
        async with SdkClient(app.url) as client:
            with pytest.raises(CardTakenError):
                await client.identify(address, ui=person)
    with pytest.raises(NotYetError):
        await town.ask(session)


async def test_nothing_is_fetched_from_elsewhere(app: SimulatedAusweisApp, service: SimulatedService) -> None:
    with pytest.raises(UnreachableError):
        service.fetch("https://stadt.example/token")
    async with SdkClient(app.url) as client:
        with pytest.raises(EndedError):
            await client.identify("https://127.0.0.1:1/token", ui=Person())


async def test_nobody_else_is_let_in(home: Path, service: SimulatedService) -> None:
    certificates.prepare(home / "other", home / "elsewhere")
    tls = ssl.create_default_context(cafile=str(home / "secrets" / certificates.SERVICE))
    tls.load_cert_chain(home / "other" / certificates.TOWN, home / "other" / certificates.TOWN_KEY)
    settings = ServiceSettings(
        url=service.address,
        tls=tls,
        signer=certificates.signer(home / "other" / certificates.TOWN, home / "other" / certificates.TOWN_KEY),
        trusted=x509.load_pem_x509_certificate((home / "secrets" / certificates.SERVICE).read_bytes()),
    )
    async with EidService(settings) as stranger:
        with pytest.raises(EidError):
            await stranger.open(WANTED)


async def test_the_desk(app: SimulatedAusweisApp) -> None:
    async with AsyncTestClient(create_desk(app)) as browser:
        assert (await browser.get("/state")).json() == {"lies": False, "tries": 3, "letter": False, "off": False}
        await browser.post("/lay", follow_redirects=False)
        assert app.lies
        await browser.post("/card/letter", follow_redirects=False)
        assert not app.lies
        await browser.post("/lay", follow_redirects=False)
        await browser.post("/lay", follow_redirects=False)
        assert (await browser.get("/state")).json() == {"lies": True, "tries": 3, "letter": True, "off": False}
        page = (await browser.get("/?lang=en")).text
        assert "Take the card away" in page
        assert "12345" in page
        assert (await browser.post("/card/stolen", follow_redirects=False)).status_code == 400
        await browser.post("/take", follow_redirects=False)
        assert not app.lies
