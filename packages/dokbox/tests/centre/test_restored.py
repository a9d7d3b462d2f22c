"""The centre was restored from a backup: the boxes, which went on, tell it what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.errors import ConflictError
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import RecordingChannel
from servicepunkt.dokbox import care, intake, service, store
from servicepunkt.dokbox.controller.link import Link
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.service import Correction
from servicepunkt.dokbox.store import BoxRow, DepositRow

if TYPE_CHECKING:
    from conftest import Clerk, Wire

CLERK = "account:test"
LATER = {"document_number": "C01X0006H", "phone": "0151 87654321"}


class Backup:
    """The tables of the hand-over as they were at a moment."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.names = [table.name for table in store.TABLES]  # each after those that it refers to

    def take(self) -> None:
        for name in self.names:
            self.connection.execute(f"CREATE TEMPORARY TABLE old_{name} AS SELECT * FROM {name}")

    def restore(self) -> None:
        for name in reversed(self.names):
            self.connection.execute(f"DELETE FROM {name}")
        for name in self.names:
            self.connection.execute(f"INSERT INTO {name} SELECT * FROM old_{name}")


@pytest.fixture
def backup(urls: Urls, tenant: TenantContext) -> Iterator[Backup]:
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as owner:
        owner.execute(f"SET app.tenant = {tenant.id:d}")
        yield Backup(owner)


async def box_row(line: Wire) -> BoxRow:
    async with line.deployment.database.tenant(line.ctx) as tx:
        row = await store.find_box(tx, "box-1")
    assert row is not None
    return row


async def needing_staff(line: Wire) -> list[DepositRow]:
    async with line.deployment.database.tenant(line.ctx) as tx:
        found = await store.deposits_needing_staff(tx)
        assert len(found) == await store.count_needing_staff(tx, box_id="box-1")
    return found


async def test_what_comes_behind_a_gap_is_asked_for_from_its_beginning(line: Wire, backup: Backup) -> None:
    row = await line.announce()
    await line.down()
    backup.take()
    await line.up()
    before = await box_row(line)
    line.bench.controller.ledger.note("started")
    later = line.entries(before.acknowledged)
    backup.restore()
    known = await intake.ingest(line.deployment, line.ctx, "box-1", later)
    assert known.seq < later[0].entry.seq
    await line.up()
    after = await box_row(line)
    assert (after.acknowledged, after.disputed) == (later[-1].entry.seq, 0)
    assert after.commands == before.commands, "no order gets a number that the box knows"
    assert (await line.fresh(row)).state == State.RESERVED


async def test_a_box_asks_after_an_outage_what_the_centre_lacks(
    line: Wire, backup: Backup, address: str, token: str, channel: RecordingChannel
) -> None:
    """Nothing happens at the box meanwhile, so it has nothing new to send."""
    async with line.calling(address, token) as client:
        link = Link(line.bench.controller, line.bench.journal, client)
        await link.pull_commands()
        row = await line.announce()
        backup.take()
        await line.loaded(row)
        while await link.push_events():
            pass
        backup.restore()
        assert not await link.push_events()
        link.found()
        while await link.push_events():
            pass
    assert (await line.fresh(row)).state == State.STORED
    assert (await box_row(line)).acknowledged == line.bench.controller.ledger.box.seq


async def test_an_order_of_a_restored_centre_gets_a_number_that_the_box_does_not_know(
    line: Wire, backup: Backup, channel: RecordingChannel
) -> None:
    row = await line.told()
    backup.take()
    line.bench.clock.forward(minutes=5)
    for _ in range(4):
        await service.return_to_service(line.deployment, line.ctx, actor=CLERK, box_id="box-1", compartment=9)
    await line.both()
    backup.restore()
    line.deployment.clock.forward(minutes=5)  # type: ignore[attr-defined]
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="recall")
    await line.both()
    assert (await line.fresh(row)).state == State.RECALLING


async def test_a_document_of_which_the_box_alone_knows_is_shown_to_staff(
    line: Wire, backup: Backup, channel: RecordingChannel, clerk: Clerk
) -> None:
    """It was announced after the backup; where it lies and what becomes of it are known again, whose it is is not."""
    backup.take()
    told = await line.told(**LATER)
    code, sent = line.code_in(channel), len(channel.messages)
    backup.restore()
    await line.up()
    found = await line.fresh(told)
    assert (found.state, found.compartment, found.kind) == (State.NOTIFIED, told.compartment, "passport")
    assert found.personal is None
    assert [row.id for row in await needing_staff(line)] == [told.id]
    assert "correct" not in care.allowed(line.ctx, found)
    with pytest.raises(ConflictError):
        await care.correct(
            line.deployment, line.ctx, actor=CLERK, deposit_id=told.id, correction=Correction(phone="0151 12345678")
        )
    page = await clerk.get(f"/deposits/{told.id}")
    assert "wessen Dokument das ist" in page.text
    assert found.reference in (await clerk.get("/boxes/box-1/contents")).text

    visit = await line.bench.controller.present("+4915187654321", code)
    assert visit.compartment == told.compartment, "who has its code collects it"
    await line.bench.controller.leave(visit.token)
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=told.id, kind="recall")
    await line.both()
    assert found.compartment is not None
    await line.bench.opened(found.compartment)
    await line.bench.close(found.compartment, item=False)
    await line.up()
    assert (await line.fresh(told)).state == State.RETURNED
    assert await needing_staff(line) == []
    await line.deliver(told)
    assert len(channel.messages) == sent, "nobody knows to whom"
    assert (await line.told(**LATER)).state == State.NOTIFIED
