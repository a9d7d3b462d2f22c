"""A box whose computer was replaced, or whose journal is not believed: what lay in it ends, then another one begins."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest
from httpx import Request, Response

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import InvalidInputError, NotFoundError, SettingsError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import care, intake, model, renewal, service, store, wire
from servicepunkt.dokbox.controller.app import BoxProcess, enrolment_of
from servicepunkt.dokbox.controller.channel import RefusedByCentreError, RevokedError, refusal
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.errors import OutOfOrderError, RefusedError
from servicepunkt.dokbox.intake import JournalForkError
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.service import Correction
from servicepunkt.dokbox.store import BoxRow
from servicepunkt.dokbox.testing import Bench
from servicepunkt.dokbox.trust import store as trust_store
from servicepunkt.dokbox.vault import RemoteVault
from servicepunkt.web.devices import service as devices
from servicepunkt.web.local.enrolment import enrolled_token

if TYPE_CHECKING:
    from conftest import Clerk, Wire

CLERK = "account:test"
NUMBERS = ("C01X00T47", "C01X0006H", "C01X0007K")


@pytest.fixture
async def next_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The computer that comes after."""
    made = Bench(tmp_path / "next", seed=2)
    await made.look()
    yield made
    made.put_away()


async def box_row(line: Wire) -> BoxRow:
    async with line.deployment.database.tenant(line.ctx) as tx:
        row = await store.find_box(tx, "box-1")
    assert row is not None
    return row


async def renew(line: Wire, found: dict[UUID, renewal.Found], *, empty: bool = True) -> None:
    await renewal.renew(line.deployment, line.ctx, actor=CLERK, box_id="box-1", found=found, empty=empty)


async def test_what_lay_in_the_box_ends_and_the_next_computer_begins(
    line: Wire, channel: RecordingChannel, next_bench: Bench, deployment: Deployment, tenant: TenantContext
) -> None:
    here, gone = [
        await line.told(document_number=number, phone=f"0151 1234567{at}") for at, number in enumerate(NUMBERS[:2])
    ]
    waiting = await line.announce(document_number=NUMBERS[2], phone="0151 99999999")
    before = await box_row(line)
    line.bench.controller.ledger.note("compartment_out", compartment=4)
    await line.up()
    sent = len(channel.messages)

    await renew(line, {here.id: "here", gone.id: "gone"})

    states = [(await line.fresh(row)).state for row in (here, gone, waiting)]
    assert states == [State.RETURNED, State.MISSING, State.CANCELLED]
    async with deployment.database.tenant(tenant) as tx:
        assert await trust_store.find(tx, "box-1") is None
    assert [(await line.fresh(row)).personal for row in (gone, waiting)] == [None, None]
    await line.deliver(here)
    assert [message.recipient for message in channel.messages[sent:]] == ["+4915112345670"]
    async with deployment.database.tenant(tenant) as tx:
        row = await store.find_box(tx, "box-1")
        assert row is not None
        assert (row.life, row.acknowledged, row.head) == (2, 0, model.GENESIS)
        assert await store.waiting_commands(tx, "box-1") == []
        assert await store.out_of_service(tx, "box-1") == []
        assert len(await store.events_of(tx, str(here.id))) > 3
        actions = [entry.action async for entry in audit_store.entries(tx, subject=f"deposit:{here.id}")]
        [renewed] = [e async for e in audit_store.entries(tx, subject="box:box-1") if e.action == "box.renewed"]
    assert actions[-1] == "deposit.found_returned"
    assert renewed.details["acknowledged"] > before.acknowledged

    await line.enrol(next_bench)
    after = type(line)(deployment, tenant, next_bench)
    again = await after.told(document_number=NUMBERS[0], phone="0151 12345670")
    assert (await after.fresh(again)).state == State.NOTIFIED
    assert (await box_row(after)).acknowledged == next_bench.controller.ledger.box.seq
    async with deployment.database.tenant(tenant) as tx:
        hashes = await store.hashes(tx, "box-1", [1])
    assert hashes[1] == next(next_bench.journal.entries()).hash


