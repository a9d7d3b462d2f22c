"""Public helpers for the page tests of plugins: a real server, a real browser, and the checks of every page.

A browser test looks like this; it must not share a module with asynchronous tests, because Playwright's synchronous
interface keeps an event loop running:

    with serve(create_app(deployment), closing=deployment.database.close) as base, browser() as chromium:
        page = chromium.new_page(viewport=PORTRAIT)
        page.goto(base + "/t/alpha/")
        assert axe_violations(page) == []
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
PORTRAIT: ViewportSize = {"width": 1080, "height": 1920}
LANDSCAPE: ViewportSize = {"width": 1920, "height": 1080}
START_SECONDS = 20
#: Pairs of visible controls, labels and headings that lie on each other, none of which contains the other.
OVERLAPS = """() => {
    const wanted = "main a, main button, main label, main legend, main input:not([type=hidden]), main h1, main h2";
    const seen = [...document.querySelectorAll(wanted)].filter(element => element.checkVisibility())
        .filter(element => !element.matches("[type=radio], [type=checkbox]"));
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
    const found = [];
    seen.forEach((one, at) => seen.slice(at + 1).forEach(other => {
        if (one.contains(other) || other.contains(one)) return;
        if (!meet(one.getBoundingClientRect(), other.getBoundingClientRect())) return;
        found.push(`${one.outerHTML.slice(0, 80)} over ${other.outerHTML.slice(0, 80)}`);
    }));
    return found;
}"""


@contextmanager
def serve(app: Any, *, closing: Callable[[], Awaitable[None]] | None = None) -> Iterator[str]:
    """Serve an ASGI application on a free port of 127.0.0.1 in a thread; yields its base address.

    The application runs on an event loop of its own: a deployment that it uses belongs to this loop alone, and
    `closing` (such as `deployment.database.close`) is awaited there at the end.
    """
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    failure: list[BaseException] = []

    async def run() -> None:
        await server.serve()
        if closing is not None:
            await closing()

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failure.append(error)

    thread = threading.Thread(target=work, name="servicepunkt-test-server")
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        if failure:
            raise failure[0]
        if thread.is_alive():
            raise TimeoutError("the test server did not stop")


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    waiting = threading.Event()
    for _ in range(START_SECONDS * 100):
        if server.started:
            port: int = server.servers[0].sockets[0].getsockname()[1]
            return port
        if not thread.is_alive():
            break
        waiting.wait(0.01)
    raise RuntimeError("the test server did not start")


@asynccontextmanager
async def alive(app: Any) -> AsyncIterator[None]:
    """The lifespan of an ASGI application, which httpx leaves to others."""
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan", "state": {}}, to_app.get, from_app.put))
    for moment in ("startup", "shutdown"):
        await to_app.put({"type": f"lifespan.{moment}"})
        assert (await from_app.get())["type"] == f"lifespan.{moment}.complete"
        if moment == "startup":
            yield
    await task


def require_chromium() -> None:
    """Skip the test loudly where Debian's Chromium is missing, or fail if peers are required."""
    import pytest

    if not CHROMIUM.exists():
        sentence = f"NOT RUN: {CHROMIUM} is missing; sudo apt-get install chromium"
        if os.environ.get("SERVICEPUNKT_REQUIRE_PEERS") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium, see `require_chromium`."""
    require_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(CHROMIUM_ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


def axe_violations(page: Page, *, tags: tuple[str, ...] = AXE_TAGS, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and good practice, as 'rule: element'; `rules` are added to the tags."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": list(tags)}}
    if rules:
        options["rules"] = {rule: {"enabled": True} for rule in rules}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


def small_targets(page: Page, minimum: float = 48) -> list[str]:
    """Visible controls that are smaller than `minimum` CSS pixels in one direction; links inside sentences excepted."""
    found: list[str] = page.evaluate(
        """minimum => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
        .filter(element => element.checkVisibility() && !element.closest(".sp-skip"))
        .filter(element => getComputedStyle(element).display !== "inline")
        .map(element => {
            const label = element.matches("[type=radio], [type=checkbox]") && element.labels[0];
            const stretched = getComputedStyle(element, "::after").position === "absolute";
            const box = (stretched ? element.offsetParent : element).getBoundingClientRect();
            const wider = label ? label.getBoundingClientRect() : box;
            const size = [Math.max(box.width, wider.right - box.left), Math.max(box.height, wider.height)];
            return [Math.min(...size), `${element.outerHTML.slice(0, 120)} ${size.map(Math.round).join("x")}`];
        })
        .filter(([size]) => size > 0 && size < minimum - 0.5)
        .map(([, words]) => words)""",
        minimum,
    )
    return found


def overlaps(page: Page) -> list[str]:
    """What `OVERLAPS` finds on the page."""
    found: list[str] = page.evaluate(OVERLAPS)
    return found


def scrolls(page: Page) -> bool:
    """Whether the page is larger than the window in any direction."""
    answer: bool = page.evaluate(
        """() => {
            const root = document.documentElement;
            return root.scrollHeight > innerHeight || root.scrollWidth > innerWidth;
        }"""
    )
    return answer


__all__ = [
    "LANDSCAPE",
    "OVERLAPS",
    "PORTRAIT",
    "alive",
    "axe_violations",
    "browser",
    "overlaps",
    "scrolls",
    "serve",
    "small_targets",
]
