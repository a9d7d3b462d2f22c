"""What clerks and the clock do for a deposit that lies in a box, and what the citizen is told of it."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.errors import ConflictError, InvalidInputError
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.notices.model import DeliveryError
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import care, messages, service, store
from servicepunkt.dokbox.controller import orders
from servicepunkt.dokbox.errors import DokboxError, RefusedError, VisitOverError, kinds_of_refusals
from servicepunkt.dokbox.events import ItemChanged
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.service import Correction, SecondPersonError
from servicepunkt.dokbox.staff.words import ALERT_WORDS, REFUSAL_WORDS
from servicepunkt.dokbox.store import DepositRow

if TYPE_CHECKING:
    from conftest import Wire

CLERK, OTHER = "account:test", "account:other"
PHONE = "+4915112345678"


async def ready(line: Wire, **fields: Any) -> DepositRow:
    """A card in the box, of which the citizen was told."""
    row = await line.announce(kind="card", birth_date="12.08.1964", **fields)
    await line.both()
    await service.request(line.deployment, line.ctx, actor=OTHER, deposit_id=row.id, kind="open_for_load")
    await line.both()
    compartment = (await line.fresh(row)).compartment
    assert compartment is not None
    await line.bench.opened(compartment)
    await line.bench.close(compartment, item=True)
    await line.up()
    await line.deliver(row)
    await line.both()
    return await line.fresh(row)


async def locked(line: Wire, channel: RecordingChannel) -> DepositRow:
    row = await ready(line)
    code = line.code_in(channel)
    for _ in range(5):
        with pytest.raises(RefusedError):
            await line.bench.controller.present(PHONE, "000000" if code != "000000" else "111111")
    await line.up()
    return await line.fresh(row)


async def take_back(line: Wire, row: DepositRow) -> None:
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="recall")
    await line.down()
    assert row.compartment is not None
    await line.bench.opened(row.compartment)
    await line.bench.close(row.compartment, item=False)
    await line.up()


# --- announcing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("born", ["", "31.02.1990", "12.8", "1899-12-31", "01.01.2100", "yesterday"])
async def test_a_day_of_birth_that_cannot_be(line: Wire, born: str) -> None:
    with pytest.raises(InvalidInputError, match="date of birth"):
        await line.announce(kind="card", birth_date=born)


@pytest.mark.parametrize(
    "email",
    [
        *("", "erika", "@example.org", "a b@example.org", "erika@example", "x" * 300 + "@e.org", "erika@example.o"),
        *("erika,max@example.org", "e<max@example.org", "erika:max@example.org", '"e@example.org', "e.@example.org"),
        *("max@web..de", "max@-web.de", "erika@1.2.3.4", "erika@" + ".".join(["b" * 60] * 5) + ".org"),
    ],
)
async def test_an_address_that_cannot_be(line: Wire, email: str) -> None:
    with pytest.raises(InvalidInputError, match="e-mail"):
        await line.announce(kind="letter", email=email, phone="")


async def test_four_eyes(line: Wire) -> None:
    row = await line.announce(kind="card", birth_date="12.08.1964")
    await line.both()
    with pytest.raises(SecondPersonError):
        await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="open_for_load")


async def test_a_low_compartment(line: Wire) -> None:
    row = await line.announce(low=True)
    await line.both()
    assert (await line.fresh(row)).compartment == 8


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch) -> RecordingChannel:
    made = RecordingChannel("smtp")
    made.kind = "email"
    monkeypatch.setattr("servicepunkt.core.notices.service.builtin_channels", lambda _: (made,))
    return made


async def test_code_and_pick_up_number_by_mail_with_a_picture_for_the_scanner(
    line: Wire, mail: RecordingChannel
) -> None:
    row = await line.announce(kind="letter", email="erika@example.org", phone="")
    await line.loaded(row)
    await line.deliver(row)
    [message] = mail.messages
    number, _, code = message.qr.partition(".")
    assert message.recipient == "erika@example.org"
    assert number in message.text
    assert code in message.text
    assert len(code) == 7
    assert (await line.bench.controller.present(number, code)).deposit == str(row.id)


async def test_a_fresh_code_is_of_use_for_minutes_and_until_the_next_one(
    line: Wire, mail: RecordingChannel, clock: FixedClock
) -> None:
    row = await line.announce(kind="letter", email="erika@example.org", phone="")
    await line.loaded(row)
    await line.deliver(row)
    await line.both()
    number, _, code = mail.messages[0].qr.partition(".")
    visit = await line.bench.controller.present(number, code)
    made = []
    for _ in range(2):
        await line.bench.controller.send_fresh(visit.token)
        await line.up()
        async with line.deployment.database.tenant(line.ctx) as tx:
            made.append((await notice_store.of_case(tx, row.id))[-1])
        line.bench.clock.forward(minutes=2)
        clock.forward(minutes=2)
    async with line.deployment.database.tenant(line.ctx) as tx:
        told, first, last = await notice_store.of_case(tx, row.id)
    assert [first.id, last.id] == [notice.id for notice in made]
    assert (first.state, first.reference) == ("permanent-failure", "superseded")
    assert told.state == "sent"
    assert [notice.until for notice in made] == [notice.created_at + timedelta(minutes=10) for notice in made]
    clock.forward(minutes=8)
    await line.deliver(row)
    assert len(mail.messages) == 1, "ten minutes are over"


# --- time -----------------------------------------------------------------------------------------------------------


async def test_the_last_day_is_one_on_which_the_point_is_open(
    line: Wire,
    channel: RecordingChannel,
    clock: FixedClock,
) -> None:
    row = await line.announce()
    while (clock.now().weekday() + 14) % 7 != 6:  # the hold period would end on a Sunday
        clock.forward(days=1)
    line.bench.clock.instant = clock.now()
    await line.loaded(row)
    await line.deliver(row)
    await line.both()
    found = await line.fresh(row)
    assert found.until is not None
    assert (found.until - clock.now().date()).days == 15
    assert f"{found.until:%d.%m.}" in channel.messages[-1].text
    ends = line.bench.controller.ledger.box.deposits[str(row.id)].expires_at()
    assert ends is not None
    assert ends.astimezone(line.ctx.zone_info).date() > found.until, "the box keeps what the citizen was told"


async def test_who_does_not_come_is_reminded_once_a_time_and_by_day(
    line: Wire,
    channel: RecordingChannel,
    clock: FixedClock,
) -> None:
    row = await ready(line)
    sent, code = len(channel.messages), line.code_in(channel)

    async def remind() -> int:
        await messages.remind.function(line.deployment, line.ctx)
        await line.deliver(row)
        return len(channel.messages) - sent

    assert await remind() == 0
    clock.forward(days=3, hours=1)
    assert clock.now().astimezone(line.ctx.zone_info).hour >= 19
    assert await remind() == 0, "nobody is reminded at night"
    clock.forward(hours=14)
    assert await remind() == 1
    assert await remind() == 1
    assert "code" in channel.messages[-1].text.lower()
    assert code not in channel.messages[-1].text
    clock.forward(days=9)
    assert await remind() == 2
    clock.forward(days=5)
    assert await remind() == 2


async def test_keeping_longer(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    assert row.until is not None
    await care.extend(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id)
    await line.both()
    later = await line.fresh(row)
    assert later.until is not None
    assert 7 <= (later.until - row.until).days <= 8
    usual = await line.announce(document_number="C01X00T48")
    with pytest.raises(ConflictError):
        await care.extend(line.deployment, line.ctx, actor=CLERK, deposit_id=usual.id)


async def test_a_reminder_that_could_not_be_sent_by_day_waits_for_the_next_one(
    line: Wire, channel: RecordingChannel, clock: FixedClock
) -> None:
    row = await ready(line)
    sent = len(channel.messages)
    clock.forward(days=3, hours=15)
    assert clock.now().astimezone(line.ctx.zone_info).hour == 10
    channel.failure = DeliveryError("down", permanent=False)
    await messages.remind.function(line.deployment, line.ctx)
    with pytest.raises(DeliveryError):
        await line.deliver(row)
    channel.failure = None
    clock.forward(hours=9)
    await line.deliver(row)
    assert len(channel.messages) == sent, "nobody is reminded at night"
    clock.forward(hours=15)
    await messages.remind.function(line.deployment, line.ctx)
    await line.deliver(row)
    assert len(channel.messages) == sent + 1
    await messages.remind.function(line.deployment, line.ctx)
    await line.deliver(row)
    assert len(channel.messages) == sent + 1


async def test_overdue(line: Wire, channel: RecordingChannel, clock: FixedClock) -> None:
    row = await ready(line)
    assert row.until is not None
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert await store.overdue(tx, row.until) == []
        clock.forward(days=20)
        assert [found.id for found in await store.overdue(tx, clock.now().date())] == [row.id]


async def test_who_was_told_is_told_where_it_lies_now_and_then_forgotten(
    line: Wire,
    channel: RecordingChannel,
) -> None:
    row = await ready(line)
    await take_back(line, row)
    found = await line.fresh(row)
    assert found.state == State.RETURNED
    assert found.personal is None
    await line.deliver(row)
    assert channel.messages[-1].recipient == PHONE
    assert "Rathaus, Zimmer 1" in channel.messages[-1].text
    async with line.deployment.database.tenant(line.ctx) as tx:
        last = (await notice_store.of_case(tx, row.id))[-1]
        with pytest.raises(UnreadableError):
            await line.deployment.keyring.unseal(tx, row.id, last.recipient, field=f"notice:{last.id}")


async def test_that_it_is_gone_can_be_said_after_its_last_day(
    line: Wire, channel: RecordingChannel, clock: FixedClock
) -> None:
    row = await ready(line)
    clock.forward(days=20)
    line.bench.clock.forward(days=20)
    line.bench.controller.tick()
    await line.up()
    await take_back(line, await line.fresh(row))
    await line.deliver(row)
    assert "Rathaus, Zimmer 1" in channel.messages[-1].text
    assert channel.messages[-1].until is None


async def test_who_was_never_told_is_not_told_that_it_is_gone(
    line: Wire,
    channel: RecordingChannel,
) -> None:
    row = await line.announce()
    compartment = await line.loaded(row)
    await take_back(line, await line.fresh(row))
    await line.deliver(row)
    assert channel.messages == []
    assert compartment


# --- people ---------------------------------------------------------------------------------------------------------


async def test_the_wrong_number_is_corrected_and_the_old_code_dies(
    line: Wire,
    channel: RecordingChannel,
) -> None:
    row = await ready(line)
    old = line.code_in(channel)
    correction = Correction(phone="0151 87654321", birth_date="12.08.1964")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=correction)
    await line.both()
    await line.deliver(row)
    await line.both()
    new = line.code_in(channel)
    assert channel.messages[-1].recipient == "+4915187654321"
    assert new != old
    for number, code in ((PHONE, old), (PHONE, new), ("+4915187654321", old)):
        with pytest.raises(RefusedError):
            await line.bench.controller.present(number, code)
    assert (await line.bench.controller.present("+4915187654321", new)).deposit == str(row.id)


async def test_a_wrong_correction_changes_nothing(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    with pytest.raises(InvalidInputError) as refused:
        await care.correct(
            line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=Correction(phone="110")
        )
    assert {place for place, _ in refused.value.mistakes} == {"phone", "birth_date"}
    await line.both()
    assert (await line.bench.controller.present(PHONE, line.code_in(channel))).deposit == str(row.id)


async def test_a_lock_is_lifted_for_the_right_caller(line: Wire, channel: RecordingChannel) -> None:
    row = await locked(line, channel)
    assert row.state == State.LOCKED_OUT
    said = {"phone": "0151 12345678", "birth_date": "1964-08-12"}
    await care.lift(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, **said)
    await line.both()
    await line.deliver(row)
    await line.bench.controller.present(PHONE, line.code_in(channel))
    assert (await line.fresh(row)).state == State.STORED


@pytest.mark.parametrize(
    "said",
    [
        {"phone": "0151 12345678", "birth_date": "13.08.1964"},
        {"phone": "0151 12345679", "birth_date": "12.08.1964"},
        {"phone": "hello", "birth_date": "12.08.1964"},
        {"phone": "0151 12345678", "birth_date": ""},
    ],
)
async def test_a_wrong_caller_learns_nothing_and_three_are_enough(
    line: Wire,
    channel: RecordingChannel,
    said: dict[str, str],
) -> None:
    row = await locked(line, channel)
    for _ in range(3):
        with pytest.raises(InvalidInputError, match="does not fit this deposit"):
            await care.lift(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, **said)
    with pytest.raises(InvalidInputError, match="at the counter"):
        await care.lift(
            line.deployment,
            line.ctx,
            actor=CLERK,
            deposit_id=row.id,
            phone="0151 12345678",
            birth_date="12.08.1964",
        )
    await line.both()
    assert (await line.fresh(row)).state == State.LOCKED_OUT


async def test_staff_of_the_point_speak_for_a_person(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    visit = await line.bench.controller.present(PHONE, line.code_in(channel))
    await line.bench.controller.prove(visit.token, "birth_date", "1964-08-12")
    await line.bench.controller.call_staff(visit.token)
    await line.up()
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert [found.id for found in await store.waiting_for_staff(tx)] == [row.id]
    call, point = visit.called, "account:point"
    await care.attest(line.deployment, line.ctx, actor=point, deposit_id=row.id, call=call, answer=True)
    await line.both()
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert await store.waiting_for_staff(tx) == []
    assert visit.next_question is None
    await line.bench.controller.leave(visit.token)
    await line.up()
    with pytest.raises(ConflictError):
        await care.attest(line.deployment, line.ctx, actor=point, deposit_id=row.id, call=call, answer=True)


async def test_a_box_that_is_emptied_takes_nothing_in(line: Wire) -> None:
    await care.set_closing(line.deployment, line.ctx, actor=CLERK, box_id="box-1", closing=True)
    with pytest.raises(service.BoxClosingError):
        await line.announce()
    await care.set_closing(line.deployment, line.ctx, actor=CLERK, box_id="box-1", closing=False)
    await line.announce()


async def test_an_inventory_blocks_what_lies_in_the_box(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    await care.begin_inventory(line.deployment, line.ctx, actor=CLERK, box_id="box-1")
    await line.both()
    assert (await line.fresh(row)).state == State.BLOCKED


# --- what must not get lost on the way ----------------------------------------------------------------------------


async def test_a_correction_that_the_box_declines_changes_nobody(line: Wire, channel: RecordingChannel) -> None:
    right = "0151 87654321"
    for n in range(3):
        await line.loaded(await line.announce(document_number=f"C01X00T5{n}", phone=right))
    row = await line.told()
    code = line.code_in(channel)
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=Correction(phone=right))
    with pytest.raises(ConflictError):
        await care.correct(
            line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=Correction(phone=right)
        )
    await line.both()
    after = await line.fresh(row)
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert (await service.personal_of(line.deployment, tx, after)).phone == PHONE
    assert (after.state, after.alert, after.correcting) == (State.LOCKED_OUT, "too_many_for_this_number", 0)
    with pytest.raises(RefusedError):
        await line.bench.controller.present(PHONE, code)


async def test_a_new_code_goes_to_the_corrected_number_and_opens_with_it(line: Wire, channel: RecordingChannel) -> None:
    row = await line.told()
    code = line.code_in(channel)
    visit = await line.bench.controller.present(PHONE, code)
    correction = Correction(phone="0151 87654321")
    await line.up()
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=correction)
    await line.both()
    await line.deliver(row)
    assert channel.messages[-1].recipient == "+4915187654321"
    with pytest.raises(VisitOverError):
        await line.bench.controller.release(visit.token)
    assert (await line.bench.controller.present("+4915187654321", line.code_in(channel))).deposit == str(row.id)


async def test_that_an_old_document_is_unclear_stays_until_somebody_has_looked(
    line: Wire, channel: RecordingChannel
) -> None:
    row = await line.told()
    code = line.code_in(channel)
    line.bench.controller.ledger.note("old_document_unclear", deposit_id=str(row.id))
    visit = await line.bench.controller.present(PHONE, code)
    await line.bench.controller.leave(visit.token)
    await line.up()
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="new_code")
    await line.both()
    after = await line.fresh(row)
    assert (after.unclear, "old_document_void" in care.allowed(line.ctx, after)) == (True, True)
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert await store.count_needing_staff(tx) == 1
    with pytest.raises(ConflictError):  # what the staff of the point may say is another thing
        await care.attest(line.deployment, line.ctx, actor=OTHER, deposit_id=row.id, call=1, answer=True)


async def test_who_waits_for_staff_is_not_forgotten_for_another_order(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    visit = await line.bench.controller.present(PHONE, line.code_in(channel))
    await line.bench.controller.prove(visit.token, "birth_date", "1964-08-12")
    await line.bench.controller.call_staff(visit.token)
    await line.up()
    async with line.deployment.database.tenant(line.ctx) as tx:
        await service.queue_command(tx, "box-1", "notice_accepted", at=tx.now(), deposit=row.id, version=0)
        await service.queue_command(tx, "box-1", "attest", at=tx.now(), deposit=row.id, call=1, valid_until=tx.now())
    await line.both()
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert [found.id for found in await store.waiting_for_staff(tx)] == [row.id]
    await care.attest(line.deployment, line.ctx, actor=OTHER, deposit_id=row.id, call=visit.called, answer=True)
    await line.both()
    assert visit.next_question is None


async def test_prolonged_while_the_message_is_under_way(line: Wire, channel: RecordingChannel) -> None:
    row = await line.announce(kind="card", birth_date="12.08.1964")
    await line.loaded(row, actor=OTHER)
    first = (await line.fresh(row)).until
    for _ in range(2):  # somebody presses twice
        await care.extend(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id)
    await line.deliver(row)
    await line.both()
    after = await line.fresh(row)
    assert first is not None
    assert after.until is not None
    assert ((after.until - first).days >= 7, after.alert) == (True, "")


async def test_a_deposit_that_the_box_never_heard_of_can_be_undone(line: Wire) -> None:
    row = await line.announce()
    async with line.deployment.database.tenant(line.ctx) as tx:
        await store.delete_commands(tx, "box-1", 10)
    assert service.allowed_requests(row) == ["cancel"]
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="cancel")
    await line.both()
    assert (await line.fresh(row)).state == State.CANCELLED
    await line.announce()


async def test_an_older_message_makes_no_alarm(line: Wire, channel: RecordingChannel) -> None:
    row = await line.announce()
    await line.loaded(row)
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="new_code")
    await line.deliver(row)
    for _ in range(2):
        await line.both()
        await line.deliver(row)
    await line.both()
    assert ((await line.fresh(row)).state, (await line.fresh(row)).alert) == (State.NOTIFIED, "")


async def test_four_eyes_are_asked_for_when_the_document_is_confirmed(line: Wire, channel: RecordingChannel) -> None:
    row = await line.announce(kind="card", birth_date="12.08.1964")
    await line.both()
    with pytest.raises(SecondPersonError):
        await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="confirm_loaded")


async def test_where_no_sensor_tells_staff_are_asked_what_they_found(line: Wire, channel: RecordingChannel) -> None:
    row = await line.told()
    await line.bench.see(ItemChanged((await line.fresh(row)).compartment or 0, None, line.bench.clock.now()))
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="recall")
    await line.both()
    compartment = (await line.fresh(row)).compartment or 0
    await line.bench.opened(compartment)
    await line.bench.close(compartment, item=None)
    await line.up()
    after = await line.fresh(row)
    assert (after.state, after.alert) == (State.BLOCKED, "closed_unproven")
    assert {"taken_back", "not_there", "confirm_loaded"} <= set(service.allowed_requests(after))
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="taken_back")
    await line.both()
    await line.deliver(row)
    assert (await line.fresh(row)).state == State.RETURNED
    assert "Rathaus" in channel.messages[-1].text


@pytest.mark.parametrize("kind", kinds_of_refusals(), ids=lambda kind: kind.code)
def test_whatever_the_box_refuses_has_words(kind: type[DokboxError]) -> None:
    assert REFUSAL_WORDS[kind.code]


def test_whatever_the_box_declines_has_words() -> None:
    source = inspect.getsource(orders)
    said = set(re.findall(r'self\.decline\(command, "(\w+)"\)', source))
    assert len(said) > 8
    silent = {"of_an_older_code", "too_late"}
    assert said - silent <= ALERT_WORDS.keys()


async def test_an_answer_for_who_has_left_is_none_for_who_came_after(line: Wire, channel: RecordingChannel) -> None:
    """Staff looked at one person; meanwhile another one typed the same code and called."""
    row = await ready(line)
    code = line.code_in(channel)
    calls = []
    for _ in range(2):
        visit = await line.bench.controller.present(PHONE, code)
        await line.bench.controller.prove(visit.token, "birth_date", "1964-08-12")
        await line.bench.controller.call_staff(visit.token)
        await line.up()
        calls.append(visit.called)
        if len(calls) == 1:
            await line.bench.controller.leave(visit.token)
    with pytest.raises(ConflictError):
        await care.attest(line.deployment, line.ctx, actor=OTHER, deposit_id=row.id, call=calls[0], answer=True)
    await line.both()
    assert visit.next_question == "staff_check"


async def test_nothing_goes_to_a_number_that_staff_have_called_wrong(line: Wire, channel: RecordingChannel) -> None:
    """The door closes before the box has heard of the correction."""
    row = await line.announce()
    await line.both()
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="open_for_load")
    await line.both()
    await line.bench.opened(7)
    right = Correction(phone="0151 87654321")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=right)
    await line.bench.close(7, item=True)
    await line.up()
    await line.deliver(row)
    assert channel.messages == []
    await line.both()
    await line.deliver(row)
    assert [message.recipient for message in channel.messages] == ["+4915187654321"]
    assert not (await line.fresh(row)).disowned


async def test_a_number_stays_wrong_until_a_right_one_is_known(line: Wire, channel: RecordingChannel) -> None:
    right = "0151 87654321"
    for n in range(3):
        await line.loaded(await line.announce(document_number=f"C01X00T5{n}", phone=right))
    row = await line.announce()
    await line.both()
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=Correction(phone=right))
    await line.both()
    after = await line.fresh(row)
    assert (after.disowned, after.correcting) == (True, 0)
    assert "open_for_load" not in service.allowed_requests(after)
    assert "correct" in care.allowed(line.ctx, after)
    sent = len(channel.messages)
    other = Correction(phone="0151 11111111")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=other)
    await line.both()
    await line.loaded(row)
    await line.deliver(row)
    assert [message.recipient for message in channel.messages[sent:]] == ["+4915111111111"]


async def test_who_was_called_wrong_hears_nothing_of_the_end(line: Wire, channel: RecordingChannel) -> None:
    row = await line.told()
    sent = len(channel.messages)
    await line.bench.command("inventory")
    right = Correction(phone="0151 87654321")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=right)
    async with line.deployment.database.tenant(line.ctx) as tx:
        found = await line.fresh(row)
        await messages.farewell(line.deployment, tx, found, after=State.RETURNED, at=tx.now())
    await line.deliver(row)
    assert len(channel.messages) == sent


async def test_after_an_inventory_a_new_code_goes_to_the_right_number(line: Wire, channel: RecordingChannel) -> None:
    row = await line.told()
    await care.begin_inventory(line.deployment, line.ctx, actor=CLERK, box_id="box-1")
    right = Correction(phone="0151 87654321")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=right)
    await line.both()
    assert ((await line.fresh(row)).state, (await line.fresh(row)).disowned) == (State.BLOCKED, False)
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="recall")
    await line.both()
    compartment = (await line.fresh(row)).compartment or 0
    await line.bench.opened(compartment)
    await line.bench.close(compartment, item=True)
    await line.up()
    await service.request(line.deployment, line.ctx, actor=OTHER, deposit_id=row.id, kind="confirm_loaded")
    await line.both()
    await line.deliver(row)
    assert channel.messages[-1].recipient == "+4915187654321"
    assert (await line.bench.controller.present("+4915187654321", line.code_in(channel))).deposit == str(row.id)


async def test_a_new_code_takes_no_promised_day_back(line: Wire, channel: RecordingChannel) -> None:
    row = await ready(line)
    await care.extend(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id)
    await line.both()
    promised = (await line.fresh(row)).until
    await service.request(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, kind="new_code")
    await line.both()
    await line.deliver(row)
    await line.both()
    assert promised is not None
    assert (await line.fresh(row)).until == promised
    expires = line.bench.controller.ledger.box.deposits[str(row.id)].expires_at()
    assert expires is not None
    assert expires.date() >= promised
