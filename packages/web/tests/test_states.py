"""What people find open in each state of a tenant, and what never closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from servicepunkt.core.tenancy.model import TENANT_STATES
from servicepunkt.core.testing import make_tenant

if TYPE_CHECKING:
    from conftest import Town, Visit

PUBLIC = ("/t/alpha/", "/t/alpha/search?q=pass", "/t/alpha/api/v1/catalogue")


async def become(here: Town, state: str) -> None:
    here.alpha = await make_tenant(here.deployment, here._urls.owner, "alpha", state=state, name="Seeburg")


@pytest.mark.parametrize("state", TENANT_STATES)
async def test_pages_for_everybody(here: Town, visit: Visit, state: str) -> None:
    if state == "retired":
        pytest.skip("a retired tenant is not in the directory: see the test of the directory")
    await become(here, state)
    expected = 200 if state in ("rehearsal", "live") else 503
    for path in PUBLIC:
        answer = await visit.get(path)
        assert answer.status_code == expected, path
        assert ("SP7010" in answer.text) == (state == "draft")
        assert ("SP7011" in answer.text) == (state == "paused")


@pytest.mark.parametrize("state", ["draft", "paused"])
async def test_its_own_people_look_at_it_all_the_same(here: Town, visit: Visit, state: str) -> None:
    await become(here, state)
    assert (await visit.sign_in()).status_code == 303
    for path in PUBLIC:
        assert (await visit.get(path)).status_code == 200, path
    assert (await visit.get("/t/alpha/staff")).status_code == 200


async def test_a_terminal_says_that_it_is_closed(here: Town, terminal: Visit) -> None:
    assert (await terminal.get("/t/alpha/k")).status_code == 200
    await become(here, "paused")
    answer = await terminal.get("/t/alpha/k")
    assert answer.status_code == 503
    assert "zurzeit geschlossen" in answer.text


async def test_devices_go_on_while_the_tenant_pauses(here: Town, visit: Visit) -> None:
    token = await here.terminal_token(here.alpha)
    await become(here, "paused")
    beat = await visit.client.post(
        "/api/v1/devices/heartbeat", json={"info": {}}, headers={"authorization": f"Bearer {token}"}
    )
    assert beat.status_code != 503


async def test_the_other_town_stays_open(here: Town, visit: Visit) -> None:
    await become(here, "paused")
    assert (await visit.get("/t/beta/")).status_code == 200
