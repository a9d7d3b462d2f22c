"""What is of a plugin that a tenant has switched off does not exist for it: no route, no file, no template."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import AsyncTestClient

from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.model import Address, Catalogue, Host, Offer, Partner, Point, Service, Theme
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import NotFoundError
from servicepunkt.core.people import service as people
from servicepunkt.core.people.model import ROLES
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import database_server, make_tenant, open_deployment
from servicepunkt.dokbox import service as dokbox
from servicepunkt.dokbox.configuration import SyncBoxes
from servicepunkt.dokbox.policy import DocumentPolicy
from servicepunkt.dokbox.settings import BoxSettings, DokboxSettings
from servicepunkt.web.app import create_app, create_litestar
from servicepunkt.web.devices import service as devices
from servicepunkt.web.devices.model import Device
from servicepunkt.web.frame import build_frame
from servicepunkt.web.help import service as help_calls
from servicepunkt.web.sessions import service as sessions

PUBLIC_KEY = bytes.fromhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def words(slug: str) -> dict[str, str]:
    return {"de": f"Oeffentlich-{slug}", "en": f"Oeffentlich-{slug}"}


def town(slug: str) -> Catalogue:
    text = words(slug)
    return Catalogue(
        hosts=(Host(id="host", name=f"Oeffentlich-{slug}", kind="shop", hours="24/7"),),
        points=(Point(id="point", name=text, host="host", address=Address(street="Weg 1", postcode="1", town="Ort")),),
        partners=(Partner(id="town", name=f"Oeffentlich-{slug}", kind="authority"),),
        themes=(Theme(id="theme", name=text, intro=text),),
        services=(Service(id="service", name=text, themes=("theme",), competence="town", summary=text),),
        offers=(Offer(service="service", point="point", provider="town", can=("inform",), non_digital=text),),
    )


class Side:
    """One tenant with everything that could leak, and the credentials of its people and devices."""

    def __init__(self, ctx: TenantContext) -> None:
        self.ctx = ctx
        self.cookies: dict[str, dict[str, str]] = {"nobody": {}}
        self.box_token = ""
        self.ids: dict[str, str] = {}

    @property
    def prefix(self) -> str:
        return f"/t/{self.ctx.slug}"

    @property
    def private(self) -> str:
        return f"Geheim-{self.ctx.slug}"


async def found(deployment: Deployment, owner: str, slug: str) -> Side:
    settings = DokboxSettings(
        boxes=(BoxSettings(id="box-1", point="point", name=words(slug), compartments=16),),
        documents=(DocumentPolicy(type="passport", name=words(slug)),),
    )
    ctx = await make_tenant(
        deployment,
        owner,
        slug,
        name=f"Oeffentlich-{slug}",
        settings={"dokbox": msgspec.to_builtins(settings)},
        hosts=[f"{slug}.example.org"],
    )
    side, now = Side(ctx), deployment.clock.now()
    async with deployment.database.tenant(ctx) as tx:
        await importing.put_files(tx, town(slug), at=now)
        await catalogue.publish_sources(tx, at=now, actor="test")
        (edit,) = await editing.write(tx, "service", {"summary/de": f"Geheim-{slug}"}, actor="test")
        await SyncBoxes().applied(tx)
        account = await people.create_account(
            tx, at=now, actor="test", login="boss", name=side.private, password="a long sentence", roles=tuple(ROLES)
        )
    side.cookies["staff"] = {"sp_session": await sessions.start(deployment, ctx, account)}
    terminal, token = await enrol(deployment, ctx, "terminal", "point", side.private)
    side.cookies["terminal"] = {"sp_device": token}
    box, side.box_token = await enrol(deployment, ctx, "box", "box-1", side.private)
    deposit = await dokbox.announce(
        deployment,
        ctx,
        actor=side.private,
        wanted=dokbox.Announcement(
            box="box-1", kind="passport", document_number=f"PASS-{slug}", phone="0151 12345678", locale="de"
        ),
    )
    call = await help_calls.call(deployment, ctx, terminal, topic=f"/k/{side.private}")
    side.ids = {
        "deposit": str(deposit.id),
        "reference": deposit.reference,
        "terminal": str(terminal.id),
        "box": str(box.id),
        "call": str(call.id),
        "account": str(account.id),
        "edit": str(edit.id),
    }
    return side


async def enrol(deployment: Deployment, ctx: TenantContext, kind: str, target: str, label: str) -> tuple[Device, str]:
    _, code = await devices.announce(deployment, ctx, actor="test", kind=kind, target=target, label=label)
    return await devices.enrol(deployment, ctx, code=code, public_key=PUBLIC_KEY)


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
    async with open_deployment(urls, tmp_path, plugins) as made:
        yield made


def filled(template: str, foreign: Side) -> Iterator[str]:
    """The template with the other tenant's identifiers, and with names that both tenants have."""
    places = re.findall(r"{(\w+):(\w+)}", template)
    choices = {
        "uuid": [foreign.ids[name] for name in ("deposit", "terminal", "box", "call", "account", "edit")],
        "str": [
            "box-1",
            "service",
            "theme",
            "recall",
            "open_for_load",
            foreign.ids["reference"],
            foreign.ids["deposit"],
        ],
        "int": ["1", "2", "99"],
        "path": ["../tenant.toml", "vendor/../../app.py", foreign.ids["deposit"]],
    }
    for values in itertools.product(*(choices[kind] for _, kind in places)):
        path = template
        for (name, kind), value in zip(places, values, strict=True):
            path = path.replace(f"{{{name}:{kind}}}", value)
        yield path


