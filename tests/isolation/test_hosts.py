"""A host never sees a citizen's datum: every route is asked as a host of one house, of another, and of all.

The town is full of documents, telephone numbers, calls and messages. Whatever of them stands in an answer, a header or
an address to go to is a leak, whether the route has let the host in or not.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import pytest

from isolation import twins
from isolation.campaign import ask
from isolation.probes import PLATFORM, Route, Smuggler, routes
from isolation.twins import DOCUMENT, HOST, Twin
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.model import Host
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.people import store as people_store
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import database_server, empty_database, open_deployment
from servicepunkt.web.app import create_app, create_litestar
from servicepunkt.web.sessions import service as sessions
from servicepunkt.web.testing import alive

OTHER = "bank"
HOSTS = {"of this house": f"host@{HOST}", "of another house": f"host@{OTHER}", "of all houses": "host"}
#: Telephone numbers of the deposit and the notice as anybody would write them, and the number of the document.
PHONES = ("12345678", "112345678")
TOKEN = re.compile(r'name="_csrf_token" value="([^"]+)"')


@pytest.fixture(scope="module")
def plugins() -> PluginHost:
    host = PluginHost()
    host.load_installed()
    return host


@pytest.fixture(scope="module")
def urls(plugins: PluginHost) -> Iterator[Any]:
    with tempfile.TemporaryDirectory(prefix="servicepunkt-") as folder, database_server(Path(folder), plugins) as made:
        yield made


@pytest.fixture
async def deployment(urls: Any, plugins: PluginHost, tmp_path: Path) -> AsyncIterator[Deployment]:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, plugins) as made:
        yield made


@pytest.fixture
async def town(deployment: Deployment, urls: Any) -> Twin:
    """A full town with a second house, and a host of each kind who has signed in."""
    made = await twins.twin(deployment, urls.owner, "alpha")
    bank = Host(id=OTHER, name="Bank", kind="bank_lobby", hours="24/7")
    catalogue = twins.town(made.slug)
    async with deployment.database.tenant(made.ctx) as tx:
        with_bank = msgspec.structs.replace(catalogue, hosts=(*catalogue.hosts, bank))
        await importing.put_files(tx, with_bank, at=tx.now())
        await catalogues.publish_sources(tx, at=tx.now(), actor="test")
        for number, (who, role) in enumerate(HOSTS.items()):
            wanted = {"login": f"host-{number}", "name": "Host", "password": twins.PASSWORD, "roles": (role,)}
            account = await people.create_account(tx, at=tx.now(), actor="test", **wanted)  # type: ignore[arg-type]
            made.ids[who] = str(account.id)
    for who in HOSTS:
        async with deployment.database.tenant(made.ctx) as tx:
            account_of = await people_store.by_id(tx, UUID(made.ids[who]))
        assert account_of is not None
        made.cookies[who] = {"sp_session": await sessions.start(deployment, made.ctx, account_of)}
    return made


def citizens(town: Twin) -> re.Pattern[bytes]:
    """What would be a citizen's: document, telephone, reference, parameters of a message, topic of a call."""
    private = [twins.private(town.slug, place) for place in ("params", "topic", "source")]
    found = [DOCUMENT, *PHONES, town.ids["reference"], *private, *(town.ids[name] for name in ("deposit", "notice"))]
    return re.compile("|".join(map(re.escape, found)).encode(), re.IGNORECASE)


async def test_the_town_shows_citizens_data_to_others(deployment: Deployment, town: Twin) -> None:
    """Otherwise the next test would look for what is nowhere."""
    found = [route for route, answer in await every_answer(deployment, town, twins.EVERYTHING) if leaks(town, answer)]
    assert len({route.template for route in found}) >= 3


@pytest.mark.parametrize("who", HOSTS)
async def test_no_route_shows_a_host_a_citizens_datum(deployment: Deployment, town: Twin, who: str) -> None:
    answers = await every_answer(deployment, town, who)
    assert len(answers) > 120
    assert [str(route.template) for route, answer in answers if leaks(town, answer)] == []
    assert [str(route.template) for route, answer in answers if answer.status_code >= 500] == []
    houses = [answer.status_code for route, answer in answers if "{host_id:str}" in route.template]
    assert len(houses) >= 9
    if who == "of another house":
        assert set(houses) == {404}
    else:
        assert houses.count(200) >= 5


async def test_nothing_of_another_house_is_let_in(deployment: Deployment, town: Twin) -> None:
    """What staff write to one house is not read by the host of another one, on whichever page."""
    words = [twins.private(town.slug, place) for place in ("lift", "stuck", "police", "purpose", "chairs", "veto")]
    pattern = re.compile("|".join(words).encode(), re.IGNORECASE)
    for who, sees in (("of another house", False), ("of this house", True)):
        answers = await every_answer(deployment, town, who)
        assert any(pattern.search(answer.content) for _, answer in answers) is sees


def leaks(town: Twin, answer: httpx.Response) -> bool:
    said = b"".join(name + b":" + value for name, value in answer.headers.raw) + answer.content
    # An address that comes back says nothing that was not sent: pages hold their own one, to come back to it.
    asked = answer.request.url.path.removeprefix(town.prefix)
    for echo in (asked, quote(asked, safe="")):
        said = said.replace(echo.encode(), b"")
    return bool(citizens(town).search(said))


async def every_answer(deployment: Deployment, town: Twin, who: str) -> list[tuple[Route, httpx.Response]]:
    """The answer of every route to this person, asked with the town's own ids; whatever changes something, too."""
    app = create_app(deployment)
    client = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
    smuggler = Smuggler(town, town, town.ids, "", every=True)
    found = []
    async with alive(app):
        page = await _send(client, town, who, "GET", "/staff/account")
        csrf = TOKEN.search(page.text)
        assert csrf, page.text
        for route in routes(create_litestar(deployment)):
            # Signing out, or ending sessions, would end the test's own.
            keeps = route.verb == "GET" or not route.template.startswith(("/staff/sign", "/staff/account"))
            if route.verb in ("GET", "POST") and keeps and not route.template.startswith(PLATFORM):
                path = smuggler._path(route.template, town.ids)
                found.append((route, await _send(client, town, who, route.verb, path, csrf=csrf[1])))
    return found


async def _send(
    client: httpx.ASGITransport, town: Twin, who: str, verb: str, path: str, *, csrf: str = ""
) -> httpx.Response:
    cookies = town.cookies[who] | ({"sp_csrf": csrf} if csrf else {})
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), "accept": "text/html"}
    body = {"_csrf_token": csrf, "to": "closed", "do": "veto", "reason": "no", "key": town.ids["slot"]}
    request = httpx.Request(
        verb, f"http://{town.host}{town.prefix}{path}", headers=headers, data=body if verb == "POST" else None
    )
    return await ask(client, request)
