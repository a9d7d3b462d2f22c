"""Several providers for one kind: one text goes out by one of them, nobody is left without, nobody gets too many."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa

from servicepunkt.core.audit import store as audit_store
from servicepunkt.core.db.conninfo import conninfo
from servicepunkt.core.db.embedded import Urls
from servicepunkt.core.db.session import Transaction
from servicepunkt.core.deployment import Deployment
from servicepunkt.core.errors import MissingLibraryError
from servicepunkt.core.keys import model as keys
from servicepunkt.core.metrics import PROVIDER_WEIGHT, RECEIPTS
from servicepunkt.core.notices import provider_store, receipts, service, sight, store
from servicepunkt.core.notices.model import DeliveryError, Notice, NoticeTemplate, Receipt
from servicepunkt.core.notices.service import deliver, supersede
from servicepunkt.core.notices.settings import NoticeSettings
from servicepunkt.core.retention import erase_expired
from servicepunkt.core.tenancy.model import TenantContext
from servicepunkt.core.testing import FixedClock, make_tenant, open_deployment

if TYPE_CHECKING:
    from conftest import Gateway

PHONE = "+4915112345678"


class Listener:
    """Remembers what it was told: (notice, state, what was said)."""

    def __init__(self) -> None:
        self.told: list[tuple[UUID, str, str]] = []

    async def settled(self, tx: Transaction, notice: Notice, *, accepted: bool) -> None:
        self.told.append((notice.id, notice.state, "accepted" if accepted else "failed"))

    async def undelivered(self, tx: Transaction, notice: Notice) -> None:
        self.told.append((notice.id, notice.state, "undelivered"))


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def hooks(listener: Listener) -> dict[str, Any]:
    template = NoticeTemplate("pickup", {"de": "{box}: Code {code}"})
    return {"notice_templates": lambda ctx: (template,), "notice_listeners": lambda ctx: (listener,)}


@pytest.fixture
async def running(running: Deployment) -> Deployment:
    """Who is asked first is drawn in the same order in every run."""
    running.randomness = random.Random(1).randbytes
    return running


Tenant = Any


@pytest.fixture
def tenant_with(running: Deployment, urls: Urls, north: Gateway, south: Gateway) -> Tenant:
    """Makes the tenant alpha with both gateways; keywords go into the section [notices]."""
    folder = running.settings.home / "secrets" / "alpha"
    folder.mkdir(parents=True)
    (folder / "sms-key").write_text("geheim\n")

    async def make(**section: Any) -> TenantContext:
        providers = [
            {
                "name": gateway.name,
                "protocol": "rest",
                "sender": "STADT",
                "url": gateway.url,
                "key": "file:sms-key",
                "receipts": "file:sms-key",
                "weight": weight,
            }
            for gateway, weight in ((north, 51), (south, 49))
        ]
        return await make_tenant(
            running,
            urls.owner,
            "alpha",
            settings={"notices": {"sms": ["north", "south"], "provider": providers, **section}},
        )

    return make


async def create(running: Deployment, ctx: TenantContext, code: str = "482913", **values: Any) -> Notice:
    values = {"case": uuid4(), "recipient": PHONE, "source": "box-1", **values}
    async with running.database.tenant(ctx) as tx:
        public = await running.keyring.notice_public_key(tx)
        context = f"deposit:{values['case']}"
        return await service.create(
            tx,
            running.keyring,
            at=running.clock.now(),
            kind="sms",
            template="pickup",
            locale="de",
            params={"box": "DokBox 1"},
            sealed=keys.seal_to(public, b'{"code": "%s"}' % code.encode(), context=context),
            sealed_context=context,
            **values,
        )


async def send(running: Deployment, ctx: TenantContext, notice: Notice) -> None:
    await deliver.function(running, ctx, notice_id=str(notice.id))


async def read(running: Deployment, ctx: TenantContext, notice: Notice) -> Notice:
    async with running.database.tenant(ctx) as tx:
        found = await store.find(tx, notice.id)
    assert found is not None
    return found


async def weights(running: Deployment, ctx: TenantContext) -> dict[str, int]:
    async with running.database.tenant(ctx) as tx:
        return {weight.provider: weight.weight for weight in await provider_store.weights(tx)}


async def say(running: Deployment, ctx: TenantContext, notice: Notice, outcome: Any) -> None:
    found = await read(running, ctx, notice)
    await receipts.take(running, ctx, found.provider, Receipt(found.reference, outcome))


# --- a provider that fails ------------------------------------------------------------------------------------


async def test_a_provider_that_dies_in_the_middle_of_the_morning_leaves_nobody_without_a_code(
    running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway, clock: FixedClock, listener: Listener
) -> None:
    """A deposit a minute; from minute 30 to 60 north is dead, first silent, then with errors."""
    alpha = await tenant_with(limits={"number_day": 1000})
    by_minute: list[str] = []
    for minute in range(150):
        north.broken, north.status = 30 <= minute < 45, 503 if 45 <= minute < 60 else 200
        notice = await create(running, alpha, code=f"{minute:06d}")
        await send(running, alpha, notice)
        found = await read(running, alpha, notice)
        assert (found.state, found.attempts) == ("sent", 1), minute
        by_minute.append(found.provider)
        await say(running, alpha, notice, "delivered")
        clock.forward(minutes=1)
    texts = [*north.texts, *south.texts]
    assert sorted(texts) == [f"DokBox 1: Code {minute:06d}" for minute in range(150)], "each code once, by one of them"
    before, late = Counter(by_minute[:30]), Counter(by_minute[-20:])
    assert set(by_minute[30:60]) == {"south"}
    assert 10 <= before["north"] <= 20
    assert late["north"] >= 5, "it came back when it was well again"
    assert Counter(said for _, _, said in listener.told) == {"accepted": 150}
    async with running.database.tenant(alpha) as tx:
        entries = [entry async for entry in audit_store.entries(tx, subject="provider:north")]
        others = [entry async for entry in audit_store.entries(tx, subject="provider:south")]
    lowered = [entry.details["weight"] for entry in entries if entry.details["reason"] == "failing"]
    assert min(lowered) == 5
    assert entries[-1].details == {"weight": 51, "reason": "recovered"}
    assert others == []
    assert PROVIDER_WEIGHT.labels(tenant="alpha", provider="north")._value.get() == 51


async def test_without_a_second_provider_the_queue_tries_again(
    running: Deployment, tenant_with: Tenant, north: Gateway
) -> None:
    alpha = await tenant_with(sms="north")
    notice = await create(running, alpha)
    north.status = 503
    with pytest.raises(DeliveryError):
        await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).state == "temporary-failure"
    north.status = 200
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    assert (found.state, found.sent_at) == ("sent", running.clock.now())
    assert north.texts == ["DokBox 1: Code 482913"]


async def test_a_provider_whose_secret_is_missing_is_passed_over(
    running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway
) -> None:
    alpha = await tenant_with()
    (running.settings.home / "secrets" / "alpha" / "sms-key").unlink()
    notice = await create(running, alpha)
    with pytest.raises(DeliveryError):
        await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).state == "temporary-failure"
    assert north.kept == south.kept == []


async def test_a_provider_whose_library_is_missing_is_passed_over(
    running: Deployment, tenant_with: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = await tenant_with()
    made = running.providers.channel

    def without_north(deployment: Any, ctx: Any, provider: Any) -> Any:
        if provider.name == "north":
            raise MissingLibraryError
        return made(deployment, ctx, provider)

    monkeypatch.setattr(running.providers, "channel", without_north)
    for _ in range(4):
        notice = await create(running, alpha)
        await send(running, alpha, notice)
        assert (await read(running, alpha, notice)).provider == "south"


async def test_what_one_refuses_for_good_another_may_take(
    running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway
) -> None:
    alpha = await tenant_with()
    north.status = 422
    for _ in range(6):
        await send(running, alpha, await create(running, alpha))
    assert (len(north.kept), len(south.kept)) == (0, 6)
    async with running.database.tenant(alpha) as tx:
        found = await provider_store.standings(tx, {"north": 51}, now=running.clock.now())
    assert found[0].failed == found[0].tried > 0
    south.status = 422
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    assert (await read(running, alpha, notice)).state == "permanent-failure"


async def test_a_code_that_was_replaced_while_one_was_asked_in_vain_goes_out_by_nobody(
    running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha = await tenant_with()
    north.status = south.status = 503
    case = uuid4()
    old = await create(running, alpha, code="111111", case=case)
    asked = service._trial

    def in_between(*values: Any) -> Any:
        north.status = south.status = 200
        return asked(*values)

    monkeypatch.setattr(service, "_trial", in_between)
    turn_to = service._turn_to

    async def replaced(*values: Any) -> bool:
        async with running.database.tenant(alpha) as tx:
            await supersede(tx, case, at=running.clock.now())
        return await turn_to(*values)

    monkeypatch.setattr(service, "_turn_to", replaced)
    await send(running, alpha, old)
    assert north.kept == south.kept == []
    new = await create(running, alpha, code="222222", case=case)
    await send(running, alpha, new)
    await send(running, alpha, old)
    assert [*north.texts, *south.texts] == ["DokBox 1: Code 222222"]


async def test_a_slow_provider_loses_its_share(
    running: Deployment, tenant_with: Tenant, north: Gateway, clock: FixedClock
) -> None:
    """It takes everything at once, and delivers after six minutes."""
    alpha = await tenant_with(limits={"number_day": 1000})
    late: list[Notice] = []
    for _ in range(14):
        notice = await create(running, alpha)
        await send(running, alpha, notice)
        if (await read(running, alpha, notice)).provider == "north":
            late.append(notice)
        else:
            await say(running, alpha, notice, "delivered")
        clock.forward(seconds=20)
    assert len(late) >= 5
    clock.forward(minutes=5)
    for notice in late:
        await say(running, alpha, notice, "delivered")
    await send(running, alpha, await create(running, alpha))
    assert await weights(running, alpha) == {"north": 41}
    async with running.database.tenant(alpha) as tx:
        assert await sight.ProviderWell("north").check(tx) == (
            False,
            "This provider delivered late; others carry most of them.",
        )
        assert (await sight.ProviderWell("south").check(tx))[0]


async def test_the_weights_of_one_tenant_are_not_those_of_another(
    running: Deployment, tenant_with: Tenant, urls: Urls, north: Gateway
) -> None:
    alpha = await tenant_with()
    north.status = 503
    for _ in range(5):
        await send(running, alpha, await create(running, alpha))
    beta = await make_tenant(running, urls.owner, "beta")
    assert await weights(running, alpha) == {"north": 41}
    assert await weights(running, beta) == {}


# --- limits ---------------------------------------------------------------------------------------------------


async def sent_of(running: Deployment, ctx: TenantContext, count: int, **values: Any) -> list[str]:
    """The ends of `count` notices, one after the other: sent, or why not."""
    found = []
    for number in range(count):
        own = {key: value(number) if callable(value) else value for key, value in values.items()}
        notice = await create(running, ctx, **own)
        await send(running, ctx, notice)
        ended = await read(running, ctx, notice)
        found.append(ended.state if ended.state == "sent" else ended.reference)
    return found


def number(last: int) -> str:
    return f"+4915112345{last:03d}"


async def test_one_number_gets_so_many_a_day(
    running: Deployment, tenant_with: Tenant, clock: FixedClock, listener: Listener, urls: Urls
) -> None:
    alpha = await tenant_with(limits={"number_day": 3})
    assert await sent_of(running, alpha, 5) == ["sent"] * 3 + ["limit"] * 2
    assert await sent_of(running, alpha, 1, recipient=number(1)) == ["sent"]
    assert [said for _, state, said in listener.told if state == "permanent-failure"] == ["failed", "failed"]
    clock.forward(hours=23)
    assert await sent_of(running, alpha, 1) == ["limit"]
    clock.forward(hours=1, minutes=1)
    assert await sent_of(running, alpha, 1) == ["sent"]
    with psycopg.connect(conninfo(urls.owner)) as connection:
        connection.execute("SET app.tenant = 1")
        written = repr(connection.execute("SELECT * FROM notice").fetchall())
    assert PHONE[3:] not in written


async def test_one_box_and_one_tenant_send_so_many_an_hour(
    running: Deployment, tenant_with: Tenant, clock: FixedClock
) -> None:
    alpha = await tenant_with(limits={"source_hour": 2, "tenant_hour": 5})
    assert await sent_of(running, alpha, 3, recipient=number) == ["sent", "sent", "limit"]
    assert await sent_of(running, alpha, 2, recipient=number, source="box-2") == ["sent", "sent"]
    assert await sent_of(running, alpha, 2, recipient=number, source=lambda n: f"box-{n + 3}") == ["sent", "limit"]
    clock.forward(hours=1)
    assert await sent_of(running, alpha, 1, recipient=number) == ["sent"]


async def test_what_was_due_during_an_outage_goes_out_at_once(
    running: Deployment, tenant_with: Tenant, clock: FixedClock, north: Gateway, south: Gateway
) -> None:
    alpha = await tenant_with(limits={"source_hour": 2})
    waiting = []
    for hour in range(4):
        waiting += [await create(running, alpha, recipient=number(2 * hour + each)) for each in range(2)]
        clock.forward(hours=1)
    for notice in waiting:
        await send(running, alpha, notice)
    assert len(north.kept) + len(south.kept) == 8


async def test_what_was_given_up_before_it_went_out_does_not_count(running: Deployment, tenant_with: Tenant) -> None:
    alpha = await tenant_with(limits={"number_day": 1})
    case = uuid4()
    await create(running, alpha, case=case)
    async with running.database.tenant(alpha) as tx:
        await supersede(tx, case, at=running.clock.now())
    assert await sent_of(running, alpha, 2, case=case) == ["sent", "limit"]


@pytest.mark.parametrize("recipient", ["+495617870", "+43664123456789", "+490900123456", "0151 12345678", "110"])
async def test_a_number_is_looked_at_once_more_before_it_is_sent_to(
    running: Deployment, tenant_with: Tenant, recipient: str, north: Gateway, south: Gateway
) -> None:
    alpha = await tenant_with()
    assert await sent_of(running, alpha, 1, recipient=recipient) == ["number"]
    assert north.kept == south.kept == []


# --- rehearsal ------------------------------------------------------------------------------------------------


async def test_a_rehearsal_sends_to_its_list_alone(
    running: Deployment, tenant_with: Tenant, listener: Listener
) -> None:
    alpha = await tenant_with(rehearsal={"recipients": [number(7)]})
    assert await sent_of(running, alpha, 1, recipient=number(7)) == ["sent"]
    assert await sent_of(running, alpha, 1) == ["rehearsal"]
    assert listener.told[-1][1:] == ("permanent-failure", "failed")
    async with running.database.tenant(alpha) as tx:
        (shown,) = await store.unfortunate(tx, running.clock.now())
    assert shown.reference == "rehearsal"


async def test_a_blind_rehearsal_sends_all_others_to_its_telephone(
    urls: Urls, running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway, tmp_path: Path
) -> None:
    alpha = await tenant_with(rehearsal={"recipients": [number(7)], "others": "phone"})
    telephone = south.url.removesuffix("/sms")
    async with open_deployment(
        urls, tmp_path, running.plugins, clock=FixedClock(running.clock.now()), phone_url=telephone
    ) as calling:
        notice = await create(calling, alpha)
        await send(calling, alpha, notice)
        assert (await read(calling, alpha, notice)).provider == "phone"
    assert south.kept == [{"reference": str(notice.id), "recipient": PHONE, "text": "DokBox 1: Code 482913", "qr": ""}]
    assert north.kept == []


# --- receipts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["delivered", "temporary-failure", "permanent-failure"])
async def test_a_receipt_is_counted_once(
    running: Deployment, tenant_with: Tenant, listener: Listener, outcome: str
) -> None:
    alpha = await tenant_with()
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    provider = (await read(running, alpha, notice)).provider
    counted = RECEIPTS.labels(channel=provider, outcome=outcome)._value.get
    before = counted()
    await say(running, alpha, notice, "sent")
    assert (await read(running, alpha, notice)).state == "sent"
    for said in (outcome, outcome, "permanent-failure", "delivered"):
        await say(running, alpha, notice, said)
    assert (await read(running, alpha, notice)).state == outcome
    assert counted() == before + 1
    expected = [] if outcome == "delivered" else [(notice.id, outcome, "undelivered")]
    assert listener.told[1:] == expected


async def test_a_message_that_was_accepted_is_never_sent_again(
    running: Deployment, tenant_with: Tenant, north: Gateway, south: Gateway
) -> None:
    """Not by a job that comes a second time, nor is it given up by a newer one: the provider's word stands."""
    alpha = await tenant_with()
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    await say(running, alpha, notice, "temporary-failure")
    await send(running, alpha, notice)
    assert len(north.kept) + len(south.kept) == 1
    async with running.database.tenant(alpha) as tx:
        await supersede(tx, notice.case, at=running.clock.now())
    assert (await read(running, alpha, notice)).state == "temporary-failure"


