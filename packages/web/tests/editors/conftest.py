"""Two editors in a town whose files are taken over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.editing.model import Edit
from servicepunkt.core.catalogue.model import Catalogue
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.people import service as people
from servicepunkt.core.tenancy.model import TenantContext

if TYPE_CHECKING:
    from conftest import Town, Visit

CATALOGUE = "/t/alpha/staff/catalogue"


async def furnish(deployment: Deployment, ctx: TenantContext, catalogue: Catalogue, password: str) -> None:
    """The town's files as a source, and the people who work on its texts."""
    async with deployment.database.tenant(ctx) as tx:
        await importing.put_files(tx, catalogue, at=tx.now())
        await catalogues.publish_sources(tx, at=tx.now(), actor="command-line")
        for login, name, roles in (
            ("anna", "Anna Adler", ("editor",)),
            ("ben", "Ben Bach", ("editor",)),
        ):
            await people.create_account(
                tx, at=tx.now(), actor="test", login=login, name=name, password=password, roles=roles
            )


def seen_on(page: str) -> str:
    """The mark of what a page shows, as its form sends it."""
    import re

    return next(iter(re.findall(r'name="seen" value="([^"]+)"', page)), "")


class Desk:
    """Editors of the first town, each with a browser."""

    def __init__(self, town: Town, anna: Visit, ben: Visit) -> None:
        self.town, self.anna, self.ben = town, anna, ben

    async def do(self, verb: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        async with self.town.deployment.database.tenant(self.town.alpha) as tx:
            return await verb(tx, *arguments, **options)

    async def arrives(self, catalogue: Catalogue) -> None:
        """The town's files say this now; nothing is published."""
        async with self.town.deployment.database.tenant(self.town.alpha) as tx:
            await importing.put_files(tx, catalogue, at=tx.now())

    async def edits(self, *states: str) -> list[Edit]:
        from servicepunkt.core.catalogue.editing import store

        found: list[Edit] = await self.do(store.edits, states or ("draft", "proposed", "approved", "rejected", "live"))
        return found

    async def type(self, visit: Visit, field: str, do: str = "draft", service: str = "card", **typed: str) -> Any:
        """Open the form of a field and send it, with what was not typed as it stood there."""
        import re
        from html import unescape

        page = f"{CATALOGUE}/services/{service}/edit"
        text = (await visit.get(f"{page}?field={field}")).text
        marks = dict(re.findall(r'name="(mark-[^"]+)" value="([^"]*)"', text))
        areas = {
            name: unescape(said)
            for name, said in re.findall(r'<textarea[^>]* id="([^"]+)"[^>]*>\n?(.*?)</textarea>', text, re.DOTALL)
        }
        inputs = {
            name: unescape(said)
            for name, said in re.findall(
                r'<input class="kern-form-input__input" id="([^"]+)"[^>]*? value="([^"]*)"', text
            )
        }
        options = dict(re.findall(r'<select[^>]*name="(row[^"]+)".*?<option value="([^"]+)" selected', text, re.DOTALL))
        checks = dict(re.findall(r'type="checkbox" id="([^"]+)" name="[^"]+" value="([^"]+)" checked', text))
        sent = {**areas, **inputs, **options, **checks, **marks, "field": field, "do": do, **typed}
        return await visit.submit(f"{page}?field={field}", page, **sent)

    async def step(self, visit: Visit, edit: Any, do: str, **typed: str) -> Any:
        """Open the page of an edit and send what is to be done with it."""
        address = f"{CATALOGUE}/changes/{edit.id}"
        return await visit.submit(address, address, do=do, seen=seen_on((await visit.get(address)).text), **typed)

    async def live(self, field: str, **typed: str) -> None:
        """An edit that is in force."""
        await self.type(self.anna, field, "publish", **typed)
        await self.do(publishing.publish, actor="account:test")


@pytest.fixture
async def desk(here: Town, make_catalogue: Callable[..., Catalogue], password: str) -> Any:
    await furnish(here.deployment, here.alpha, make_catalogue(here.alpha.name), password)
    async with here.client() as anna, here.client() as ben:
        await anna.sign_in("anna")
        await ben.sign_in("ben")
        yield Desk(here, anna, ben)


@pytest.fixture(scope="session")
def furnished() -> Callable[..., Awaitable[None]]:
    return furnish
