"""A plugin that fails: the page goes on, whoever looks after it sees it on the overview, operators in readiness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core import hookimpl
from servicepunkt.core.plugins import service
from servicepunkt.core.plugins.failures import Failures
from servicepunkt.core.plugins.host import SLOW_SECONDS
from servicepunkt.core.testing import FixedClock, empty_database, open_deployment
from servicepunkt.core.testing.outage import WAYS, WORDS, frozen, outage
from servicepunkt.web import plugin as web_plugin

if TYPE_CHECKING:
    from conftest import Town, Visit


@pytest.fixture
def failures(here: Town, monkeypatch: pytest.MonkeyPatch) -> Failures:
    """The host is one for all tests; what it has noted is this test's."""
    made = Failures(here.deployment.clock.now)
    monkeypatch.setattr(here.deployment.plugins, "failures", made)
    return made


async def test_the_overview_says_which_plugin_failed_how_often_and_since_when(
    here: Town, visit: Visit, failures: Failures
) -> None:
    now = here.deployment.clock.now()
    await visit.sign_in()
    assert "Plugin locker" not in (await visit.get("/t/alpha/staff")).text
    for hook in ("staff_tasks", "notice_channels"):
        failures.note(here.alpha.id, "locker", hook, "failed", error="KeyError")
    failures.note(here.alpha.id, "kiosk", "staff_tasks", "failed")
    failures.note(here.alpha.id, "snail", "staff_tasks", "slow")
    await service.write_failures(here.deployment)
    text = " ".join((await visit.get("/t/alpha/staff")).text.split())
    assert "<strong>Plugin locker</strong><small>notice_channels, staff_tasks</small>" in text
    assert f"Seit {now.astimezone(here.alpha.zone_info):%H:%M} Uhr 2-mal gescheitert" in text
    assert "Einmal gescheitert: " in text
    assert "snail" not in text
    async with here.client() as other:
        await other.sign_in("clerk")
        assert "Plugin locker" not in (await other.get("/t/alpha/staff")).text
        await other.sign_in("boss", "/t/beta")
        assert "Plugin locker" not in (await other.get("/t/beta/staff")).text


async def test_readiness_names_failing_plugins_without_tenants_and_stays_ready(
    here: Town, visit: Visit, failures: Failures
) -> None:
    for tenant in (here.alpha.id, here.beta.id):
        failures.note(tenant, "locker", "staff_tasks", "failed", error=WORDS)
    failures.note(here.alpha.id, "locker", "staff_tasks", "slow")
    answer = await visit.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["plugins"]["locker"] == {"failed": 2, "slow": 1}
    assert WORDS not in answer.text
    assert "alpha" not in answer.text


@pytest.mark.parametrize("way", [*WAYS, "hangs"])
async def test_pages_go_on_whatever_a_plugin_does(
    way: str, urls: Any, make_town: Any, tmp_path: Path, clock: FixedClock, alive: Any
) -> None:
    """Beside a plugin that goes wrong at every hook: staff and citizens get their pages, and nothing of its words."""
    empty_database(urls.owner)
    host = frozen(web=web_plugin, broken=outage(way, seconds=2 * SLOW_SECONDS))
    async with open_deployment(urls, tmp_path, host, clock=clock) as deployment:
        town = make_town(deployment, urls)
        await town.found()
        async with alive(town.app), town.client() as visit:
            await visit.become_terminal(town.alpha)
            await visit.sign_in()
            for path in ("/staff", "/k", "/staff/devices", "/"):
                answer = await visit.get(f"/t/alpha{path}")
                assert answer.status_code == 200, path
                assert WORDS not in answer.text
        noted = {one.hook for one in host.failures.lately(town.alpha.id) if one.plugin == "broken"}
        assert {"staff_entries", "staff_tasks", "health_checks", "terminal_tiles"} <= noted


@pytest.mark.parametrize("said", [LookupError("x"), None, "many", [1], 10**9])
async def test_pages_go_on_whatever_its_objects_answer(
    said: Any, urls: Any, make_town: Any, tmp_path: Path, clock: FixedClock, alive: Any
) -> None:
    empty_database(urls.owner)
    async with open_deployment(urls, tmp_path, frozen(web=web_plugin, broken=Objects(said)), clock=clock) as deployment:
        town = make_town(deployment, urls)
        await town.found()
        async with alive(town.app), town.client() as visit:
            await visit.sign_in()
            assert (await visit.get("/t/alpha/staff")).status_code == 200


class Objects:
    """A plugin whose hooks are well, and whose objects answer `said`, or raise it."""

    servicepunkt_api = "1"
    name = title = "Overview"
    href = "/staff"

    def __init__(self, said: Any) -> None:
        self.said = said

    @hookimpl
    def staff_tasks(self) -> Any:
        return (self,)

    @hookimpl
    def health_checks(self) -> Any:
        return (self,)

    async def count(self, tx: Any) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    check = count
