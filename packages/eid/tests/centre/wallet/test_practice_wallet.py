"""Practising: what the demonstration writes, and the command that stands for a telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from servicepunkt.core.clock import SystemClock
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Database
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.settings import Settings
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.eid.cli import eid
from servicepunkt.eid.ready import PRACTISING
from servicepunkt.eid.sessions import party
from servicepunkt.eid.simulator.command import scan
from servicepunkt.eid.testing.practice_wallet import practice_issuer, write_practice
from servicepunkt.web.app import create_app
from servicepunkt.web.testing import serve


def test_what_is_there_stays(tmp_path: Path) -> None:
    now = SystemClock().now()
    first = write_practice(tmp_path / "alpha", now=now)
    before = {path.name: path.read_bytes() for path in (tmp_path / "alpha").iterdir()}
    assert write_practice(tmp_path / "alpha", now=now) == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "alpha").iterdir()} == before
    assert (tmp_path / "alpha" / "wallet-key.pem").stat().st_mode & 0o777 == 0o600
    issuer = practice_issuer(tmp_path / "alpha", now=now)
    assert PRACTISING in issuer.certificate.subject.rfc4514_string(), "the checks before going live find it"


@pytest.fixture
def demo(
    urls: Urls, plugins: PluginHost, tmp_path: Path, make_towns: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The address of a served town by the clock on the wall, and the token of its terminal."""
    party._verifier.cache_clear()
    monkeypatch.setenv("SERVICEPUNKT_HOME", str(tmp_path))
    clock = FixedClock(SystemClock().now())

    async def seed() -> str:
        empty_database(urls.owner)
        async with open_deployment(urls, tmp_path, plugins, clock=clock) as deployment:
            from servicepunkt.eid.testing.wallet import FakeIssuer

            towns = make_towns([deployment], FakeIssuer(now=clock.now()), clock)
            section = write_practice(tmp_path / "secrets" / "alpha", now=clock.now())
            await towns.found(urls.owner, "alpha", wallet=section)
            token: str = await towns.terminal_token()
            return token

    token = asyncio.run(seed())
    settings = Settings(
        home=tmp_path,
        database_url=urls.application,
        owner_database_url=urls.owner,
        secure_cookies=False,
        tenant_requests=0.0,
        address_requests=0.0,
    )
    deployment = Deployment(settings, plugins, Database(urls.application))
    with serve(create_app(deployment), closing=deployment.database.close) as base:
        deployment.settings = msgspec.structs.replace(settings, public_url=base)
        yield base, token


@pytest.mark.parametrize("options", [[], ["--mdoc"], ["--decline"]])
def test_the_command_stands_for_a_telephone(
    demo: tuple[str, str], options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import re

    import httpx

    from servicepunkt.eid.sessions import wallet_pages

    base, token = demo
    codes: list[str] = []
    drawn = wallet_pages.qr_once
    monkeypatch.setattr(wallet_pages, "qr_once", lambda text: (codes.append(text), drawn(text))[1])
    with httpx.Client(base_url=base, cookies={"sp_device": token}) as client:
        form = client.get("/t/alpha/k/apply/record").text
        csrf = re.search(r'name="_csrf_token" value="([^"]+)"', form)
        assert csrf
        begun = client.post("/t/alpha/k/apply/record", data={"_csrf_token": csrf[1], "door": "wallet"})
        path = begun.headers["location"]
        assert client.get(path).status_code == 200
        done = CliRunner().invoke(eid, ["wallet-demo", "alpha", codes[-1], *options])
        assert (done.exit_code, done.output) == (0, "The wallet has answered.\n")
        after = client.get(path)
        assert after.status_code == (200 if "--decline" in options else 303)
        again = CliRunner().invoke(eid, ["wallet-demo", "alpha", codes[-1]])
        assert again.exit_code == 1
        assert "400" in again.output


def test_a_tenant_that_does_not_practise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICEPUNKT_HOME", str(tmp_path))
    refused = CliRunner().invoke(eid, ["wallet-demo", "alpha", "openid4vp://?client_id=a"])
    assert (refused.exit_code, "no wallet to practise" in refused.output) == (1, True)


@pytest.mark.parametrize("link", ["", "nothing", "openid4vp://?request_uri=file%3A///etc/passwd&client_id=x"])
def test_what_is_no_link_is_said(tmp_path: Path, link: str) -> None:
    """At the simulated desk, where anything may be typed."""
    write_practice(tmp_path, now=SystemClock().now())
    assert scan(tmp_path, link).startswith("✗")
