"""A small town with everything its pages need, one embedded PostgreSQL for all tests, and clients to look at it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient, Response

from servicepunkt.core import plugin as core_plugin
from servicepunkt.core.catalogue import service as catalogue_service
from servicepunkt.core.catalogue.model import (
    Address,
    Catalogue,
    DocumentNeed,
    Host,
    Link,
    Offer,
    Partner,
    Point,
    Service,
    Theme,
)
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.declarations import DeviceKind, TerminalTile
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.plugins import PluginHost, hookimpl
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, database_server, empty_database, make_tenant, open_deployment
from servicepunkt.web import plugin as web_plugin
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.testing import alive

PASSWORD = "a long sentence to sign in"
HERE = "harbour"
BASE = "http://points.example.org"


class Extra:
    """A plugin beside the shell: a tile, a check that is well, one that fails, tasks for staff, a kind of device."""

    servicepunkt_api = "1"

    @hookimpl
    def terminal_tiles(self, locale: str) -> list[TerminalTile]:
        title = "Dokument abholen" if locale == "de" else "Collect a document"
        text = "Mit dem Code aus Ihrer Nachricht" if locale == "de" else "With the code from your message"
        return [TerminalTile(title, "/k/help", icon="box", text=text)]

    @hookimpl
    def health_checks(self) -> list[Any]:
        return [Check("Well", well=True), Check("Broken", well=None)]

    @hookimpl
    def staff_tasks(self, permissions: frozenset[str]) -> list[Any]:
        tasks = [Task("Letters to open", 3), Task("Done already", 0), Task("Uncounted", None)]
        return tasks if "devices.manage" in permissions else tasks[1:2]

    @hookimpl
    def device_kinds(self) -> list[DeviceKind]:
        return [DeviceKind("box", "Box", calls=(("GET", "/nothing"),), needs_public_key=True)]


class Check:
    def __init__(self, name: str, *, well: bool | None) -> None:
        self.name = name
        self._well = well

    async def check(self, tx: Any) -> tuple[bool, str]:
        if self._well is None:
            raise LookupError(self.name)
        return self._well, "All is well."


class Task:
    def __init__(self, title: str, waiting: int | None) -> None:
        self.title, self.href = title, "/staff/account"
        self._waiting = waiting

    async def count(self, tx: Any) -> int:
        if self._waiting is None:
            raise LookupError(self.title)
        return self._waiting


def both(german: str, english: str) -> dict[str, str]:
    return {"de": german, "en": english}


LIVING = both(
    "Eine Wohnung finden, umziehen, sich anmelden – und was zur Wohnung gehört: Strom, Wasser, Müll.",
    "Find a flat, move house, register – and what comes with a home: electricity, water, waste.",
)


def town(name: str = "Seeburg") -> Catalogue:
    """Two points, six themes; two services have ended, one is taken in for another office, one has no English."""
    themes = [
        ("energy", "Energie", "Energy", "Strom, Gas und Wärme", "Power, gas and heat", "bolt"),
        ("mobility", "Mobilität", "Mobility", "Bus, Bahn und Rad", "Bus, train and bicycle", "tram"),
        ("living", "Wohnen", "Living", LIVING["de"], LIVING["en"], "home"),
        ("papers", "Ausweise und Dokumente", "Papers", "Beantragen und abholen", "Apply and collect", "id"),
        ("events", "Veranstaltungen", "Events", "Was in der Stadt los ist", "What is on in town", "calendar"),
        ("tourism", "Entdecken", "Discover", "Wege und Geschichten", "Walks and stories", "compass"),
    ]
    offers = [
        Offer(
            service="card",
            point=HERE,
            provider="town",
            can=("inform", "apply", "collect"),
            non_digital=both("Kommen Sie ins Bürgerbüro, Markt 1.", "Come to the office, Market 1."),
            staffed=True,
            appointment="required",
            languages=("de", "tr"),
        ),
        Offer(
            service="contract",
            point=HERE,
            provider="works",
            can=("advise", "sell"),
            non_digital=both("Rufen Sie an.", "Call us."),
        ),
        Offer(
            service="ticket",
            point=HERE,
            provider="works",
            can=("sell", "pay"),
            non_digital=both("Am Schalter.", "At the counter."),
            hours="Mo-Fr 10:00-12:00",
        ),
        Offer(service="bonus", point=HERE, provider="works", can=("apply",), non_digital=both("Keiner.", "None.")),
        Offer(
            service="moving",
            point=HERE,
            provider="town",
            can=("start",),
            non_digital=both("Brief an die Stadt.", "A letter."),
            accepted_for="county",
        ),
        Offer(
            service="market",
            point=HERE,
            provider="club",
            can=("book",),
            non_digital=both("Beim Verein.", "At the club."),
        ),
        Offer(
            service="walk",
            point=HERE,
            provider="club",
            can=("inform",),
            non_digital=both("Ein Faltblatt.", "A leaflet."),
            valid_from=date(2027, 1, 1),
        ),
        Offer(
            service="card", point="hill", provider="town", can=("inform",), non_digital=both("Telefon.", "Telephone.")
        ),
        Offer(
            service="tour",
            point="hill",
            provider="club",
            can=("book",),
            non_digital=both("Beim Verein.", "At the club."),
        ),
    ]
    return Catalogue(
        hosts=(Host(id="store", name="Kaufhaus am Hafen", kind="department_store", hours="Mo-Sa 09:30-20:00; PH off"),),
        points=(
            Point(
                id=HERE,
                name=both("Servicepunkt am Hafen", "Service point at the harbour"),
                host="store",
                staffed="Mo-Fr 10:00-18:00; Sa 10:00-19:50",
                address=Address(street="Kai 1", postcode="12345", town=name),
                help_phone="0123 115",
            ),
            Point(
                id="hill",
                name=both("Servicepunkt am Berg", "Service point on the hill"),
                host="store",
                address=Address(street="Berg 2", postcode="12345", town=name),
            ),
        ),
        partners=(
            Partner(id="town", name=f"Stadt {name}", kind="authority"),
            Partner(id="county", name="Landkreis Nordsee", kind="authority"),
            Partner(id="works", name="Stadtwerke", kind="municipal_enterprise"),
            Partner(id="club", name="Heimatverein", kind="association"),
        ),
        themes=tuple(
            Theme(id=key, name=both(de, en), intro=both(de_intro, en_intro), icon=icon, order=order)
            for order, (key, de, en, de_intro, en_intro, icon) in enumerate(themes)
        ),
        services=(
            Service(
                id="card",
                name=both("Personalausweis", "Identity card"),
                themes=("papers",),
                competence="town",
                summary=both("Der Ausweis für Deutsche ab 16 Jahren.", "The card for Germans from 16 years of age."),
                description=both(
                    "Sie beantragen ihn hier und holen ihn hier ab.", "You apply here and collect it here."
                ),
                documents=(
                    DocumentNeed(text=both("Ein biometrisches Foto", "A biometric photo")),
                    DocumentNeed(
                        text=both("Zustimmung der Eltern", "Consent of the parents"),
                        when=both("nur unter 16 Jahren", "only under 16 years of age"),
                    ),
                ),
                fee=both("37,00 Euro", "37.00 euros"),
                duration=both("Etwa drei Wochen", "About three weeks"),
                legal_basis=("§ 9 PAuswG",),
            ),
            Service(
                id="contract",
                name=both("Stromvertrag", "Power contract"),
                themes=("energy",),
                competence="works",
                summary=both("Beratung und Abschluss", "Advice and contract"),
                links=(Link(kind="online", url="https://example.org/strom"),),
            ),
            Service(
                id="bonus",
                name=both("Heizungsbonus", "Heating bonus"),
                themes=("energy",),
                competence="works",
                valid_until=date(2026, 6, 30),
                ended=both("Der Bonus endete am 30. Juni 2026.", "The bonus ended on 30 June 2026."),
            ),
            Service(id="ticket", name={"de": "Monatskarte"}, themes=("mobility",), competence="works"),
            Service(id="moving", name=both("Umzug melden", "Report a move"), themes=("living",), competence="county"),
            Service(
                id="market", name=both("Stand auf dem Markt", "A market stall"), themes=("events",), competence="club"
            ),
            Service(
                id="fair",
                name=both("Messe am Kai", "Fair on the quay"),
                themes=("events",),
                competence="club",
                valid_until=date(2026, 6, 30),
                ended=both("Die Messe ist vorbei.", "The fair is over."),
            ),
            Service(id="walk", name=both("Stadtspaziergang", "Town walk"), themes=("tourism",), competence="club"),
            Service(id="tour", name=both("Bergführung", "Hill tour"), themes=("tourism",), competence="club"),
        ),
        offers=tuple(offers),
    )


@pytest.fixture(scope="session")
def plugins() -> PluginHost:
    host = PluginHost()
    host.register(core_plugin, "core")
    host.register(web_plugin, "web")
    host.register(Extra(), "extra")
    host.freeze()
    return host


@pytest.fixture(scope="session")
def urls(plugins: PluginHost) -> Iterator[Urls]:
    # Not below pytest's folder: PostgreSQL runs as a user of its own, who may not enter there.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as home, database_server(Path(home), plugins) as found:
        yield found


@pytest.fixture
def clock() -> FixedClock:
    """Saturday, 21 November 2026, 19:40 in the town."""
    return FixedClock()


@pytest.fixture
async def deployment(urls: Urls, plugins: PluginHost, clock: FixedClock, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins, clock=clock, operator_tenant="alpha") as made:
        yield made


class Town:
    """A deployment with two towns, and what tests do in them."""

    def __init__(self, deployment: Deployment, urls: Urls) -> None:
        self.deployment = deployment
        self._urls = urls
        self.app = create_app(deployment)

    async def found(self) -> None:
        self.alpha = await self._town("alpha", name="Seeburg", hosts=["alpha.example.org"])
        self.beta = await self._town("beta", name="Bergstadt", subdivision="BB")

    async def _town(self, slug: str, **values: Any) -> TenantContext:
        ctx = await make_tenant(self.deployment, self._urls.owner, slug, **values)
        now = self.deployment.clock.now()
        async with self.deployment.database.tenant(ctx) as tx:
            await catalogue_service.publish(tx, town(ctx.name), at=now, actor="test")
            for login, roles in (
                ("boss", ("city_admin", "point_staff")),
                ("clerk", ("clerk",)),
                ("guide", ("point_staff",)),
                ("editor", ("editor",)),
                ("agent", ("agent",)),
            ):
                await people.create_account(
                    tx, at=now, actor="test", login=login, name=login.title(), password=PASSWORD, roles=roles
                )
        return ctx

    async def code(self, ctx: TenantContext, kind: str = "terminal", target: str = HERE) -> str:
        """The one-time code of a new device."""
        _, code = await devices.announce(
            self.deployment, ctx, actor="test", kind=kind, target=target, label=f"{kind} at the door"
        )
        return code

    async def terminal_token(self, ctx: TenantContext, target: str = HERE) -> str:
        _, token = await devices.enrol(self.deployment, ctx, code=await self.code(ctx, target=target))
        return token

    @asynccontextmanager
    async def client(self, base_url: str = BASE) -> AsyncIterator[Visit]:
        transport = ASGITransport(self.app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url=base_url) as client:
            yield Visit(client, self)


TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')


class Visit:
    """A browser of one person: follows nothing by itself, sends the token of the page it last saw."""

    def __init__(self, client: AsyncClient, town: Town) -> None:
        self.client = client
        self.town = town

    async def get(self, path: str, **options: Any) -> Response:
        return await self.client.get(path, **options)

    async def submit(self, page: str, action: str, /, **fields: str) -> Response:
        """Load `page`, then send a form to `action` with the token that stands there."""
        found = TOKEN.search((await self.get(page)).text)
        assert found, f"{page} holds no form"
        return await self.client.post(action, data={"_csrf_token": found[1], **fields})

    async def sign_in(self, login: str = "boss", prefix: str = "/t/alpha") -> Response:
        form = {"login": login, "password": PASSWORD}
        return await self.submit(f"{prefix}/staff/sign-in", f"{prefix}/staff/sign-in", **form)

    async def become_terminal(self, ctx: TenantContext, target: str = HERE) -> Response:
        path = f"/t/{ctx.slug}/device/enrol"
        return await self.submit(path, path, code=await self.town.code(ctx, target=target))


@pytest.fixture
async def here(deployment: Deployment, urls: Urls) -> AsyncIterator[Town]:
    made = Town(deployment, urls)
    await made.found()
    async with alive(made.app):
        yield made


@pytest.fixture
async def visit(here: Town) -> AsyncIterator[Visit]:
    """Somebody with a browser, and no terminal."""
    async with here.client() as found:
        yield found


@pytest.fixture
async def terminal(here: Town) -> AsyncIterator[Visit]:
    """Somebody at an enrolled terminal of the first town."""
    async with here.client() as found:
        await found.become_terminal(here.alpha)
        yield found


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD


@pytest.fixture(scope="session")
def make_catalogue() -> Callable[[], Catalogue]:
    return town


@pytest.fixture(scope="session")
def make_town() -> Callable[[Deployment, Urls], Town]:
    return Town


@pytest.fixture(scope="session", name="alive")
def alive_fixture() -> Callable[[Any], Any]:
    return alive