async def token_of(client: AsyncTestClient[Any], side: Side) -> str:
    answer = await client.get(f"{side.prefix}/staff/sign-in")
    match = re.search(r'name="_csrf_token" value="([^"]+)"', answer.text)
    assert match
    return match[1]


async def test_a_plugin_that_is_off_answers_by_no_route(deployment: Deployment, urls: Any) -> None:
    """Whatever the verb, with and without a form's token, signed in and not, as for a path that does not exist."""
    side = await found(deployment, urls.owner, "delta")
    only_box = paths_of(deployment, "dokbox")
    assert len(only_box) > 20
    await make_tenant(deployment, urls.owner, "delta", plugins=["web"], settings={})
    answers: Counter[tuple[str, int]] = Counter()
    async with AsyncTestClient(app=create_app(deployment), raise_server_exceptions=False) as client:
        client.follow_redirects = False
        csrf = await token_of(client, side)
        for template, verb, cookies in itertools.product(only_box, VERBS, side.cookies.values()):
            client.cookies.clear()
            for name, value in {"sp_csrf": csrf, **cookies}.items():
                client.cookies.set(name, value)
            for data in ({}, {"_csrf_token": csrf}) if verb == "POST" else ({},):
                path = side.prefix + next(filled(template, side))
                answer = await client.request(verb, path, **({"data": data} if data else {}))
                answers[verb, answer.status_code] += 1
    assert {status for _, status in answers} == {404}, answers


async def test_a_plugin_that_is_off_shows_no_file_and_no_template(deployment: Deployment, urls: Any) -> None:
    """By path and by host name; the shell's own files draw the page that says so. Without a tenant there is no box."""
    on = await found(deployment, urls.owner, "epsilon")
    off = await make_tenant(deployment, urls.owner, "zeta", plugins=["web"], hosts=["zeta.example.org"])
    file = "/static/dokbox/dokbox.css"
    async with AsyncTestClient(app=create_app(deployment), raise_server_exceptions=False) as client:

        async def status(path: str, host: str = "testserver.local") -> int:
            return (await client.get(path, headers={"host": host})).status_code

        assert [await status(f"/t/epsilon{file}"), await status(file, "epsilon.example.org")] == [200, 200]
        assert [await status(f"/t/zeta{file}"), await status(file, "zeta.example.org"), await status(file)] == [404] * 3
        shell = "/static/web/base.css"
        assert [await status(path) for path in (shell, f"/t/zeta{shell}")] == [200, 200]
    frame = build_frame(deployment.plugins, deployment.texts)
    frame.gate(on.ctx, "dokbox")
    for nobody in (off, None):
        with pytest.raises(NotFoundError):
            frame.gate(nobody, "dokbox")


def paths_of(deployment: Deployment, plugin: str) -> list[str]:
    """The path templates of a plugin."""
    return sorted(
        {
            route.path
            for route in create_litestar(deployment).routes
            for handler in getattr(route, "route_handlers", ())
            if handler.opt.get("plugin") == plugin
        }
    )
