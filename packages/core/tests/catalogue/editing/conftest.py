"""A town whose files are taken over, and what its editors do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from servicepunkt.core.audit import store as audit
from servicepunkt.core.catalogue import service as catalogues
from servicepunkt.core.catalogue.editing import publishing
from servicepunkt.core.catalogue.editing import service as editing
from servicepunkt.core.catalogue.editing.model import Edit
from servicepunkt.core.catalogue.formats.model import Change, Format, Limits, Upsert
from servicepunkt.core.catalogue.layers import Layer
from servicepunkt.core.catalogue.model import Catalogue, Module, Service, Theme
from servicepunkt.core.catalogue.settings import settings_of
from servicepunkt.core.catalogue.sources import importing
from servicepunkt.core.catalogue.sources.importing import Wanted, import_files
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import make_tenant

ANNA, BEN = "account:anna", "account:ben"
OWN = Catalogue(
    themes=(Theme(id="papers", name={"de": "Dokumente", "en": "Papers"}),),
    services=(
        Service(
            id="card",
            name={"de": "Ausweis", "en": "Card"},
            themes=("papers",),
            summary={"de": "Alt", "en": "Old"},
            modules=(Module(code="11", text={"de": "So", "en": "This way"}, translated=("en",)),),
        ),
        Service(id="other", name={"de": "Anderes"}, themes=("papers",)),
    ),
)


def lines(files: Mapping[str, BinaryIO], limits: Limits) -> Iterator[Change]:
    """A format of one line for each service: `id summary`."""
    for line in files["file"].read().decode().splitlines():
        name, _, summary = line.partition(" ")
        record: dict[str, Any] = {
            "id": name,
            "name": {"de": name.title()},
            "summary": {"de": summary},
            "audience": ["001"],
        }
        if name.startswith("99"):
            record = {"id": f"land-{name}", "name": {"de": "Land"}, "summary": {"de": summary}, "leika": [name]}
        if name == "bus":
            record["competence"] = "nobody"
        yield Upsert(kind="services", id=record["id"], record=record, place=name)


class Office:
    """What editors of a tenant do, each step in a transaction of its own. `own`: what the town's files say at first."""

    own = OWN

    def __init__(self, deployment: Deployment, ctx: TenantContext, folder: Path) -> None:
        self.deployment, self.ctx, self.folder = deployment, ctx, folder

    async def do(self, verb: Any, *arguments: Any, **options: Any) -> Any:
        async with self.deployment.database.tenant(self.ctx) as tx:
            return await verb(tx, *arguments, **options)

    async def files(self, catalogue: Catalogue) -> None:
        async with self.deployment.database.tenant(self.ctx) as tx:
            await importing.put_files(tx, catalogue, at=tx.now())
            await catalogues.publish_sources(tx, at=tx.now(), actor="test")

    async def arrives(self, text: str, layer: Layer = "tenant") -> None:
        """The town's own source, or the Land's, says this now."""
        path = self.folder / "file"
        path.write_text(text)
        wanted = Wanted(
            source="town" if layer == "tenant" else layer,
            format=Format(name="lines", parts=("file",), is_whole=True, read=lines),
            files={"file": path},
            layer=layer,
        )
        await import_files(self.deployment.database, self.ctx, wanted, actor="test")

    async def write(self, path: str, said: Any, *, actor: str = ANNA, service: str = "card", **options: Any) -> Edit:
        (edit,) = await self.do(editing.write, service, {path: said}, actor=actor, **options)
        return edit

    async def live(self, path: str, said: Any, *, service: str = "card") -> Edit:
        """An edit that is in force."""
        edit = await self.write(path, said, service=service)
        if edit.state == "draft" and settings_of(self.ctx).four_eyes:
            await self.do(editing.propose, edit.id, actor=ANNA)
        await self.do(editing.approve, edit.id, actor=BEN)
        outcome = await self.publish()
        assert [one.id for one in outcome.published] == [edit.id]
        return edit

    async def publish(self, actor: str = BEN) -> publishing.Outcome:
        outcome: publishing.Outcome = await self.do(publishing.publish, actor=actor)
        return outcome

    async def conflicts(self) -> list[editing.Conflict]:
        found: list[editing.Conflict] = await self.do(editing.conflicts)
        return found

    async def edit(self, edit: Edit) -> Edit:
        found: Edit = await self.do(editing.find, edit.id)
        return found

    async def read(self, service: str = "card") -> Service:
        """What citizens read."""
        found = (await self.do(catalogues.newest)).service(service)
        assert found is not None
        return found

    async def actions(self) -> list[tuple[str, str]]:
        async with self.deployment.database.tenant(self.ctx) as tx:
            found = [(one.actor, one.action) async for one in audit.entries(tx)]
        return [one for one in found if one[1].startswith("catalogue-edit")]


@pytest.fixture
def office_of(deployment: Deployment, tmp_path: Path) -> Callable[[TenantContext], Office]:
    """An office of another town, whose files are not taken over yet."""
    return lambda ctx: Office(deployment, ctx, tmp_path)


@pytest.fixture
async def office(office_of: Callable[[TenantContext], Office], tenant: TenantContext) -> Office:
    made = office_of(tenant)
    await made.files(OWN)
    return made


@pytest.fixture
async def strict(deployment: Deployment, urls: Urls, office_of: Callable[[TenantContext], Office]) -> Office:
    """A town that wants four eyes."""
    ctx = await make_tenant(deployment, urls.owner, "gamma", settings={"catalogue": {"four_eyes": True}})
    assert settings_of(ctx).four_eyes
    made = office_of(ctx)
    await made.files(OWN)
    return made
