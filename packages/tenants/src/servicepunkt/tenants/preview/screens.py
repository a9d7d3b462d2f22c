"""The pages of a tenant as they will be, from the real application on a database that lives only for this."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from lxml import html

from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.db import migrate
from servicepunkt.core.db.embedded import embedded_postgres
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ServicepunktError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import service
from servicepunkt.tenants.model import TenantFile
from servicepunkt.web.app import create_app
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import COOKIE as DEVICE_COOKIE
from servicepunkt.web.devices.model import TERMINAL
from servicepunkt.web.frame import CONTRAST_COOKIE, LANGUAGE_COOKIE

BASE = "http://preview.invalid"
_SHEET = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
Progress = Callable[[str], None]


class PreviewError(ServicepunktError):
    """A page of the preview cannot be shown."""

    code = "SP1090"
    staff = "A page cannot be shown."
    next_step = "What it says in the log tells why."


class Screen(msgspec.Struct, frozen=True):
    """One page: where it is, in which language and view, its title, its static HTML, and the style sheets it names."""

    path: str
    language: str
    view: str
    place: str
    title: str
    page: str
    sheets: tuple[str, ...]

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.place}-{self.language}-{self.view}-{self.path}".lower()).strip("-")


class Seen(msgspec.Struct, frozen=True):
    """All screens, and the style sheets that they name, by address."""

    screens: tuple[Screen, ...]
    sheets: Mapping[str, str]


async def look(deployment: Deployment, read: TenantFile, *, progress: Progress) -> Seen:
    """Apply the file to a database of its own and visit its pages. The deployment's own database is not touched."""
    # Not below the home folder: what is seen here is gone afterwards.
    with tempfile.TemporaryDirectory(prefix="servicepunkt-preview-") as folder, embedded_postgres(Path(folder)) as urls:
        progress("database")
        await asyncio.to_thread(migrate.upgrade, urls.owner, deployment.plugins)
        settings = msgspec.structs.replace(
            deployment.settings,
            home=Path(folder), database_url=urls.application, owner_database_url=urls.owner, master_key="",
            secure_cookies=False, public_url=BASE,
        )  # fmt: skip
        own = Deployment(
            settings, deployment.plugins, Database(urls.application, clock=deployment.clock), clock=deployment.clock
        )
        try:
            open_file = TenantFile(
                msgspec.structs.replace(read.tenant, state="rehearsal"), read.catalogue, read.sections
            )
            await service.apply(own, open_file, actor="preview")
            ctx = await own.directory.by_slug(read.tenant.slug)
            if ctx is None:
                raise LookupError(read.tenant.slug)
            return await _visit(own, ctx, read.catalogue, progress)
        finally:
            await own.providers.close()
            await own.database.close()


async def _visit(deployment: Deployment, ctx: TenantContext, catalogue: Catalogue, progress: Progress) -> Seen:
    screens: list[Screen] = []
    sheets: dict[str, str] = {}
    async with _running(create_app(deployment)) as app:
        transport = httpx.ASGITransport(app)
        for place, point in [("web", ""), *((point.id, point.id) for point in catalogue.points)]:
            device = {DEVICE_COOKIE: await _terminal(deployment, ctx, point)} if point else {}
            for language in ctx.languages:
                for view in ("", "contrast"):
                    cookies = {LANGUAGE_COOKIE: language, CONTRAST_COOKIE: view, **device}
                    async with httpx.AsyncClient(transport=transport, base_url=BASE, cookies=cookies) as client:
                        progress(f"{place} {language} {view}".strip())
                        for path in paths(catalogue, is_terminal=bool(point), is_whole=not view):
                            answer = await client.get(f"/t/{ctx.slug}{path}")
                            if not answer.is_success:
                                raise PreviewError(f"{path} answers {answer.status_code}")
                            for sheet in _SHEET.findall(answer.text):
                                if sheet not in sheets:
                                    sheets[sheet] = (await client.get(sheet)).text
                            screens.append(screen(answer.text, path, language=language, view=view, place=place))
    return Seen(tuple(screens), sheets)


def paths(catalogue: Catalogue, *, is_terminal: bool, is_whole: bool) -> Iterator[str]:
    """The pages of a terminal, or of the web: all of them, or those at the beginning."""
    start = "/k" if is_terminal else ""
    yield start or "/"
    if not is_whole:
        return
    yield from (f"{start}/theme/{theme.id}" for theme in catalogue.themes)
    if is_terminal:
        yield from (f"/k/{name}" for name in ("hours", "search", "help"))
        public = [one.id for one in catalogue.services if one.visibility == "public"]
        yield from (f"/k/service/{service}" for service in public)
        yield from (f"/k/service/{service}/checklist" for service in public[:1])


def screen(page: str, path: str, *, language: str, view: str, place: str) -> Screen:
    """A page that does nothing: without scripts, with forms that cannot be sent, with links that lead nowhere."""
    document: Any = html.document_fromstring(page)
    for element in document.xpath("//script | //link | //dialog | //template | //meta[not(@charset)]"):
        element.drop_tree()
    for element in document.xpath("//a[@href]"):
        element.attrib["href"] = "#"
    for element in document.xpath("//form"):
        element.attrib["action"] = "#"
        element.attrib["inert"] = ""
    for element in document.xpath("//*[@name='_csrf_token']"):
        element.drop_tree()
    for element in document.xpath("//img | //audio | //source"):
        if not element.get("src", "").startswith("data:image/"):
            element.attrib.pop("src", None)
    title = (document.findtext(".//h1") or document.findtext(".//title") or path).strip()
    plain = html.tostring(document, encoding="unicode", doctype="<!doctype html>")
    return Screen(path, language, view, place, title, plain, tuple(_SHEET.findall(page)))


async def _terminal(deployment: Deployment, ctx: TenantContext, point: str) -> str:
    """The token of a terminal at a point."""
    _, code = await devices.announce(
        deployment, ctx, actor="preview", kind=TERMINAL.name, target=point, label="preview"
    )
    _, token = await devices.enrol(deployment, ctx, code=code)
    return token


@asynccontextmanager
async def _running(app: Any) -> AsyncIterator[Any]:
    """The application between start-up and shutdown, which httpx leaves to others."""
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan", "state": {}}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    await from_app.get()
    try:
        yield app
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await from_app.get()
        await task