async def test_every_deposit_of_which_nothing_was_said_is_named(line: Wire, channel: RecordingChannel) -> None:
    rows = [await line.told(document_number=number, phone=f"0151 1234567{at}") for at, number in enumerate(NUMBERS[:2])]
    with pytest.raises(InvalidInputError) as refused:
        await renew(line, {}, empty=False)
    assert {place for place, _ in refused.value.mistakes} == {*(f"found-{row.id}" for row in rows), "empty"}
    reserved = await line.announce(document_number=NUMBERS[2], phone="0151 99999999")
    await line.both()
    with pytest.raises(InvalidInputError):
        await renew(line, {row.id: "here" for row in rows})
    found: dict[UUID, renewal.Found] = {row.id: "here" for row in rows}
    await renew(line, {**found, reserved.id: "never"})
    assert (await line.fresh(reserved)).state == State.CANCELLED


async def test_a_box_that_does_not_exist_is_not_renewed(line: Wire) -> None:
    with pytest.raises(NotFoundError):
        await renewal.renew(line.deployment, line.ctx, actor=CLERK, box_id="box-9", found={}, empty=True)


async def test_a_journal_that_is_not_believed_is_followed_by_a_new_one(
    line: Wire, channel: RecordingChannel, next_bench: Bench, deployment: Deployment, tenant: TenantContext
) -> None:
    row = await line.told(document_number=NUMBERS[0], phone="0151 12345678")
    stranger = type(line)(deployment, tenant, next_bench)
    await line.enrol(next_bench)
    next_bench.controller.ledger.note("started")
    sent = stranger.entries()
    with pytest.raises(JournalForkError):
        await intake.ingest(deployment, tenant, "box-1", sent)
    assert (await box_row(line)).disputed
    await renew(line, {row.id: "here"})
    await intake.ingest(deployment, tenant, "box-1", sent)
    assert (await box_row(line)).disputed == 0


async def test_the_old_computer_is_switched_off_over_restarts(
    line: Wire, channel: RecordingChannel, token: str, address: str
) -> None:
    row = await line.told(document_number=NUMBERS[0], phone="0151 12345678")
    code = line.code_in(channel, "+4915112345678")
    async with line.calling(address, token) as client:
        link = Link(line.bench.controller, line.bench.journal, client)
        await link.pull_commands()
        await renew(line, {row.id: "here"})
        with pytest.raises(RevokedError):
            await link.fetch_config()
        off = asyncio.Event()

        async def pause(_: float) -> None:
            if not line.bench.controller.healthy:
                off.set()
            await asyncio.sleep(0.01)

        running = asyncio.create_task(Link(line.bench.controller, line.bench.journal, client, sleep=pause).run())
        async with asyncio.timeout(10):
            await off.wait()
        running.cancel()
    assert line.bench.controller.troubles == ("revoked",)
    await line.bench.restart()
    assert line.bench.controller.troubles == ("revoked",)
    with pytest.raises(OutOfOrderError):
        await line.bench.controller.present("+4915112345678", code)


async def test_a_centre_that_speaks_again_switches_the_box_on(line: Wire, token: str, address: str) -> None:
    line.bench.controller.switch(off=True)
    assert not line.bench.controller.healthy
    async with line.calling(address, token) as client:
        await Link(line.bench.controller, line.bench.journal, client).pull_commands()
    assert line.bench.controller.healthy
    await line.bench.restart()
    assert line.bench.controller.healthy


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"{}"), (403, b""), (403, b"\xff"), (403, b'{"code": "SP3125"}'), (502, b'{"code": "SP7003"}')],
)
def test_other_refusals_do_not_switch_it_off(status: int, body: bytes) -> None:
    found = refusal(Response(status, content=body))
    assert isinstance(found, RefusedByCentreError)
    assert not isinstance(found, RevokedError)


async def test_another_computer_is_refused_before_the_box_was_emptied(
    line: Wire,
    channel: RecordingChannel,
    token: str,
    next_bench: Bench,
    address: str,
    deployment: Deployment,
    tenant: TenantContext,
) -> None:
    async with line.calling(address, token) as client:
        await Link(line.bench.controller, line.bench.journal, client).pull_commands()
    row = await line.told(document_number=NUMBERS[0], phone="0151 12345678")
    async with line.calling(address, await line.enrol(next_bench)) as client:
        answer = await client.post("/api/v1/box/keys", json={"signing_key": next_bench.vault.signing_key.hex()})
        assert (answer.status_code, answer.json()["code"]) == (409, "SP3127")
    await renew(line, {row.id: "here"})
    async with line.calling(address, await line.enrol(next_bench)) as client:
        link = Link(next_bench.controller, next_bench.journal, client)
        await link.pull_commands()
        next_bench.controller.ledger.note("started")
        assert await link.push_events()


