"""Sends probes to the application in this process, and judges each answer, each log line and the other's rows."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import httpx
import msgspec
import structlog

from isolation.probes import UNSAFE, Probe, Route, Smuggler, routes
from isolation.rows import Rows
from isolation.twins import Twin, canaries
from servicepunkt.core import logs
from servicepunkt.core.deployment import Deployment
from servicepunkt.web.app import create_app, create_litestar
from servicepunkt.web.testing import alive

#: What anybody may write who comes to the other tenant's own address: the beginning of a sign-in, which nobody goes on
#: with who does not hold its cookie.
BEGUN_BY_ANYBODY = {
    # A draft is the browser's that begins it, in whichever town.
    "/apply/{service_id:str}": {"application", "data_key", "procrastinate_jobs"},
    "/apply/{service_id:str}/form": {"application"},
    "/staff/sign-in/passkey/begin": {"handshake"},
}


class Tally(msgspec.Struct):
    """What a campaign has found."""

    routes: dict[str, int] = msgspec.field(default_factory=Counter)
    who: dict[str, int] = msgspec.field(default_factory=Counter)
    positions: dict[str, int] = msgspec.field(default_factory=Counter)
    answers: dict[int, int] = msgspec.field(default_factory=Counter)
    changed: int = 0
    leaks: list[str] = []

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def count(self, probe: Probe, status: int) -> None:
        self.routes[probe.route] += 1
        self.who[probe.who] += 1
        self.positions[probe.position] += 1
        self.answers[status] += 1


class Campaign:
    """`alpha`'s people and devices against `beta`."""

    def __init__(self, deployment: Deployment, rows: Rows, alpha: Twin, beta: Twin, lone: dict[str, str]) -> None:
        self._deployment, self._rows = deployment, rows
        self._alpha, self._beta, self._lone = alpha, beta, lone
        self._all = canaries(beta.slug, with_public=True)
        self._shut = canaries(beta.slug, with_public=False)
        self.tally = Tally()

    async def run(self, *, every: bool, below: str = "/") -> Tally:
        """The probes of every route below a path, see `Smuggler.probes`; after each no row of `beta` may differ."""
        self._rows.keep(self._alpha.ctx.id)
        before = self._rows.digests(self._beta.ctx.id)
        known = [one for one in routes(create_litestar(self._deployment)) if one.template.startswith(below)]
        app = create_app(self._deployment)
        client = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with alive(app):
            with written() as log:
                csrf = await _csrf(client, self._alpha)
                smuggler = Smuggler(self._alpha, self._beta, self._lone, csrf, every=every)
                for template in sorted({route.template for route in known}):
                    await self._route(client, smuggler, [one for one in known if one.template == template])
                    before = self._compare(template, before)
            self._judge_log(log.getvalue())
        return self.tally

    async def _route(self, client: httpx.ASGITransport, smuggler: Smuggler, handlers: list[Route]) -> None:
        for route in handlers:
            for probe in smuggler.probes(route):
                await self._send(client, probe)
        verbs = frozenset(route.verb for route in handlers)
        for probe in smuggler.other_verbs(handlers[0].template, verbs):
            await self._send(client, probe)

    async def _send(self, client: httpx.ASGITransport, probe: Probe) -> None:
        kind = "application/json" if "/api/" in probe.path else "application/x-www-form-urlencoded"
        headers = {**probe.headers, "host": probe.host, **({"content-type": kind} if probe.body else {})}
        address = f"http://{probe.host}{probe.path}" + (f"?{probe.query}" if probe.query else "")
        answer = await ask(client, httpx.Request(probe.verb, address, headers=headers, content=probe.body))
        self.tally.count(probe, answer.status_code)
        said = b"".join(name + value for name, value in answer.headers.raw) + answer.content
        if (self._shut if probe.foreign else self._all).search(said):
            self.tally.leaks.append(f"leak: {probe}")
        if probe.ruled and not probe.admitted and not _refuses(answer):
            self.tally.leaks.append(f"let in: {probe}")
        if probe.hidden and answer.status_code != 404:
            self.tally.leaks.append(f"not hidden: {probe}")
        if answer.status_code >= 500:
            self.tally.leaks.append(f"{answer.status_code}: {probe}")
        if probe.verb in UNSAFE and answer.status_code < 400:
            # What it did to its own tenant is right; the next probe finds everybody signed in and everything in place.
            self.tally.changed += 1
            self._rows.bring_back(self._alpha.ctx.id)

    def _compare(self, template: str, before: dict[str, str]) -> dict[str, str]:
        after = self._rows.digests(self._beta.ctx.id)
        changed = {name for name in after if after[name] != before[name]} - BEGUN_BY_ANYBODY.get(template, set())
        if changed:
            self.tally.leaks.append(f"rows of {', '.join(sorted(changed))} changed: {template}")
        return after

    def _judge_log(self, lines: str) -> None:
        self.tally.leaks += [f"log: {line}" for line in lines.splitlines() if self._all.search(line.encode())]


def _refuses(answer: httpx.Response) -> bool:
    """Whether the gate has answered, and not what stands behind it: who is not signed in is sent to where that is done,
    and where a token names another tenant nobody is served."""
    nowhere = answer.status_code == 404 and "authorization" in answer.request.headers
    return answer.status_code == 403 or nowhere or "/staff/sign-in" in answer.headers.get("location", "")


async def ask(client: httpx.ASGITransport, request: httpx.Request) -> httpx.Response:
    """The whole answer. Without the client around it: that would keep cookies of its own."""
    answer = await client.handle_async_request(request)
    answer.request = request
    await answer.aread()
    return answer


async def _csrf(client: httpx.ASGITransport, side: Twin) -> str:
    answer = await ask(client, httpx.Request("GET", f"http://{side.host}{side.prefix}/staff/sign-in"))
    found = re.search(r"sp_csrf=([0-9a-f]+)", answer.headers.get("set-cookie", ""))
    assert found, answer.text
    return found[1]


@contextmanager
def written() -> Iterator[io.StringIO]:
    """Logs as in production, kept."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    lines = io.StringIO()
    with redirect_stderr(lines):
        logs.configure()
    try:
        yield lines
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