async def test_a_receipt_for_another_provider_or_tenant_changes_nothing(
    running: Deployment, tenant_with: Tenant, urls: Urls
) -> None:
    alpha = await tenant_with()
    beta = await make_tenant(running, urls.owner, "beta")
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    found = await read(running, alpha, notice)
    other = {"north": "south", "south": "north"}[found.provider]
    await receipts.take(running, alpha, other, Receipt(found.reference, "delivered"))
    await receipts.take(running, beta, found.provider, Receipt(found.reference, "delivered"))
    assert (await read(running, alpha, notice)).state == "sent"


async def test_a_receipt_that_overtakes_its_message_is_looked_at_again(
    running: Deployment, tenant_with: Tenant, urls: Urls
) -> None:
    alpha = await tenant_with(sms="north")
    await receipts.take(running, alpha, "north", Receipt("north-1", "delivered"))
    notice = await create(running, alpha)
    await send(running, alpha, notice)
    with psycopg.connect(conninfo(urls.owner)) as connection:
        (arguments,) = connection.execute(
            "SELECT args FROM procrastinate_jobs WHERE task_name = 'core.notice.receipt'"
        ).fetchone() or ({},)
    assert arguments == {
        "tenant_id": alpha.id,
        "provider": "north",
        "reference": "north-1",
        "outcome": "delivered",
        "looked": 1,
        "accepted_at": "",
    }
    del arguments["tenant_id"]
    await receipts.take_later.function(running, alpha, **arguments)
    assert (await read(running, alpha, notice)).state == "delivered"


