"""A plugin that fails: the page goes on, whoever looks after it sees it on the overview, operators in readiness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from servicepunkt.core.plugins import service
from servicepunkt.core.plugins.failures import Failures
from servicepunkt.core.testing.outage import WORDS

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
