"""The shell's rules of plugins: who may call what is said, and what is off for a tenant does not exist there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jinja2
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.testing import AsyncTestClient

from servicepunkt.core.conformance import Rule, Trouble
from servicepunkt.core.conformance.bench import OFF, ON, Bench
from servicepunkt.core.deployment import Deployment
from servicepunkt.web.app import create_app, create_litestar
from servicepunkt.web.gate import OPT, SHELL

#: What stands in place of {name:kind} in an address.
PLACES = {"uuid": "00000000-0000-7000-8000-000000000000", "int": "1", "float": "1.5", "date": "2026-11-21"}


async def rules_stated(bench: Bench) -> list[Trouble]:
    """As the product's own routes: a guard, or `opt={"public": True}`; pages of staff and terminals are not public."""
    found: list[Trouble] = []
    if not bench.implements("routes"):
        return found
    async with bench.deployment() as (deployment, _, _):
        for path, handler in handlers(deployment, bench.candidate.name):
            rules = [rule for guard in handler.resolve_guards() if (rule := getattr(guard, "rule", ""))]
            public = handler.opt.get("public") is True
            if bool(rules) == public and handler.http_methods != {HttpMethod.OPTIONS}:
                found.append(Trouble(path, "says nothing of who may call it" if not rules else "is public and guarded"))
            if public and path.startswith(("/staff", "/k/")) and bench.candidate.name != SHELL:
                found.append(Trouble(path, "is a page of staff or terminals, and public"))
    return found


def handlers(deployment: Deployment, plugin: str) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Path template and handler of each route of a plugin."""
    for route in create_litestar(deployment).routes:
        for handler in getattr(route, "route_handlers", ()):
            if isinstance(handler, HTTPRouteHandler) and handler.opt.get(OPT) == plugin:
                yield route.path, handler


async def routes_off(bench: Bench) -> list[Trouble]:
    """Every route with every verb: 404 where the plugin is off; where it is on, never a fault of ours."""
    found: list[Trouble] = []
    if not bench.implements("routes"):
        return found
    async with bench.deployment() as (deployment, _, _), visiting(deployment) as client:
        for template in sorted({path for path, _ in handlers(deployment, bench.candidate.name)}):
            path = filled(template)
            for verb in HttpMethod:
                if (status := (await client.request(verb.value, f"/t/{OFF}{path}")).status_code) != 404:
                    found.append(Trouble(template, f"answers {verb.value} with {status} where the plugin is off"))
            if (status := (await client.get(f"/t/{ON}{path}")).status_code) >= 500:
                found.append(Trouble(template, f"answers GET with {status} where the plugin is on"))
    return found


def filled(template: str) -> str:
    return re.sub(r"{\w+:(\w+)}", lambda place: PLACES.get(place[1], "x"), template)


@asynccontextmanager
async def visiting(deployment: Deployment) -> AsyncIterator[AsyncTestClient[Any]]:
    """Nobody in particular, at the application of this deployment."""
    app = create_app(deployment)
    async with AsyncTestClient(app=app, raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client


async def files_off(bench: Bench) -> list[Trouble]:
    """Static files are there where the plugin is on, and not where it is off."""
    folder = bench.said("static_files")
    if folder is None or bench.candidate.name == SHELL:
        return []
    found = []
    async with bench.deployment() as (deployment, _, _), visiting(deployment) as client:
        for path in _files(folder):
            for slug, wanted in ((ON, 200), (OFF, 404)):
                address = f"/t/{slug}/static/{bench.candidate.name}/{path.relative_to(folder).as_posix()}"
                if (status := (await client.get(address)).status_code) != wanted:
                    found.append(Trouble(path.name, f"answers {status}, not {wanted}, where the plugin is {slug}"))
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def templates(bench: Bench) -> list[Trouble]:
    """They can be read, and have what the strict content policy of every page lets by."""
    folder = bench.said("templates")
    return [trouble for path in sorted(folder.rglob("*.html")) for trouble in _template(path)] if folder else []


def _template(path: Path) -> Iterator[Trouble]:
    text = path.read_text("utf-8")
    try:
        jinja2.Environment(autoescape=True).parse(text)
    except jinja2.TemplateSyntaxError as error:
        yield Trouble(f"{path.name}:{error.lineno}", str(error))
    for what in sorted({match[0].strip() for match in FORBIDDEN.finditer(text)}):
        yield Trouble(path.name, f"holds {what}, which no browser shows under our content policy")


FORBIDDEN = re.compile(r"<style\b|\sstyle=|\son[a-z]+=|javascript:|(?:src|href)=\"(?:https?:)?//")

ROUTES = "Look at `servicepunkt.web.access`: permission(...), device(...), terminal; the host adds the gate by itself."
RULES: tuple[Rule, ...] = (
    Rule(
        name="rules-stated",
        wants="every route says who may call it",
        remedy='Name a guard, or say `opt={"public": True}`.',
        check=rules_stated,
    ),
    Rule(
        name="routes-off",
        wants="no route answers for a tenant that has the plugin off, and none breaks where it is on",
        remedy=ROUTES,
        check=routes_off,
    ),
    Rule(
        name="files-off",
        wants="static files exist where the plugin is on, and nowhere else",
        remedy="Keep files smaller than 8 MiB in the folder that `static_files` names.",
        check=files_off,
    ),
    Rule(
        name="templates",
        wants="templates can be read and hold no inline style or script, and nothing from another host",
        remedy="Put styles and scripts into files of `static_files`.",
        check=templates,
    ),
)