async def test_a_reference_that_is_used_again_means_the_message_of_that_time(
    running: Deployment, tenant_with: Tenant, urls: Urls, clock: FixedClock
) -> None:
    """A modem counts to 255. The telephone of the first was off; of the second the report overtakes our note."""
    alpha = await tenant_with(sms="north")
    first = await create(running, alpha)
    await send(running, alpha, first)
    taken = (await read(running, alpha, first)).reference
    clock.forward(days=6)
    await receipts.take(running, alpha, "north", Receipt(taken, "delivered", accepted_at=clock.now()))
    assert (await read(running, alpha, first)).state == "sent"
    with psycopg.connect(conninfo(urls.owner)) as connection:
        (arguments,) = connection.execute(
            "SELECT args FROM procrastinate_jobs WHERE task_name = 'core.notice.receipt'"
        ).fetchone() or ({},)
    del arguments["tenant_id"]
    await receipts.take_later.function(running, alpha, **arguments)
    assert (await read(running, alpha, first)).state == "sent", "the time goes along"
    second = await create(running, alpha)
    await send(running, alpha, second)
    async with running.database.tenant(alpha) as tx:
        given = (await read(running, alpha, second)).reference
        attempt = await provider_store.accepted_attempt(tx, "north", given)
        assert attempt is not None
        await tx.execute(
            sa.update(provider_store.notice_attempt)
            .where(provider_store.notice_attempt.c.tenant_id == alpha.id)
            .where(provider_store.notice_attempt.c.id == attempt.id)
            .values(reference=taken)
        )
    clock.forward(hours=3)
    await receipts.take_later.function(running, alpha, **arguments)
    assert (await read(running, alpha, first)).state == "sent"
    assert (await read(running, alpha, second)).state == "delivered"


