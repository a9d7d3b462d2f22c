"""Putting a file into force: the same file twice changes nothing, a trial changes nothing, and never half."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.catalogue import service as catalogue
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, SettingsError
from servicepunkt.core.hosts.hours import service as host_hours
from servicepunkt.core.hosts.hours.model import Draft, Week
from servicepunkt.core.ids import new_id
from servicepunkt.core.tenancy.model import TENANT_STATES, TenantContext
from servicepunkt.dokbox import store as boxes
from servicepunkt.tenants import areas, readiness, service, starting
from servicepunkt.tenants.model import TenantFile
from servicepunkt.tenants.service import NotReadyError, StateError

TOWN = areas.municipalities()["09473159"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    starting.write(tmp_path / "town", TOWN, {}, str)
    return tmp_path / "town"


def changed(folder: Path, running: Deployment, *pairs: tuple[str, str]) -> TenantFile:
    """The file after some replacements."""
    path = folder / "tenant.toml"
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")
    return service.load(running, folder)


async def tenant_of(running: Deployment, slug: str) -> TenantContext:
    running.directory.forget()
    found = await running.directory.by_slug(slug)
    assert found is not None
    return found


async def actions(running: Deployment, slug: str) -> list[str]:
    async with running.database.tenant(await tenant_of(running, slug)) as tx:
        return [entry.action async for entry in audit_store.entries(tx)]


async def test_a_file_is_put_into_force_once(running: Deployment, folder: Path) -> None:
    read = service.load(running, folder)
    first = await service.apply(running, read, actor="test")
    assert first.changed
    ctx = await tenant_of(running, read.tenant.slug)
    assert (ctx.name, ctx.state, ctx.subdivision) == (read.tenant.name, "rehearsal", "BY")
    before = await actions(running, ctx.slug)
    again = await service.apply(running, read, actor="test")
    assert again.changed == ()
    assert again.revision == first.revision
    assert await actions(running, ctx.slug) == before, "what changes nothing is not in the chain"


async def test_only_what_differs_is_named(running: Deployment, folder: Path) -> None:
    await service.apply(running, service.load(running, folder), actor="test")
    read = changed(
        folder, running, ("compartments = 24", "compartments = 32"), ('name.en = "Town hall"', 'name.en = "City hall"'),
        ("hold_days = 7", "hold_days = 10"),
    )  # fmt: skip
    expected = [
        service.Difference("settings.dokbox.boxes[0].compartments", 24, 32),
        service.Difference("settings.dokbox.documents[0].hold_days", 7, 10),
        service.Difference("points.town-hall.name.en", "Town hall", "City hall"),
    ]
    tried = await service.compare(running, read)
    assert list(tried.changed) == expected
    assert list((await service.apply(running, read, actor="test")).changed) == expected
    assert (await service.compare(running, read)).changed == ()


async def test_a_trial_changes_nothing(running: Deployment, folder: Path) -> None:
    read = service.load(running, folder)
    tried = await service.compare(running, read)
    assert tried.services > 0
    assert await running.directory.all() == []
    await service.apply(running, read, actor="test")
    ctx = await tenant_of(running, read.tenant.slug)
    await service.compare(running, changed(folder, running, ('"Rathaus"', '"Altes Rathaus"')))
    async with running.database.tenant(ctx) as tx:
        assert "Altes Rathaus" not in {host.name for host in (await catalogue.newest(tx)).hosts}


async def test_what_a_host_has_said_stays_and_is_named(running: Deployment, folder: Path) -> None:
    read = service.load(running, folder)
    assert (await service.apply(running, read, actor="test")).kept == ()
    ctx, own = await tenant_of(running, read.tenant.slug), read.catalogue.hosts[0]
    week = Week((((600, 960),),) * 7)
    async with running.database.tenant(ctx) as tx:
        seen = (await host_hours.sight(tx, own.id)).mark
        draft = Draft(week=week)
        await host_hours.publish(tx, own.id, draft, key=new_id(), seen=seen, actor="account:host")
    kept = service.Difference(f"hosts.{own.id}.hours", own.hours, "Mo-Su 10:00-16:00; PH off")
    for look in (service.compare(running, read), service.apply(running, read, actor="test")):
        done = await look
        assert (done.changed, done.kept) == ((), (kept,))
    async with running.database.tenant(ctx) as tx:
        assert (await catalogue.newest(tx)).hosts[0].hours == "Mo-Su 10:00-16:00; PH off"


async def test_what_a_plugin_refuses_leaves_the_old_state(
    running: Deployment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.apply(running, service.load(running, folder), actor="test")
    read = changed(folder, running, ('"Rathaus"', '"Altes Rathaus"'), ("compartments = 24", "compartments = 32"))

    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the last step")

    monkeypatch.setattr(service.audit, "record", fails)
    with pytest.raises(RuntimeError):
        await service.apply(running, read, actor="test")
    monkeypatch.undo()
    ctx = await tenant_of(running, read.tenant.slug)
    assert ctx.settings["dokbox"].boxes[0].compartments == 24  # type: ignore[attr-defined]
    assert len((await service.compare(running, read)).changed) >= 2


async def test_mistakes_are_named_before_anything_happens(running: Deployment, folder: Path) -> None:
    with pytest.raises(InvalidInputError) as refused:
        changed(folder, running, ('kind = "shop"', 'kind = "kiosk"'), ("[line115]", "[line_115]"))
    assert {place.partition(":")[0] for place, _ in refused.value.mistakes} == {"tenant.toml"}
    assert await running.directory.all() == []


async def test_who_owns_no_tables_applies_nothing(running: Deployment, folder: Path) -> None:
    read = service.load(running, folder)
    poor = Deployment(
        type(running.settings)(home=running.settings.home, database_url=running.settings.database_url),
        running.plugins, running.database,
    )  # fmt: skip
    with pytest.raises(SettingsError):
        await service.apply(poor, read, actor="test")


# --- states ---------------------------------------------------------------------------------------------------


def test_from_every_state_there_is_a_way_to_the_end() -> None:
    for state in TENANT_STATES:
        seen, ways = {state}, [state]
        while ways:
            new = TENANT_STATES[ways.pop()] - seen
            seen |= new
            ways += new
        assert "retired" in seen
    assert "rehearsal" not in TENANT_STATES["live"] | TENANT_STATES["paused"]


@pytest.mark.parametrize("state", ["live", "paused", "retired"])
async def test_a_new_town_begins_at_the_beginning(running: Deployment, folder: Path, state: str) -> None:
    read = changed(folder, running, ('state = "rehearsal"', f'state = "{state}"'))
    with pytest.raises(StateError, match="from nothing"):
        await service.apply(running, read, actor="test")
    assert await running.directory.all() == []


async def test_hook_go_live_checks(running: Deployment, folder: Path) -> None:
    await service.apply(running, service.load(running, folder), actor="test")
    live = changed(folder, running, ('state = "rehearsal"', 'state = "live"'))
    with pytest.raises(NotReadyError) as refused:
        await service.apply(running, live, actor="test")
    titles = {answer.title for answer in refused.value.answers}
    assert titles == {"Accounts", "Messages", "Pages and terminals", "Boxes"}
    assert (await tenant_of(running, live.tenant.slug)).state == "rehearsal"


def announced(at: datetime) -> boxes.DepositRow:
    return boxes.DepositRow(
        id=new_id(), box="dokbox-1", reference="A-1", kind="reisepass", document_index=b"x" * 32, personal=None,
        locale="de", created_by="test", created_at=at, updated_at=at,
    )  # fmt: skip


async def test_hook_retirement_checks(running: Deployment, folder: Path) -> None:
    """What somebody may still want keeps a tenant from ending: here a deposit that was announced and never ended."""
    read = service.load(running, folder)
    await service.apply(running, read, actor="test")
    ctx = await tenant_of(running, read.tenant.slug)
    async with running.database.tenant(ctx) as tx:
        await boxes.insert_deposit(tx, announced(running.clock.now()))
    retired = changed(folder, running, ('state = "rehearsal"', 'state = "retired"'))
    with pytest.raises(NotReadyError, match="1 deposits of 'dokbox-1' are not finished"):
        await service.apply(running, retired, actor="test")
    assert (await tenant_of(running, ctx.slug)).state == "rehearsal"


async def test_the_doctor_names_what_blocks(running: Deployment, folder: Path) -> None:
    read = service.load(running, folder)
    await service.apply(running, read, actor="test")
    found = await readiness.doctor(running, await tenant_of(running, read.tenant.slug))
    codes = {answer.title: {one.rule.code for one in answer.said} for answer in found}
    assert codes["Deployment"] >= {"SP1511", "SP1512"}
    assert codes["Database"] == set()
    assert codes["Accounts"] == {"SP1501"}
    assert codes["Messages"] >= {"SP1504"}
    assert codes["Boxes"] == {"SP3501", "SP3502"}


async def test_a_plugin_that_cannot_be_asked_blocks(
    running: Deployment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = service.load(running, folder)
    await service.apply(running, read, actor="test")
    from servicepunkt.core.people.ready import PeopleReady

    async def fails(self: object, tx: object) -> list[object]:
        await tx.execute(sa.text("SELECT nothing"))  # type: ignore[attr-defined]
        return []

    monkeypatch.setattr(PeopleReady, "look", fails)
    found = await readiness.doctor(running, await tenant_of(running, read.tenant.slug))
    by_title = {answer.title: answer for answer in found}
    assert [one.rule.code for one in by_title["Accounts"].said] == ["SP1518"]
    assert by_title["Boxes"].said, "the others are asked all the same"


async def test_a_secret_that_cannot_be_read_blocks(running: Deployment, folder: Path) -> None:
    read = changed(folder, running, ('sms = "phone"', 'sms = "north"'), ("[line115]", NORTH + "[line115]"))
    await service.apply(running, read, actor="test")
    found = await readiness.doctor(running, await tenant_of(running, read.tenant.slug))
    secrets = next(answer for answer in found if answer.title == "Secrets")
    assert [one.values["place"] for one in secrets.said] == ["notices.provider[0].key"]


NORTH = """
[[notices.provider]]
name = "north"
protocol = "rest"
profile = "seven"
sender = "TOWN"
key = "file:north-key"

[notices.rehearsal]
recipients = ["someone@example.org"]

"""
