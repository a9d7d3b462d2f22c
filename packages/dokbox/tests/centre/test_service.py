"""The centre's part of the hand-over, with a real journal on the other side and PostgreSQL on this one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from servicepunkt.core.audit import service as audit
from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.catalogue.service import CatalogueReader
from servicepunkt.core.errors import ConflictError, InvalidInputError, NotFoundError, SettingsError
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.notices import receipts
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.notices.model import DeliveryError, Outcome, Receipt
from servicepunkt.core.notices.settings import NoticeSettings
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import configuration, intake, model, service, store, wire
from servicepunkt.dokbox.controller.pages import CodeForm, NumberForm, ProofForm
from servicepunkt.dokbox.controller.screens import Screen
from servicepunkt.dokbox.intake import ImpossibleEntryError, JournalForkError
from servicepunkt.dokbox.model import Entry, State
from servicepunkt.dokbox.service import BoxUnknownError
from servicepunkt.dokbox.settings import DokboxSettings
from servicepunkt.dokbox.staff.care import CallerForm
from servicepunkt.dokbox.staff.new_deposit import DepositForm
from servicepunkt.dokbox.store import DepositRow
from servicepunkt.dokbox.wire import SentEntry

if TYPE_CHECKING:
    from conftest import Wire

PHONE = "0151 12345678"


async def answer(line: Wire, row: DepositRow, outcome: Outcome) -> None:
    """What the provider says of the first message of a deposit."""
    async with line.deployment.database.tenant(line.ctx) as tx:
        first = (await notice_store.of_case(tx, row.id))[0]
    await receipts.take(line.deployment, line.ctx, first.provider, Receipt(first.reference, outcome))


async def test_the_whole_way(line: Wire, channel: RecordingChannel, tenant: TenantContext) -> None:
    row = await line.announce()
    compartment = await line.loaded(row)
    assert channel.messages == []
    await line.deliver(row)
    await line.both()
    assert (await line.fresh(row)).state == State.NOTIFIED
    [message] = channel.messages
    assert message.recipient == "+4915112345678"
    code = next(word.strip(",") for word in message.text.split() if word.strip(",").isdigit() and len(word) >= 6)
    visit = await line.bench.controller.present("+4915112345678", code)
    await line.bench.controller.release(visit.token)
    await line.bench.opened(compartment)
    await line.bench.close(compartment, item=False)
    await line.up()
    done = await line.fresh(row)
    assert done.state == State.DONE
    assert done.personal is None
    async with line.deployment.database.tenant(tenant) as tx:
        with pytest.raises(UnreadableError):
            await service.personal_of(line.deployment, tx, row)
        lines = [entry async for entry in audit.export(tx)]
        actions = [entry.action async for entry in audit_store.entries(tx, subject=f"deposit:{row.id}")]
    assert audit.verify_export(lines).faults == []
    assert actions[0] == "deposit.announce"
    assert actions[-1] == "box.closed_empty"
    everything = b"".join(lines)
    assert b"4915112345678" not in everything
    assert code.encode() not in everything
    assert b"C01X00T47" not in everything


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("0561 787", "not a mobile number|does not exist"),
        ("0900 1234567", "premium"),
        ("110", "does not exist|not a telephone"),
        ("+43 664 1234567", "not sent to this country"),
        ("hello", "not a telephone"),
        ("", "missing"),
        ("0" * 60, "not a telephone"),
    ],
)
async def test_numbers_that_get_no_sms(line: Wire, tenant: TenantContext, phone: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        await line.announce(phone=phone)


async def test_numbers_are_taken_of_the_countries_to_which_messages_go(line: Wire, tenant: TenantContext) -> None:
    abroad = "+43 664 1234567"
    with pytest.raises(InvalidInputError):
        await line.announce(phone=abroad)
    notices = NoticeSettings(countries=("DE", "AT"))
    wider = msgspec.structs.replace(tenant, settings={**tenant.settings, "notices": notices})
    await line.announce_for(wider, phone=abroad)
    published = await CatalogueReader(line.deployment.database).current(wider)
    told = await configuration.config_for(line.deployment, wider, "box-1", published)
    assert told.countries == ("DE", "AT")


async def test_all_mistakes_at_once(line: Wire, tenant: TenantContext) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await line.announce(phone="1", kind="x", box="y", document_number="?", locale="fr")
    assert {place for place, _ in refused.value.mistakes} == {"phone", "kind", "box", "document_number", "locale"}


async def test_a_document_is_announced_once(line: Wire, tenant: TenantContext) -> None:
    await line.announce()
    with pytest.raises(InvalidInputError, match="already on its way"):
        await line.announce(document_number=" c01x00t47 ")


async def test_nothing_is_kept_of_the_person_that_the_kind_does_not_need(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce(old_document="C01X0006H", birth_date="12.08.1964", email="erika@example.org")
    async with line.deployment.database.tenant(tenant) as tx:
        kept = await service.personal_of(line.deployment, tx, row)
    assert kept == service.Personal(document_number="C01X00T47", phone="+4915112345678")


async def test_a_box_without_a_key_takes_nothing(line: Wire, other: TenantContext) -> None:
    with pytest.raises(BoxUnknownError):
        await line.announce_for(other)


async def test_events_are_taken_in_once(line: Wire, channel: RecordingChannel, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.loaded(row)
    for _ in range(3):
        await intake.ingest(line.deployment, tenant, "box-1", line.entries())
    async with line.deployment.database.tenant(tenant) as tx:
        assert len(await notice_store.of_case(tx, row.id)) == 1
        assert len(await store.events_of(tx, str(row.id))) == len(
            {e.entry.seq for e in line.entries() if e.entry.deposit}
        )


async def test_two_senders_at_once_make_one_notice(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.both()
    await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="open_for_load")
    await line.down()
    await line.bench.opened(7)
    await line.bench.close(7, item=True)
    entries = line.entries()
    await asyncio.gather(*(intake.ingest(line.deployment, tenant, "box-1", entries) for _ in range(5)))
    async with line.deployment.database.tenant(tenant) as tx:
        assert len(await notice_store.of_case(tx, row.id)) == 1


async def test_a_rolled_back_journal_is_noticed(line: Wire, tenant: TenantContext) -> None:
    await line.announce()
    await line.both()
    entries = line.entries()
    forged = msgspec.structs.replace(entries[-1].entry, event="note", hash="0" * 64)
    with pytest.raises(JournalForkError):
        await intake.ingest(line.deployment, tenant, "box-1", [SentEntry(entry=forged)])
    gap = msgspec.structs.replace(entries[-1].entry, seq=entries[-1].entry.seq + 1)
    with pytest.raises(JournalForkError):
        await intake.ingest(line.deployment, tenant, "box-1", [SentEntry(entry=gap)])
    async with line.deployment.database.tenant(tenant) as tx:
        actions = [entry.action async for entry in audit_store.entries(tx, subject="box:box-1")]
    assert actions.count("box.journal_fork") == 2, "once for each place"
    with pytest.raises(JournalForkError):
        await intake.ingest(line.deployment, tenant, "box-1", [SentEntry(entry=gap)])
    async with line.deployment.database.tenant(tenant) as tx:
        box = await store.find_box(tx, "box-1")
        again = [entry.action async for entry in audit_store.entries(tx, subject="box:box-1")]
    assert box is not None
    assert box.disputed == gap.seq
    assert again.count("box.journal_fork") == 2, "a box tries again every few seconds"


async def test_a_new_code_supersedes_a_message_that_was_not_sent(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    channel.failure = DeliveryError("down", permanent=False)
    with pytest.raises(DeliveryError):
        await line.deliver(row)
    await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="new_code")
    await line.both()
    channel.failure = None
    await line.deliver(row)
    assert len(channel.messages) == 1
    code = line.bench.controller.ledger.box.deposits[str(row.id)].version
    assert code == 2


async def test_a_permanent_failure_reaches_box_and_clerk(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    channel.failure = DeliveryError("unknown subscriber", permanent=True)
    await line.deliver(row)
    await line.both()
    found = await line.fresh(row)
    assert (found.state, found.alert) == (State.STORED, "notice_failed")


async def test_a_message_that_was_accepted_and_did_not_arrive_is_told_to_staff_alone(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    """The box keeps the code and its hold period: nothing of it was wrong."""
    row = await line.announce()
    await line.loaded(row)
    await line.deliver(row)
    await line.both()
    before = line.bench.controller.ledger.box.deposits[str(row.id)]
    await answer(line, row, "permanent-failure")
    await line.both()
    found = await line.fresh(row)
    assert (found.state, found.alert) == (State.NOTIFIED, "notice_failed")
    assert line.bench.controller.ledger.box.deposits[str(row.id)] == before
    async with line.deployment.database.tenant(tenant) as tx:
        assert await store.count_needing_staff(tx) == 1


async def test_a_receipt_that_is_faster_than_the_box_does_no_harm(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    await line.deliver(row)
    await answer(line, row, "temporary-failure")
    await line.both()
    found = await line.fresh(row)
    assert (found.state, found.alert) == (State.NOTIFIED, "notice_failed")


async def test_a_receipt_for_an_older_code_changes_nothing(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    await line.deliver(row)
    await line.both()
    await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="new_code")
    await line.both()
    await answer(line, row, "permanent-failure")
    assert (await line.fresh(row)).alert == ""


async def test_a_notice_says_which_box_and_until_when(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.loaded(row)
    async with line.deployment.database.tenant(tenant) as tx:
        [notice] = await notice_store.of_case(tx, row.id)
    assert notice.source == "box-1"
    assert notice.until is not None
    assert (notice.until - notice.created_at).days == 14


async def test_a_late_opening_is_told_to_the_clerk(line: Wire, clock: FixedClock, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.both()
    await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="open_for_load")
    line.bench.clock.forward(hours=1)
    await line.both()
    assert (await line.fresh(row)).alert == "too_late"
    assert line.bench.doors.pulses[7] == 0


async def test_a_full_box_refuses(line: Wire, tenant: TenantContext) -> None:
    rows = [await line.announce(document_number=f"C01X{n:05d}", phone=f"0151 123456{n:02d}") for n in range(17)]
    await line.both()
    states = [(await line.fresh(row)).state for row in rows]
    assert states.count("reserved") == 16
    assert states.count("refused") == 1


async def test_what_cannot_be_is_a_conflict(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.both()
    with pytest.raises(ConflictError):
        await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="new_code")


async def test_another_tenants_deposit_does_not_exist(line: Wire, tenant: TenantContext, other: TenantContext) -> None:
    row = await line.announce()
    with pytest.raises(NotFoundError):
        await service.request(line.deployment, other, actor="a", deposit_id=row.id, kind="open_for_load")
    assert await service.find_by_document(line.deployment, other, "C01X00T47") == []
    assert [found.id for found in await service.find_by_document(line.deployment, tenant, "C01X00T47")] == [row.id]


async def test_commands_are_forgotten_when_they_are_done(line: Wire, tenant: TenantContext) -> None:
    await line.announce()
    await line.both()
    assert await intake.commands_for(line.deployment, tenant, "box-1", after=1) == []
    async with line.deployment.database.tenant(tenant) as tx:
        assert await store.commands_after(tx, "box-1", 0, limit=10) == []


async def test_config_tells_no_secret(line: Wire, tenant: TenantContext) -> None:
    published = await CatalogueReader(line.deployment.database).current(tenant)
    config = await configuration.config_for(line.deployment, tenant, "box-1", published)
    body = msgspec.json.encode(config)
    assert msgspec.json.decode(body, type=wire.BoxConfig).point_name == {"de": "Punkt", "en": "Point"}
    async with line.deployment.database.tenant(tenant) as tx:
        private, public = await line.deployment.keyring._notice_pair(tx)
    assert public.hex().encode() in body
    assert private.hex().encode() not in body


@pytest.mark.parametrize(
    "damage",
    [
        {"seq": 0},
        {"seq": 2**60},
        {"at": "2026-11-21T10:00:00"},
        {"event": "DROP TABLE"},
        {"deposit": "not-an-id"},
        {"data": {"x": "a\x00b"}},
        {"data": {"x": "y" * 300}},
        {"hash": "zz"},
        {"extra": 1} | {"state": "X"},
        {"at": "9999-12-31T23:59:59-14:00"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"event": "started\n"},
        {"deposit": "01980000-0000-7000-8000-000000000001\n"},
    ],
    ids=lambda damage: "-".join(damage),
)
def test_a_damaged_entry_is_refused_before_anything_is_written(damage: dict[str, object]) -> None:
    entry = {"seq": 1, "at": "2026-11-21T10:00:00Z", "event": "started", "hash": "0" * 64}
    msgspec.convert({"events": [{"entry": entry}]}, wire.Events)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"events": [{"entry": {**entry, **damage}}]}, wire.Events)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"events": [{"entry": entry, "sealed": "xyz"}]}, wire.Events)


async def test_a_disk_that_was_set_back_is_noticed_by_its_old_numbers(line: Wire, tenant: TenantContext) -> None:
    await line.announce()
    await line.both()
    sent = line.entries()
    await intake.ingest(line.deployment, tenant, "box-1", sent)
    changed = msgspec.structs.replace(sent[0].entry, event="started")
    forged = msgspec.structs.replace(changed, hash=model.entry_hash(changed))
    with pytest.raises(JournalForkError):
        await intake.ingest(line.deployment, tenant, "box-1", [SentEntry(entry=forged)])


async def test_clerks_do_not_wait_for_each_other_in_a_circle(line: Wire, tenant: TenantContext) -> None:
    rows = await asyncio.gather(
        *(line.announce(document_number=f"C01Y{n:05d}", phone=f"0151 123457{n:02d}") for n in range(12))
    )
    await line.both()

    async def ask(row: DepositRow) -> None:
        await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="cancel")

    await asyncio.gather(line.up(), *(ask(row) for row in rows))
    await line.both()
    states = [(await line.fresh(row)).state for row in rows]
    assert states == ["cancelled"] * 12


async def test_a_compartment_that_the_box_does_not_have_is_refused(line: Wire, tenant: TenantContext) -> None:
    for wrong in (0, 17, 10**25):
        with pytest.raises(InvalidInputError):
            await service.return_to_service(line.deployment, tenant, actor="a", box_id="box-1", compartment=wrong)


# --- what a box may tell ------------------------------------------------------------------------------------------


class Forger:
    """A box whose computer is somebody else's: its chain is right, what it tells is not."""

    def __init__(self, line: Wire, box_id: str = "box-1") -> None:
        self.line, self.box_id = line, box_id

    async def tell(self, event: str, *, sealed: str = "", **fields: object) -> wire.Acknowledged:
        async with self.line.deployment.database.tenant(self.line.ctx) as tx:
            row = await store.find_box(tx, self.box_id)
        assert row is not None
        at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
        entry = Entry(seq=row.acknowledged + 1, at=at, event=event, previous=row.head, **fields)  # type: ignore[arg-type]
        entry = msgspec.structs.replace(entry, hash=model.entry_hash(entry))
        sent = [SentEntry(entry=entry, sealed=sealed)]
        return await intake.ingest(self.line.deployment, self.line.ctx, self.box_id, sent)