async def test_an_old_condition_is_not_believed(
    line: Wire, token: str, address: str, clock: FixedClock, deployment: Deployment, tenant: TenantContext
) -> None:
    async with line.calling(address, token) as client:
        link = Link(line.bench.controller, line.bench.journal, client)
        posted: list[Request] = []

        async def keep(request: Request) -> None:
            if request.url.path.endswith("/condition"):
                posted.append(request)

        client.event_hooks["request"] = [keep]
        line.bench.controller.switch(off=True)
        await link.tell_condition()
        assert (await box_row(line)).troubles == ["revoked"]
        line.bench.controller.switch(off=False)
        await link.tell_condition()
        assert (await box_row(line)).troubles == []
        clock.forward(minutes=2)
        old = posted[0]
        again = await client.post(old.url, content=old.content, headers=old.headers)
        assert (again.status_code, again.json()["code"]) == (403, "SP3125")
        assert (await box_row(line)).troubles == []


async def test_another_computer_hears_nothing_that_is_meant_for_the_box(
    line: Wire, channel: RecordingChannel, token: str, next_bench: Bench, address: str
) -> None:
    async with line.calling(address, token) as client:
        await Link(line.bench.controller, line.bench.journal, client).pull_commands()
    row = await line.told(document_number=NUMBERS[0], phone="0151 12345678")
    async with line.calling(address, await line.enrol(next_bench)) as client:
        for purpose in ("commands", "config"):
            answer = await client.get(f"/api/v1/box/{purpose}", headers={wire.NONCE: "ab" * 16})
            assert (answer.status_code, answer.json()["code"]) == (403, "SP3125")
    right = Correction(phone="0151 87654321")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=right)
    await line.both()
    assert (await line.fresh(row)).alert == "", "it was sealed to the computer whose journal is stored here"


async def test_staff_read_that_what_comes_is_not_signed(
    line: Wire, token: str, address: str, clock: FixedClock
) -> None:
    async with line.calling(address, token) as client:
        link = Link(line.bench.controller, line.bench.journal, client)
        await link.pull_commands()
        said = wire.Condition(vault="tpm", heard=clock.now())
        for _ in range(2):
            await client.post("/api/v1/box/condition", content=msgspec.json.encode(said))
        assert (await box_row(line)).troubles == ["unsigned"]
        line.bench.controller.ledger.note("started")
        while await link.push_events():
            pass
        assert (await box_row(line)).troubles == []


async def test_staff_say_what_they_found_on_a_page(line: Wire, channel: RecordingChannel, clerk: Clerk) -> None:
    row = await line.told(document_number=NUMBERS[0], phone="0151 12345678")
    page = "/boxes/box-1/renewal"
    shown = await clerk.get(page)
    assert row.reference in shown.text
    assert "/boxes/box-1/renewal" in (await clerk.get("/boxes/box-1/contents")).text
    refused = await clerk.submit(page, page)
    assert refused.status_code == 422
    assert refused.text.count("Say where this document is.") + refused.text.count("angeben, wo dieses Dokument") >= 2
    for field, value in ((f"found-{row.id}", "stolen"), ("found-x", "here"), ("anything", "here")):
        assert (await clerk.submit(page, page, **{field: value, "empty": "yes"})).status_code == 422
    assert (await line.fresh(row)).state == State.NOTIFIED
    done = await clerk.submit(page, page, **{f"found-{row.id}": "here", "empty": "yes"})
    assert done.status_code == 303
    assert (await line.fresh(row)).state == State.RETURNED
    assert (await clerk.get("/boxes/box-9/renewal")).status_code == 404


