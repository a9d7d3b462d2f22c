"""Applications against a database: sealed, submitted once, forwarded until they have arrived, erased."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from servicepunkt.core.applications import service, store
from servicepunkt.core.applications.model import (
    DRAFT,
    Application,
    ApplicationGoneError,
    ConnectorError,
    LevelTooLowError,
    NotEntitledError,
)
from servicepunkt.core.applications.service import PAUSES, Draft, Start
from servicepunkt.core.audit.store import audit_entry
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.doors import DoorFailedError
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError
from servicepunkt.core.keys.store import data_key
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, make_tenant

if TYPE_CHECKING:
    from conftest import Door, Register

COOKIE = "c" * 64
TYPED = {"born": "12.08.1964", "degree": "", "greeting": "Frau", "why": "office"}
START = Start(cookie=COOKIE, service="certificate", point="north", locale="en", device=UUID(int=7))


class Desk:
    """A session at a terminal of a tenant."""

    def __init__(self, deployment: Deployment, ctx: TenantContext, start: Start = START) -> None:
        self.deployment, self.ctx, self.start = deployment, ctx, start

    async def identified(self) -> Draft:
        path = await service.identify(self.deployment, self.ctx, self.start, door="door", return_path="/back")
        key = UUID(path.partition("?key=")[2])
        assert await service.take_identity(self.deployment, self.ctx, self.start.cookie, key)
        return await self.draft()

    async def draft(self) -> Draft:
        found = await service.draft_of(self.deployment, self.ctx, self.start.cookie, "certificate")
        assert isinstance(found, Draft)
        return found

    async def fill_in(self, **values: str) -> list[tuple[str, str]]:
        key = (await self.draft()).application.id
        return await service.fill_in(self.deployment, self.ctx, self.start.cookie, key, {**TYPED, **values})

    async def submit(self, draft: Draft) -> Application:
        version, key = draft.application.version, draft.application.id
        return await service.submit(
            self.deployment, self.ctx, self.start.cookie, key, version=version, title="Führungszeugnis"
        )

    async def submitted(self) -> Application:
        await self.identified()
        assert await self.fill_in() == []
        return await self.submit(await self.draft())

    async def forward(self, application: Application) -> None:
        await service.forward.function(self.deployment, self.ctx, application_id=str(application.id))

    async def rows(self, query: Any) -> list[Any]:
        async with self.deployment.database.tenant(self.ctx) as tx:
            return list((await tx.execute(query.where(query.selected_columns.tenant_id == tx.tenant_id))).all())

    async def actions(self) -> list[str]:
        return [row.action for row in await self.rows(sa.select(audit_entry).order_by(audit_entry.c.seq))]

    async def jobs(self) -> list[tuple[str, dict[str, Any]]]:
        async with self.deployment.database.platform("what is queued") as connection:
            found = await connection.execute(sa.text("SELECT task_name, args FROM procrastinate_jobs ORDER BY id"))
            return [(name, args) for name, args in found]


@pytest.fixture
def desk(running: Deployment, ctx: TenantContext) -> Desk:
    return Desk(running, ctx)


# --- drafts ---------------------------------------------------------------------------------------------------


async def test_what_the_card_says_is_filled_in_and_no_more_was_asked(desk: Desk, door: Door) -> None:
    path = await service.identify(desk.deployment, desk.ctx, START, door="door", return_path="/back")
    (wish,) = door.wishes.values()
    assert (wish.required, wish.optional) == (("family_names", "date_of_birth"), ("doctoral_degree",))
    assert (wish.level, wish.device, path) == (2, START.device, f"/back?key={wish.key}")
    assert await service.take_identity(desk.deployment, desk.ctx, COOKIE, wish.key)
    found = await desk.draft()
    assert found.given == {"family": "Mustermann", "born": "1964-08-12", "greeting": "Frau"}
    assert "address" not in str(msgspec.to_builtins(found.content))


async def test_nothing_personal_stands_open_in_any_row_job_or_audit_entry(desk: Desk) -> None:
    await desk.submitted()
    found = [str(await desk.rows(sa.select(table))) for table in (store.application, audit_entry)]
    assert not [text for text in (*found, str(await desk.jobs())) if "Muster" in text or "1964" in text]
    assert await desk.actions() == ["application.submitted"]


async def test_one_session_has_one_draft_however_often_it_begins(desk: Desk) -> None:
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(service.begin(desk.deployment, desk.ctx, START)) for _ in range(4)]
    assert len({task.result().id for task in made}) == 1


async def test_another_session_opens_nothing(desk: Desk, running: Deployment) -> None:
    draft = await desk.identified()
    for cookie in ("d" * 64, ""):
        with pytest.raises(ApplicationGoneError):
            await service.fill_in(running, desk.ctx, cookie, draft.application.id, TYPED)
        with pytest.raises(ApplicationGoneError):
            await service.submit(running, desk.ctx, cookie, draft.application.id, version=2, title="")
        with pytest.raises(ApplicationGoneError):
            await service.draft_of(running, desk.ctx, cookie, "certificate")
        with pytest.raises(ApplicationGoneError):
            await service.take_identity(running, desk.ctx, cookie, draft.application.id)


async def test_a_draft_that_nobody_touches_is_gone_after_minutes_with_its_key(desk: Desk, clock: FixedClock) -> None:
    draft = await desk.identified()
    ids = {"application_id": str(draft.application.id)}
    clock.instant += DRAFT - timedelta(seconds=1)
    await service.end.function(desk.deployment, desk.ctx, **ids)
    await desk.fill_in()
    clock.instant += DRAFT - timedelta(seconds=1)
    assert await desk.draft(), "whoever types goes on"
    clock.instant += timedelta(seconds=1)
    with pytest.raises(ApplicationGoneError):
        await desk.draft()
    await service.end.function(desk.deployment, desk.ctx, **ids)
    assert await desk.rows(sa.select(store.application)) == []
    assert [row.purpose for row in await desk.rows(sa.select(data_key)) if row.purpose == "case"] == []


async def test_a_session_that_ends_leaves_nothing(desk: Desk) -> None:
    sent = await desk.submitted()
    await desk.identified()
    await service.forget(desk.deployment, desk.ctx, COOKIE)
    (row,) = await desk.rows(sa.select(store.application))
    assert (row.id, row.session) == (sent.id, b"")
    assert len([row for row in await desk.rows(sa.select(data_key)) if row.purpose == "case"]) == 1
    with pytest.raises(ApplicationGoneError):
        await service.draft_of(desk.deployment, desk.ctx, COOKIE, "certificate")


async def test_a_draft_that_ends_takes_along_what_its_door_has_begun(desk: Desk, door: Door, clock: FixedClock) -> None:
    for ends in ("forgotten", "expired", "forgotten though the door fails"):
        path = await service.identify(desk.deployment, desk.ctx, START, door="door", return_path="/back")
        key = UUID(path.partition("?key=")[2])
        assert (desk.ctx.id, key) in door.wishes
        if ends == "expired":
            clock.instant += DRAFT
            await service.end.function(desk.deployment, desk.ctx, application_id=str(key))
        else:
            door.failing = RuntimeError("down") if "fails" in ends else None
            await service.forget(desk.deployment, desk.ctx, COOKIE)
        assert ((desk.ctx.id, key) in door.wishes) is ("fails" in ends)
        with pytest.raises(ApplicationGoneError):
            await service.draft_of(desk.deployment, desk.ctx, COOKIE, "certificate")


async def test_a_door_that_fails_or_says_too_little_lets_nobody_in(desk: Desk, door: Door) -> None:
    path = await service.identify(desk.deployment, desk.ctx, START, door="door", return_path="/back")
    key = UUID(path.partition("?key=")[2])
    door.comes_with = 1
    with pytest.raises(LevelTooLowError):
        await service.take_identity(desk.deployment, desk.ctx, COOKIE, key)
    assert not await service.take_identity(desk.deployment, desk.ctx, COOKIE, key), "it was taken, and it was nothing"
    with pytest.raises(LevelTooLowError):
        await desk.submit(await desk.draft())
    door.failing = RuntimeError("Mustermann")
    for ask in (
        service.take_identity(desk.deployment, desk.ctx, COOKIE, key),
        service.identify(desk.deployment, desk.ctx, START, door="door", return_path="/back"),
    ):
        with pytest.raises(DoorFailedError) as caught:
            await ask
        assert "Mustermann" not in f"{caught.value!r} {caught.value.__cause__!r}"
    door.level = 1
    with pytest.raises(NotFoundError):
        await service.identify(desk.deployment, desk.ctx, START, door="door", return_path="/back")


@pytest.mark.parametrize(
    ("old_enough", "lives_there", "comes_in"),
    [(True, True, True), (False, True, False), (True, False, False), (None, True, False), (True, None, False)],
)
async def test_only_who_is_old_enough_and_lives_here_comes_in(
    running: Deployment,
    urls: Urls,
    one_form: dict[str, Any],
    door: Door,
    old_enough: bool | None,
    lives_there: bool | None,
    comes_in: bool,
) -> None:
    forms = [one_form | {"age": 16, "community": "0276"}]
    town = await make_tenant(
        running, urls.owner, "gamma", plugins=["town"], settings={"applications": {"forms": forms}}
    )
    door.old_enough, door.lives_there = old_enough, lives_there
    path = await service.identify(running, town, START, door="door", return_path="/back")
    key = UUID(path.partition("?key=")[2])
    asked = door.wishes[town.id, key]
    assert (asked.age, asked.community) == (16, "0276")
    if comes_in:
        assert await service.take_identity(running, town, COOKIE, key)
        return
    with pytest.raises(NotEntitledError):
        await service.take_identity(running, town, COOKIE, key)
    draft = await service.draft_of(running, town, COOKIE, "certificate")
    assert isinstance(draft, Draft)
    assert (draft.content.person, draft.content.values) == (None, {})


# --- submitting -----------------------------------------------------------------------------------------------


async def test_pressing_twice_submits_once(desk: Desk, register: Register) -> None:
    await desk.identified()
    await desk.fill_in()
    draft = await desk.draft()
    found = await asyncio.gather(*(desk.submit(draft) for _ in range(3)))
    assert len({one.id for one in found}) == 1
    assert [name for name, _ in await desk.jobs()].count("core.applications.forward") == 1
    for _ in range(2):
        await desk.forward(found[0])
    (sent,) = register.taken
    assert [(one.name, one.value, one.given) for one in sent.answers] == [
        ("family", "Mustermann", True),
        ("born", "1964-08-12", True),
        ("greeting", "Frau", True),
        ("why", "office", False),
    ]
    assert (sent.answers[3].label, sent.answers[3].text) == ("Zweck", "Behörde")
    assert sent.person is not None
    assert sent.person.level == 3


async def test_what_was_changed_in_another_tab_is_not_submitted_unseen(desk: Desk) -> None:
    await desk.identified()
    await desk.fill_in()
    seen = await desk.draft()
    await desk.fill_in(why="private")
    with pytest.raises(ConflictError):
        await desk.submit(seen)
    assert (await desk.draft()).content.values["why"] == "private"


async def test_what_does_not_fit_is_not_submitted(desk: Desk) -> None:
    await desk.identified()
    assert [place for place, _ in await desk.fill_in(why="x", born="never")] == ["born", "why"]
    with pytest.raises(InvalidInputError):
        await desk.submit(await desk.draft())


# --- forwarding -----------------------------------------------------------------------------------------------


def fails() -> Any:
    raise RuntimeError("Mustermann")


async def test_a_receiver_that_is_down_loses_nothing(desk: Desk, register: Register, logged: Any) -> None:
    sent = await desk.submitted()
    register.before = fails
    for _ in range(2):
        with pytest.raises(ConnectorError) as caught:
            await desk.forward(sent)
        assert caught.value.__cause__ is None
    assert (await service.find(desk.deployment, desk.ctx, sent.id)).state == "failed"
    assert "Mustermann" not in str(logged())
    register.before = None
    await service.send_again(desk.deployment, desk.ctx, sent.id, actor="account:1")
    await desk.forward(sent)
    arrived = await service.find(desk.deployment, desk.ctx, sent.id)
    assert (arrived.state, arrived.attempts, arrived.receipt) == ("forwarded", 3, f"case {sent.reference}")
    assert await desk.actions() == [
        "application.submitted",
        "application.failed",
        "application.sent-again",
        "application.forwarded",
    ]
    with pytest.raises(ConflictError):
        await service.send_again(desk.deployment, desk.ctx, sent.id, actor="account:1")


async def test_killed_after_the_receiver_took_it_it_is_sent_again_and_taken_once(
    desk: Desk, register: Register
) -> None:
    sent = await desk.submitted()

    def killed() -> Any:
        raise asyncio.CancelledError

    register.after = killed
    with pytest.raises(asyncio.CancelledError):
        await desk.forward(sent)
    assert (await service.find(desk.deployment, desk.ctx, sent.id)).state == "submitted"
    register.after = None
    await desk.forward(sent)
    assert len(register.taken) == 1
    assert (await service.find(desk.deployment, desk.ctx, sent.id)).state == "forwarded"


@pytest.mark.parametrize("receipt", ["", "x" * 201, "Müller", "a\nb"])
async def test_a_receivers_reference_that_is_none_is_a_failure(desk: Desk, register: Register, receipt: str) -> None:
    sent = await desk.submitted()
    register.after = lambda: receipt
    with pytest.raises(ConnectorError):
        await desk.forward(sent)


def test_pauses_grow() -> None:
    assert list(PAUSES) == sorted(PAUSES)


async def test_what_was_forwarded_is_erased_after_the_days_of_its_form(desk: Desk, clock: FixedClock) -> None:
    sent, other = await desk.submitted(), await desk.submitted()
    await desk.forward(sent)
    clock.forward(hours=14 * 24 - 1)
    await erase_expired.function(desk.deployment, desk.ctx)
    opened = await service.open_for(desk.deployment, desk.ctx, sent.id, actor="account:1")
    assert opened.answers[0].value == "Mustermann"
    clock.forward(hours=2)
    await erase_expired.function(desk.deployment, desk.ctx)
    closed = await service.find(desk.deployment, desk.ctx, sent.id)
    assert (closed.state, closed.sealed, closed.session) == ("closed", None, b"")
    with pytest.raises(NotFoundError):
        await service.open_for(desk.deployment, desk.ctx, sent.id, actor="account:1")
    cases = [row.subject for row in await desk.rows(sa.select(data_key)) if row.purpose == "case"]
    assert cases == [other.id], "what nobody has forwarded yet stays"
    clock.forward(hours=366 * 24)
    await erase_expired.function(desk.deployment, desk.ctx)
    assert [row.id for row in await desk.rows(sa.select(store.application))] == [other.id]
    assert "application.submitted" in await desk.actions()


async def test_staff_find_by_reference_and_the_audit_says_who_has_read(desk: Desk) -> None:
    sent = await desk.submitted()
    await desk.identified()
    found = await service.by_reference(desk.deployment, desk.ctx, sent.reference.lower().replace("-", " "))
    assert found is not None
    assert found.id == sent.id
    draft = await desk.draft()
    assert await service.by_reference(desk.deployment, desk.ctx, draft.application.reference) is None
    assert await service.by_reference(desk.deployment, desk.ctx, "nothing") is None
    await service.open_for(desk.deployment, desk.ctx, sent.id, actor="account:clerk")
    assert (await desk.actions())[-1] == "application.read"
    assert [one.id for one in await service.listed(desk.deployment, desk.ctx)] == [sent.id]
    for unknown in (uuid4(), draft.application.id):
        with pytest.raises(NotFoundError):
            await service.find(desk.deployment, desk.ctx, unknown)


# --- tenants --------------------------------------------------------------------------------------------------


async def test_the_same_ids_in_another_tenant_are_another_tenants(desk: Desk, twin: TenantContext) -> None:
    sent = await desk.submitted()
    there = Desk(desk.deployment, twin)
    async with desk.deployment.database.tenant(twin) as tx:
        copy = msgspec.structs.replace(sent, reference="2222-2222")
        assert await store.add(tx, copy)
    with pytest.raises(NotFoundError):
        await service.open_for(desk.deployment, twin, uuid4(), actor="x")
    with pytest.raises(Exception, match="SP0030"):
        await service.open_for(desk.deployment, twin, sent.id, actor="x")
    await service.forget(desk.deployment, twin, COOKIE)
    own = await service.find(desk.deployment, desk.ctx, sent.id)
    assert own.session != b""
    assert [row.session for row in await there.rows(sa.select(store.application))] == [b""]