async def test_a_box_tells_only_of_its_own_deposits(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.loaded(row)
    async with line.deployment.database.tenant(tenant) as tx:
        await store.ensure_box(tx, store.BoxRow(id="box-2", point="p", head=model.GENESIS))
    forger = Forger(line, "box-2")
    for event, state in (("recall", "recalling"), ("note", ""), ("command_declined", "")):
        with pytest.raises(ImpossibleEntryError):
            await forger.tell(event, deposit=str(row.id), state=state)
    found = await line.fresh(row)
    assert (found.state, found.alert) == (State.STORED, "")
    async with line.deployment.database.tenant(tenant) as tx:
        assert await service.personal_of(line.deployment, tx, found)


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ("closed_empty", "done"),
        ("recall", "returned"),
        ("recall", "zzz"),
        ("zzz", "recalling"),
        ("reserve", "reserved"),
    ],
)
async def test_a_move_that_cannot_be_is_not_mirrored(line: Wire, tenant: TenantContext, event: str, state: str) -> None:
    row = await line.announce()
    await line.loaded(row)
    with pytest.raises(ImpossibleEntryError):
        await Forger(line).tell(event, deposit=str(row.id), state=state)
    assert (await line.fresh(row)).state == State.STORED


async def test_what_stands_before_an_entry_that_cannot_be_is_kept(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    await line.both()
    forger = Forger(line)
    end = (await forger.tell("started")).seq
    async with line.deployment.database.tenant(tenant) as tx:
        box = await store.find_box(tx, "box-1")
    assert box is not None
    entries, previous = [], box.head
    for event, fields in (("started", {}), ("redeem", {"deposit": str(row.id), "state": "releasing"})):
        at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
        seq = end + 1 + len(entries)
        entry = Entry(seq=seq, at=at, event=event, previous=previous, **fields)  # type: ignore[arg-type]
        entry = msgspec.structs.replace(entry, hash=model.entry_hash(entry))
        entries.append(SentEntry(entry=entry))
        previous = entry.hash
    with pytest.raises(ImpossibleEntryError):
        await intake.ingest(line.deployment, tenant, "box-1", entries)
    async with line.deployment.database.tenant(tenant) as tx:
        box = await store.find_box(tx, "box-1")
        actions = [entry.action async for entry in audit_store.entries(tx, subject="box:box-1")]
    assert box is not None
    assert (box.acknowledged, box.disputed) == (end + 1, end + 2)
    assert actions.count("box.impossible_entry") == 1
    assert (await forger.tell("started")).seq == end + 2
    async with line.deployment.database.tenant(tenant) as tx:
        healed = await store.find_box(tx, "box-1")
    assert healed is not None
    assert healed.disputed == 0


@pytest.mark.parametrize(
    "data",
    [
        {"version": "abc"},
        {"version": 2**53},
        {"attempt": "abc"},
        {"attempt": 2**40},
        {"attempt": -(2**62)},
        {"reason": 1},
    ],
    ids=str,
)
async def test_facts_of_the_wrong_type_are_refused(line: Wire, tenant: TenantContext, data: dict[str, object]) -> None:
    row = await line.announce()
    await line.loaded(row)
    with pytest.raises(InvalidInputError, match="data"):
        await Forger(line).tell("code_wrong", deposit=str(row.id), state="stored", data=data)


async def test_a_sealed_code_comes_only_with_a_code(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    await Forger(line).tell("recall", deposit=str(row.id), state="recalling", sealed="00" * 60)
    await line.deliver(row)
    assert len(channel.messages) == 1


async def test_a_code_that_cannot_be_opened_is_told_to_box_and_clerk(
    line: Wire, channel: RecordingChannel, tenant: TenantContext
) -> None:
    row = await line.announce()
    await line.loaded(row)
    await Forger(line).tell("new_code", deposit=str(row.id), state="stored", data={"version": 2}, sealed="00" * 60)
    await line.deliver(row)
    assert channel.messages == []
    commands = await intake.commands_for(line.deployment, tenant, "box-1", after=0)
    assert commands[-1].kind == "notice_failed"


async def test_the_same_document_announced_by_several_at_once_is_announced_once(
    line: Wire, tenant: TenantContext
) -> None:
    async def once(number: int) -> DepositRow | InvalidInputError:
        try:
            return await line.announce(phone=f"0151 123456{number:02d}")
        except InvalidInputError as refused:
            return refused

    results = await asyncio.gather(*map(once, range(6)))
    assert sum(isinstance(result, DepositRow) for result in results) == 1


async def test_a_box_that_is_not_believed_gives_its_documents_back_to_staff(line: Wire, tenant: TenantContext) -> None:
    row = await line.announce()
    compartment = await line.loaded(row)
    line.bench.controller.distrust()
    await service.request(line.deployment, tenant, actor="a", deposit_id=row.id, kind="recall")
    await line.down()
    assert line.bench.doors.pulses[compartment] == 2
    other = await line.announce(document_number="C01X00T99")
    await line.down()
    await line.up()
    await service.request(line.deployment, tenant, actor="a", deposit_id=other.id, kind="open_for_load")
    await line.down()
    assert sum(line.bench.doors.pulses.values()) == 2, "nothing new is laid in"


@pytest.mark.parametrize("left_out", ["documents", "boxes"])
async def test_what_is_not_handed_out_yet_stays_in_the_tenant_file(
    line: Wire, tenant: TenantContext, left_out: str
) -> None:
    row = await line.announce()
    settings = msgspec.structs.replace(tenant.section("dokbox", DokboxSettings), **{left_out: ()})
    less = msgspec.structs.replace(tenant, settings={**tenant.settings, "dokbox": settings})
    async with line.deployment.database.tenant(less) as tx:
        with pytest.raises(SettingsError, match=r"passport|box-1"):
            await configuration.SyncBoxes().applied(tx)
    await service.request(line.deployment, line.ctx, actor="test", deposit_id=row.id, kind="cancel")
    await line.both()
    async with line.deployment.database.tenant(less) as tx:
        await configuration.SyncBoxes().applied(tx)


def test_what_a_person_typed_is_printed_nowhere() -> None:
    told = "+4915112345678"
    shown = [
        Screen(number=told),
        NumberForm(number=told),
        CodeForm(code="123456"),
        ProofForm(step="birth_date", value="12.08.1964"),
        DepositForm(phone=told, birth_date="12.08.1964"),
        CallerForm(phone=told, birth_date="12.08.1964"),
        wire.Peppers(locator_key="ab" * 32, peppers={"1": "cd" * 32}),
    ]
    text = repr(shown)
    assert [part for part in (told, "123456", "1964", "abab", "cdcd") if part in text] == []
