"""What is exported is taken again as it was; a start for the next town names nobody of the last one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.deployment import Deployment
from servicepunkt.tenants import areas, exporting, files, service
from servicepunkt.tenants.checking import check

PACKS = sorted(files.installed_packs())


@pytest.mark.parametrize("pack", PACKS)
async def test_what_is_exported_is_what_is_in_force(running: Deployment, tmp_path: Path, pack: str) -> None:
    await service.apply(running, service.load(running, files.folder_of(pack)), actor="test")
    ctx = (await running.directory.all())[0]
    exporting.write(tmp_path / "again", await service.live(running, ctx.slug))
    checked = check(running, tmp_path / "again")
    assert checked.errors == []
    assert checked.file is not None
    assert (await service.compare(running, checked.file)).changed == ()
    async with running.database.tenant(ctx) as tx:
        assert len(checked.file.catalogue.services) == len((await catalogue.newest(tx)).services)


@pytest.mark.parametrize("pack", PACKS)
async def test_a_replica_names_nobody(running: Deployment, tmp_path: Path, pack: str) -> None:
    read = service.load(running, files.folder_of(pack))
    area = areas.municipalities()[read.tenant.ags]
    replicated = exporting.replica(read, area)
    exporting.write(tmp_path / "next", replicated)
    text = "\n".join(path.read_text("utf-8") for path in (tmp_path / "next").rglob("*.toml"))
    assert list(exporting.traces(read, replicated, area)) == []
    assert area.name.lower() not in text.lower()
    for partner in read.catalogue.partners:
        assert partner.website not in text or not partner.website
    assert not re.search(r"\b0\d{3,5}[ /-]\d", text), "a telephone number is left"
    checked = check(running, tmp_path / "next")
    assert checked.errors == []
    assert checked.file is not None
    kept = (len(read.catalogue.services), len(read.catalogue.offers), len(read.catalogue.points))
    found = checked.file.catalogue
    assert (len(found.services), len(found.offers), len(found.points)) == kept
    assert checked.file.tenant.state == "draft"
