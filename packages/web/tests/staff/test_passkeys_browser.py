"""Passkeys in Chromium with its virtual authenticator: made, shown, removed; and answers that are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.plugins import PluginHost
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.web.app import create_app
from servicepunkt.web.passkeys import store
from servicepunkt.web.testing import axe_violations, browser, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1920, "height": 1080}
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Served:
    """A town under the name localhost, because an address of digits can have no passkeys."""

    def __init__(self, base: str, deployment: Any, inside: Callable[[Callable[..., Awaitable[Any]]], Any]) -> None:
        self.base, self.deployment, self.inside = base, deployment, inside


@pytest.fixture(scope="module")
def served(
    urls: Urls, plugins: PluginHost, tmp_path_factory: pytest.TempPathFactory, make_town: Callable[..., Any]
) -> Iterator[Served]:
    home, clock, made = tmp_path_factory.mktemp("passkeys"), FixedClock(), []

    def inside(act: Callable[..., Awaitable[Any]]) -> Any:
        """What `act` gives for a deployment of its own: Playwright holds this thread's event loop."""

        async def run() -> Any:
            async with open_deployment(urls, home, plugins, clock=clock) as deployment:
                return await act(deployment)

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result()

    async def seed(deployment: Any) -> None:
        empty_database(urls.owner)
        await make_town(deployment, urls).found()

    inside(seed)

    async def make() -> Any:
        # Not closed here: it belongs to the server's loop.
        opened = open_deployment(urls, home, plugins, clock=clock)
        deployment = await opened.__aenter__()
        made.append(opened)
        return deployment

    with ThreadPoolExecutor(1) as pool:
        deployment = pool.submit(asyncio.run, make()).result()
    with serve(create_app(deployment), closing=deployment.close) as base:
        base = base.replace("127.0.0.1", "localhost")
        deployment.settings = msgspec.structs.replace(deployment.settings, public_url=base)
        yield Served(base, deployment, inside)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context(viewport=DESK, locale="de-DE")
    yield found
    found.close()


class Device:
    """A browser window with an authenticator that keeps passkeys."""

    def __init__(self, context: BrowserContext) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.session = context.new_cdp_session(self.page)
        self.session.send("WebAuthn.enable")
        self.id = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"]


@pytest.fixture
def device(context: BrowserContext) -> Device:
    return Device(context)


@pytest.fixture
def page(served: Served, device: Device, password: str) -> Page:
    """Somebody who has signed in with a password."""
    made = device.page
    made.goto(f"{served.base}/t/alpha/staff/sign-in")
    made.fill("#login", "clerk")
    made.fill("#password", password)
    made.click("form:has(#password) button")
    made.wait_for_url("**/t/alpha/staff")
    return made


def make_passkey(page: Page, served: Served, password: str, name: str = "Diensthandy") -> None:
    page.goto(f"{served.base}/t/alpha/staff/account/passkeys")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("form:has(#password) button")
    page.click("form[data-passkey] button")
    page.wait_for_url("**/staff/account/passkeys")


def sign_out(page: Page, served: Served, slug: str = "alpha") -> None:
    page.goto(f"{served.base}/t/alpha/staff")
    page.click("form[action$='sign-out'] button")
    page.goto(f"{served.base}/t/{slug}/staff/sign-in")


def show(page: Page) -> tuple[int, dict[str, list[str]]]:
    """The status of the answer to a passkey, and the form that was sent."""
    answered = page.expect_response(lambda one: one.url.endswith("/sign-in/passkey"))
    with answered as found, page.expect_navigation():
        page.click("form[data-passkey] button")
    return found.value.status, parse_qs(found.value.request.post_data or "")


def count_back(value: int) -> Callable[..., Awaitable[None]]:
    async def act(deployment: Any) -> None:
        ctx = await deployment.directory.by_slug("alpha")
        async with deployment.database.tenant(ctx) as tx:
            for one in await tx.all(store.Passkey, store.passkey.select().where(store.passkey.c.tenant_id == ctx.id)):
                await store.update(tx, one.id, sign_count=value)

    return act


