"""Who may do what on the pages of boxes and deposits: written here, so that a guard that is gone is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import store as people
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from conftest import Clerk

NOBODYS = UUID(int=7)
#: Path → roles that come no further.
PAGES = {
    "/boxes": ("editor", "agent", "partner", "host", "auditor"),
    "/boxes/box-1/contents": ("editor", "point_staff", "host"),
    f"/deposits/{NOBODYS}/lift": ("editor", "point_staff", "host"),
    f"/deposits/{NOBODYS}/correct": ("editor", "point_staff", "city_admin"),
    "/deposits/new": ("editor", "point_staff", "city_admin"),
}
DEEDS = {
    "/boxes/box-1/inventory": {},
    "/boxes/box-1/closing": {"closing": "yes"},
    "/boxes/box-1/return": {"compartment": "1"},
}


async def becomes(deployment: Deployment, ctx: TenantContext, role: str) -> None:
    """The one who is signed in has this role alone from now on."""
    async with deployment.database.tenant(ctx) as tx:
        table = people.account
        statement = sa.update(table).where(table.c.tenant_id == tx.tenant_id, table.c.login == "clerk")
        await tx.execute(statement.values(roles=[role]))


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_its_roles(clerk: Clerk, deployment: Deployment, tenant: TenantContext, path: str) -> None:
    assert (await clerk.get(path)).status_code in (200, 404)
    for role in PAGES[path]:
        await becomes(deployment, tenant, role)
        assert (await clerk.get(path)).status_code == 403, role


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_for_nobody_who_is_not_signed_in(clerk: Clerk, path: str) -> None:
    clerk.client.cookies.clear()
    answer = await clerk.get(path)
    assert answer.status_code == 303
    assert "/staff/sign-in" in answer.headers["location"]


@pytest.mark.parametrize("path", DEEDS)
@pytest.mark.parametrize("role", ["point_staff", "city_admin"])
async def test_what_lies_in_a_box_is_the_clerks(
    clerk: Clerk, deployment: Deployment, tenant: TenantContext, path: str, role: str
) -> None:
    await becomes(deployment, tenant, role)
    answer = await clerk.submit("/account", path, **DEEDS[path])
    assert answer.status_code == 403
    await becomes(deployment, tenant, "clerk")
    assert (await clerk.submit("/account", path, **DEEDS[path])).status_code != 403, "the form itself is in order"
