"""A tenant that is deleted leaves a proof, a number, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import service as audit
from servicepunkt.core.db.schema import TENANT
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import ConflictError, NotFoundError
from servicepunkt.core.ids import new_id
from servicepunkt.core.people import service as people
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.tenants import areas, ending, service, starting
from servicepunkt.tenants.service import StateError


async def town(running: Deployment, folder: Path, ags: str, state: str = "rehearsal") -> TenantContext:
    """A town with an account, a sealed field, and whatever applying its file leaves."""
    write(folder, ags, state)
    applied = await service.apply(running, service.load(running, folder), actor="test")
    running.directory.forget()
    found = await running.directory.by_id(applied.tenant_id)
    return found or TenantContext(id=applied.tenant_id, slug=applied.slug, name=applied.slug)


def write(folder: Path, ags: str, state: str) -> None:
    if not folder.exists():
        starting.write(folder, areas.municipalities()[ags], {}, str)
    path = folder / "tenant.toml"
    path.write_text(path.read_text("utf-8").replace('state = "rehearsal"', f'state = "{state}"'), "utf-8")


async def lived_in(running: Deployment, ctx: TenantContext) -> None:
    async with running.database.tenant(ctx) as tx:
        await people.create_account(
            tx, at=running.clock.now(), actor="test", login="erika", name="Erika Mustermann",
            password="a long sentence to sign in", roles=("clerk",),
        )  # fmt: skip
        await running.keyring.seal(tx, new_id(), b"secret", field="name")


async def rows_of(running: Deployment, ctx: TenantContext) -> dict[str, int]:
    counted = {}
    async with running.database.tenant(ctx) as tx:
        for table in ending.tenant_tables():
            query = sa.select(sa.func.count()).select_from(table).where(table.c[TENANT] == ctx.id)
            counted[table.name] = int(await tx.scalar(query))
    return counted


async def test_nothing_is_left_but_the_proof(running: Deployment, tmp_path: Path) -> None:
    gone, stays = await town(running, tmp_path / "a", "09473159"), await town(running, tmp_path / "b", "05566076")
    for ctx in (gone, stays):
        await lived_in(running, ctx)
    untouched = await rows_of(running, stays)
    await town(running, tmp_path / "a", "09473159", state="retired")
    before = await rows_of(running, gone)
    assert before["account"] == 1
    assert before["data_key"] >= 2

    proof = await ending.delete(running, gone.slug, actor="test", folder=tmp_path / "proof")
    assert set(proof.left.values()) == {0}
    assert proof.keys == before["data_key"]
    assert {**proof.rows, "audit_entry": 0} == {**before, "audit_entry": 0}
    assert await rows_of(running, gone) == dict.fromkeys(before, 0)
    assert await rows_of(running, stays) == untouched
    assert json.loads((tmp_path / "proof" / ending.PROOF).read_text())["slug"] == gone.slug
    with (tmp_path / "proof" / ending.CHAIN).open("rb") as chain:
        verdict = audit.verify_export(chain)
    assert verdict.faults == []
    assert verdict.entries == proof.rows["audit_entry"]


async def test_its_number_is_never_given_out_again(running: Deployment, tmp_path: Path) -> None:
    gone = await town(running, tmp_path / "a", "09473159")
    await town(running, tmp_path / "a", "09473159", state="retired")
    await ending.delete(running, gone.slug, actor="test", folder=tmp_path / "proof")
    again = await town(running, tmp_path / "new", "09473159")
    assert again.slug == gone.slug
    assert again.id > gone.id


async def test_only_who_has_ended_is_deleted(running: Deployment, tmp_path: Path) -> None:
    ctx = await town(running, tmp_path / "a", "09473159")
    with pytest.raises(StateError, match="only a retired tenant"):
        await ending.delete(running, ctx.slug, actor="test", folder=tmp_path / "proof")
    with pytest.raises(NotFoundError):
        await ending.delete(running, "nobody", actor="test", folder=tmp_path / "proof")
    assert not (tmp_path / "proof").exists()
    (tmp_path / "proof").mkdir()
    with pytest.raises(ConflictError):
        await ending.delete(running, ctx.slug, actor="test", folder=tmp_path / "proof")


def test_every_table_of_tenants_is_emptied_children_first() -> None:
    tables = ending.tenant_tables()
    assert len(tables) > 20
    assert tables[0].name == "data_key"
    for number, table in enumerate(tables):
        for key in table.foreign_keys:
            parent = key.column.table
            if parent.info.get("tenant") and parent is not table:
                assert tables.index(parent) > number, f"{parent.name} is emptied before {table.name}"
