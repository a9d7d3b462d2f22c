"""What clerks and the clock do for a deposit that lies in a box, and what the citizen is told of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from servicepunkt.core.errors import ConflictError, InvalidInputError
from servicepunkt.core.keys.model import UnreadableError
from servicepunkt.core.notices import store as notice_store
from servicepunkt.core.testing import FixedClock, RecordingChannel
from servicepunkt.dokbox import care, messages, service, store
from servicepunkt.dokbox.errors import RefusedError
from servicepunkt.dokbox.model import State
from servicepunkt.dokbox.service import Correction, SecondPersonError
from servicepunkt.dokbox.store import DepositRow

if TYPE_CHECKING:
    from conftest import Wire

CLERK, OTHER = "account:test", "account:other"
PHONE = "+4915112345678"


def code_in(channel: RecordingChannel) -> str:
    """The code of the newest message that holds one."""
    found = [re.search(r"\b\d{6,9}\b", message.text) for message in channel.messages]
    return [match.group() for match in found if match][-1]


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
    code = code_in(channel)
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
    "email", ["", "erika", "@example.org", "a b@example.org", "erika@example", "x" * 300 + "@e.org"]
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


async def test_code_and_pick_up_number_by_mail_with_a_picture_for_the_scanner(
    line: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = RecordingChannel("smtp")
    mail.kind = "email"
    monkeypatch.setattr("servicepunkt.core.notices.service.builtin_channels", lambda _: (mail,))
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
    sent, code = len(channel.messages), code_in(channel)

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
    old = code_in(channel)
    correction = Correction(phone="0151 87654321", birth_date="12.08.1964")
    await care.correct(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, correction=correction)
    await line.both()
    await line.deliver(row)
    await line.both()
    new = code_in(channel)
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
    assert (await line.bench.controller.present(PHONE, code_in(channel))).deposit == str(row.id)


async def test_a_lock_is_lifted_for_the_right_caller(line: Wire, channel: RecordingChannel) -> None:
    row = await locked(line, channel)
    assert row.state == State.LOCKED_OUT
    said = {"phone": "0151 12345678", "birth_date": "1964-08-12"}
    await care.lift(line.deployment, line.ctx, actor=CLERK, deposit_id=row.id, **said)
    await line.both()
    await line.deliver(row)
    await line.bench.controller.present(PHONE, code_in(channel))
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
    visit = await line.bench.controller.present(PHONE, code_in(channel))
    await line.bench.controller.prove(visit.token, "birth_date", "1964-08-12")
    await line.bench.controller.call_staff(visit.token)
    await line.up()
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert [found.id for found in await store.waiting_for_staff(tx)] == [row.id]
    await care.attest(line.deployment, line.ctx, actor="account:point", deposit_id=row.id, answer=True)
    await line.both()
    async with line.deployment.database.tenant(line.ctx) as tx:
        assert await store.waiting_for_staff(tx) == []
    assert visit.next_question is None
    await line.bench.controller.leave(visit.token)
    await line.up()
    with pytest.raises(ConflictError):
        await care.attest(line.deployment, line.ctx, actor="account:point", deposit_id=row.id, answer=True)


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