async def test_a_reference_that_nobody_knows_is_forgotten(running: Deployment, tenant_with: Tenant, urls: Urls) -> None:
    alpha = await tenant_with()
    await receipts.take_later.function(
        running, alpha, provider="north", reference="nobody", outcome="delivered", looked=2
    )
    with psycopg.connect(conninfo(urls.owner)) as connection:
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)


async def test_silence_for_a_day_is_shown_to_staff(running: Deployment, tenant_with: Tenant, clock: FixedClock) -> None:
    alpha = await tenant_with()
    heard, silent = await create(running, alpha), await create(running, alpha)
    for notice in (heard, silent):
        await send(running, alpha, notice)
    await say(running, alpha, heard, "delivered")
    for step, expected in ((timedelta(hours=23), 0), (timedelta(hours=2), 1), (timedelta(days=7), 0)):
        clock.instant += step
        async with running.database.tenant(alpha) as tx:
            assert await store.count_unfortunate(tx, tx.now()) == expected
            assert len(await store.unfortunate(tx, tx.now())) == expected


async def test_a_provider_without_receipts_is_not_waited_for(
    running: Deployment, tenant_with: Tenant, clock: FixedClock, urls: Urls
) -> None:
    alpha = await tenant_with()
    section = alpha.section("notices", NoticeSettings)
    mute = [
        {"name": "north", "protocol": "rest", "sender": "STADT", "url": section.provider[0].url, "key": "file:sms-key"}
    ]  # type: ignore[union-attr]
    beta = await make_tenant(running, urls.owner, "alpha", settings={"notices": {"sms": "north", "provider": mute}})
    await send(running, beta, await create(running, beta))
    clock.forward(hours=25)
    async with running.database.tenant(beta) as tx:
        assert await store.count_unfortunate(tx, tx.now()) == 0


async def test_attempts_are_forgotten_after_a_month_and_with_their_case(
    running: Deployment, tenant_with: Tenant, clock: FixedClock, urls: Urls
) -> None:
    alpha = await tenant_with()
    gone, old = await create(running, alpha), await create(running, alpha)
    for notice in (gone, old):
        await send(running, alpha, notice)
    async with running.database.tenant(alpha) as tx:
        await store.delete_of_case(tx, gone.case)
    await erase_expired.function(running, alpha)

    def attempts() -> list[UUID]:
        with psycopg.connect(conninfo(urls.owner)) as connection:
            connection.execute("SET app.tenant = 1")
            return [row[0] for row in connection.execute("SELECT notice FROM notice_attempt").fetchall()]

    assert attempts() == [old.id]
    clock.forward(days=31)
    await erase_expired.function(running, alpha)
    assert attempts() == []