async def actions(deployment: Any) -> list[str]:
    ctx = await deployment.directory.by_slug("alpha")
    async with deployment.database.tenant(ctx) as tx:
        return [entry.action async for entry in audit.entries(tx)]


def test_a_passkey_opens_the_door_and_nothing_else_does(
    served: Served, page: Page, password: str, tmp_path: Path
) -> None:
    make_passkey(page, served, password)
    assert page.locator(".sp-rows strong").all_inner_texts() == ["Diensthandy"]
    for name, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(size)
        assert axe_violations(page) == []
        page.screenshot(path=str(tmp_path / f"passkeys-{name}.png"))
    sign_out(page, served)
    assert axe_violations(page) == []
    status, sent = show(page)
    assert status == 303
    page.wait_for_url("**/t/alpha/staff")
    assert served.inside(actions)[-1] == "account.sign_in"

    # The same answer once more, to another challenge: it was for the first one alone.
    sign_out(page, served)
    page.evaluate("navigator.credentials.get = () => ({toJSON: () => (%s)})" % sent["credential"][0])  # noqa: UP031
    assert show(page)[0] == 403
    # And without a challenge that waits for it.
    token = page.input_value("form[data-passkey] [name=_csrf_token]")
    form = {"_csrf_token": token, "credential": sent["credential"][0], "next": "/staff"}
    again = page.request.post(f"{served.base}/t/alpha/staff/sign-in/passkey", form=form, max_redirects=0)
    assert (again.status, "SP7024" in again.text()) == (403, True)

    # An authenticator that counts less than before was copied.
    page.goto(f"{served.base}/t/alpha/staff/sign-in")
    served.inside(count_back(1000))
    assert show(page)[0] == 403
    served.inside(count_back(0))
    # At another town of the same address the passkey is nobody's.
    page.goto(f"{served.base}/t/beta/staff/sign-in")
    assert show(page)[0] == 403
    # Made here, shown on a page that says it is elsewhere.
    page.goto(f"{served.base}/t/alpha/staff/sign-in")
    honest = served.deployment.settings
    served.deployment.settings = msgspec.structs.replace(honest, public_url="http://localhost:1")
    assert show(page)[0] == 403
    served.deployment.settings = honest
    page.goto(f"{served.base}/t/alpha/staff/sign-in")
    assert show(page)[0] == 303

    # Removed, it opens nothing.
    page.goto(f"{served.base}/t/alpha/staff/account/passkeys")
    page.click("text=Diensthandy entfernen")
    page.wait_for_load_state()
    assert page.locator(".sp-rows strong").count() == 0
    sign_out(page, served)
    assert show(page)[0] == 403
    assert {"account.passkey_add", "account.passkey_remove", "account.sign_in_refused"} <= set(served.inside(actions))


def test_who_was_not_verified_stays_out(served: Served, page: Page, device: Device, password: str) -> None:
    """Whatever our page asked for: an answer counts only when it says that finger, face or code were right."""
    make_passkey(page, served, password)
    sign_out(page, served)
    page.evaluate(
        """() => {
            const kind = PublicKeyCredential, real = kind.parseRequestOptionsFromJSON.bind(kind);
            kind.parseRequestOptionsFromJSON = (said) => real({...said, userVerification: 'discouraged'});
        }"""
    )
    device.session.send("WebAuthn.setUserVerified", {"authenticatorId": device.id, "isUserVerified": False})
    assert show(page)[0] == 403


def test_a_passkey_needs_the_password(served: Served, page: Page) -> None:
    page.goto(f"{served.base}/t/alpha/staff/account/passkeys")
    page.fill("#name", "Gestohlen")
    page.fill("#password", "not the password at all")
    page.click("form:has(#password) button")
    page.wait_for_load_state()
    assert page.locator("form[data-passkey]").count() == 0
    assert "stimmt nicht" in page.inner_text("main") or page.locator(".sp-summary").count() == 1


def test_without_scripts_the_password_does(served: Served, chromium: Browser, password: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served.base}/t/alpha/staff/sign-in")
    assert not page.is_visible("form[data-passkey]")
    page.fill("#login", "clerk")
    page.fill("#password", password)
    page.click("form:has(#password) button")
    page.wait_for_url("**/t/alpha/staff")
    context.close()