async def test_a_week_offline(
    line: Wire,
    channel: RecordingChannel,
    token: str,
    address: str,
    clock: FixedClock,
    deployment: Deployment,
    tenant: TenantContext,
) -> None:
    """The network is gone for seven days: citizens collect, one types wrong codes, one never comes, the plug is pulled;
    afterwards the centre has the same history, and what was ordered meanwhile is done or declined."""
    first, second, third = [
        await line.told(document_number=number, phone=f"0151 1234567{at}") for at, number in enumerate(NUMBERS)
    ]
    codes = {row.id: line.code_in(channel, f"+491511234567{at}") for at, row in enumerate((first, second, third))}

    async def days(count: int) -> None:
        clock.forward(days=count)
        line.bench.clock.forward(days=count)
        line.bench.controller.tick()

    await days(2)
    visit = await line.bench.controller.present("+4915112345670", codes[first.id])
    await line.bench.controller.release(visit.token)
    taken = (await line.fresh(first)).compartment
    assert taken is not None
    await line.bench.opened(taken)
    await line.bench.close(taken, item=False)
    for _ in range(5):
        with pytest.raises(RefusedError):
            await line.bench.controller.present("+4915112345671", "000000")
    await line.bench.restart()
    await service.request(deployment, tenant, actor=CLERK, deposit_id=third.id, kind="recall")
    assert [(await line.fresh(row)).state for row in (first, second, third)] == [State.NOTIFIED] * 3
    await days(5)

    async with line.calling(address, token) as client:
        link = Link(line.bench.controller, line.bench.journal, client)
        await link.pull_commands()
        while await link.push_events():
            pass
    states = [(await line.fresh(row)).state for row in (first, second, third)]
    assert states == [State.DONE, State.LOCKED_OUT, State.NOTIFIED]
    assert (await line.fresh(third)).alert == "too_late"
    stored = (await box_row(line)).acknowledged
    assert stored == line.bench.controller.ledger.box.seq
    await service.request(deployment, tenant, actor=CLERK, deposit_id=second.id, kind="new_code")
    await line.both()
    assert (await line.fresh(second)).state == State.STORED
    late = await line.bench.controller.present("+4915112345672", codes[third.id])
    assert late.compartment == (await line.fresh(third)).compartment
    assert timedelta(days=7) <= clock.now() - third.created_at


async def test_a_new_code_enrols_the_same_computer_again(
    line: Wire, address: str, tmp_path: Path, deployment: Deployment, tenant: TenantContext
) -> None:
    async def code() -> str:
        return (await devices.announce(deployment, tenant, actor="test", kind="box", target="box-1", label="B"))[1]

    home = tmp_path / "computer"
    home.mkdir()
    key = line.bench.vault.public_key

    async def started(enrol: str) -> str:
        box = BoxProcess(home=home, vault=tmp_path, cabinet="", centre=address, enrol=enrol)
        return await enrolled_token(enrolment_of(box, key))

    with pytest.raises(SettingsError):
        await started("")
    first_code = await code()
    first = await started(first_code)
    assert [await started(""), await started(first_code)] == [first, first]
    second = await started(await code())
    assert second != first
    assert await started("") == second
    assert await started("AAAA-AAAA-AAAA") == second, "a code of long ago may stand in the command line"
    (home / "enrolled-with").unlink()
    third = await started(await code())
    assert third not in (first, second)
    away = BoxProcess(home=home, vault=tmp_path, cabinet="", centre="http://127.0.0.1:9", enrol="BBBB")
    assert await enrolled_token(enrolment_of(away, key)) == third


async def test_the_same_computer_keeps_its_peppers_under_a_new_token(line: Wire, tmp_path: Path, address: str) -> None:
    folder = tmp_path / "remote"
    bench = Bench(folder, vault=lambda: RemoteVault(folder / "vault", secrets.token_bytes))
    await bench.look()
    async with line.calling(address, await line.enrol(bench)) as client:
        await Link(bench.controller, bench.journal, client).pull_commands()
    pepper = bench.vault.pepper("1")
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.update_box(tx, "box-1", acknowledged=bench.controller.ledger.box.seq)
    await bench.restart()
    async with line.calling(address, await line.enrol(bench)) as client:
        answer = await client.post("/api/v1/box/keys", json={"signing_key": bench.vault.signing_key.hex()})
        assert answer.status_code == 200
        await Link(bench.controller, bench.journal, client).pull_commands()
    assert bench.vault.pepper("1") == pepper
    bench.put_away()
